"""The requests that somebody may mean who begins to type a number or a checksum: those that live, and the last ones."""

from __future__ import annotations

from typing import NamedTuple

from ..driver import Database
from .states import IS_LIVE, LIVE, RequestState, among

#: So many of each kind.
AT_MOST = 50

_WITH_JOB = """requests.id, requests.state, requests.command, jobs.checksum FROM requests
    LEFT JOIN jobs ON jobs.id = requests.job_id"""
NEWEST_LIVE = f"""SELECT {_WITH_JOB} WHERE requests.id IN
    (SELECT id FROM requests WHERE {among(*LIVE)} AND {IS_LIVE} ORDER BY id DESC LIMIT {AT_MOST})"""
NEWEST = f"""SELECT {_WITH_JOB} WHERE requests.id IN (SELECT id FROM requests ORDER BY id DESC LIMIT {AT_MOST})"""
WITH_CHECKSUM = f"""SELECT MAX(requests.id), requests.state, requests.command, jobs.checksum FROM jobs
    JOIN requests ON requests.job_id = jobs.id WHERE jobs.checksum >= ? AND jobs.checksum < ?
    GROUP BY jobs.id LIMIT {AT_MOST}"""


class Candidate(NamedTuple):
    """A request, as people tell it from others."""

    request_id: int
    state: RequestState
    command: str
    job: str | None


def newest(database: Database) -> list[Candidate]:
    """Requests that live, and the last ones; newest first."""
    rows = {row[0]: row for statement in (NEWEST_LIVE, NEWEST) for row in database.rows(statement)}
    return [_candidate(rows[number]) for number in sorted(rows, reverse=True)]


def with_checksum(database: Database, prefix: str) -> list[Candidate]:
    """The jobs whose checksum begins with these hex digits, each with its newest request."""
    low, high = (bytes.fromhex(f"{prefix:{filler}<64}") for filler in "0f")
    return [_candidate(row) for row in database.rows(WITH_CHECKSUM, (low, high))]


def _candidate(row: tuple[int, int, str, bytes | None]) -> Candidate:
    return Candidate(row[0], RequestState(row[1]), row[2], row[3].hex() if row[3] else None)
