"""One line on the terminal that tells what a command waits for just now."""

from __future__ import annotations

import time

from seamless_queue.broker import places
from seamless_queue.broker.places import AHEAD_AT_MOST, Place
from seamless_queue.store import Store

from .progress import Bar

#: How often it is asked where a request stands; that may cost some milliseconds.
ASK_SECONDS = 1.0


class WaitingLine:
    """One line that tells what a request waits for just now, and how long it has."""

    def __init__(self, store: Store, request_id: int, bar: Bar) -> None:
        self._store = store
        self._request_id = request_id
        self._bar = bar
        self._asked = float("-inf")

    def update(self) -> None:
        """Draw it, if it has been a while."""
        if time.monotonic() - self._asked >= ASK_SECONDS:
            self._asked = time.monotonic()
            self._bar.words = self._where()
        self._bar.update()

    def stop(self) -> None:
        """Take it away."""
        self._bar.stop()

    def _where(self) -> str:
        place = places.place_of(self._store.database, self._request_id)
        return "" if place is None else described(place, time.time())


def described(place: Place, now: float) -> str:
    """Where a job stands, in words."""
    which = "for the same command" if place.is_own else f"for request {place.request_id}"
    others = f" and {place.others} more" if place.others else ""
    command = "" if place.is_own else f": {place.command}"
    return f"waits {which}{others}, {_standing(place, now)}{command}"


def _standing(place: Place, now: float) -> str:
    if place.started is not None:
        return f"running for {_duration(now - place.started)}"
    if place.ahead is None:
        return "which waits for its inputs"
    if place.ahead == 0:
        return "next in the queue"
    return f"{'over ' if place.ahead >= AHEAD_AT_MOST else ''}{place.ahead:,} before it in the queue"


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
