"""How often something may be done that costs time, so that it takes no more than its share of a core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pace:
    """At most every `least` seconds, and for no more than `share` of the time of one core."""

    def __init__(self, least: float, share: float) -> None:
        self._least = least
        self._share = share
        self._next = 0.0
        #: seconds that it took in the last round
        self.cost = 0.0

    def is_due(self, now: float) -> bool:
        """Whether it may be done again; `now` as time.monotonic gives it."""
        return now >= self._next

    def due_in(self, now: float) -> float:
        """In how many seconds it may be done again."""
        return max(0.0, self._next - now)

    def hurry(self) -> None:
        """Let it be done at once, for somebody waits for it."""
        self._next = 0.0

    @contextmanager
    def spending(self, now: float) -> Iterator[None]:
        """Do it inside the block."""
        began = time.thread_time()
        try:
            yield
        finally:
            self.cost = time.thread_time() - began
            self._next = now + max(self._least, self.cost / self._share)
