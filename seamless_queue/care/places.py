"""Where the files of users are that were put into the store, or written from it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..driver import Database

#: So many rows are looked at in one read transaction.
STEP = 2000

OF_UPLOAD = "SELECT path FROM uploads WHERE checksum = ? ORDER BY created DESC"
OF_OUTPUTS = """SELECT DISTINCT outputs.path FROM outputs JOIN requests ON requests.id = outputs.request_id
    WHERE requests.job_id = ? ORDER BY outputs.request_id DESC"""
DIRECTORIES = """SELECT jobs.id, jobs.checksum, buffers.content,
    (SELECT directory FROM requests WHERE requests.job_id = jobs.id ORDER BY requests.id DESC LIMIT 1)
    FROM jobs JOIN buffers ON buffers.checksum = jobs.checksum WHERE jobs.id > ? ORDER BY jobs.id LIMIT ?"""


def of_upload(database: Database, checksum: str) -> list[str]:
    """The files that a buffer was uploaded from, the newest first."""
    return [os.fsdecode(row[0]) for row in database.rows(OF_UPLOAD, (bytes.fromhex(checksum),)) if row[0]]


def of_outputs(database: Database, job_id: int) -> list[str]:
    """The files and directories that were written from a job's result."""
    return [os.fsdecode(row[0]) for row in database.rows(OF_OUTPUTS, (job_id,))]


def jobs_with_directories(database: Database) -> Iterator[tuple[str, bytes, bytes]]:
    """Every job with the content of its identity and the directory that it was last asked for from."""
    last = 0
    while rows := database.rows(DIRECTORIES, (last, STEP)):
        last = rows[-1][0]
        yield from ((row[1].hex(), bytes(row[2]), bytes(row[3])) for row in rows if row[3] is not None)
