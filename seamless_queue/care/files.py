"""The files of a buffer store, looked at one directory after the other, so that memory use stays small."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from ..digest import is_checksum

NEW, DAMAGED = ".new", ".damaged"


class BufferFile(NamedTuple):
    """A large buffer on disk."""

    checksum: str
    size: int
    #: when it was last used, as buffers.py notes it
    used: float
    #: further names of the same file: downloads by hard link
    links: int


def batches(directory: str) -> Iterator[list[BufferFile]]:
    """All large buffers, as many at a time as lie in one subdirectory."""
    for place in _subdirectories(directory):
        found = list(_files(place))
        if found:
            yield found


def _subdirectories(directory: str) -> Iterator[str]:
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(directory)):
            if len(name) == 2:
                yield os.path.join(directory, name)


def _files(place: str) -> Iterator[BufferFile]:
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            # One that goes meanwhile was given up by somebody else.
            with suppress(FileNotFoundError):
                if is_checksum(entry.name) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield BufferFile(entry.name, status.st_size, status.st_atime, status.st_nlink)


def strangers(directory: str) -> Iterator[str]:
    """What lies among the large buffers and is none."""
    for place in _subdirectories(directory):
        for name in sorted(os.listdir(place)) if os.path.isdir(place) else [""]:
            path = os.path.join(place, name) if name else place
            if not is_checksum(name) or os.path.islink(path) or not os.path.isfile(path):
                yield path


class Heap(NamedTuple):
    """How many files, and how many bytes."""

    number: int = 0
    bytes: int = 0

    def plus(self, count: int, size: int) -> Heap:
        """With more of them."""
        return Heap(self.number + count, self.bytes + size)


def below(directory: str) -> Heap:
    """All files below a directory; those that go meanwhile do not count."""
    heap = Heap()
    for place, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                heap = heap.plus(1, os.lstat(os.path.join(place, name)).st_size)
    return heap


def database_files(store: str) -> list[str]:
    """The files of the database that are there. Nobody but SQLite may open them."""
    paths = (os.path.join(store, f"seamless.db{suffix}") for suffix in ("", "-wal", "-shm"))
    return [path for path in paths if os.path.exists(path)]


def database_bytes(store: str) -> int:
    """The size of the database with its log."""
    size = 0
    for path in database_files(store):
        with suppress(FileNotFoundError):
            size += os.stat(path).st_size
    return size


def open_unnoticed(path: str) -> int:
    """A read-only descriptor; to look at a file, here, is no use of it that should keep it longer."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:
        return os.open(path, flags)
