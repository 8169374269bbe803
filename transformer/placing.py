"""Writes files below a directory, each whole or not at all, and never outside.

The way to a file is walked from the directory, one name at a time, without following links; the file is
written under a temporary name and renamed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import unique_name
from seamless_queue.sidecars import CHECKSUM
from seamless_queue.store import Store

from . import directories
from .commandline import UsageError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
#: Who may execute a file that may be read by the same.
_READERS = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
#: How long a name may be where the file system does not tell.
_NAME_BYTES = 255


def check_names(path: str, *, beside: str = CHECKSUM) -> None:
    """UsageError if a name of a path is too long for a file there, or for what is to be beside it.

    `.CHECKSUM` is the longest of all sidecars, and temporary names are short.
    """
    *above, last = os.path.abspath(path).split("/")
    longest = _longest_name("/".join(above) or "/")
    for name in (*above, last + beside):
        if len(os.fsencode(name)) > longest:
            raise UsageError(
                f"{os.path.relpath(path):.60}: a name of {len(os.fsencode(name))} bytes is too long for the file "
                f"system, which takes {longest}{f' ({beside} included)' if beside else ''}; choose a shorter one"
            )


def _longest_name(directory: str) -> int:
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    try:
        return os.pathconf(directory, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _NAME_BYTES


@contextmanager
def below(base: str, relative: str) -> Iterator[tuple[int, str]]:
    """The directory that holds the last name of a path below `base`, made if need be, and that name."""
    if not directories.is_inside(relative):
        raise SeamlessError(f"output {relative} lies outside of {base}; it is not written")
    descriptor = os.open(base, _DIRECTORY)
    try:
        with way(descriptor, relative) as place:
            yield place
    finally:
        os.close(descriptor)


@contextmanager
def way(base: int, relative: str, *, make: bool = True) -> Iterator[tuple[int, str]]:
    """The directory that holds the last name of a relative path, and that name; links are refused."""
    *parts, name = relative.split("/")
    descriptor = os.dup(base)
    try:
        for part in parts:
            following = _step(descriptor, part, relative, make)
            os.close(descriptor)
            descriptor = following
        yield descriptor, name
    finally:
        os.close(descriptor)


def _step(descriptor: int, part: str, relative: str, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=descriptor)
    try:
        return os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
    except NotADirectoryError:
        raise SeamlessError(
            f"{part}, on the way to output {relative}, is a link or a file; outputs are not written through it"
        ) from None


class Walk:
    """Many ways below one directory; that of the last one is kept, because most neighbours share it."""

    def __init__(self, base: int, *, make: bool = True) -> None:
        self._base = base
        self._make = make
        self._last: tuple[str, int] | None = None

    def to(self, relative: str) -> tuple[int, str]:
        """The same as `way`; the descriptor is good until the next one is asked for."""
        parent, _, name = relative.rpartition("/")
        if self._last is None or self._last[0] != parent:
            self.close()
            with way(self._base, relative, make=self._make) as (descriptor, _last):
                self._last = parent, os.dup(descriptor)
        assert self._last is not None
        return self._last[1], name

    def close(self) -> None:
        """Give the descriptor back."""
        if self._last is not None:
            os.close(self._last[1])
            self._last = None

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_directory(parent: int, relative: str) -> None:
    """Make a directory and those above it, unless they are there."""
    with way(parent, f"{relative}/.") as _:
        pass


def has_content(store: Store, parent: int, name: str, checksum: str) -> bool:
    """Whether the file is there already, so that its time stamp can stay as it is."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=parent)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise SeamlessError(f"{name} is a directory; remove it or choose another output name")
        if not stat.S_ISREG(status.st_mode) or status.st_size != store.buffers.size(checksum):
            return False
        return store.digest.of_descriptor(descriptor) == checksum
    finally:
        os.close(descriptor)


def write(store: Store, parent: int, name: str, checksum: str, *, executable: bool = False) -> None:
    """Put the bytes of a checksum in the place of a file."""
    with _in_place_of(parent, name) as temporary:
        store.buffers.copy_to(checksum, temporary, 0o777 if executable else 0o666, directory=parent)


def write_bytes(parent: int, name: str, content: bytes) -> None:
    """Put these bytes in the place of a file."""
    with _in_place_of(parent, name) as temporary:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=parent), "wb") as file:
            file.write(content)


@contextmanager
def _in_place_of(parent: int, name: str) -> Iterator[str]:
    """A name for a new file, which is renamed in the end, or removed if that is not reached."""
    temporary = f".seamless-{unique_name()}.tmp"
    try:
        yield temporary
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=parent)
        raise


def set_executable(parent: int, name: str, executable: bool) -> None:
    """See to it that a file that is there may be executed by its readers, or by nobody."""
    descriptor = os.open(name, _FILE, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if bool(mode & stat.S_IXUSR) is not executable:
            readers = (mode & _READERS) >> 2
            os.fchmod(descriptor, mode | readers if executable else mode & ~0o111)
    finally:
        os.close(descriptor)


def remove_empty(parent: int, relative: str, until: str) -> None:
    """Remove a directory that is empty, and those above it that become so, below `until`."""
    while relative != until:
        with way(parent, relative, make=False) as (place, last):
            os.rmdir(last, dir_fd=place)
        relative = os.path.dirname(relative)
