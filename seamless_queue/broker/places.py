"""Where that stands for which a request waits: another request that will write its input, or its own job."""

from __future__ import annotations

from typing import NamedTuple

from ..driver import Database
from .records import QUEUE_LANE
from .states import JobState, among

#: Jobs ahead in the queue are counted no further.
AHEAD_AT_MOST = 10_000

OPEN = "SELECT upstream_id FROM dependencies WHERE request_id = ? AND checksum IS NULL AND upstream_id IS NOT NULL"
STANDING = """SELECT requests.command, jobs.id, jobs.state, jobs.lane, jobs.priority, jobs.started, jobs.worker_id
    FROM requests LEFT JOIN jobs ON jobs.id = requests.job_id WHERE requests.id = ?"""
_FREE = f"{among(JobState.READY)} AND worker_id IS NULL AND lane = {QUEUE_LANE}"
AHEAD = f"""SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE {_FREE} AND priority > ?
    UNION ALL SELECT 1 FROM jobs WHERE {_FREE} AND priority = ? AND id < ? LIMIT {AHEAD_AT_MOST})"""


class Place(NamedTuple):
    """What is waited for, and how far that is."""

    request_id: int
    command: str
    #: it is the request itself, whose job somebody else runs
    is_own: bool
    #: how many other requests are waited for as well
    others: int
    #: since when it runs; None: it does not
    started: float | None
    #: how many jobs of the queue come before it, up to AHEAD_AT_MOST; None: it runs, or is not that far
    ahead: int | None


def place_of(database: Database, request_id: int) -> Place | None:
    """What a request waits for first; None if that is nothing of this store."""
    upstream = sorted({row[0] for row in database.rows(OPEN, (request_id,))})
    awaited = upstream[0] if upstream else request_id
    row = database.row(STANDING, (awaited,))
    if row is None:
        return None
    command, job_id, state, lane, priority, started, worker_id = row
    runs = state == JobState.RUNNING
    ahead = None
    if state == JobState.READY and lane == QUEUE_LANE:
        ahead = 0 if worker_id else int(database.row(AHEAD, (priority, priority, job_id))[0])
    others = max(0, len(upstream) - 1)
    return Place(awaited, command, not upstream, others, started if runs else None, ahead)
