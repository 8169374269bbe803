"""What a sidecar stands for where the file or directory itself is not there: X.CHECKSUM alone does not say which."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from seamless_queue import sidecars
from seamless_queue.broker import evictions, uploads
from seamless_queue.errors import SeamlessError
from seamless_queue.store import Store

from . import directories, plain
from .directories import Index
from .provenance import identity_of, parts


def was_directory(store: Store, path: str, checksum: str) -> bool:
    """Whether a path with this checksum in its sidecar was a directory, as far as anybody knows."""
    return os.path.exists(path + sidecars.INDEX) or index_behind(store, checksum) is not None


def index_behind(store: Store, checksum: str) -> Index | None:
    """The index of what was uploaded or captured as a directory; None if it was a file too, or nobody knows."""
    found = None
    for index in (*_as_uploaded(store, checksum), *_as_captured(store, checksum)):
        if index is None:
            return None
        found = index
    return found


def _as_uploaded(store: Store, checksum: str) -> Iterator[Index | None]:
    """An index for each upload of a directory, None for each one of a file."""
    paths = uploads.paths_of(store.database, checksum)
    if not paths:
        return
    index: Index = {}
    with suppress(SeamlessError):
        if _may_be_index(store, checksum):
            index = directories.read_index(store, checksum)
    # The files of a directory were uploaded with it. Of an empty one nobody can tell.
    name, member = next(directories.files(index), ("", checksum))
    for path in paths:
        yield index if uploads.has(store.database, member, os.path.join(path, os.fsencode(name))) and name else None


def _may_be_index(store: Store, checksum: str) -> bool:
    """What does not begin with a brace need not be read: it may be large."""
    try:
        with open(store.buffers.path(checksum), "rb") as file:
            return file.read(1) == b"{"
    except OSError:
        # A small buffer has no file.
        return True


def _as_captured(store: Store, checksum: str) -> Iterator[Index | None]:
    """The same for outputs of jobs."""
    for maker in evictions.makers_of(store.database, checksum):
        try:
            made = parts(identity_of(store, maker.checksum))
            if maker.result == checksum:
                if not made.is_index:
                    yield None
                continue
            result = directories.read_index(store, maker.result)
        except SeamlessError:
            continue
        for name in made.captures:
            part = directories.part_of(result, name)
            if part == checksum:
                yield None
            elif not isinstance(part, str) and store.digest.of(plain.dump(part)) == checksum:
                yield part
