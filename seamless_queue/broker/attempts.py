"""The attempts at a job as they are recorded: how each ended, what it used, and what it has left."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..driver import Database
from .states import Outcome

ATTEMPTS = """SELECT attempts.id, attempts.fence, attempts.outcome, attempts.exit_code, attempts.error, attempts.result,
    attempts.stdout, attempts.stderr, attempts.environment, attempts.started, attempts.finished, attempts.user_time,
    attempts.system_time, attempts.peak_memory, attempts.marks, sessions.host, workers.pid FROM attempts
    LEFT JOIN sessions ON sessions.id = attempts.session_id LEFT JOIN workers ON workers.id = attempts.worker_id
    WHERE attempts.job_id = ? ORDER BY attempts.id DESC LIMIT ?"""
#: As a limit of SQLite: none.
ALL = -1


class Attempt(NamedTuple):
    """An execution, however it ended."""

    id: int
    fence: int
    outcome: Outcome
    exit_code: int | None
    error: str | None
    result: str | None
    stdout: str | None
    stderr: str | None
    #: the checksum of what it found around it
    environment: str | None
    started: float | None
    finished: float
    #: seconds
    user_time: float | None
    #: seconds
    system_time: float | None
    #: bytes
    peak_memory: int | None
    #: how much was written by when, encoded
    marks: str | None
    #: of the session that ran it; None: not of this store's sessions
    host: str | None
    pid: int | None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.finished - (self.started or self.finished)


def attempts_of(database: Database, job_id: int, limit: int = ALL) -> list[Attempt]:
    """The attempts at a job, newest first."""
    return [_attempt(list(row)) for row in database.rows(ATTEMPTS, (job_id, limit))]


def _attempt(values: list[Any]) -> Attempt:
    values[2] = Outcome(values[2])
    values[5:9] = [one.hex() if one else None for one in values[5:9]]
    return Attempt(*values)
