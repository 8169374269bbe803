"""Temporary files of processes that have died, and damaged copies that were set aside long ago."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from .. import owner
from ..broker import sessions
from ..store import Store
from ..workdir import owner_of, remove
from . import files
from .files import Heap


def temporary(store: Store) -> Iterator[str]:
    """Half-written buffers, and directories of jobs, that no live process will take up again."""
    place = os.path.join(store.buffers.directory, files.NEW)
    for name in os.listdir(place):
        pid = name.partition("-")[0]
        if not pid.isdigit() or owner.start_time(int(pid)) is None:
            yield os.path.join(place, name)
    # Names first, owners second: a directory made in between has an owner that is not missed.
    names = os.listdir(store.work)
    live = {
        worker
        for session in sessions.live_sessions(store.database)
        for worker in sessions.worker_processes(store.database, session)
    }
    yield from (os.path.join(store.work, name) for name in names if owner_of(name) not in live)


def damaged(store: Store, older: float) -> Iterator[str]:
    """Damaged copies that were set aside so many seconds ago."""
    place = os.path.join(store.buffers.directory, files.DAMAGED)
    for entry in os.scandir(place):
        with suppress(FileNotFoundError):
            if time.time() - entry.stat(follow_symlinks=False).st_ctime >= older:
                yield entry.path


def remove_all(paths: Iterator[str], *, dry: bool) -> Heap:
    """Remove files and directories; how many files, and how many bytes."""
    heap = Heap()
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            heap = heap.plus(*files.below(path))
        else:
            with suppress(FileNotFoundError):
                heap = heap.plus(1, os.lstat(path).st_size)
        if not dry:
            _remove(path)
    return heap


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        remove(path)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)
