"""Pinning: what is to stay although nothing needs it, until it is unpinned."""

from __future__ import annotations

import os

from ..broker import uploads
from ..errors import SeamlessError
from ..store import Store

UNPIN = "DELETE FROM uploads WHERE checksum = ?"
UNPIN_PATH = "DELETE FROM uploads WHERE path = ? OR (path > ? AND path < ?)"
#: What is pinned by its checksum alone.
NO_PATH = b""


def pin(store: Store, checksum: str) -> None:
    """Keep a buffer of the store; SeamlessError if it is not there."""
    if not store.buffers.has(checksum):
        raise SeamlessError(
            f"the store {store.path} (digest {store.digest.name}) has no buffer {checksum}; nothing was pinned"
        )
    with store.database.transaction() as connection:
        uploads.pin(connection, [(checksum, NO_PATH)])


def unpin(store: Store, checksum: str) -> int:
    """Let a buffer go, by whatever names it was pinned; how many those were."""
    with store.database.transaction() as connection:
        return int(connection.execute(UNPIN, (bytes.fromhex(checksum),)).rowcount)


def unpin_path(store: Store, path: str) -> int:
    """Let go what was uploaded from a file, or from a directory with all in it; how many buffers that were."""
    place = os.fsencode(os.path.abspath(path))
    with store.database.transaction() as connection:
        return int(connection.execute(UNPIN_PATH, (place, place + b"/", place + b"0")).rowcount)
