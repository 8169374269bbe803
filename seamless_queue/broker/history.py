"""Questions about the past: requests and jobs as they were; short reads that hold nobody back."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..driver import Database
from .states import JobState, RequestState, among

#: Among so many of the newest requests something similar is looked for.
SEARCHED_REQUESTS = 10_000

HAS_ENVIRONMENT = "SELECT 1 FROM environments WHERE checksum = ?"
ENVIRONMENT = "SELECT content FROM environments WHERE checksum = ?"
_REQUEST = """SELECT requests.id, requests.state, requests.job_id, requests.lane, requests.command,
    requests.directory, requests.specification, requests.priority, requests.refresh, requests.created,
    requests.finished, requests.error, requests.parent, requests.metavariables, requests.outputs FROM requests"""
REQUEST = f"{_REQUEST} WHERE requests.id = ?"
NEWEST_OF_JOB = f"{_REQUEST} WHERE requests.job_id = ? ORDER BY requests.id DESC LIMIT 1"
FIRST_OF_JOB = f"{_REQUEST} WHERE requests.job_id = ? ORDER BY requests.id LIMIT 1"
WRITERS = f"""{_REQUEST} JOIN outputs ON outputs.request_id = requests.id
    WHERE outputs.path = ? AND outputs.request_id < ? ORDER BY outputs.request_id DESC LIMIT ?"""
WRITERS_BELOW = f"""{_REQUEST.replace(" FROM requests", ", outputs.path FROM requests")}
    JOIN outputs ON outputs.request_id = requests.id
    WHERE outputs.path > ? AND outputs.path < ? AND outputs.request_id < ?
    ORDER BY outputs.path, outputs.request_id DESC LIMIT ?"""
IN_DIRECTORY = f"""{_REQUEST} WHERE requests.id < ? AND requests.id >= ? AND requests.directory = ?
    AND requests.job_id IS NOT NULL ORDER BY requests.id DESC"""
LIKE_COMMAND = f"""{_REQUEST} WHERE requests.id < ? AND requests.id >= ? AND requests.command LIKE ? ESCAPE '\\'
    AND requests.job_id IS NOT NULL ORDER BY requests.id DESC LIMIT ?"""
CHILDREN_OF = f"{_REQUEST} WHERE requests.parent = ? ORDER BY requests.id LIMIT ?"
NEWEST_REQUEST = "SELECT COALESCE(MAX(id), 0) FROM requests"
_JOB = """SELECT id, checksum, state, lane, priority, worker_id, result, created, started, finished, scratch,
    evicted FROM jobs"""
JOB = f"{_JOB} WHERE id = ?"
JOB_OF = f"{_JOB} WHERE checksum = ?"
JOBS_FROM = f"{_JOB} WHERE checksum >= ? AND checksum <= ? ORDER BY checksum LIMIT ?"
RESULTS_FROM = "SELECT DISTINCT result FROM jobs WHERE result >= ? AND result <= ? ORDER BY result LIMIT ?"
MEMBERS_FROM = "SELECT DISTINCT checksum FROM makers WHERE checksum >= ? AND checksum <= ? ORDER BY checksum LIMIT ?"
ASKED = "SELECT COUNT(*), MIN(id), MAX(id) FROM requests WHERE job_id = ?"
OUTPUTS_OF = "SELECT path, name, pending FROM outputs WHERE request_id = ? ORDER BY path"
INPUTS_OF = """SELECT pin, upstream_id, output, part, path, checksum FROM dependencies WHERE request_id = ?
    ORDER BY id"""
QUEUE_BEFORE = f"""SELECT COUNT(*) FROM jobs WHERE lane = ? AND {among(JobState.READY)} AND worker_id IS NULL
    AND resources IS NULL AND (priority > ? OR (priority = ? AND id < ?))"""
WORKER = """SELECT workers.pid, sessions.host, sessions.kind FROM workers
    JOIN sessions ON sessions.id = workers.session_id WHERE workers.id = ?"""


class Request(NamedTuple):
    """A wish as it stands, or as it ended."""

    id: int
    state: RequestState
    job_id: int | None
    lane: int
    command: str
    directory: bytes
    specification: str | None
    priority: int
    refresh: bool
    created: float
    finished: float | None
    error: str | None
    parent: int | None
    metavariables: str | None
    outputs: int


class Job(NamedTuple):
    """An identity and what became of it."""

    id: int
    checksum: str
    state: JobState
    lane: int
    priority: int
    worker_id: int | None
    result: str | None
    created: float
    started: float | None
    finished: float | None
    scratch: bool
    evicted: float | None


class Written(NamedTuple):
    """A file or directory that a request writes."""

    path: bytes
    name: bytes
    pending: bool


class Upstream(NamedTuple):
    """An input of a request that was not known at submit."""

    pin: bytes
    #: None: another store's
    request_id: int | None
    output: bytes
    part: bytes
    path: bytes
    checksum: str | None


def has_environment(database: Database, checksum: str) -> bool:
    """Whether a record of surroundings is kept."""
    return database.row(HAS_ENVIRONMENT, (bytes.fromhex(checksum),)) is not None


def environment(database: Database, checksum: str) -> bytes | None:
    """The record of an attempt's surroundings, as it was encoded."""
    row = database.row(ENVIRONMENT, (bytes.fromhex(checksum),))
    return bytes(row[0]) if row else None


