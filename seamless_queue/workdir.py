"""The private directories that jobs run in: STORE/work/WORKER-N, with `job` inside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

from . import marked

#: The command's own directory inside a place.
JOB = "job"

_number = count()


class Workplace:
    """Where a worker runs its jobs, one after another: a private directory with `job`, empty, inside.

    Making and removing directories is a good part of the cost of a short command. With `reuse`, one that a
    command has left empty serves the next; that needs all its processes to be seen dead in between.
    """

    def __init__(self, parent: str, worker_id: int, *, reuse: bool) -> None:
        self._parent = parent
        self._worker_id = worker_id
        self._reuse = reuse
        self._path: str | None = None
        self._inode = 0

    @contextmanager
    def prepared(self) -> Iterator[str]:
        """The directory for one job; whatever the job leaves there is gone afterwards."""
        path = self._path or self._make()
        self._path = None
        try:
            yield path
        except EOFError:
            # Our parent is dead: what the command had written is kept by whoever buries us (streamlog.recover).
            raise
        except BaseException:
            self._tidy(path)
            raise
        self._tidy(path)

    def _tidy(self, path: str) -> None:
        if self._reuse and self._is_cleared(path):
            self._path = path
        else:
            remove(path)

    def mark(self, store_id: str) -> str:
        """The mark that the worker's commands carry (marked.MARK)."""
        return marked.mark(store_id, self._worker_id)

    def close(self) -> None:
        """Remove the directory."""
        if self._path is not None:
            remove(self._path)
            self._path = None

    def _make(self) -> str:
        path = new_place(self._parent, self._worker_id)
        os.mkdir(f"{path}/{JOB}", 0o700)
        self._inode = os.lstat(f"{path}/{JOB}").st_ino
        return path

    def _is_cleared(self, path: str) -> bool:
        """Remove the job's streams; whether its directory is still itself, and empty."""
        try:
            for name in os.listdir(path):
                if name != JOB:
                    os.unlink(f"{path}/{name}")
            status = os.lstat(f"{path}/{JOB}")
            same = status.st_ino == self._inode and status.st_mode == stat.S_IFDIR | 0o700
            return same and not os.listdir(f"{path}/{JOB}")
        except OSError:
            return False


def new_place(parent: str, worker_id: int) -> str:
    """A private directory of a worker's, which goes with it."""
    path = f"{parent}/{worker_id}-{next(_number)}"
    os.mkdir(path, 0o700)
    return path


def places_of(parent: str, worker_id: int) -> list[str]:
    """The directories of a worker, the newest last."""
    names = [name for name in os.listdir(parent) if owner_of(name) == worker_id]
    return [f"{parent}/{name}" for name in sorted(names, key=lambda name: int(name.partition("-")[2]))]


def remove(path: str) -> None:
    """Remove a directory tree, even where a command took the write permission away."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        _unlock(path)
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


def _unlock(path: str) -> None:
    """Give ourselves every permission on all directories of a tree."""
    with suppress(OSError):
        os.chmod(path, 0o700)
    for place, names, _ in os.walk(path):
        for name in names:
            with suppress(OSError):
                if not os.path.islink(f"{place}/{name}"):
                    os.chmod(f"{place}/{name}", 0o700)


def remove_those_of(parent: str, worker_id: int) -> None:
    """Remove what a dead worker has left."""
    for name in os.listdir(parent):
        if owner_of(name) == worker_id:
            remove(os.path.join(parent, name))


def owner_of(name: str) -> int | None:
    """The worker that a directory of this name belongs to; None for a name that is not ours."""
    worker, dash, number = name.partition("-")
    return int(worker) if dash and worker.isdigit() and number.isdigit() else None
