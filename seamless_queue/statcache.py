"""Spares hashing a file again whose status has not changed since it was hashed.

An entry is trusted only if the file was last changed well before its hashing began: a change within
the file system's time grain would leave the same status behind.
"""

from __future__ import annotations

import os

from .driver import Database

#: Time stamps of ext4, XFS, btrfs and APFS are at most one kernel tick old; 20 ms is five of them.
GRAIN_NS = 20_000_000
#: FAT and old HFS+ count whole (even) seconds.
COARSE_GRAIN_NS = 2_000_000_000
SECOND_NS = 1_000_000_000

LOOKUP = """SELECT checksum FROM stat_cache
    WHERE device = ? AND inode = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?"""
RECORD = (
    "INSERT OR REPLACE INTO stat_cache (device, inode, size, mtime_ns, ctime_ns, checksum) VALUES (?, ?, ?, ?, ?, ?)"
)

Entry = tuple[int, int, int, int, int, bytes]


def lookup(database: Database, status: os.stat_result) -> str | None:
    """The checksum that a file with this status has, if it is known and can be trusted."""
    row = database.row(LOOKUP, _signature(status))
    return row[0].hex() if row else None


def entry(status: os.stat_result, hashing_began_ns: int, checksum: str) -> Entry | None:
    """What to record for a file that had `status` before hashing began; None if it cannot be trusted."""
    coarse = status.st_mtime_ns % SECOND_NS == 0 and status.st_ctime_ns % SECOND_NS == 0
    limit = hashing_began_ns - (COARSE_GRAIN_NS if coarse else GRAIN_NS)
    if max(status.st_mtime_ns, status.st_ctime_ns) > limit:
        return None
    return (*_signature(status), bytes.fromhex(checksum))


def _signature(status: os.stat_result) -> tuple[int, int, int, int, int]:
    # SQLite's integers are signed; a device or inode number may use the 64th bit.
    return (
        _signed(status.st_dev),
        _signed(status.st_ino),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
