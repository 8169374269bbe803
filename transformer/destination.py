"""A plain directory as the place of an upload: one file per buffer, named by its checksum."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import Enum

from seamless_queue.digest import Digest
from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import copy_descriptor, unique_name, write_all

from . import compression
from .directories import Found
from .uploading import Advance, Source


class How(Enum):
    """How a file becomes a buffer."""

    #: by its bytes, shared where the file system can
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class Existing(Enum):
    """What becomes of a buffer that is there already."""

    #: it is taken for good
    SKIP = "skip"
    #: it is hashed; a damaged one is an error
    VERIFY = "verify"
    #: it is hashed; a damaged one is written anew
    REPAIR = "repair"


class InDirectory:
    """Buffers go into a directory."""

    def __init__(self, directory: str, digest: Digest, how: How, existing: Existing) -> None:
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.digest = digest
        self.how = how
        self.existing = existing
        self.kept = (0, 0)

    def measure(self, files: Sequence[Found]) -> tuple[int, int]:
        """All of them are read."""
        return len(files), sum(file.size for file in files)

    def keep(self, source: Source, advance: Advance) -> list[str]:
        """Keep all files of a source; their checksums."""
        if source.is_compressed:
            return [self._keep_compressed(source, advance)]
        return [self._keep(file, advance) for file in source.files]

    def _keep(self, file: Found, advance: Advance) -> str:
        checksum = self.digest.of_file(file.path)
        if self._is_wanted(checksum):
            self._put(checksum, file.size, lambda path: self._make(file.path, path))
            if self.how is How.COPY and self.digest.of_file(self._path(checksum)) != checksum:
                os.unlink(self._path(checksum))
                raise SeamlessError(f"{file.path} was changed while it was read; run again when its writer is done")
        advance(file.size)
        return checksum

    def _keep_compressed(self, source: Source, advance: Advance) -> str:
        checksum = checksum_of(compression.pieces(source.path), self.digest)
        if self._is_wanted(checksum):
            self._put(checksum, source.files[0].size, lambda path: _write(path, compression.pieces(source.path)))
        advance(source.files[0].size)
        return checksum

    def keep_bytes(self, content: bytes, path: str) -> str:
        """Keep these bytes, which are what a path is known by."""
        checksum = self.digest.of(content)
        if self._is_wanted(checksum):
            self._put(checksum, len(content), lambda place: _write(place, (content,)))
        return checksum

    def settle(self) -> None:
        """All is in place already."""

    def sync(self, checksums: Sequence[str]) -> None:
        """See that what was written survives a loss of power."""
        for path in map(self._path, checksums):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _path(self, checksum: str) -> str:
        return os.path.join(self.directory, checksum)

    def _is_wanted(self, checksum: str) -> bool:
        """Whether a buffer has to be written."""
        path = self._path(checksum)
        if not os.path.lexists(path):
            return True
        if self.existing is Existing.SKIP or self._is_sound(path, checksum):
            return False
        if self.existing is Existing.VERIFY:
            raise SeamlessError(f"{path} is damaged: its bytes are not those of its name; write it anew: --dest-repair")
        return True

    def _is_sound(self, path: str, checksum: str) -> bool:
        try:
            return self.digest.of_file(path) == checksum
        except OSError:
            return False

    def _put(self, checksum: str, size: int, make: Callable[[str], None]) -> None:
        temporary = os.path.join(self.directory, f".seamless-{unique_name()}.tmp")
        try:
            make(temporary)
            os.rename(temporary, self._path(checksum))
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        # Renaming one name of a file to another one of it does nothing.
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        count, total = self.kept
        self.kept = count + 1, total + size

    def _make(self, source: str, path: str) -> None:
        if self.how is How.SYMLINK:
            os.symlink(os.path.realpath(source), path)
        elif self.how is How.HARDLINK:
            self._link(source, path)
        else:
            _copy(source, path)

    def _link(self, source: str, path: str) -> None:
        try:
            os.link(os.path.realpath(source), path)
        except OSError as exc:
            raise SeamlessError(
                f"{source} cannot be linked into {self.directory}: {exc.strerror}; leave out --hardlink to copy it"
            ) from exc


def checksum_of(pieces: Iterable[bytes], digest: Digest) -> str:
    """The checksum of bytes that come piece by piece."""
    hasher = digest.new()
    for piece in pieces:
        hasher.update(piece)
    return str(hasher.hexdigest())


def _copy(source: str, path: str) -> None:
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            copy_descriptor(reader, writer, os.fstat(reader).st_size)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _write(path: str, pieces: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        for piece in pieces:
            write_all(descriptor, piece)
    finally:
        os.close(descriptor)
