"""All that is recorded of one job or request, and of what belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..driver import Database
from . import finding, history, overview, resources, sessions
from .attempts import Attempt, attempts_of
from .overview import Row
from .states import IS_LIVE, JobState, RequestState, among

#: So many requests, attempts and relatives of a job are told.
MOST = 50

REQUESTS_OF = "SELECT id FROM requests WHERE job_id = ? ORDER BY id DESC LIMIT ?"
RESULT = "SELECT result, evicted, created FROM jobs WHERE id = ?"
RAN_BY = """SELECT sessions.host, workers.pid FROM workers JOIN sessions ON sessions.id = workers.session_id
    WHERE workers.id = ?"""
INPUTS_OF = """SELECT dependencies.pin, dependencies.path, dependencies.upstream_id, upstream.command, upstream.state,
    dependencies.checksum FROM dependencies LEFT JOIN requests AS upstream ON upstream.id = dependencies.upstream_id
    WHERE dependencies.request_id = ? ORDER BY dependencies.id"""
NEEDED_BY = """SELECT DISTINCT request_id FROM dependencies WHERE upstream_id = ? ORDER BY request_id LIMIT ?"""
# What a graph is drawn of: what has not ended, or if a moment is given, ended since; first what waits for something.
GRAPH_ROWS = f"""SELECT requests.id FROM requests, {overview.WANTED}
    WHERE (requests.{IS_LIVE} OR wanted.since IS NOT NULL) AND {overview.MATCHES}
    ORDER BY requests.job_id IS NOT NULL, requests.id DESC LIMIT ?"""
FAILED_ROWS = f"""SELECT requests.id FROM requests, {overview.WANTED}
    WHERE requests.{among(RequestState.FAILED)} AND {overview.MATCHES} ORDER BY requests.id DESC LIMIT ?"""
ABOVE = """WITH RECURSIVE above(id) AS (SELECT value FROM json_each(?) UNION
    SELECT dependencies.upstream_id FROM dependencies JOIN above ON dependencies.request_id = above.id
    WHERE dependencies.upstream_id IS NOT NULL) SELECT id FROM above LIMIT ?"""
BELOW = """WITH RECURSIVE below(id) AS (SELECT value FROM json_each(?) UNION
    SELECT dependencies.request_id FROM dependencies JOIN below ON dependencies.upstream_id = below.id)
    SELECT id FROM below LIMIT ?"""
EDGES = """SELECT request_id, upstream_id, path FROM dependencies
    WHERE upstream_id IS NOT NULL AND request_id IN (SELECT value FROM json_each(?)) ORDER BY request_id, id"""


class Source(NamedTuple):
    """An input that was not known at submit, and who writes it (None: another store)."""

    pin: bytes
    path: bytes
    upstream_id: int | None
    command: str | None
    state: RequestState | None
    #: once it is known
    checksum: str | None


class Details(NamedTuple):
    """A request, its job, and what belongs to them."""

    row: Row
    #: all requests for the job, the newest first
    requests: list[Row]
    #: the newest first
    attempts: list[Attempt]
    inputs: list[Source]
    outputs: list[history.Written]
    needed_by: list[Row]
    result: str | None = None
    #: when the bytes of the result were given up
    evicted: float | None = None
    #: who runs it now: host and process
    runs_on: tuple[str, int] | None = None
    #: how many jobs are to be begun before it
    before: int | None = None
    #: what else keeps it from being begun: a pause, or what it demands of a server
    held: str | None = None
    #: whether who ran it has died, which nobody has noticed yet
    lost: bool = False


class Edge(NamedTuple):
    """A request that reads what another one writes."""

    request_id: int
    upstream_id: int
    path: bytes


class Graph(NamedTuple):
    """Requests, and who waits for whom; `more` tells that there are others."""

    rows: dict[int, Row]
    edges: list[Edge]
    more: bool = False


def details(database: Database, match: finding.Match) -> Details:
    """All that is recorded of what was named."""
    numbers = [row[0] for row in database.rows(REQUESTS_OF, (match.job_id, MOST))] if match.job_id else []
    requests = overview.rows_of(database, numbers)
    row = overview.rows_of(database, [match.request_id])[0] if match.request_id else _unasked(database, match)
    result, evicted = _result(database, row.job_id)
    return Details(
        row,
        requests,
        attempts_of(database, row.job_id, MOST) if row.job_id is not None else [],
        sources(database, row.request_id),
        history.written_by(database, row.request_id),
        overview.rows_of(database, [one[0] for one in database.rows(NEEDED_BY, (row.request_id, MOST))]),
        result,
        evicted,
        tuple(database.row(RAN_BY, (row.worker_id,)) or ()) or None if row.worker_id is not None else None,
        _before(database, row),
        resources.waiting_reason(database, row.job_id) if row.word == "ready" and row.job_id is not None else None,
        row.worker_id is not None and row.word == "running" and sessions.has_died(database, row.worker_id),
    )


def _unasked(database: Database, match: finding.Match) -> Row:
    """A job that nobody has asked for here: it came from elsewhere."""
    job = history.job(database, match.job_id or 0)
    assert job is not None
    ends = {JobState.DONE: RequestState.DELIVERED, JobState.FAILED: RequestState.FAILED}
    state = ends.get(job.state, RequestState.CANCELED if job.state is JobState.CANCELED else RequestState.QUEUED)
    wish: list[Any] = [0, state, job.lane, "", b"", None, None, job.priority, job.created, job.finished, None]
    wish += [job.id, job.checksum, job.state, job.started, job.worker_id, None]
    return Row(*wish)


def _result(database: Database, job_id: int | None) -> tuple[str | None, float | None]:
    row = database.row(RESULT, (job_id,))
    return (row[0].hex() if row[0] else None, row[1]) if row else (None, None)


def _before(database: Database, row: Row) -> int | None:
    job = history.job(database, row.job_id) if row.job_id is not None and row.word == "ready" else None
    return None if job is None else history.queued_before(database, job)


def sources(database: Database, request_id: int) -> list[Source]:
    """The inputs of a request that were not known at submit."""
    return [
        Source(
            bytes(pin),
            bytes(path),
            upstream_id,
            command,
            None if state is None else RequestState(state),
            checksum.hex() if checksum else None,
        )
        for pin, path, upstream_id, command, state, checksum in database.rows(INPUTS_OF, (request_id,))
    ]


def graph(database: Database, wanted: overview.Filter, limit: int) -> Graph:
    """What has not ended and what failed, or all since a moment; with what that waits for."""
    numbers = [row[0] for row in database.rows(GRAPH_ROWS, (*wanted, limit + 1))]
    numbers += [row[0] for row in database.rows(FAILED_ROWS, (*wanted, max(0, limit + 1 - len(numbers))))]
    return _graph(database, numbers, limit)


def graph_of(database: Database, request_id: int, limit: int) -> Graph:
    """A request with all that it needs, and all that needs it."""
    start = json.dumps([request_id])
    numbers = [row[0] for row in database.rows(BELOW, (start, limit + 1))]
    numbers += [row[0] for row in database.rows(ABOVE, (start, limit + 1))]
    return _graph(database, list(dict.fromkeys(numbers)), limit)


def _graph(database: Database, numbers: Iterable[int], limit: int) -> Graph:
    chosen = list(dict.fromkeys(numbers))
    more = len(chosen) > limit
    above = [row[0] for row in database.rows(ABOVE, (json.dumps(chosen[:limit]), 2 * limit))]
    rows = {row.request_id: row for row in overview.rows_of(database, sorted({*chosen[:limit], *above}))}
    edges = [Edge(one, up, bytes(path)) for one, up, path in database.rows(EDGES, (json.dumps(list(rows)),))]
    return Graph(rows, [edge for edge in edges if edge.upstream_id in rows], more)
