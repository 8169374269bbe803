"""Writes a request's files into the directory it came from, whole or not at all, and never outside.

The way to a file is walked from the request's directory, one name at a time, without following
links; the file is written under a temporary name and renamed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from seamless_queue import sidecars
from seamless_queue.broker.work import Delivery
from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import unique_name
from seamless_queue.store import Store

from . import directories, plain
from .directories import Index

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def deliver(store: Store, delivery: Delivery) -> None:
    """Write all outputs of a delivery, and their sidecars."""
    if not delivery.outputs:
        return
    index = directories.read_index(store, delivery.result)
    base = os.fsdecode(delivery.directory)
    for output in delivery.outputs:
        relative = os.path.relpath(os.fsdecode(output.path), base)
        with _parent(base, relative) as (parent, name):
            entry = directories.part_of(index, os.fsdecode(output.name))
            if isinstance(entry, str):
                _deliver_file(store, parent, name, entry, delivery.sidecars_only)
            else:
                _deliver_directory(store, parent, name, entry, delivery.sidecars_only)


def _deliver_file(store: Store, parent: int, name: str, checksum: str, sidecar_only: bool) -> None:
    if not sidecar_only and not _has_content(store, parent, name, checksum):
        _write(store, parent, name, checksum)
    _write_sidecar(parent, name + sidecars.CHECKSUM, f"{checksum}\n".encode())


def _deliver_directory(store: Store, parent: int, name: str, index: Index, sidecar_only: bool) -> None:
    content = plain.dump(index)
    if not sidecar_only:
        _remove_stale(store, parent, name, index)
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
        for entry, checksum in index.items():
            with _way(parent, f"{name}/{entry}") as (place, last):
                if not _has_content(store, place, last, checksum):
                    _write(store, place, last, checksum)
    _write_sidecar(parent, name + sidecars.INDEX, content)
    _write_sidecar(parent, name + sidecars.CHECKSUM, f"{store.digest.of(content)}\n".encode())


def _remove_stale(store: Store, parent: int, name: str, index: Index) -> None:
    """Remove what the last delivery wrote and this one does not, unless somebody has changed it."""
    try:
        descriptor = os.open(name + sidecars.INDEX, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=parent)
    except OSError:
        return
    with os.fdopen(descriptor, "rb") as file, suppress(ValueError):
        old = plain.load(file.read())
        for entry in set(old) - set(index) if isinstance(old, dict) else ():
            if directories.is_inside(entry):
                _remove_if_unchanged(store, parent, f"{name}/{entry}", old[entry])


def _remove_if_unchanged(store: Store, parent: int, path: str, checksum: str) -> None:
    with suppress(OSError, SeamlessError), _way(parent, path, make=False) as (place, last):
        descriptor = os.open(last, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=place)
        try:
            same = store.digest.of_descriptor(descriptor) == checksum
        finally:
            os.close(descriptor)
        if same:
            os.unlink(last, dir_fd=place)


def _has_content(store: Store, parent: int, name: str, checksum: str) -> bool:
    """Whether the file is there already, so that its time stamp can stay as it is."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
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


def _write(store: Store, parent: int, name: str, checksum: str) -> None:
    temporary = _temporary()
    try:
        store.buffers.copy_to(checksum, temporary, directory=parent)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=parent)
        raise


def _write_sidecar(parent: int, name: str, content: bytes) -> None:
    temporary = _temporary()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666, dir_fd=parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=parent)
        raise


def _temporary() -> str:
    return f".seamless-{unique_name()}.tmp"


@contextmanager
def _parent(base: str, relative: str) -> Iterator[tuple[int, str]]:
    if not directories.is_inside(relative):
        raise SeamlessError(f"output {relative} lies outside of {base}; it is not written")
    descriptor = os.open(base, _DIRECTORY)
    try:
        with _way(descriptor, relative) as place:
            yield place
    finally:
        os.close(descriptor)


@contextmanager
def _way(base: int, relative: str, *, make: bool = True) -> Iterator[tuple[int, str]]:
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
