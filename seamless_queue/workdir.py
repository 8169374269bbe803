"""The private directories that jobs run in: STORE/work/WORKER-N."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

_number = count()


@contextmanager
def private_directory(parent: str, worker_id: int) -> Iterator[str]:
    """A new empty directory, gone afterwards with all that is in it."""
    path = f"{parent}/{worker_id}-{next(_number)}"
    os.mkdir(path, 0o700)
    try:
        yield path
    finally:
        remove(path)


def remove(path: str) -> None:
    """Remove a directory tree, even where a command took the write permission away."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path, onerror=_unlock)


def _unlock(function: Callable[..., Any], path: str, error: Any) -> None:
    if isinstance(error[1], FileNotFoundError):
        return
    for place in (os.path.dirname(path), path):
        if not os.path.islink(place):
            with suppress(OSError):
                os.chmod(place, 0o700)
    with suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def owner_of(name: str) -> int | None:
    """The worker that a directory of this name belongs to; None for a name that is not ours."""
    worker, dash, number = name.partition("-")
    return int(worker) if dash and worker.isdigit() and number.isdigit() else None
