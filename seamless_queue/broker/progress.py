"""How requests move once their job or an upstream has an outcome.

Every function runs inside the caller's write transaction and returns what is to be done after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from .records import QUEUE_LANE, Consequences, merged
from .states import IS_LIVE, LIVE, UNFINISHED, JobState, RequestState, among, either, move

_keyable = move(RequestState.WAITING, RequestState.KEYABLE)
MARK_KEYABLE = f"""UPDATE requests SET {_keyable.set} WHERE id = ? AND {_keyable.guard}
    AND NOT EXISTS (SELECT 1 FROM dependencies WHERE request_id = requests.id AND checksum IS NULL)"""
_deliver = move(RequestState.QUEUED, RequestState.DELIVERING)
_delivered = move(RequestState.QUEUED, RequestState.DELIVERED)
# One statement for both moves: a request with files has them written next, one without has all that it wanted.
SETTLE = f"""UPDATE requests SET {either("outputs = 0", _delivered, _deliver)},
    finished = CASE outputs WHEN 0 THEN ? END
    WHERE job_id IN (SELECT value FROM json_each(?)) AND {_deliver.guard} AND {_delivered.guard}
    RETURNING id, lane, outputs, job_id"""
RESOLVE = """UPDATE dependencies SET checksum = ? WHERE upstream_id = ? AND checksum IS NULL RETURNING request_id"""
RESOLVE_WATCHED = "UPDATE dependencies SET checksum = ? WHERE id = ?"
_failed = move(*UNFINISHED, RequestState.DELIVERING, RequestState.FAILED)
FAIL = f"""UPDATE requests SET {_failed.set}, finished = ?, error = ?, deliverer = NULL
    WHERE id = ? AND {_failed.guard} RETURNING lane, command, outputs"""
WANTING = f"SELECT id FROM requests WHERE job_id = ? AND {among(RequestState.QUEUED)}"
DEPENDENTS = f"""SELECT DISTINCT dependencies.request_id, dependencies.path FROM dependencies
    JOIN requests ON requests.id = dependencies.request_id
    WHERE dependencies.upstream_id = ? AND dependencies.checksum IS NULL
    AND requests.{among(RequestState.WAITING, RequestState.KEYABLE)}"""
_canceled = move(*LIVE, RequestState.CANCELED)
CANCEL = f"""UPDATE requests SET {_canceled.set}, finished = ?, error = ?, deliverer = NULL
    WHERE id = ? AND {_canceled.guard} RETURNING lane, command, outputs, job_id"""
CHILDREN = f"SELECT id, job_id FROM requests WHERE parent = ? AND {among(*LIVE)} AND {IS_LIVE}"
IS_CANCELED = f"SELECT 1 FROM jobs WHERE id = ? AND {among(JobState.CANCELED)}"
STILL_WANTED = f"""SELECT lane FROM requests WHERE job_id = ? AND {among(RequestState.QUEUED)}
    ORDER BY lane = {QUEUE_LANE} DESC, id LIMIT 1"""
_ready_canceled = move(JobState.READY, JobState.CANCELED)
_running_canceled = move(JobState.RUNNING, JobState.CANCELED)
CANCEL_READY = f"UPDATE jobs SET {_ready_canceled.set}, worker_id = NULL WHERE id = ? AND {_ready_canceled.guard}"
# The worker stays named: that tells its parent whom to stop.
CANCEL_RUNNING = (
    f"UPDATE jobs SET {_running_canceled.set}, fence = fence + 1 WHERE id = ? AND {_running_canceled.guard}"
)
# What the remaining requests ask: the highest priority, the most retries, the longest time (NULL is for ever).
_OF_REMAINING = f"FROM requests WHERE job_id = ? AND {among(RequestState.QUEUED)}"
RECOMPUTE = f"""UPDATE jobs SET priority = (SELECT MAX(priority) {_OF_REMAINING}),
    retries = MIN(retries, (SELECT MAX(retries) {_OF_REMAINING})),
    timeout = (SELECT CASE WHEN COUNT(timeout) = COUNT(*) THEN MAX(timeout) END {_OF_REMAINING}) WHERE id = ?"""
#: What a job of the queue demands: what the newest of its requests does that says so.
DEMANDED = f"""(SELECT requests.resources FROM requests WHERE requests.job_id = jobs.id
    AND requests.lane = {QUEUE_LANE} AND requests.resources IS NOT NULL AND requests.{among(RequestState.QUEUED)}
    ORDER BY requests.id DESC LIMIT 1)"""
MOVE_LANE = f"""UPDATE jobs SET lane = ?, resources = {DEMANDED}
    WHERE id = ? AND {among(JobState.READY, JobState.RUNNING)}
    AND lane NOT IN (SELECT lane FROM requests WHERE job_id = jobs.id AND requests.{among(RequestState.QUEUED)})"""
_restored = move(JobState.CANCELED, JobState.DONE)
RESTORE = (
    f"UPDATE jobs SET {_restored.set} WHERE id = ? AND {_restored.guard} AND worker_id IS NULL AND result IS NOT NULL"
)


def upstream_failed(request_id: int, command: str, error: str | None) -> str:
    """The error of a request whose input will not come."""
    return f"its input was to come from request {request_id} ({command}), which did not: {error or 'canceled'}"


def mark_keyable(connection: Any, request_id: int) -> bool:
    """Whether the request's last unknown input is known by now, and it was waiting for that."""
    return bool(connection.execute(MARK_KEYABLE, (request_id,)).rowcount)


