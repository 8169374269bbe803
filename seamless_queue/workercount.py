"""How many workers a session may have."""

from __future__ import annotations

import os

#: So many are possible on any machine, and so many for each processor of a large one.
MOST, MOST_A_PROCESSOR = 256, 32


def most_workers() -> int:
    """The largest number that is started; with many more processes a machine cannot be used any more."""
    return max(MOST, MOST_A_PROCESSOR * (os.cpu_count() or 1))
