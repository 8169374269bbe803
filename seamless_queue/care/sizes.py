"""Sizes and durations as people write them."""

from __future__ import annotations

import re

from ..errors import ConfigurationError

#: A thousand at a time, as disks are sold; with an i, 1024.
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?", re.IGNORECASE)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.IGNORECASE)
#: How a store is said to have no limit.
NONE = "none"


def size(text: str) -> int:
    """Bytes: `500000`, `200M`, `1.5 GB`, `4GiB`; ConfigurationError if it is no size."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(f"{text!r} is not a size: write it as 500M, 20G or 1.5T (GiB for powers of 1024)")
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** _UNITS[unit.lower()])


def share(text: str) -> float | None:
    """`25%` as 0.25; None if it is no share."""
    found = _SHARE.fullmatch(text.strip())
    return float(found[1]) / 100 if found else None


def check_size(text: str) -> None:
    """ConfigurationError unless it is a size, a share of the disk, or `none`."""
    if text.strip().lower() != NONE and share(text) is None:
        size(text)


def duration(text: str) -> float:
    """Seconds: `90`, `10m`, `36h`, `7d`, `2w`; ConfigurationError if it is no duration."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(f"{text!r} is not a duration: write it as 90s, 10m, 36h, 7d or 2w")
    return float(found[1]) * _SECONDS[found[2].lower()]


def readable(count: float) -> str:
    """Bytes for people."""
    units = ["B", "KB", "MB", "GB", "TB", "PB"]
    while abs(count) >= 1000 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:.0f} B" if units[0] == "B" else f"{count:.3g} {units[0]}"


def readable_seconds(seconds: float) -> str:
    """A duration for people, in its largest unit."""
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {name}"
    return f"{seconds:.3g} s"
