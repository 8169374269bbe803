"""What a forecast is made of: how fast jobs end, how long they took, what is still to be done, who waits for whom."""

from __future__ import annotations

from typing import NamedTuple

from ..driver import Database
from .states import IS_LIVE, UNFINISHED, Outcome, among

#: So many attempts tell how long jobs take, and so many requests what is still to be done.
SAMPLE = 2000
#: So many waiting inputs are looked at for the longest chain.
MOST_LINKS = 20_000

LAST_ATTEMPT = "SELECT COALESCE(MAX(id), 0) FROM attempts"
ENDED_AT = "SELECT finished FROM attempts WHERE id >= ? ORDER BY id LIMIT 1"
_TOOK_TIME = f"""outcome IN ({Outcome.DONE.value}, {Outcome.FAILED.value}, {Outcome.TIMED_OUT.value},
    {Outcome.DIFFERED.value})"""
DURATIONS = f"""SELECT attempts.id, attempts.finished, attempts.finished - attempts.started, requests.command,
    requests.project
    FROM attempts JOIN requests ON requests.id = (SELECT MAX(id) FROM requests WHERE job_id = attempts.job_id)
    WHERE attempts.id > ? AND attempts.{_TOOK_TIME} AND attempts.started IS NOT NULL
    ORDER BY attempts.id DESC LIMIT {SAMPLE}"""
LIVE_COUNT = f"SELECT COUNT(*) FROM requests WHERE {IS_LIVE} AND {among(*UNFINISHED)}"
AHEAD = f"""SELECT requests.id, requests.lane, requests.job_id, requests.command, requests.project FROM requests
    WHERE {IS_LIVE} AND {among(*UNFINISHED)} AND id % ? = 0"""
LINKS = f"""SELECT dependencies.request_id, dependencies.upstream_id, requests.command, requests.project,
    upstream.command, upstream.project
    FROM dependencies JOIN requests ON requests.id = dependencies.request_id
    JOIN requests AS upstream ON upstream.id = dependencies.upstream_id
    WHERE dependencies.checksum IS NULL AND dependencies.upstream_id IS NOT NULL
    ORDER BY dependencies.request_id LIMIT {MOST_LINKS}"""


class Throughput(NamedTuple):
    """How many attempts ended in the last minute, and in the last ten."""

    minute: int = 0
    ten_minutes: int = 0


class Taken(NamedTuple):
    """How long an attempt took, in seconds, and of what."""

    attempt_id: int
    finished: float
    seconds: float
    command: str
    project: str | None


class Ahead(NamedTuple):
    """A request that is still to be done."""

    request_id: int
    lane: int
    job_id: int | None
    command: str
    project: str | None


class Link(NamedTuple):
    """A request that waits for another one of the store."""

    request_id: int
    upstream_id: int
    command: str
    project: str | None
    upstream_command: str
    upstream_project: str | None


def throughput(database: Database, now: float) -> Throughput:
    """By halving: attempts are numbered as they end, or nearly so."""
    last = int(database.row(LAST_ATTEMPT)[0])
    return Throughput(*(last - _last_before(database, now - seconds, last) for seconds in (60.0, 600.0)))


def _last_before(database: Database, moment: float, last: int) -> int:
    """The number of the last attempt that had ended by then; 0 if there is none."""
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        row = database.row(ENDED_AT, (middle,))
        if row is not None and row[0] < moment:
            low = middle
        else:
            high = middle - 1
    return low


def durations(database: Database, after: int = 0) -> list[Taken]:
    """How long the newest attempts took, of those with a higher number than `after`."""
    return [Taken(row[0], row[1], max(0.0, row[2]), *row[3:]) for row in database.rows(DURATIONS, (after,))]


def ahead(database: Database) -> tuple[list[Ahead], int]:
    """What is still to be done, or every n-th of it: a sample, and n."""
    every = max(1, int(database.row(LIVE_COUNT)[0]) // SAMPLE)
    return [Ahead(*row) for row in database.rows(AHEAD, (every,))], every


def links(database: Database) -> list[Link]:
    """Who waits for whom; a request comes after those that it waits for."""
    return [Link(*row) for row in database.rows(LINKS)]
