"""What users have put into the store to stay there, until they take it back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ..driver import Database

PATHS = "SELECT path FROM uploads WHERE checksum = ?"
HAS = "SELECT 1 FROM uploads WHERE checksum = ? AND path = ?"
PIN = "INSERT OR IGNORE INTO uploads (checksum, path, created) VALUES (?, ?, ?)"


def pin(connection: Any, uploaded: Iterable[tuple[str, bytes]]) -> None:
    """Keep these buffers, named by checksum and by the files that they are; inside the caller's transaction."""
    now = time.time()
    connection.executemany(PIN, [(bytes.fromhex(checksum), path, now) for checksum, path in uploaded])


def paths_of(database: Database, checksum: str) -> list[bytes]:
    """The files and directories that this buffer was uploaded as."""
    return [row[0] for row in database.rows(PATHS, (bytes.fromhex(checksum),))]


def has(database: Database, checksum: str, path: bytes) -> bool:
    """Whether a buffer was uploaded as this file."""
    return database.row(HAS, (bytes.fromhex(checksum), path)) is not None
