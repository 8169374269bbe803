"""Questions about the past: requests, jobs and attempts as they were; short reads that hold nobody back."""

from __future__ import annotations

from ..driver import Database

HAS_ENVIRONMENT = "SELECT 1 FROM environments WHERE checksum = ?"


def has_environment(database: Database, checksum: str) -> bool:
    """Whether a record of surroundings is kept."""
    return database.row(HAS_ENVIRONMENT, (bytes.fromhex(checksum),)) is not None
