"""Puts files and directories into a store to stay there, and says beside them what they are.

    survey ──▶ measure ──▶ Upload.of(source) ──▶ X.INDEX, X.CHECKSUM ──▶ (move) the original goes

Small buffers are written many at a time, large ones each as it comes: an upload that was interrupted goes on
where it was. Nothing is said in a sidecar before its bytes are kept and pinned.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from seamless_queue import sidecars, statcache
from seamless_queue.broker import uploads
from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import sync, write_atomically
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import compression, directories, placing, plain
from .directories import Found

#: So many files, or bytes of them, are written together.
TOGETHER_FILES, TOGETHER_BYTES = 2000, 16 << 20

#: Called with the bytes of a file that has been dealt with.
Advance = Callable[[int], None]


class Source(NamedTuple):
    """A file or directory that is to be uploaded."""

    #: as its user names it
    path: str
    #: what its sidecars are beside
    name: str
    is_directory: bool
    is_compressed: bool
    #: what is in it; the file itself if it is one
    found: list[Found]

    @property
    def files(self) -> list[Found]:
        """Its files."""
        return [entry for entry in self.found if entry.status is not None]


class Place(Protocol):
    """Where buffers go."""

    def measure(self, files: Sequence[Found]) -> tuple[int, int]:
        """How many of these files have to be read, and how many bytes they have."""

    def keep(self, source: Source, advance: Advance) -> list[str]:
        """Keep all files of a source; their checksums."""

    def keep_bytes(self, content: bytes, path: str) -> str:
        """Keep these bytes, which are what a path is known by."""

    def settle(self) -> None:
        """All that was kept is safe after this."""

    def sync(self, checksums: Sequence[str]) -> None:
        """What has these checksums survives even a loss of power after this."""

    @property
    def kept(self) -> tuple[int, int]:
        """How many buffers were new, and how many bytes they have."""


def survey(path: str, store: str | None) -> Source:
    """What is to be uploaded by this name; SeamlessError if there is nothing, or it lies in the store."""
    path = named(path)
    _refuse_store(path, store)
    if os.path.isdir(path):
        placing.check_names(path)
        return Source(path, path, True, False, directories.survey(path, store))
    if not os.path.lexists(path):
        compressed = compression.beside(path)
        if compressed is None:
            raise SeamlessError(_nothing(path))
        path = compressed
    name = compression.stem(path)
    placing.check_names(name or path)
    return Source(path, name or path, False, name is not None, [directories.look_at(path)])


def named(path: str) -> str:
    """A path that a sidecar can be beside; SeamlessError if it has no name of its own."""
    path = path.rstrip("/") or "/"
    if os.path.basename(path) in ("", ".", ".."):
        raise SeamlessError(f"{path} has no name that a sidecar could be beside; name the directory itself")
    return path


def _nothing(path: str) -> str:
    if os.path.lexists(path + sidecars.CHECKSUM):
        return f"{path} is absent, only {path}{sidecars.CHECKSUM} is there; fetch it with: seamless-download {path}"
    return f"{path} does not exist"


def _refuse_store(path: str, store: str | None) -> None:
    if store is not None:
        inside = os.path.join(os.path.realpath(store), "")
        if os.path.join(os.path.realpath(path), "").startswith(inside):
            raise SeamlessError(f"{path} is part of the store {store}; leave it out")


# -- keeping ------------------------------------------------------------------------------------
def upload(place: Place, source: Source, advance: Advance) -> list[str]:
    """Keep a source, and write its sidecars; its checksum, and those of its files."""
    checksums = place.keep(source, advance)
    index = None
    if source.is_directory:
        index = plain.dump(directories.index_of(source.found, checksums))
        checksum = place.keep_bytes(index, source.path)
    else:
        (checksum,) = checksums
        _compare(source, checksum, place)
    place.settle()
    if index is not None:
        write_sidecar(source.name + sidecars.INDEX, index)
    write_sidecar(source.name + sidecars.CHECKSUM, f"{checksum}\n".encode())
    return [checksum, *checksums]


def write_sidecar(path: str, content: bytes) -> None:
    """Write a sidecar, unless it says so already."""
    with suppress(OSError), open(path, "rb") as file:
        if file.read(len(content) + 1) == content:
            return
    write_atomically(path, content)


def _compare(source: Source, checksum: str, place: Place) -> None:
    """The sidecar of a compressed file stands for the plain one too."""
    if not source.is_compressed or not os.path.isfile(source.name):
        return
    (plain_one,) = place.keep(Source(source.name, source.name, False, False, [directories.look_at(source.name)]), _mute)
    if plain_one != checksum:
        raise SeamlessError(f"{source.name} is not what {source.path} holds; remove one of them")


def _mute(_size: int) -> None:
    pass


class InStore:
    """Buffers go into a store, and are pinned."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kept = (0, 0)
        self._staged = Staged()
        self._pins: list[tuple[str, bytes]] = []
        self._bytes = 0

    def measure(self, files: Sequence[Found]) -> tuple[int, int]:
        """How many of these files have to be read, and how many bytes they have."""
        unknown = [file for file, checksum in zip(files, self._known(files), strict=True) if checksum is None]
        return len(unknown), sum(file.size for file in unknown)

    def keep(self, source: Source, advance: Advance) -> list[str]:
        """Keep all files of a source; their checksums."""
        files = source.files
        if source.is_compressed:
            return [self._keep_compressed(source, advance)]
        return [self._keep(*pair, advance) for pair in zip(files, self._known(files), strict=True)]

    def _keep_compressed(self, source: Source, advance: Advance) -> str:
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for piece in compression.pieces(source.path):
                size += len(piece)
                yield piece

        before = self._said(source.name)
        checksum = self.store.buffers.stage_pieces(counted(), self._staged)
        advance(source.files[0].size)
        if checksum == before:
            self._pins.append((checksum, _absolute(source.path)))
        else:
            self._note(checksum, source.path, size)
        return checksum

    def _said(self, name: str) -> str | None:
        """What a sidecar says already, if it is true."""
        with suppress(SeamlessError):
            checksum = sidecars.read_checksum(name)
            return checksum if checksum is not None and self.store.buffers.has(checksum) else None
        return None

    def _known(self, files: Sequence[Found]) -> list[str | None]:
        known = statcache.lookup_many(self.store.database, [file.status for file in files if file.status is not None])
        present = self.store.buffers.present(checksum for checksum in known if checksum is not None)
        return [checksum if checksum in present else None for checksum in known]

    def _keep(self, file: Found, known: str | None, advance: Advance) -> str:
        if known is None:
            checksum = self.store.buffers.stage_file(file.path, self._staged, unknown=file.status, advance=advance)
            self._note(checksum, file.path, file.size)
            return checksum
        advance(file.size)
        self._pins.append((known, _absolute(file.path)))
        return known

    def keep_bytes(self, content: bytes, path: str) -> str:
        """Keep these bytes, which are what a path is known by."""
        checksum = self.store.digest.of(content)
        if self.store.buffers.has(checksum):
            self._pins.append((checksum, _absolute(path)))
        else:
            self.store.buffers.keep(checksum, (content,), self._staged)
            self._note(checksum, path, len(content))
        return checksum

    def _note(self, checksum: str, path: str, size: int) -> None:
        count, total = self.kept
        self.kept = count + 1, total + size
        self._pins.append((checksum, _absolute(path)))
        self._bytes += size
        if len(self._pins) >= TOGETHER_FILES or self._bytes >= TOGETHER_BYTES:
            self.settle()

    def settle(self) -> None:
        """Write what waits, and pin it; what somebody has removed meanwhile is an error."""
        pins = list(dict.fromkeys(self._pins))
        with self.store.database.transaction() as connection:
            self._staged.write(connection)
            uploads.pin(connection, pins)
        self._staged, self._pins, self._bytes = Staged(), [], 0
        checksums = {checksum for checksum, _ in pins}
        if gone := checksums - self.store.buffers.present(checksums):
            path = next(os.fsdecode(path) for checksum, path in pins if checksum in gone)
            raise SeamlessError(f"the bytes of {path} were removed from the store meanwhile; upload it again")

    def sync(self, checksums: Sequence[str]) -> None:
        """Sync the files of large buffers; small ones are in the database, which is durable."""
        for checksum in checksums:
            with suppress(FileNotFoundError):
                sync(self.store.buffers.path(checksum))


