"""What is to be canceled, who has to hear of it, and what goes with it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..driver import Database
from . import progress
from .records import Consequences, merged
from .sessions import SessionKind
from .states import IS_LIVE, LIVE, JobState, RequestState, among

_LIVE = f"requests.{among(*LIVE)} AND requests.{IS_LIVE}"
OF_NUMBER = f"SELECT requests.id, requests.command, requests.job_id FROM requests WHERE requests.id = ? AND {_LIVE}"
# What waits, at any depth, for one of the requests in a JSON list.
BELOW = f"""WITH RECURSIVE below(id) AS (SELECT value FROM json_each(?)
    UNION SELECT dependencies.request_id FROM dependencies JOIN below ON dependencies.upstream_id = below.id
        WHERE dependencies.checksum IS NULL)
    SELECT requests.id, requests.command, requests.job_id FROM requests JOIN below ON below.id = requests.id
    WHERE requests.{among(RequestState.WAITING, RequestState.KEYABLE)}
    AND requests.id NOT IN (SELECT value FROM json_each(?)) ORDER BY requests.id"""
# A job that was canceled stays its worker's until that has stopped it.
HOLDER = f"""SELECT sessions.address, sessions.kind, sessions.pid, workers.pid = sessions.pid FROM jobs
    JOIN workers ON workers.id = jobs.worker_id JOIN sessions ON sessions.id = workers.session_id
    WHERE jobs.id = ? AND jobs.{among(JobState.CANCELED)}"""


class Wanted(NamedTuple):
    """A request that has not ended."""

    request_id: int
    command: str
    job_id: int | None


class Holder(NamedTuple):
    """The session that runs a job which was canceled under it."""

    address: str
    #: the process
    pid: int
    #: whether it is a thread of a Python process, which cannot be stopped
    is_thread: bool


def wanted_of_number(database: Database, request_id: int) -> list[Wanted]:
    """The request of this number, if it has not ended."""
    return [Wanted(*row) for row in database.rows(OF_NUMBER, (request_id,))]


def cancel(connection: Any, wanted: list[Wanted]) -> tuple[list[Wanted], Consequences]:
    """Take requests back, and what the code of their jobs has asked for; those that fail with them, for people."""
    numbers = str([one.request_id for one in wanted])
    below = [Wanted(*row) for row in connection.execute(BELOW, (numbers, numbers)).fetchall()]
    consequences = [progress.cancel_request(connection, one.request_id) for one in wanted]
    for job_id in {one.job_id for one in wanted if one.job_id is not None}:
        if connection.execute(progress.IS_CANCELED, (job_id,)).fetchone() is not None:
            consequences.append(_cancel_children(connection, job_id))
    return below, merged(consequences)


def _cancel_children(connection: Any, job_id: int) -> Consequences:
    jobs, consequences = progress.cancel_children(connection, job_id)
    return merged([consequences, *(_cancel_children(connection, child) for child in jobs)])


def holder_of(database: Database, job_id: int) -> Holder | None:
    """Who is still to stop a job that was canceled."""
    row = database.row(HOLDER, (job_id,))
    return Holder(row[0], row[2], row[1] == SessionKind.PYTHON and bool(row[3])) if row else None
