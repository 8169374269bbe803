"""What users have put into the store to stay there, until they take it back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

PIN = "INSERT OR IGNORE INTO uploads (checksum, path, created) VALUES (?, ?, ?)"


def pin(connection: Any, uploaded: Iterable[tuple[str, bytes]]) -> None:
    """Keep these buffers, named by checksum and by the files that they are; inside the caller's transaction."""
    now = time.time()
    connection.executemany(PIN, [(bytes.fromhex(checksum), path, now) for checksum, path in uploaded])