def _absolute(path: str) -> bytes:
    return os.fsencode(os.path.abspath(path))


# -- moving ---------------------------------------------------------------------------------------
def remove_original(source: Source) -> list[str]:
    """Remove what was uploaded, unless it has changed since; what is left, and why.

    Of what a link leads to nothing is removed, only the link.
    """
    if not source.is_directory or os.path.islink(source.path):
        return list(_remove(source.path, source.found[0] if not source.is_directory else None))
    left: list[str] = []
    known = {entry.path: entry for entry in source.found}
    for place, inner, names in os.walk(source.path, topdown=False):
        for link in filter(os.path.islink, (os.path.join(place, name) for name in inner)):
            os.unlink(link)
        for path in (os.path.join(place, name) for name in names):
            if path in known:
                left += _remove(path, known[path])
            elif _is_sidecar_of(path, known):
                os.unlink(path)
            else:
                left.append(f"{path} was not part of the upload")
        with suppress(OSError):
            os.rmdir(place)
    return left


def _remove(path: str, found: Found | None) -> Iterator[str]:
    with suppress(FileNotFoundError):
        if found is not None and found.status is not None and not statcache.is_unchanged(found.status, os.stat(path)):
            yield f"{path} has changed meanwhile"
        else:
            os.unlink(path)


def _is_sidecar_of(path: str, known: dict[str, Found]) -> bool:
    """Whether it only says what a file that was uploaded is."""
    return path.endswith(sidecars.CHECKSUM) and path.removesuffix(sidecars.CHECKSUM) in known
