"""What the attempts at a job have left: outcome, usage, streams and marks of time; and whether it runs now."""

from __future__ import annotations

from typing import NamedTuple

from ..driver import Database
from .states import JobState, Outcome, RequestState

JOB = "SELECT state, worker_id, fence, started, result FROM jobs WHERE id = ?"
ATTEMPTS = """SELECT id, fence, outcome, exit_code, error, result, stdout, stderr, started, finished, user_time,
    system_time, peak_memory, marks FROM attempts WHERE job_id = ? ORDER BY id"""
REQUEST = "SELECT state, error, created, job_id, command, directory FROM requests WHERE id = ?"


class Standing(NamedTuple):
    """Where a job stands."""

    state: JobState
    worker_id: int | None
    fence: int
    started: float | None
    result: str | None


class Left(NamedTuple):
    """An attempt, with what it has left."""

    id: int
    fence: int
    outcome: Outcome
    exit_code: int | None
    error: str | None
    result: str | None
    stdout: str | None
    stderr: str | None
    started: float | None
    finished: float
    user_time: float | None
    system_time: float | None
    peak_memory: int | None
    marks: str | None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.finished - (self.started or self.finished)


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


def attempts(database: Database, job_id: int) -> list[Left]:
    """The attempts at a job, oldest first."""
    return [
        Left(row[0], row[1], Outcome(row[2]), row[3], row[4], _hex(row[5]), _hex(row[6]), _hex(row[7]), *row[8:])
        for row in database.rows(ATTEMPTS, (job_id,))
    ]


def asker(database: Database, request_id: int | None) -> Asker | None:
    """The request of this number."""
    row = database.row(REQUEST, (request_id,))
    return Asker(RequestState(row[0]), row[1], row[2], row[3], row[4], bytes(row[5])) if row else None


def to_show(found: list[Left], result: str | None) -> Left | None:
    """The attempt whose log tells about a job: the one whose result it is, else the newest."""
    made = [one for one in found if result is not None and one.result == result]
    shown = made or found
    return shown[-1] if shown else None


def _hex(checksum: bytes | None) -> str | None:
    return checksum.hex() if checksum else None
