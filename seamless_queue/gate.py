"""Where threads wait until something has happened.

Not threading.Event: its lock stays locked for ever if Ctrl-C comes just as a wait has taken it, and whoever says then
that the thing has happened waits as well. Here each wait has a lock of its own, which nobody else ever takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from .signals import interruptible

#: A signal that comes a microsecond before the main thread waits is not seen before the wait ends: so often it ends.
LOOK_SECONDS = 0.2


class Gate:
    """One for each thing that may happen; it keeps no state of its own. For several threads."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[threading.Lock] = []

    def wait(self, has_happened: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until somebody opens the gate, or so long, unless it has happened; whether it has."""
        if has_happened():
            return True
        latch = threading.Lock()
        latch.acquire()
        self._waiting.append(latch)
        try:
            # Looked at again: who opened the gate may not have seen us.
            if not has_happened():
                _take(latch, seconds)
        finally:
            with suppress(ValueError):
                self._waiting.remove(latch)
        return has_happened()

    def open(self) -> None:
        """Wake all who wait now: it has happened."""
        while self._waiting:
            try:
                latch = self._waiting.pop()
            except IndexError:
                # Another thread was quicker.
                return
            latch.release()


def _take(latch: threading.Lock, seconds: float | None) -> None:
    """Take a lock that somebody else will let go, or wait so long."""
    longest = seconds if seconds is not None else threading.TIMEOUT_MAX
    if threading.current_thread() is not threading.main_thread():
        latch.acquire(timeout=longest)
        return
    end = time.monotonic() + longest
    with interruptible():
        while (rest := end - time.monotonic()) > 0 and not latch.acquire(timeout=min(rest, LOOK_SECONDS)):
            continue