def settle(connection: Any, results: Mapping[int, str]) -> Consequences:
    """These jobs have results: their requests get their files, what depends on them gets its input."""
    settled = connection.execute(SETTLE, (time.time(), str(list(results)))).fetchall()
    # Nobody depends on a request without files but those of the queue, from Python.
    upstream = [(row[0], results[row[3]]) for row in settled if row[2] or row[1] == QUEUE_LANE]
    keyable = [request for request_id, result in upstream for request in _resolve(connection, request_id, result)]
    return Consequences(
        deliver=tuple(row[0] for row in settled if row[2]),
        key=tuple(keyable),
        sessions=_sessions(row[:2] for row in settled),
    )


def resolve_watched(connection: Any, dependency_ids: Iterable[tuple[int, int]], checksum: str) -> Consequences:
    """A watched file has come: `dependency_ids` are pairs of dependency and request."""
    keyable = []
    for dependency_id, request_id in dependency_ids:
        connection.execute(RESOLVE_WATCHED, (bytes.fromhex(checksum), dependency_id))
        if mark_keyable(connection, request_id):
            keyable.append(request_id)
    return Consequences(key=tuple(keyable))


def fail_job_requests(connection: Any, job_id: int, error: str) -> Consequences:
    """The job failed: so do all requests that wait for it, and what depends on them."""
    ids = [row[0] for row in connection.execute(WANTING, (job_id,)).fetchall()]
    return _fail_all(connection, [(request_id, error) for request_id in ids])


def fail_request(connection: Any, request_id: int, error: str) -> Consequences:
    """A request fails, and what depends on it."""
    return _fail_all(connection, [(request_id, error)])


def cancel_request(connection: Any, request_id: int, why: str = "canceled") -> Consequences:
    """Take a request back; its job is canceled only if no other live request wants it."""
    row = connection.execute(CANCEL, (time.time(), why, request_id)).fetchone()
    if row is None:
        return Consequences()
    lane, command, outputs, job_id = row
    if job_id is not None:
        _release_job(connection, job_id)
    ended = (request_id,) if outputs else ()
    dependents = _dependents(connection, request_id, command, why)
    taken_back = Consequences(ended=ended, sessions=_sessions([(request_id, lane)]))
    return taken_back.and_then(_fail_all(connection, dependents))


def cancel_children(connection: Any, job_id: int) -> tuple[list[int], Consequences]:
    """Take back what the code of a job has asked for, which has been stopped; the jobs that this was."""
    rows = connection.execute(CHILDREN, (job_id,)).fetchall()
    why = "what asked for it was canceled"
    return [row[1] for row in rows if row[1]], merged([cancel_request(connection, row[0], why) for row in rows])


def _release_job(connection: Any, job_id: int) -> None:
    wanted = connection.execute(STILL_WANTED, (job_id,)).fetchone()
    if wanted is None:
        connection.execute(CANCEL_READY, (job_id,))
        connection.execute(CANCEL_RUNNING, (job_id,))
        connection.execute(RESTORE, (job_id,))
    else:
        connection.execute(RECOMPUTE, (job_id,) * 4)
        # The session that would have run it may be the one that gives up: whoever is left takes it over.
        connection.execute(MOVE_LANE, (wanted[0], job_id))


def _resolve(connection: Any, request_id: int, result: str) -> list[int]:
    waiting = connection.execute(RESOLVE, (bytes.fromhex(result), request_id)).fetchall()
    return [row[0] for row in dict.fromkeys(waiting) if mark_keyable(connection, row[0])]


def _fail_all(connection: Any, doomed: list[tuple[int, str]]) -> Consequences:
    """Fail requests and, level by level, everything downstream."""
    ended, lanes = [], []
    while doomed:
        request_id, error = doomed.pop()
        row = connection.execute(FAIL, (time.time(), error, request_id)).fetchone()
        if row is None:
            continue
        lane, command, outputs = row
        lanes.append((request_id, lane))
        if outputs:
            ended.append(request_id)
        doomed.extend(_dependents(connection, request_id, command, error))
    return Consequences(ended=tuple(ended), sessions=_sessions(lanes), failed=len(lanes))


def _dependents(connection: Any, request_id: int, command: str, error: str) -> list[tuple[int, str]]:
    # A long chain names its root, not every link.
    message = error if error.startswith("its input was") else upstream_failed(request_id, command, error)
    return [(row[0], message) for row in connection.execute(DEPENDENTS, (request_id,)).fetchall()]


def _sessions(rows: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    return tuple({lane for _, lane in rows if lane != QUEUE_LANE})
