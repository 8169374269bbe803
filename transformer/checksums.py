"""The checksums of files and directories as they are, without keeping anything."""

from __future__ import annotations

import os
import time

from seamless_queue import sidecars, statcache
from seamless_queue.digest import THREADED_BYTES, Digest
from seamless_queue.errors import SeamlessError
from seamless_queue.store import Store

from . import compression, directories, plain
from .directories import Found, Index
from .halves import in_halves


class Hasher:
    """Hashes with a digest; of a store's unchanged files the checksums are known."""

    def __init__(self, digest: Digest, store: Store | None) -> None:
        self.digest = digest
        self._store = store

    def of_path(self, path: str) -> str:
        """The checksum of a file, of what a compressed file holds, or of a directory's index.

        An absent one is known by x.gz or x.zst beside it, or by its sidecar. SeamlessError if there is nothing.
        """
        name = path.rstrip("/") or "/"
        if os.path.isdir(name):
            return self.digest.of(plain.dump(self.index_of(name)))
        if os.path.lexists(path):
            return self._of_file(path)
        compressed = compression.beside(name)
        if compressed is not None:
            return self._of_file(compressed)
        checksum = sidecars.read_checksum(name)
        if checksum is None:
            raise SeamlessError(f"{path} does not exist")
        return checksum

    def index_of(self, directory: str) -> Index:
        """The index of a directory."""
        found = directories.survey(directory, None if self._store is None else self._store.path)
        return directories.index_of(found, self._of_files([entry for entry in found if entry.status is not None]))

    def _of_file(self, path: str) -> str:
        if compression.stem(path) is not None:
            hasher = self.digest.new()
            for piece in compression.pieces(path):
                hasher.update(piece)
            return str(hasher.hexdigest())
        return self._of_files([directories.look_at(path)])[0]

    def _of_files(self, files: list[Found]) -> list[str]:
        if self._store is None:
            return in_halves(files, self.digest, lambda file: _of_content(self.digest, file))
        known = statcache.lookup_many(self._store.database, [file.status for file in files if file.status is not None])
        unknown = [file for file, checksum in zip(files, known, strict=True) if checksum is None]
        began = time.time_ns()
        hashed = in_halves(unknown, self.digest, lambda file: _of_content(self.digest, file))
        entries = [
            statcache.entry(file.status, began, checksum)
            for file, checksum in zip(unknown, hashed, strict=True)
            if file.status is not None
        ]
        statcache.record(self._store.database, [entry for entry in entries if entry is not None])
        found = iter(hashed)
        return [next(found) if checksum is None else checksum for checksum in known]


def _of_content(digest: Digest, file: Found) -> str:
    before = file.status
    assert before is not None
    descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Most files of a large directory are small: one look at each must do.
        if before.st_size < THREADED_BYTES:
            checksum = digest.of(os.read(descriptor, before.st_size + 1))
        else:
            checksum = digest.of_descriptor(descriptor)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (
        after.st_mtime_ns != before.st_mtime_ns
        or after.st_ctime_ns != before.st_ctime_ns
        or after.st_size != before.st_size
        or after.st_ino != before.st_ino
    ):
        raise SeamlessError(f"{file.path} was changed while it was read; run again when its writer is done")
    return checksum
