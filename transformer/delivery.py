"""Writes a request's files into the directory it came from (see placing.py), with their sidecars."""

from __future__ import annotations

import os
from contextlib import suppress

from seamless_queue import sidecars
from seamless_queue.broker.work import Delivery
from seamless_queue.errors import SeamlessError
from seamless_queue.store import Store

from . import directories, placing, plain
from .directories import Index


def deliver(store: Store, delivery: Delivery) -> None:
    """Write all outputs of a delivery, and their sidecars."""
    if not delivery.outputs:
        return
    index = directories.read_index(store, delivery.result)
    base = os.fsdecode(delivery.directory)
    for output in delivery.outputs:
        relative = os.path.relpath(os.fsdecode(output.path), base)
        with placing.below(base, relative) as (parent, name):
            inside = os.fsdecode(output.name)
            entry = directories.part_of(index, inside)
            if isinstance(entry, str):
                executable = directories.is_executable(index, inside)
                _deliver_file(store, parent, name, entry, delivery.sidecars_only, executable)
            else:
                _deliver_directory(store, parent, name, entry, delivery.sidecars_only)


def _deliver_file(store: Store, parent: int, name: str, checksum: str, sidecar_only: bool, executable: bool) -> None:
    if not sidecar_only:
        if not placing.has_content(store, parent, name, checksum):
            placing.write(store, parent, name, checksum, executable=executable)
        elif executable:
            placing.set_executable(parent, name, True)
    placing.write_bytes(parent, name + sidecars.CHECKSUM, f"{checksum}\n".encode())


def _deliver_directory(store: Store, parent: int, name: str, index: Index, sidecar_only: bool) -> None:
    content = plain.dump(index)
    if not sidecar_only:
        _remove_stale(store, parent, name, index)
        write_directory(store, parent, name, index)
    placing.write_bytes(parent, name + sidecars.INDEX, content)
    placing.write_bytes(parent, name + sidecars.CHECKSUM, f"{store.digest.of(content)}\n".encode())


def write_directory(store: Store, parent: int, name: str, index: Index) -> None:
    """Write what an index has and a directory has not; nothing is removed."""
    placing.make_directory(parent, name)
    with placing.Walk(parent) as walk:
        for entry, checksum in directories.files(index):
            executable = directories.is_executable(index, entry)
            place, last = walk.to(f"{name}/{entry}")
            if not placing.has_content(store, place, last, checksum):
                placing.write(store, place, last, checksum, executable=executable)
            else:
                placing.set_executable(place, last, executable)
    for entry in directories.empty_directories(index):
        placing.make_directory(parent, f"{name}/{entry}")


def _remove_stale(store: Store, parent: int, name: str, index: Index) -> None:
    """Remove what the last delivery wrote and this one does not, unless somebody has changed it."""
    try:
        descriptor = os.open(name + sidecars.INDEX, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=parent)
    except OSError:
        return
    with os.fdopen(descriptor, "rb") as file, suppress(ValueError, SeamlessError):
        old = directories.parse(file.read(), name + sidecars.INDEX)
        for entry in old:
            if entry not in index:
                path = f"{name}/{entry.removeprefix(directories.MARK)}"
                with suppress(OSError, SeamlessError):
                    if not entry.startswith(directories.MARK):
                        _remove_if_unchanged(store, parent, path, old[entry])
                        path = os.path.dirname(path)
                    # A directory with nothing in it would be part of what is there now.
                    placing.remove_empty(parent, path, name)


def _remove_if_unchanged(store: Store, parent: int, path: str, checksum: str) -> None:
    with placing.way(parent, path, make=False) as (place, last):
        descriptor = os.open(last, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=place)
        try:
            same = store.digest.of_descriptor(descriptor) == checksum
        finally:
            os.close(descriptor)
        if same:
            os.unlink(last, dir_fd=place)
