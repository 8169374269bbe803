"""Moments and times for people."""

from __future__ import annotations

import time

_DAY_SECONDS = 86_400


def moment(seconds: float | None) -> str:
    """A moment of this place: only the time if it was today."""
    if seconds is None:
        return "at a time that is not recorded"
    then, now = time.localtime(seconds), time.localtime()
    pattern = "%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d %H:%M:%S"
    day = "today " if then[:3] == now[:3] else ""
    return day + time.strftime(pattern, then)


def duration(seconds: float | None) -> str:
    """A length of time."""
    if seconds is None:
        return "an unknown time"
    if seconds < 100:
        return f"{max(seconds, 0.0):.2f} s"
    if seconds < _DAY_SECONDS:
        return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
    return f"{seconds / _DAY_SECONDS:.1f} days"
