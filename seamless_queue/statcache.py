"""Spares hashing a file again whose status has not changed since it was hashed.

An entry is trusted only if the file was last changed well before its hashing began: a change within
the file system's time grain would leave the same status behind.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import orjson

from .driver import Database

#: Time stamps of ext4, XFS, btrfs and APFS are at most one kernel tick old; 20 ms is five of them.
GRAIN_NS = 20_000_000
#: FAT and old HFS+ count whole (even) seconds.
COARSE_GRAIN_NS = 2_000_000_000
SECOND_NS = 1_000_000_000
#: So many files are asked for at once.
MANY = 5000

LOOKUP = """SELECT checksum FROM stat_cache
    WHERE device = ? AND inode = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?"""
LOOKUP_MANY = """SELECT device, inode, size, mtime_ns, ctime_ns, checksum FROM stat_cache
    WHERE device = ? AND inode IN (SELECT value FROM json_each(?))"""
RECORD = (
    "INSERT OR REPLACE INTO stat_cache (device, inode, size, mtime_ns, ctime_ns, checksum) VALUES (?, ?, ?, ?, ?, ?)"
)

Entry = tuple[int, int, int, int, int, bytes]


def lookup(database: Database, status: os.stat_result) -> str | None:
    """The checksum that a file with this status has, if it is known and can be trusted."""
    row = database.row(LOOKUP, _signature(status))
    return row[0].hex() if row else None


def lookup_many(database: Database, statuses: Sequence[os.stat_result]) -> list[str | None]:
    """The same for many files, in a few questions."""
    known: dict[tuple[int, ...], str] = {}
    for begin in range(0, len(statuses), MANY):
        asked: dict[int, list[int]] = {}
        for status in statuses[begin : begin + MANY]:
            asked.setdefault(_signed(status.st_dev), []).append(_signed(status.st_ino))
        for device, inodes in asked.items():
            for row in database.rows(LOOKUP_MANY, (device, orjson.dumps(inodes).decode())):
                known[tuple(row[:-1])] = row[-1].hex()
    return [known.get(_signature(status)) for status in statuses]


def entry(status: os.stat_result, hashing_began_ns: int, checksum: str) -> Entry | None:
    """What to record for a file that had `status` before hashing began; None if it cannot be trusted."""
    if not is_settled(status.st_mtime_ns, status.st_ctime_ns, hashing_began_ns):
        return None
    return (*_signature(status), bytes.fromhex(checksum))


def is_settled(modified_ns: int, changed_ns: int, began_ns: int) -> bool:
    """Whether a file had these times for so long, when something began, that a later change will show in them."""
    coarse = modified_ns % SECOND_NS == 0 and changed_ns % SECOND_NS == 0
    return max(modified_ns, changed_ns) <= began_ns - (COARSE_GRAIN_NS if coarse else GRAIN_NS)


def record(database: Database, entries: Sequence[Entry]) -> None:
    """Write entries down, in a transaction of their own."""
    if entries:
        with database.transaction() as connection:
            connection.executemany(RECORD, entries)


def is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file is, as far as its status can tell, what it was before."""
    return _signature(before)[1:] == _signature(after)[1:]


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
