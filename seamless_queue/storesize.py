"""How large a store is, found out quickly: exactly if that takes no longer than allowed, else by a sample."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import NamedTuple

from .care import files

#: So long a command that is to answer at once may look.
QUICK_SECONDS = 0.03


class Size(NamedTuple):
    """Bytes of a store's files; not `exact` if only a part of them was looked at."""

    bytes: int
    exact: bool


def measured(path: str, seconds: float = QUICK_SECONDS) -> Size:
    """The database and the large buffers. These lie in directories by the start of their checksum, evenly: if time
    runs out, those that were looked at stand for the others.
    """
    buffers = os.path.join(path, "buffers")
    places = [name for name in _names(buffers) if len(name) == 2]
    deadline, total, seen = time.monotonic() + seconds, 0, 0
    for name in places:
        total += _bytes_in(os.path.join(buffers, name))
        seen += 1
        if time.monotonic() > deadline:
            break
    exact = seen == len(places)
    estimated = total if exact else total * len(places) // seen
    return Size(files.database_bytes(path) + estimated, exact)


def _names(directory: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(directory)
    return []


def _bytes_in(place: str) -> int:
    total = 0
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total
