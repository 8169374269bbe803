"""What a report tells of a period: requests, jobs, attempts, who ran them, files; short reads that hold nobody back.

Each function is one read. What changes between two of them does no harm: a row that is not found is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from ..driver import Database
from .records import QUEUE_LANE
from .sessions import SessionKind
from .states import IS_LIVE, JobState, Outcome, RequestState

#: So many numbers or checksums go into one statement.
AT_ONCE = 5000

# One row of what is wanted, so that every statement has each parameter once. A project `a` has the parts `a:b`.
_WANTED = "(SELECT ? AS since, ? AS project, ? AS stage) AS wanted"
_MATCHES = f"""(requests.finished >= wanted.since OR requests.{IS_LIVE})
    AND (wanted.project IS NULL OR requests.project = wanted.project
        OR substr(requests.project, 1, length(wanted.project) + 1) = wanted.project || ':')
    AND (wanted.stage IS NULL OR requests.stage = wanted.stage
        OR substr(requests.stage, 1, length(wanted.stage) + 1) = wanted.stage || ':')"""
REQUESTS = f"""SELECT requests.id, state, job_id, lane, command, directory, requests.project, requests.stage, created,
    finished, error, parent FROM requests, {_WANTED} WHERE {_MATCHES} ORDER BY requests.id DESC LIMIT ?"""
HOW_MANY = f"SELECT COUNT(*) FROM requests, {_WANTED} WHERE {_MATCHES}"
JOBS = """SELECT id, checksum, state, result, created, started, finished, worker_id FROM jobs
    WHERE id IN (SELECT value FROM json_each(?))"""
ATTEMPTS = """SELECT id, job_id, session_id, worker_id, outcome, exit_code, error, stdout, stderr,
    COALESCE(started, finished), finished, user_time + system_time, peak_memory FROM attempts
    WHERE job_id IN (SELECT value FROM json_each(?))"""
SESSIONS = f"""SELECT id, kind, host, pid, created, COALESCE(ended, MIN(lease_until, ?)) FROM sessions
    WHERE id IN (SELECT value FROM json_each(?))
    OR kind = {SessionKind.QUEUE.value} AND created <= ? AND COALESCE(ended, lease_until) >= ?"""
WORKERS = """SELECT id, session_id, pid, created, ended FROM workers
    WHERE session_id IN (SELECT value FROM json_each(?))"""
OUTPUTS = "SELECT request_id, path, name FROM outputs WHERE request_id IN (SELECT value FROM json_each(?))"
DEPENDENCIES = """SELECT dependencies.request_id, dependencies.pin, dependencies.upstream_id, requests.job_id,
    dependencies.output, dependencies.path, dependencies.checksum FROM dependencies
    LEFT JOIN requests ON requests.id = dependencies.upstream_id
    WHERE dependencies.request_id IN (SELECT value FROM json_each(?))"""
CONTENTS = "SELECT checksum, content FROM buffers WHERE checksum IN (SELECT unhex(value) FROM json_each(?))"
SIZES = "SELECT checksum, length(content) FROM buffers WHERE checksum IN (SELECT unhex(value) FROM json_each(?))"


class Wanted(NamedTuple):
    """Which requests a report is about: those that ended since then or are alive, with labels or of all."""

    since: float
    project: str | None = None
    stage: str | None = None


class RequestRow(NamedTuple):
    """A request as it stands."""

    id: int
    state: RequestState
    job_id: int | None
    #: whether the queue was to run it
    is_queued: bool
    command: str
    directory: bytes
    project: str | None
    stage: str | None
    created: float
    finished: float | None
    error: str | None
    #: the job whose code has made it
    parent: int | None


class JobRow(NamedTuple):
    """A job as it stands."""

    id: int
    checksum: str
    state: JobState
    result: str | None
    created: float
    started: float | None
    finished: float | None
    #: who runs it, or has reserved it
    worker_id: int | None


class AttemptRow(NamedTuple):
    """An execution that has ended."""

    id: int
    job_id: int
    session_id: int
    worker_id: int | None
    outcome: Outcome
    exit_code: int | None
    error: str | None
    stdout: str | None
    stderr: str | None
    started: float
    finished: float
    #: seconds of a processor
    cpu: float | None
    #: bytes
    peak_memory: int | None


class SessionRow(NamedTuple):
    """A process that ran jobs, until then."""

    id: int
    kind: SessionKind
    host: str
    pid: int
    created: float
    ended: float


class WorkerRow(NamedTuple):
    """A worker of a session; without an end it ended with the session, or lives."""

    id: int
    session_id: int
    pid: int
    created: float
    ended: float | None


class OutputRow(NamedTuple):
    """A file that a request writes, and what its job calls it."""

    request_id: int
    path: bytes
    name: bytes


class DependencyRow(NamedTuple):
    """An input that was not known at submit; `upstream` is a request, whose job may be known."""

    request_id: int
    pin: bytes
    upstream: int | None
    upstream_job: int | None
    output: bytes
    path: bytes
    checksum: str | None


def how_many(database: Database, wanted: Wanted) -> int:
    """How many requests there are to tell of."""
    return int(database.row(HOW_MANY, wanted)[0])


def requests(database: Database, wanted: Wanted, at_most: int) -> list[RequestRow]:
    """The requests, oldest first; of too many the newest."""
    found = []
    for number, state, job_id, lane, command, directory, *labels_and_ends in database.rows(
        REQUESTS, (*wanted, at_most)
    ):
        is_queued = lane == QUEUE_LANE
        found.append(
            RequestRow(number, RequestState(state), job_id, is_queued, command, bytes(directory), *labels_and_ends)
        )
    return found[::-1]


def jobs(database: Database, numbers: Collection[int]) -> dict[int, JobRow]:
    """These jobs, by number."""
    found = {}
    for number, checksum, state, result, *rest in _rows(database, JOBS, numbers):
        found[number] = JobRow(number, checksum.hex(), JobState(state), _hex(result), *rest)
    return found


def attempts(database: Database, job_ids: Collection[int]) -> list[AttemptRow]:
    """All executions of these jobs that have ended, oldest first."""
    found = []
    for *ids, outcome, exit_code, error, stdout, stderr, started, finished, cpu, memory in _rows(
        database, ATTEMPTS, job_ids
    ):
        number, job_id, session_id, worker_id = ids
        ended = (exit_code, error, _hex(stdout), _hex(stderr))
        found.append(
            AttemptRow(number, job_id, session_id, worker_id, Outcome(outcome), *ended, started, finished, cpu, memory)
        )
    return sorted(found, key=lambda attempt: attempt.id)


def sessions(database: Database, numbers: Iterable[int], since: float, until: float) -> dict[int, SessionRow]:
    """These sessions, and the queue servers of the period."""
    rows = database.rows(SESSIONS, (until, str(sorted(numbers)), until, since))
    return {row[0]: SessionRow(row[0], SessionKind(row[1]), *row[2:]) for row in rows}


def workers(database: Database, session_ids: Collection[int]) -> dict[int, WorkerRow]:
    """The workers of these sessions, by number."""
    return {row[0]: WorkerRow(*row) for row in _rows(database, WORKERS, session_ids)}


def outputs(database: Database, request_ids: Collection[int]) -> list[OutputRow]:
    """The files of these requests."""
    return [OutputRow(row[0], bytes(row[1]), bytes(row[2])) for row in _rows(database, OUTPUTS, request_ids)]


def dependencies(database: Database, request_ids: Collection[int]) -> list[DependencyRow]:
    """What these requests waited for."""
    return [
        DependencyRow(row[0], bytes(row[1]), row[2], row[3], bytes(row[4]), bytes(row[5]), _hex(row[6]))
        for row in _rows(database, DEPENDENCIES, request_ids)
    ]


def contents(database: Database, checksums: Collection[str]) -> dict[str, bytes]:
    """The bytes of those of these buffers that are small; not verified, for people to look at."""
    return {row[0].hex(): bytes(row[1]) for row in _rows(database, CONTENTS, checksums)}


def sizes(database: Database, checksums: Collection[str]) -> dict[str, int]:
    """The length of those of these buffers that are small."""
    return {row[0].hex(): row[1] for row in _rows(database, SIZES, checksums)}


def _rows(database: Database, statement: str, wanted: Collection[int] | Collection[str]) -> list[Any]:
    """The rows for a list, which is one parameter; in pieces, so that no read is long."""
    import json

    ordered, found = list(wanted), []
    for place in range(0, len(ordered), AT_ONCE):
        found.extend(database.rows(statement, (json.dumps(ordered[place : place + AT_ONCE]),)))
    return found


def _hex(checksum: bytes | None) -> str | None:
    return checksum.hex() if checksum else None
