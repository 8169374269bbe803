"""What who shows a log asks: whether the job runs now, who asks for it, and which attempt is meant."""

from __future__ import annotations

from typing import NamedTuple

from ..driver import Database
from .attempts import Attempt
from .states import JobState, RequestState

JOB = "SELECT state, worker_id, fence, started, result FROM jobs WHERE id = ?"
REQUEST = "SELECT state, error, created, job_id, command, directory FROM requests WHERE id = ?"


class Standing(NamedTuple):
    """Where a job stands."""

    state: JobState
    worker_id: int | None
    fence: int
    started: float | None
    result: str | None


class Asker(NamedTuple):
    """The request of which the log is shown."""

    state: RequestState
    error: str | None
    created: float
    job_id: int | None
    command: str
    directory: bytes


def standing(database: Database, job_id: int) -> Standing:
    """Where a job stands."""
    state, worker_id, fence, started, result = database.row(JOB, (job_id,))
    return Standing(JobState(state), worker_id, fence, started, result.hex() if result else None)


def asker(database: Database, request_id: int | None) -> Asker | None:
    """The request of this number."""
    row = database.row(REQUEST, (request_id,))
    return Asker(RequestState(row[0]), row[1], row[2], row[3], row[4], bytes(row[5])) if row else None


def to_show(found: list[Attempt], result: str | None) -> Attempt | None:
    """The attempt whose log tells about a job, of all, newest first: one whose result it is, else the newest."""
    made = [one for one in found if result is not None and one.result == result]
    return next(iter(made or found), None)
