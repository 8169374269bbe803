"""When a store was last tidied up by itself: the time stamp of a file, which whoever is about to do it touches."""

from __future__ import annotations

import os
import time

NAME = ".collected"
#: Between two automatic collections.
PAUSE_SECONDS = 3600.0


def last_collection(store: str) -> float | None:
    """When that was; None if it never was."""
    try:
        return os.stat(os.path.join(store, NAME)).st_mtime
    except FileNotFoundError:
        return None


def is_due(store: str) -> bool:
    """Whether it is time."""
    last = last_collection(store)
    # One from the future is a clock that was put back.
    return last is None or not 0 <= time.time() - last < PAUSE_SECONDS


def claim(store: str) -> bool:
    """Whether it is time, and this process is the one to do it. Two that ask at once may both be: that does no harm."""
    if not is_due(store):
        return False
    touch(store)
    return True


def touch(store: str) -> None:
    """Note that it is done now."""
    path = os.path.join(store, NAME)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    os.utime(path)
