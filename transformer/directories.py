"""Directories by checksum: an index of relative paths and the checksums of their files.

Sidecars and empty directories are not part of an index; symbolic links are followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from seamless_queue.errors import SeamlessError
from seamless_queue.sidecars import is_sidecar
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import plain

Index = dict[str, str]


def walk(directory: str) -> Iterator[tuple[str, str]]:
    """Every file below a directory: its path there (with /) and its full path.

    SeamlessError for what is neither file nor directory, and for a link back into its own parents.
    """
    yield from _walk(directory, "", frozenset())


def _walk(directory: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    status = os.stat(directory)
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise SeamlessError(f"{directory} links back to a directory above it; remove the link")
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        name = prefix + entry.name
        if entry.is_dir():
            yield from _walk(entry.path, name + "/", above | {here})
        elif is_sidecar(entry.name):
            continue
        elif entry.is_file():
            yield name, entry.path
        else:
            raise SeamlessError(f"{entry.path} is neither a file nor a directory; leave it out")


def stage(store: Store, directory: str, staged: Staged) -> Index:
    """Keep all files of a user's directory as they are now; their index."""
    return {name: store.buffers.stage_file(path, staged) for name, path in walk(directory)}


def adopt(store: Store, directory: str, staged: Staged) -> Index:
    """The same for a directory that nobody else has: large files are moved into the store."""
    return {name: adopt_file(store, path, staged) for name, path in list(walk(directory))}


def adopt_file(store: Store, path: str, staged: Staged) -> str:
    """Keep one file of a job's directory; behind a symbolic link, a copy of what it points to."""
    if os.path.islink(path):
        return store.buffers.stage_file(path, staged)
    return store.buffers.adopt(path, staged)


def read_index(store: Store, checksum: str) -> Index:
    """The index with this checksum; SeamlessError if it is not one, or names places outside."""
    index = plain.load(store.buffers.read(checksum))
    if not isinstance(index, dict):
        raise SeamlessError(f"{checksum} is not the index of a directory")
    for name in index:
        if not is_inside(name):
            raise SeamlessError(f"index {checksum} names {name!r}, outside of its directory; it is not used")
    return index


def is_inside(name: str) -> bool:
    """Whether a relative path with / stays inside, and is written in the one normal way."""
    return all(part not in ("", ".", "..") for part in name.split("/"))


def materialise(store: Store, index: Index, directory: str) -> None:
    """Write all files of an index into a directory, making it if need be."""
    made = {directory}
    with suppress(FileExistsError):
        os.mkdir(directory)
    for name, checksum in index.items():
        path = f"{directory}/{name}"
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        store.buffers.copy_to(checksum, path)


def part_of(index: Index, name: str) -> str | Index:
    """What an index has under a name: a file's checksum, or the index of a directory, maybe empty."""
    if name in index:
        return index[name]
    prefix = name + "/"
    return {entry[len(prefix) :]: checksum for entry, checksum in index.items() if entry.startswith(prefix)}
