"""Which requests of the queue have ended since one last looked, and what there is to tell of them."""

from __future__ import annotations

from typing import NamedTuple

from ..driver import Database
from .records import QUEUE_LANE
from .states import IS_LIVE, LIVE, RequestState, among

NEWEST = "SELECT MAX(id) FROM requests"
LIVE_REQUESTS = f"SELECT id FROM requests WHERE lane = {QUEUE_LANE} AND {among(*LIVE)} AND {IS_LIVE}"
# What came and went between two looks, by number.
ENDED_BETWEEN = f"""SELECT id FROM requests WHERE id > ? AND id <= ? AND lane = {QUEUE_LANE}
    AND NOT {among(*LIVE)}"""
# Not those that the code of a job has made: they are its inner affairs.
ENDING = f"""SELECT requests.id, requests.state, requests.command, requests.directory, requests.error,
    requests.project, requests.stage, jobs.checksum, attempts.exit_code,
    CASE WHEN attempts.finished >= requests.created THEN attempts.finished - attempts.started END,
    contexts.content
    FROM requests LEFT JOIN jobs ON jobs.id = requests.job_id
    LEFT JOIN attempts ON attempts.id = (SELECT MAX(id) FROM attempts WHERE job_id = requests.job_id)
    LEFT JOIN contexts ON contexts.checksum = requests.context
    WHERE requests.id = ? AND requests.parent IS NULL AND NOT requests.{among(*LIVE)}"""
PATHS = "SELECT path FROM outputs WHERE request_id = ? ORDER BY path"


class RequestEnding(NamedTuple):
    """How a request of the queue ended."""

    request_id: int
    state: RequestState
    command: str
    directory: bytes
    error: str | None
    project: str | None
    stage: str | None
    #: None: an input never came, so that it was never known what the job would have been
    job: str | None
    exit_code: int | None
    #: how long the command ran; None: it did not run for this request
    seconds: float | None
    paths: tuple[bytes, ...]
    #: what the command was given beside its identity, as long as that is kept
    context: bytes


def newest_request(database: Database) -> int:
    """The highest number of a request so far."""
    return database.row(NEWEST)[0] or 0


def live_requests(database: Database) -> set[int]:
    """The numbers of all requests of the queue that have not ended."""
    return {row[0] for row in database.rows(LIVE_REQUESTS)}


def ended_between(database: Database, after: int, until: int) -> set[int]:
    """The requests of the queue with these numbers that have ended."""
    return {row[0] for row in database.rows(ENDED_BETWEEN, (after, until))}


def ending_of(database: Database, request_id: int) -> RequestEnding | None:
    """How a request ended; None if it has not, or is nobody's but a job's."""
    row = database.row(ENDING, (request_id,))
    if row is None:
        return None
    number, state, command, directory, error, project, stage, job, code, seconds, context = row
    return RequestEnding(
        number,
        RequestState(state),
        command,
        bytes(directory),
        error,
        project,
        stage,
        job.hex() if job else None,
        code,
        seconds,
        tuple(bytes(path) for (path,) in database.rows(PATHS, (request_id,))),
        bytes(context or b""),
    )
