"""When what is done over and over is to be done again."""

from __future__ import annotations

import time


class Rhythm:
    """Remembers by name when something is due."""

    def __init__(self, first: float = 0.0) -> None:
        #: when everything is due for the first time
        self._first = first
        self._due: dict[str, float] = {}

    def is_due(self, what: str, seconds: float) -> bool:
        """Whether it is time for something that is done every so many seconds; if so, it counts as done."""
        now = time.monotonic()
        if now < self._due.get(what, self._first):
            return False
        self._due[what] = now + seconds
        return True

    def hurry(self, what: str) -> None:
        """It is due at once."""
        self._due[what] = 0.0
