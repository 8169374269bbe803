"""What jobs write, as it is kept: bounded, and also of those that were stopped or whose worker has died."""

from __future__ import annotations

import os
from contextlib import suppress

from .broker.records import NO_STREAMS, Streams
from .recorder import KEPT_BYTES, left_out, notice
from .staged import Staged
from .store import Store
from .workdir import JOB, places_of


def keep(store: Store, path: str, staged: Staged) -> str | None:
    """Take over a file that a command has written to, without its middle if it is too long; None for nothing."""
    shorten(path)
    return store.buffers.adopt(path, staged)


def recover(store: Store, worker_id: int, staged: Staged) -> Streams:
    """What a dead worker's job had written, as far as it lies in files."""
    paths = files_of(store, worker_id)
    if paths is not None:
        with suppress(OSError):
            return Streams(*(keep(store, path, staged) for path in paths))
    return NO_STREAMS


def files_of(store: Store, worker_id: int) -> tuple[str, str] | None:
    """Where a worker's job writes its standard output and error; None if it is no command, or not begun."""
    # Where there are several, Python code waits for a command, or has run before: the command's is the fullest.
    for place in sorted(places_of(store.work, worker_id), key=_is_command, reverse=True):
        stdout, stderr = f"{place}/stdout", f"{place}/stderr"
        if os.path.isfile(stdout) and os.path.isfile(stderr):
            return stdout, stderr
    return None


def _is_command(place: str) -> bool:
    return os.path.isdir(f"{place}/{JOB}")


def shorten(path: str) -> None:
    """Leave out the middle of a file that is too long."""
    size = os.stat(path).st_size
    count = left_out(size)
    if not count:
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    with open(descriptor, "r+b") as file:
        file.seek(size - KEPT_BYTES)
        tail = file.read(KEPT_BYTES)
        file.seek(KEPT_BYTES)
        file.truncate()
        file.write(notice(count))
        file.write(tail)
