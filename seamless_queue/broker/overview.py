"""What is going on in a store, for people: counts, what runs, what waits, what failed; short reads, one after another.

None of them spans more than it has to look at: a table is read whole only for its counts, and what has ended before
the oldest live request is counted once (see `Counted`). Times are seconds since the epoch, checksums hex strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..driver import Database
from .sessions import SessionKind
from .states import IS_LIVE, LIVE, JobState, Outcome, RequestState, among

#: What the errors of requests begin with that failed only because another one did (progress.upstream_failed).
UPSTREAM_ERROR = "its input was"
# One row of what is wanted, so that every statement has each parameter once. A project `a` has the parts `a:b`.
WANTED = "(SELECT ? AS project, ? AS stage, ? AS since, ? AS text) AS wanted"
MATCHES = """(wanted.project IS NULL OR requests.project = wanted.project
        OR substr(requests.project, 1, length(wanted.project) + 1) = wanted.project || ':')
    AND (wanted.stage IS NULL OR requests.stage = wanted.stage
        OR substr(requests.stage, 1, length(wanted.stage) + 1) = wanted.stage || ':')
    AND (wanted.since IS NULL OR requests.finished IS NULL OR requests.finished >= wanted.since)
    AND (wanted.text IS NULL OR instr(lower(requests.command), lower(wanted.text)))"""

_LOWEST = " UNION ALL ".join(f"SELECT MIN(id) AS id FROM requests WHERE {among(state)} AND {IS_LIVE}" for state in LIVE)
LOWEST_LIVE = f"SELECT MIN(id) FROM ({_LOWEST})"
LAST_REQUEST = "SELECT COALESCE(MAX(id), 0) FROM requests"
COUNTS = f"""SELECT requests.state, COUNT(*) FROM requests, {WANTED}
    WHERE requests.id >= ? AND requests.id < ? AND {MATCHES} GROUP BY requests.state"""
# The same where all are meant: in half the time.
COUNTS_OF_ALL = "SELECT state, COUNT(*) FROM requests WHERE id >= ? AND id < ? GROUP BY state"
# A hit: another request had asked for the job before, and no attempt was made for this one, but for the one that an
# earlier request had asked for. What it saved is how long the attempt took whose result it was given.
_GOOD = f"outcome IN ({Outcome.DONE.value}, {Outcome.DIFFERED.value})"
_MADE_BY = f"""(SELECT attempts.id FROM attempts WHERE attempts.job_id = requests.job_id
    AND attempts.{_GOOD} AND attempts.finished <= requests.finished ORDER BY attempts.id DESC LIMIT 1)"""
HITS = f"""SELECT COUNT(*), SUM(MAX(0, made.finished - COALESCE(made.started, made.finished)))
    FROM requests, {WANTED} JOIN attempts AS made ON made.id = {_MADE_BY}
    WHERE requests.id >= ? AND requests.id < ?
    AND requests.{among(RequestState.DELIVERED, RequestState.SUPERSEDED)} AND {MATCHES}
    AND (made.finished <= requests.created OR EXISTS (SELECT 1 FROM requests AS earlier
        WHERE earlier.job_id = requests.job_id AND earlier.id < requests.id AND earlier.created <= made.started
        AND (earlier.finished IS NULL OR earlier.finished >= made.started)))
    AND EXISTS (SELECT 1 FROM requests AS earlier WHERE earlier.job_id = requests.job_id
        AND earlier.id < requests.id)"""
_ROW = """requests.id, requests.state, requests.lane, requests.command, requests.directory, requests.project,
    requests.stage, jobs.priority, requests.created, requests.finished, requests.error, jobs.id, jobs.checksum,
    jobs.state, jobs.started, jobs.worker_id, requests.deliverer"""
_NEWEST = f"""COALESCE((SELECT MAX(id) FROM requests WHERE requests.job_id = jobs.id AND requests.{IS_LIVE}),
    (SELECT MAX(id) FROM requests WHERE requests.job_id = jobs.id))"""
# A job that was canceled is still run by its worker until that has stopped.
RUNNING = f"""SELECT {_ROW} FROM jobs, {WANTED} JOIN requests ON requests.id = {_NEWEST}
    WHERE jobs.worker_id IS NOT NULL AND jobs.{among(JobState.RUNNING, JobState.CANCELED)} AND {MATCHES}
    ORDER BY jobs.started, jobs.id LIMIT ?"""
RUNNING_COUNT = f"""SELECT COUNT(*) FROM jobs, {WANTED} JOIN requests ON requests.id = {_NEWEST}
    WHERE jobs.worker_id IS NOT NULL AND jobs.{among(JobState.RUNNING)} AND {MATCHES}"""
BUSY = f"""SELECT DISTINCT worker_id FROM jobs
    WHERE worker_id IS NOT NULL AND {among(JobState.RUNNING, JobState.CANCELED)}"""
# In the order in which they will be claimed.
READY = f"""SELECT {_ROW} FROM jobs, {WANTED} JOIN requests ON requests.id = {_NEWEST}
    WHERE jobs.lane = ? AND jobs.{among(JobState.READY)} AND jobs.worker_id IS NULL AND jobs.resources IS NULL
    AND {MATCHES} ORDER BY jobs.priority DESC, jobs.id LIMIT ?"""
DEMANDING = f"""SELECT {_ROW} FROM jobs INDEXED BY jobs_demanding, {WANTED} JOIN requests ON requests.id = {_NEWEST}
    WHERE jobs.{among(JobState.READY)} AND jobs.worker_id IS NULL AND jobs.resources IS NOT NULL AND {MATCHES}
    ORDER BY jobs.priority DESC, jobs.id LIMIT ?"""
WAITING = f"""SELECT {_ROW} FROM {WANTED}, requests LEFT JOIN jobs ON jobs.id = requests.job_id
    WHERE requests.{IS_LIVE} AND requests.{among(RequestState.WAITING, RequestState.KEYABLE)} AND {MATCHES}
    ORDER BY requests.state, requests.lane, requests.id LIMIT ?"""
DELIVERING = f"""SELECT {_ROW} FROM {WANTED}, requests LEFT JOIN jobs ON jobs.id = requests.job_id
    WHERE requests.{IS_LIVE} AND requests.{among(RequestState.DELIVERING)} AND {MATCHES}
    ORDER BY requests.lane, requests.id LIMIT ?"""
_IS_ROOT = f"""requests.{among(RequestState.FAILED)} AND COALESCE(requests.error, '') NOT LIKE '{UPSTREAM_ERROR}%'"""
# One for which somebody has asked again from the same place is no news any more, unless that was taken back.
FAILED = f"""SELECT {_ROW} FROM {WANTED}, requests LEFT JOIN jobs ON jobs.id = requests.job_id
    WHERE {_IS_ROOT} AND {MATCHES}
    AND NOT EXISTS (SELECT 1 FROM requests AS later WHERE later.job_id = requests.job_id AND later.id > requests.id
        AND later.directory = requests.directory AND later.state <> {RequestState.CANCELED.value})
    ORDER BY requests.finished DESC, requests.id DESC LIMIT ?"""
ROWS = f"""SELECT {_ROW} FROM requests LEFT JOIN jobs ON jobs.id = requests.job_id
    WHERE requests.id IN (SELECT value FROM json_each(?))"""
INPUTS = """SELECT dependencies.request_id, dependencies.path, dependencies.upstream_id, upstream.command,
    upstream.state FROM dependencies LEFT JOIN requests AS upstream ON upstream.id = dependencies.upstream_id
    WHERE dependencies.checksum IS NULL AND dependencies.request_id IN (SELECT value FROM json_each(?))
    ORDER BY dependencies.request_id, dependencies.id"""
# The row of the largest id gives the other columns (SQLite's rule for MAX).
LAST_ATTEMPTS = """SELECT job_id, MAX(id), outcome, exit_code, error, stderr FROM attempts
    WHERE job_id IN (SELECT value FROM json_each(?)) GROUP BY job_id"""
# Not the server itself, which writes files but runs no jobs.
WORKERS = f"""SELECT workers.id, workers.session_id, workers.pid, workers.process_started, workers.created FROM workers
    JOIN sessions ON sessions.id = workers.session_id WHERE sessions.ended IS NULL AND workers.ended IS NULL
    AND NOT (sessions.kind = {SessionKind.QUEUE.value} AND workers.pid = sessions.pid) ORDER BY workers.id"""

VERSION = "PRAGMA data_version"


class Filter(NamedTuple):
    """Which requests are meant; None: all."""

    project: str | None = None
    stage: str | None = None
    #: those that have not ended before
    since: float | None = None
    #: a part of the command, upper or lower case
    text: str | None = None


class Row(NamedTuple):
    """A request and its job, as far as there is one."""

    request_id: int
    state: RequestState
    lane: int
    command: str
    directory: bytes
    project: str | None
    stage: str | None
    priority: int | None
    created: float
    finished: float | None
    error: str | None
    job_id: int | None
    checksum: str | None
    job_state: JobState | None
    #: when the newest attempt of the job began
    started: float | None
    worker_id: int | None
    deliverer: int | None

    @property
    def word(self) -> str:
        """Where it stands, in one word."""
        if self.job_state is JobState.CANCELED and self.worker_id is not None:
            return "stopping"
        if self.state is not RequestState.QUEUED:
            return _WORDS[self.state]
        return "running" if self.job_state is JobState.RUNNING else "ready"


_WORDS = {
    RequestState.WAITING: "waiting",
    RequestState.KEYABLE: "waiting",
    RequestState.DELIVERING: "delivering",
    RequestState.DELIVERED: "done",
    RequestState.FAILED: "failed",
    RequestState.CANCELED: "canceled",
    RequestState.SUPERSEDED: "superseded",
}
#: Every word that says where a request stands, in the order in which it goes through them.
WORDS = ("waiting", "ready", "running", "delivering", "done", "failed", "canceled", "superseded")


class Input(NamedTuple):
    """What a request waits for: a file, and the request that will write it (None: another store's .FUTURE)."""

    request_id: int
    path: bytes
    upstream_id: int | None
    command: str | None
    state: RequestState | None


class LastAttempt(NamedTuple):
    """How the newest attempt of a job ended."""

    attempt_id: int
    outcome: Outcome
    exit_code: int | None
    error: str | None
    stderr: str | None


class Worker(NamedTuple):
    """A process that runs jobs."""

    id: int
    session_id: int
    pid: int
    process_started: int
    created: float


class Counted(NamedTuple):
    """How many requests there are in which state, and how many of them were hits that saved how much.

    `before` tells that all requests below that number have ended: what was counted of them is counted for good.
    """

    before: int = 0
    ended: tuple[tuple[RequestState, int], ...] = ()
    ended_hits: int = 0
    ended_saved: float = 0.0
    states: tuple[tuple[RequestState, int], ...] = ()
    hits: int = 0
    #: seconds
    saved: float = 0.0

    def of(self, state: RequestState) -> int:
        """How many requests are in this state."""
        return dict(self.states).get(state, 0)

    @property
    def live(self) -> int:
        """How many have not ended."""
        return sum(count for state, count in self.states if state < RequestState.DELIVERED)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(count for _, count in self.states)


def version(database: Database) -> int:
    """A number that changes when another connection has changed anything."""
    return int(database.row(VERSION)[0])


def counted(database: Database, wanted: Filter = Filter(), before: Counted = Counted()) -> Counted:  # noqa: B008
    """Count requests and hits; with what was counted `before`, only those that have not ended by then."""
    last = int(database.row(LAST_REQUEST)[0])
    lowest = int(database.row(LOWEST_LIVE)[0] or last + 1)
    if before.before > lowest:
        before = Counted()
    ended = _plus(before.ended, _states(database, wanted, before.before, lowest))
    hits, saved = database.row(HITS, (*wanted, before.before, lowest))
    more_hits, more_saved = database.row(HITS, (*wanted, lowest, last + 1))
    ended_hits, ended_saved = before.ended_hits + hits, before.ended_saved + (saved or 0.0)
    return Counted(
        lowest,
        ended,
        ended_hits,
        ended_saved,
        _plus(ended, _states(database, wanted, lowest, last + 1)),
        ended_hits + more_hits,
        ended_saved + (more_saved or 0.0),
    )


def _states(database: Database, wanted: Filter, start: int, stop: int) -> list[tuple[int, int]]:
    if wanted == Filter():
        return database.rows(COUNTS_OF_ALL, (start, stop))
    return database.rows(COUNTS, (*wanted, start, stop))


def _plus(
    counts: Iterable[tuple[RequestState, int]], rows: Iterable[tuple[int, int]]
) -> tuple[tuple[RequestState, int], ...]:
    found = dict(counts)
    for state, count in rows:
        found[RequestState(state)] = found.get(RequestState(state), 0) + count
    return tuple(found.items())


def running(database: Database, wanted: Filter, limit: int) -> list[Row]:
    """What workers are at, the longest first."""
    return _rows(database.rows(RUNNING, (*wanted, limit)))


def running_count(database: Database, wanted: Filter) -> int:
    """How many jobs are run."""
    return int(database.row(RUNNING_COUNT, wanted)[0])


def busy(database: Database) -> set[int]:
    """The workers that have a job."""
    return {row[0] for row in database.rows(BUSY)}


def ready(database: Database, wanted: Filter, lanes: Iterable[int], limit: int) -> list[Row]:
    """What waits for a worker only, next first, lane by lane."""
    found: list[Row] = []
    for lane in lanes:
        found += _rows(database.rows(READY, (*wanted, lane, max(0, limit - len(found)))))
    return found + _rows(database.rows(DEMANDING, (*wanted, max(0, limit - len(found)))))


def waiting(database: Database, wanted: Filter, limit: int) -> list[Row]:
    """What waits for an input, the oldest first."""
    return _rows(database.rows(WAITING, (*wanted, limit)))


def delivering(database: Database, wanted: Filter, limit: int) -> list[Row]:
    """What has a result, of which the files are being written."""
    return _rows(database.rows(DELIVERING, (*wanted, limit)))


def failed(database: Database, wanted: Filter, limit: int) -> list[Row]:
    """What failed by itself and was not asked for again since, the latest first."""
    return _rows(database.rows(FAILED, (*wanted, limit)))


def rows_of(database: Database, request_ids: Iterable[int]) -> list[Row]:
    """These requests, as far as they exist, in the order asked for."""
    asked = list(request_ids)
    found = {row.request_id: row for row in _rows(database.rows(ROWS, (json.dumps(asked),)))}
    return [found[one] for one in asked if one in found]


def inputs(database: Database, request_ids: Iterable[int]) -> dict[int, list[Input]]:
    """What these requests wait for."""
    found: dict[int, list[Input]] = {}
    for request_id, path, upstream_id, command, state in database.rows(INPUTS, (json.dumps(list(request_ids)),)):
        known = None if state is None else RequestState(state)
        found.setdefault(request_id, []).append(Input(request_id, bytes(path), upstream_id, command, known))
    return found


def last_attempts(database: Database, job_ids: Iterable[int]) -> dict[int, LastAttempt]:
    """How the newest attempts of these jobs ended."""
    rows = database.rows(LAST_ATTEMPTS, (json.dumps(list(job_ids)),))
    return {row[0]: LastAttempt(row[1], Outcome(row[2]), row[3], row[4], _hex(row[5])) for row in rows}


def workers(database: Database) -> list[Worker]:
    """The workers of all sessions that have not ended."""
    return [Worker(*row) for row in database.rows(WORKERS)]


def _rows(rows: Iterable[Any]) -> list[Row]:
    return [_row(list(row)) for row in rows]


def _row(values: list[Any]) -> Row:
    row = Row(*values)
    return row._replace(
        state=RequestState(row.state),
        directory=bytes(row.directory),
        checksum=_hex(values[12]),
        job_state=None if row.job_state is None else JobState(row.job_state),
    )


def _hex(checksum: bytes | None) -> str | None:
    return checksum.hex() if checksum else None