def request(database: Database, request_id: int) -> Request | None:
    """A request by its number."""
    return _request_or_none(database.row(REQUEST, (request_id,)))


def newest_request(database: Database) -> int:
    """The number of the newest request; 0 if there is none."""
    return int(database.row(NEWEST_REQUEST)[0])


def newest_of_job(database: Database, job_id: int) -> Request | None:
    """The newest request for a job."""
    return _request_or_none(database.row(NEWEST_OF_JOB, (job_id,)))


def first_of_job(database: Database, job_id: int) -> Request | None:
    """The oldest request for a job."""
    return _request_or_none(database.row(FIRST_OF_JOB, (job_id,)))


def writers(database: Database, path: bytes, before: int, limit: int) -> list[Request]:
    """Requests that write, or wrote, this very path, newest first; only those before a number."""
    return [_request(row) for row in database.rows(WRITERS, (path, before, limit))]


def writers_below(database: Database, directory: bytes, before: int, limit: int) -> dict[bytes, Request]:
    """The newest request that writes, or wrote, each path inside a directory; only those before a number."""
    span = (directory + b"/", directory + b"0", before, limit)
    found: dict[bytes, Request] = {}
    for *row, path in database.rows(WRITERS_BELOW, span):
        found.setdefault(bytes(path), _request(row))
    return found


def in_directory(database: Database, directory: bytes, before: int) -> list[Request]:
    """Keyed requests from a directory, newest first, among a bounded number of the newest ones."""
    return [_request(row) for row in database.rows(IN_DIRECTORY, (before, before - SEARCHED_REQUESTS, directory))]


def beginning_like(database: Database, beginning: str, before: int, limit: int) -> list[Request]:
    """Keyed requests whose command begins so, newest first, among a bounded number of the newest ones."""
    pattern = beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    rows = database.rows(LIKE_COMMAND, (before, before - SEARCHED_REQUESTS, pattern, limit))
    return [_request(row) for row in rows]


def children(database: Database, job_id: int, limit: int) -> list[Request]:
    """Requests that the code of a job has made."""
    return [_request(row) for row in database.rows(CHILDREN_OF, (job_id, limit))]


def job(database: Database, job_id: int) -> Job | None:
    """A job by its number."""
    row = database.row(JOB, (job_id,))
    return _job(row) if row else None


def job_of(database: Database, checksum: str) -> Job | None:
    """The job of an identity."""
    row = database.row(JOB_OF, (bytes.fromhex(checksum),))
    return _job(row) if row else None


def jobs_beginning(database: Database, prefix: str, limit: int) -> list[Job]:
    """Jobs whose identity begins with these hex digits."""
    return [_job(row) for row in database.rows(JOBS_FROM, (*_span(prefix), limit))]


def results_beginning(database: Database, prefix: str, limit: int) -> list[str]:
    """Results of jobs, and files within them, whose checksum begins with these hex digits."""
    rows = [
        *database.rows(RESULTS_FROM, (*_span(prefix), limit)),
        *database.rows(MEMBERS_FROM, (*_span(prefix), limit)),
    ]
    return list(dict.fromkeys(row[0].hex() for row in rows))


def asked(database: Database, job_id: int) -> tuple[int, int, int]:
    """How often a job was asked for, and the first and the last request that did."""
    count, first, last = database.row(ASKED, (job_id,))
    return count, first or 0, last or 0


def written_by(database: Database, request_id: int) -> list[Written]:
    """What a request writes."""
    return [Written(bytes(path), bytes(name), bool(pending)) for path, name, pending in _outputs(database, request_id)]


def upstreams(database: Database, request_id: int) -> list[Upstream]:
    """Inputs of a request that were not known at submit."""
    return [
        Upstream(bytes(pin), upstream, bytes(output), bytes(part), bytes(path), checksum.hex() if checksum else None)
        for pin, upstream, output, part, path, checksum in database.rows(INPUTS_OF, (request_id,))
    ]


def queued_before(database: Database, job: Job) -> int:
    """How many free jobs of its lane are claimed before it."""
    return int(database.row(QUEUE_BEFORE, (job.lane, job.priority, job.priority, job.id))[0])


def worker(database: Database, worker_id: int) -> tuple[int, str, int] | None:
    """Process number, host and kind of session of a worker."""
    row = database.row(WORKER, (worker_id,))
    return (row[0], row[1], row[2]) if row else None


def _outputs(database: Database, request_id: int) -> list[Any]:
    return database.rows(OUTPUTS_OF, (request_id,))


def _span(prefix: str) -> tuple[bytes, bytes]:
    return bytes.fromhex(prefix.ljust(64, "0")), bytes.fromhex(prefix.ljust(64, "f"))


def _request_or_none(row: Any) -> Request | None:
    return _request(row) if row else None


def _request(row: Any) -> Request:
    number, state, job_id, lane, command, directory, specification, priority, refresh, *rest = row
    kept = specification.hex() if specification else None
    return Request(
        number, RequestState(state), job_id, lane, command, bytes(directory), kept, priority, bool(refresh), *rest
    )


def _job(row: Any) -> Job:
    number, checksum, state, lane, priority, worker_id, result, created, started, finished, scratch, evicted = row
    kept = result.hex() if result else None
    moments = (created, started, finished)
    return Job(
        number, checksum.hex(), JobState(state), lane, priority, worker_id, kept, *moments, bool(scratch), evicted
    )
