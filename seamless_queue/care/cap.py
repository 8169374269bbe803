"""How large a store may grow, and where that is said."""

from __future__ import annotations

import os
from typing import NamedTuple

from . import sizes

#: Where nobody has said more: this share of the disk.
SHARE = 0.25
#: So much of the disk is left free, whatever the cap.
FREE_SHARE = 0.05


class Cap(NamedTuple):
    """The cap of a store in bytes (None: there is none), and how it was determined."""

    bytes: int | None
    why: str


def of(path: str, wish: str | None, used: int) -> Cap:
    """The cap of the store at `path`, of which `used` bytes are used now."""
    if wish is not None and wish.strip().lower() == sizes.NONE:
        return Cap(None, "max_size: none")
    disk = os.statvfs(path)
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    if wish is not None and sizes.share(wish) is None:
        cap, why = sizes.size(wish), f"max_size: {wish}"
    else:
        part = SHARE if wish is None else float(sizes.share(wish) or 0)
        cap, why = int(total * part), f"{part:.3g} of the disk's {sizes.readable(total)}"
    # What others leave free counts, and so do we: with less than this on the disk the cap shrinks.
    room = max(0, used + free - int(total * FREE_SHARE))
    if room < cap and wish is None:
        return Cap(room, f"the disk is to keep {FREE_SHARE:.0%} of its {sizes.readable(total)} free")
    return Cap(cap, why)
