"""Submit: requests with their outputs and dependencies, and the jobs they ask for.

All functions but `known` run inside the caller's write transaction, so that a batch of submissions
is one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..driver import Database
from . import progress
from .records import QUEUE_LANE, Consequences, Identity, Known, NewRequest, Streams, Submitted, Wish, Writer
from .states import LIVE, UNFINISHED, JobState, RequestState, among, move

KNOWN = f"SELECT id, result FROM jobs WHERE checksum = ? AND {among(JobState.DONE)}"
# Of the attempt whose result it is: a refresh may have given another one.
STREAMS = """SELECT stdout, stderr FROM attempts
    WHERE job_id = ? AND result = (SELECT result FROM jobs WHERE id = attempts.job_id) ORDER BY id DESC LIMIT 1"""
INSERT_REQUEST = """INSERT INTO requests (state, job_id, lane, command, directory, specification, context, outputs,
    sidecars_only, priority, timeout, retries, refresh, project, stage, parent, scratch, metavariables, resources,
    created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# The numbers are given by the caller, who holds the write lock: the next ones after these.
LAST_JOB = "SELECT COALESCE(MAX(id), 0) FROM jobs"
LAST_REQUEST = "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'requests'), 0)"
INSERT_NUMBERED_REQUEST = INSERT_REQUEST.replace("(state,", "(id, state,").replace("VALUES (?,", "VALUES (?, ?,")
INSERT_NUMBERED_JOB = f"""INSERT OR IGNORE INTO jobs (id, checksum, state, lane, priority, retries, timeout, scratch,
    resources, created) VALUES (?, ?, {JobState.READY.value}, ?, ?, ?, ?, ?, ?, ?)"""
SAVEPOINT = "SAVEPOINT all_new"
ROLLBACK_TO = "ROLLBACK TO all_new"
RELEASE_SAVEPOINT = "RELEASE all_new"
INSERT_OUTPUT = "INSERT INTO outputs (request_id, path, name) VALUES (?, ?, ?)"
INSERT_DEPENDENCY = """INSERT INTO dependencies (request_id, pin, upstream_id, output, part, path, checksum)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
UPSTREAM = """SELECT requests.state, jobs.result, requests.error, requests.command FROM requests
    LEFT JOIN jobs ON jobs.id = requests.job_id WHERE requests.id = ?"""
INSERT_JOB = f"""INSERT INTO jobs (checksum, state, lane, priority, retries, timeout, scratch, resources, created)
    VALUES (?, {JobState.READY.value}, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (checksum) DO NOTHING RETURNING id"""
SELECT_JOB = "SELECT id, state, lane, result, evicted FROM jobs WHERE checksum = ?"
_DEMAND = """priority = MAX(priority, ?), retries = MAX(retries, ?),
    timeout = CASE WHEN timeout IS NULL OR ? IS NULL THEN NULL ELSE MAX(timeout, ?) END"""
# What it demands is not changed while a server holds that for it, nor is there a server in another lane.
MERGE_JOB = f"""UPDATE jobs SET {_DEMAND}, scratch = MIN(scratch, ?),
    resources = CASE WHEN worker_id IS NULL AND lane = {QUEUE_LANE} THEN COALESCE(?, resources) ELSE resources END
    WHERE id = ?"""
_again = move(JobState.FAILED, JobState.CANCELED, JobState.READY)
# A canceled job whose worker has not stopped yet is revived when it has: `claims.acknowledge_stop`.
REVIVE_JOB = f"""UPDATE jobs SET {_again.set}, lane = ?, priority = ?, retries = ?, timeout = ?,
    scratch = ?, resources = ?, deaths = 0 WHERE id = ? AND {_again.guard} AND worker_id IS NULL"""
_rerun = move(JobState.DONE, JobState.READY)
REFRESH_JOB = f"""UPDATE jobs SET {_rerun.set}, lane = ?, priority = ?, retries = ?, timeout = ?,
    scratch = MIN(scratch, ?), resources = ?, deaths = 0 WHERE id = ? AND {_rerun.guard}"""
# Which bytes they were is still known: if they come out otherwise this time, that is told.
GIVE_UP_RESULT = "UPDATE jobs SET evicted = COALESCE(evicted, ?) WHERE id = ? AND result = ?"
WANT_KEPT = "UPDATE jobs SET scratch = 0 WHERE id = ? AND scratch = 1"
TAKE_OVER = f"""UPDATE jobs SET lane = ?, resources = NULL WHERE id = ? AND lane = {QUEUE_LANE} AND worker_id IS NULL
    AND {among(JobState.READY)}"""
TAKE_OVER_WAITED = f"""UPDATE jobs SET lane = ?, resources = NULL WHERE id = (SELECT job_id FROM requests WHERE id = ?)
    AND lane = {QUEUE_LANE} AND worker_id IS NULL AND {among(JobState.READY)}"""
_queue = move(RequestState.KEYABLE, RequestState.QUEUED)
QUEUE_REQUEST = f"UPDATE requests SET {_queue.set}, job_id = ? WHERE id = ? AND {_queue.guard}"
WRITER = f"""SELECT requests.id, outputs.name, outputs.path, requests.command FROM outputs
    JOIN requests ON requests.id = outputs.request_id
    WHERE outputs.path = ? AND outputs.pending = 1 AND requests.{among(*LIVE)}
    ORDER BY requests.id DESC LIMIT 1"""
WRITERS_BELOW = f"""SELECT requests.id, outputs.name, outputs.path, requests.command FROM outputs
    JOIN requests ON requests.id = outputs.request_id
    WHERE outputs.path > ? AND outputs.path < ? AND outputs.pending = 1
    AND requests.{among(*LIVE)} ORDER BY requests.id"""


WISH = f"""SELECT lane, priority, timeout, retries, refresh, outputs, scratch, resources FROM requests
    WHERE id = ? AND {among(RequestState.KEYABLE)}"""

JOB = "SELECT id FROM jobs WHERE checksum = ?"
LAST_OF_JOB = "SELECT command, directory FROM requests WHERE job_id = ? ORDER BY id DESC LIMIT 1"
METAVARIABLES = """SELECT metavariables FROM requests WHERE job_id = ? AND metavariables IS NOT NULL
    ORDER BY id DESC LIMIT 1"""
SETTLED = f"SELECT id FROM requests WHERE id BETWEEN ? AND ? AND outputs > 0 AND NOT {among(*UNFINISHED)}"


class FoundJob(NamedTuple):
    """The job of an identity: its result if that can be had without running, and whether it is in another lane."""

    id: int
    result: str | None = None
    elsewhere: bool = False


class Asked(NamedTuple):
    """What a request for a job has said, for the next one."""

    command: str
    directory: bytes
    metavariables: str | None


def known(database: Database, checksum: str) -> Known | None:
    """What is known of an identity that is done; the caller checks that the bytes are there."""
    row = database.row(KNOWN, (bytes.fromhex(checksum),))
    return Known(row[0], row[1].hex()) if row else None


def streams(database: Database, job_id: int) -> Streams:
    """What the job's last good run wrote, to be replayed."""
    row = database.row(STREAMS, (job_id,))
    stdout, stderr = row or (None, None)
    return Streams(stdout.hex() if stdout else None, stderr.hex() if stderr else None)


def job_of(database: Database, checksum: str) -> int | None:
    """The number of a transformation's job, if it has one."""
    row = database.row(JOB, (bytes.fromhex(checksum),))
    return int(row[0]) if row else None


def last_request(database: Database, job_id: int) -> Asked | None:
    """How a job was asked for last; None if nobody has asked here."""
    row = database.row(LAST_OF_JOB, (job_id,))
    return Asked(row[0], bytes(row[1]), metavariables_of(database, job_id)) if row else None


def metavariables_of(database: Database, job_id: int) -> str | None:
    """What the job is given beside its identity, as the newest request says that says so; None for nothing."""
    row = database.row(METAVARIABLES, (job_id,))
    return row[0] if row else None


def writer_of(database: Database, path: bytes) -> Writer | None:
    """The newest live request that will write this path."""
    row = database.row(WRITER, (path,))
    return Writer(row[0], bytes(row[1]), bytes(row[2]), row[3]) if row else None


def writers_below(database: Database, directory: bytes) -> list[Writer]:
    """For each path inside a directory that will be written: its newest live request."""
    rows = database.rows(WRITERS_BELOW, (directory + b"/", directory + b"0"))
    newest = {bytes(row[2]): Writer(row[0], bytes(row[1]), bytes(row[2]), row[3]) for row in rows}
    return list(newest.values())


def settled(database: Database, first: int, last: int) -> set[int]:
    """Which of these requests have their result, or have ended without one."""
    return {row[0] for row in database.rows(SETTLED, (first, last))}


def submit(connection: Any, new: NewRequest) -> tuple[Submitted, Consequences]:
    """Record a request with all that belongs to it, and its job if the identity is known."""
    now = time.time()
    if new.identity is not None:
        return _submit_known(connection, new, new.identity, now)
    request_id = _insert_request(connection, new, RequestState.WAITING, None, now)
    failed = _insert_dependencies(connection, request_id, new)
    if failed is not None:
        consequences = progress.fail_request(connection, request_id, failed)
        return Submitted(request_id, RequestState.FAILED), consequences
    return _after_dependencies(connection, request_id)


def submit_new(connection: Any, requests: Sequence[NewRequest]) -> list[Submitted] | None:
    """Submit many at once, all with a known identity and without outputs, if none of these is known to the store.

    None, and nothing done, if one is: then each has to be submitted by itself. It takes a third of the time.
    """
    first_job = connection.execute(LAST_JOB).fetchone()[0] + 1
    first_request = connection.execute(LAST_REQUEST).fetchone()[0] + 1
    now = time.time()
    jobs = [
        (first_job + place, bytes.fromhex(new.identity.checksum), *_demand(new.wish), now)
        for place, new in enumerate(requests)
        if new.identity is not None
    ]
    connection.execute(SAVEPOINT)
    if connection.executemany(INSERT_NUMBERED_JOB, jobs).rowcount < len(requests):
        connection.execute(ROLLBACK_TO)
        connection.execute(RELEASE_SAVEPOINT)
        return None
    connection.executemany(
        INSERT_NUMBERED_REQUEST,
        [
            (first_request + place, *_request_values(new, RequestState.QUEUED, first_job + place, now))
            for place, new in enumerate(requests)
        ],
    )
    connection.execute(RELEASE_SAVEPOINT)
    return [Submitted(first_request + place, RequestState.QUEUED, first_job + place) for place in range(len(requests))]


def _demand(wish: Wish) -> tuple[int, int, int, float | None, int, str | None]:
    # Of resources only servers know: nobody else keeps account of them.
    resources = wish.resources if wish.lane == QUEUE_LANE else None
    return wish.lane, wish.priority, wish.retries, wish.timeout, int(wish.scratch), resources


def _submit_known(connection: Any, new: NewRequest, identity: Identity, now: float) -> tuple[Submitted, Consequences]:
    """Nothing is waited for: the request is born with its job, which spares a statement."""
    found = _job_for(connection, identity, new.wish)
    request_id = _insert_request(connection, new, RequestState.QUEUED, found.id, now)
    return _submitted(connection, request_id, found, len(new.outputs))


def wish_of(connection: Any, request_id: int) -> Wish | None:
    """What a keyable request asks of its job; None if it has moved on, and so wants none."""
    row = connection.execute(WISH, (request_id,)).fetchone()
    return Wish(*row) if row else None


def attach(connection: Any, request_id: int, identity: Identity, wish: Wish) -> tuple[Submitted, Consequences]:
    """Give a keyable request its job: a new one, one that is on its way, or one that is done."""
    found = _job_for(connection, identity, wish)
    if connection.execute(QUEUE_REQUEST, (found.id, request_id)).rowcount == 0:
        return Submitted(request_id, RequestState.CANCELED, found.id), Consequences()
    return _submitted(connection, request_id, found, wish.outputs)


def _submitted(connection: Any, request_id: int, found: FoundJob, outputs: int) -> tuple[Submitted, Consequences]:
    if found.result is None:
        return Submitted(request_id, RequestState.QUEUED, found.id, elsewhere=found.elsewhere), Consequences()
    consequences = progress.settle(connection, {found.id: found.result})
    state = RequestState.DELIVERING if outputs else RequestState.DELIVERED
    return Submitted(request_id, state, found.id, found.result), consequences


def take_over(connection: Any, request_id: int, lane: int) -> None:
    """The queue had begun what this request waits for, and has given it back: maybe no server is left."""
    connection.execute(TAKE_OVER_WAITED, (lane, request_id))


def _insert_request(connection: Any, new: NewRequest, state: RequestState, job_id: int | None, now: float) -> int:
    values = _request_values(new, state, job_id, now)
    request_id = int(connection.execute(INSERT_REQUEST, values).lastrowid)
    if new.outputs:
        connection.executemany(INSERT_OUTPUT, [(request_id, out.path, out.name) for out in new.outputs])
    return request_id


def _request_values(new: NewRequest, state: RequestState, job_id: int | None, now: float) -> tuple[object, ...]:
    context = bytes.fromhex(new.context) if new.context else None
    return (
        state.value,
        job_id,
        new.lane,
        new.command,
        new.directory,
        bytes.fromhex(new.specification) if new.specification else None,
        context,
        len(new.outputs),
        int(new.sidecars_only),
        new.priority,
        new.timeout,
        new.retries,
        int(new.refresh),
        new.project,
        new.stage,
        new.parent,
        int(new.scratch),
        new.metavariables,
        new.resources,
        now,
    )


def _insert_dependencies(connection: Any, request_id: int, new: NewRequest) -> str | None:
    """Record what the request waits for; the error of an upstream that has failed meanwhile."""
    error = None
    for dep in new.dependencies:
        result = None
        if dep.upstream is not None:
            state, result, upstream_error, command = connection.execute(UPSTREAM, (dep.upstream,)).fetchone()
            if state in (RequestState.FAILED, RequestState.CANCELED):
                error = progress.upstream_failed(dep.upstream, command, upstream_error)
            elif state in UNFINISHED:
                # A job that is refreshed keeps its old result while it runs.
                result = None
        values = (request_id, dep.pin, dep.upstream, dep.output, dep.part, dep.path, result)
        connection.execute(INSERT_DEPENDENCY, values)
    return error


def _after_dependencies(connection: Any, request_id: int) -> tuple[Submitted, Consequences]:
    if progress.mark_keyable(connection, request_id):
        return Submitted(request_id, RequestState.KEYABLE), Consequences(key=(request_id,))
    return Submitted(request_id, RequestState.WAITING), Consequences()


def _job_for(connection: Any, identity: Identity, wish: Wish) -> FoundJob:
    """The job of an identity, made if there is none; it is asked to run unless its result can be had."""
    checksum = bytes.fromhex(identity.checksum)
    demand = _demand(wish)
    row = connection.execute(INSERT_JOB, (checksum, *demand, time.time())).fetchone()
    if row:
        return FoundJob(int(row[0]))
    job_id, state, lane, result, evicted = connection.execute(SELECT_JOB, (checksum,)).fetchone()
    if state == JobState.DONE:
        if wish.refresh:
            connection.execute(REFRESH_JOB, (*demand, job_id))
        elif identity.gone_result is not None and result.hex() == identity.gone_result:
            connection.execute(GIVE_UP_RESULT, (time.time(), job_id, result))
            connection.execute(REFRESH_JOB, (*demand, job_id))
        elif evicted is not None and not wish.scratch:
            # Its bytes were given up, maybe since the caller has looked.
            connection.execute(REFRESH_JOB, (*demand, job_id))
        else:
            if not wish.scratch:
                connection.execute(WANT_KEPT, (job_id,))
            return FoundJob(job_id, result.hex())
        return FoundJob(job_id)
    if state in (JobState.FAILED, JobState.CANCELED):
        # One whose worker has not stopped yet is revived by that worker, for whoever wants it then.
        revived = connection.execute(REVIVE_JOB, (*demand, job_id)).rowcount
        return FoundJob(job_id, elsewhere=not revived)
    merged = (wish.priority, wish.retries, wish.timeout, wish.timeout, int(wish.scratch), wish.resources, job_id)
    connection.execute(MERGE_JOB, merged)
    if wish.lane == lane:
        return FoundJob(job_id)
    # Somebody waits at a terminal for what the queue has not begun: they run it themselves.
    taken = wish.lane != QUEUE_LANE and connection.execute(TAKE_OVER, (wish.lane, job_id)).rowcount
    return FoundJob(job_id, elsewhere=not taken)
