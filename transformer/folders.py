"""Arguments that are directories: a path, or a dict of paths and bytes, becomes an index and buffers of its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from seamless_queue.digest import is_checksum
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged

from . import directories, plain, session
from .buffer import Buffer
from .celltypes import Content, serialize
from .checksum import Checksum

#: The checksums of files, and their bytes.
Files = dict[str, Content]


def index_of(value: object, files: Files) -> bytes:
    """The index of an argument; the bytes of its files are put into `files`, or into the store if they are on disk.

    TypeError or ValueError for what is no directory, FileNotFoundError or NotADirectoryError for a path to none,
    SeamlessError for a directory that cannot be read whole.
    """
    if isinstance(value, str | os.PathLike):
        return plain.dump(_on_disk(os.fsdecode(value)))
    if not isinstance(value, dict):
        raise TypeError(f"a directory is its path, or a dict of paths and bytes, not {type(value).__name__}")
    tree = _tree(value, files)
    try:
        directories.checked(dict(_flat(tree, "")), "the directory")
    except SeamlessError as exc:
        raise ValueError(str(exc)) from None
    return plain.dump(tree)


def _on_disk(path: str) -> directories.Index:
    """The index of a directory as it is now; its files are kept."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no directory {os.path.abspath(path)}")
    if not os.path.isdir(path):
        raise NotADirectoryError(f"{os.path.abspath(path)} is no directory")
    engine, staged = session.current().engine, Staged()
    with engine.lock:
        index = directories.stage(engine.store, path, staged)
        with engine.store.database.transaction() as connection:
            staged.write(connection)
    return index


def _tree(value: dict[Any, Any], files: Files) -> dict[str, Any]:
    """The same, with checksums in the place of bytes; a dict inside is a directory inside."""
    tree: dict[str, Any] = {}
    for name, entry in value.items():
        if not isinstance(name, str):
            raise TypeError(f"the names of files are strings, not {name!r:.80}")
        if directories.is_mark(name, entry):
            tree[name] = entry
        elif not directories.is_inside(name):
            raise ValueError(f"{name!r:.80} is no path inside of the directory; one is written `a/b`")
        else:
            tree[name] = _tree(entry, files) if isinstance(entry, dict) else _file(name, entry, files)
    return tree


def _file(name: str, entry: object, files: Files) -> str:
    """The checksum of a file."""
    if isinstance(entry, Checksum):
        return entry.hex()
    if isinstance(entry, str) and is_checksum(entry):
        return entry
    if isinstance(entry, Buffer):
        files[entry.get_checksum().hex()] = entry.data
        return entry.get_checksum().hex()
    if not isinstance(entry, bytes | bytearray | memoryview):
        raise TypeError(f"file {name!r:.80} is given by its bytes, or by a Checksum, not by {type(entry).__name__}")
    content = serialize(bytes(entry), "bytes")
    checksum = session.checksum_of(content)
    files[checksum] = content
    return checksum


def _flat(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The entries of a tree by their whole paths."""
    for name, entry in tree.items():
        if isinstance(entry, dict):
            yield from _flat(entry, f"{prefix}{name}/")
        elif directories.is_mark(name, entry):
            yield f"{directories.MARK}{prefix}{name[len(directories.MARK) :]}", entry
        else:
            yield prefix + name, entry
