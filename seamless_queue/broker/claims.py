"""Claim, begin, finish: how a worker gets a job and gives it back.

A claim reserves; an attempt begins, and counts, when the job becomes one that the worker runs, in the
transaction that finishes the ones before: of short jobs several share it. Only the holder of a job's newest
fence can finish it. Functions that take a connection run inside the caller's write transaction.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ..driver import Database
from ..errors import Fenced
from . import deliveries, progress
from .records import NO_STREAMS, QUEUE_LANE, Consequences, Streams
from .states import JobState, Outcome, RequestState, among, move
from .work import Finished, Running

#: How many deaths of workers a job survives before it fails.
MAX_DEATHS = 3
#: In place of a number of deaths: the worker died while it had begun several jobs.
DIED_TOGETHER = -1

# Those that demand more than one processor are claimed by resources.py.
_FREE = f"{among(JobState.READY)} AND worker_id IS NULL AND resources IS NULL"
CLAIM = f"""UPDATE jobs SET worker_id = ? WHERE id IN (SELECT id FROM jobs WHERE lane = ? AND {_FREE}
    ORDER BY priority DESC, id LIMIT ?) RETURNING id, priority"""
# An idle worker takes back what a busy one has only reserved.
STEAL = f"""UPDATE jobs SET worker_id = ? WHERE id IN (SELECT id FROM jobs WHERE worker_id IS NOT NULL
    AND worker_id <> ? AND lane = ? AND {among(JobState.READY)} AND resources IS NULL
    ORDER BY priority DESC, id LIMIT 1) RETURNING id"""
# Whoever waits for a job runs it itself, also if another worker of the lane has reserved it and not begun.
CLAIM_THIS = f"""UPDATE jobs SET worker_id = ?
    WHERE id = ? AND lane = ? AND {among(JobState.READY)} AND (deaths <= 0 OR ?)"""
READY_COUNT = f"SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE lane = ? AND {_FREE} LIMIT ?)"
# A few of maybe very many: by their numbers, not by the index of all that are free.
FREE_AMONG = f"SELECT id FROM jobs NOT INDEXED WHERE id IN (SELECT value FROM json_each(?)) AND lane = ? AND {_FREE}"
IS_READY = f"SELECT 1 FROM jobs WHERE id = ? AND lane = ? AND {among(JobState.READY)} AND (deaths <= 0 OR ?)"
ANY_RESERVED = f"""SELECT 1 FROM jobs WHERE worker_id IS NOT NULL AND lane = ? AND {among(JobState.READY)} LIMIT 1"""
_begin = move(JobState.READY, JobState.RUNNING)
BEGIN = f"""UPDATE jobs SET {_begin.set}, fence = fence + 1, started = ?
    WHERE id = ? AND worker_id = ? AND {_begin.guard} AND (deaths = 0 OR ?)
    RETURNING checksum, fence, timeout, result, deaths, devices"""
BEGIN_ALL = f"""UPDATE jobs SET {_begin.set}, fence = fence + 1, started = ?
    WHERE id IN (SELECT value FROM json_each(?)) AND worker_id = ? AND {_begin.guard} AND deaths = 0
    RETURNING id, checksum, fence, timeout, result"""
# Of several requests the newest says in which environment: its submitter has seen the latest state of things.
WISH = f"""SELECT id, command, context FROM requests WHERE job_id = ? AND {among(RequestState.QUEUED)}
    ORDER BY id DESC LIMIT 1"""
# The row of the largest id gives the other columns (SQLite's rule for MAX).
WISHES = f"""SELECT job_id, MAX(id), command, context FROM requests
    WHERE job_id IN (SELECT value FROM json_each(?)) AND {among(RequestState.QUEUED)} GROUP BY job_id"""
_done = move(JobState.RUNNING, JobState.DONE)
_failed = move(JobState.RUNNING, JobState.FAILED)
_again = move(JobState.RUNNING, JobState.READY)
# Whether a job that is run has no former result to fall back on.
_NOTHING_KEPT = "(result IS NULL OR evicted IS NOT NULL)"
_HELD = "id = ? AND worker_id = ? AND fence = ?"
# Several jobs at once, as a list of [id, fence, result]. A refreshed job keeps the result that it had, if its bytes
# are still there.
DONE = f"""UPDATE jobs SET {_done.set}, worker_id = NULL, finished = ?, evicted = NULL,
    result = CASE WHEN jobs.evicted IS NULL THEN COALESCE(jobs.result, ended.result) ELSE ended.result END
    FROM (SELECT value ->> 0 AS id, value ->> 1 AS fence, unhex(value ->> 2) AS result FROM json_each(?)) AS ended
    WHERE jobs.id = ended.id AND jobs.worker_id = ? AND jobs.fence = ended.fence AND {_done.guard}
    RETURNING id, result, started"""
FAILED = f"""UPDATE jobs SET {_failed.set}, worker_id = NULL, finished = ?
    WHERE {_HELD} AND {_failed.guard} AND {_NOTHING_KEPT} RETURNING started"""
# Only a refresh has failed: what was known before is still true.
STILL_DONE = f"""UPDATE jobs SET {_done.set}, worker_id = NULL, finished = ?
    WHERE {_HELD} AND {_done.guard} AND NOT {_NOTHING_KEPT} RETURNING started"""
RETRY = f"""UPDATE jobs SET {_again.set}, retries = retries - 1, worker_id = NULL
    WHERE {_HELD} AND {_again.guard} AND retries > 0 RETURNING started"""
RELEASE = f"UPDATE jobs SET {_again.set}, worker_id = NULL WHERE {_HELD} AND {_again.guard} RETURNING started"
UNRESERVE = f"UPDATE jobs SET worker_id = NULL WHERE worker_id = ? AND {among(JobState.READY)}"
HOLDS = f"SELECT 1 FROM jobs WHERE {_HELD} AND {among(JobState.RUNNING)}"
TO_STOP = f"SELECT worker_id FROM jobs WHERE id = ? AND worker_id IS NOT NULL AND {among(JobState.CANCELED)}"
ALL_TO_STOP = f"SELECT id, worker_id FROM jobs WHERE worker_id IS NOT NULL AND {among(JobState.CANCELED)}"
STOPPED = f"""UPDATE jobs SET worker_id = NULL WHERE id = ? AND worker_id = ? AND {among(JobState.CANCELED)}
    RETURNING started"""
_revive = move(JobState.CANCELED, JobState.READY)
REVIVE = f"""UPDATE jobs SET {_revive.set}, lane = ?, deaths = 0,
    resources = CASE ? WHEN {QUEUE_LANE} THEN {progress.DEMANDED} END WHERE id = ? AND {_revive.guard}"""
RECORD = """INSERT INTO attempts (job_id, fence, session_id, worker_id, outcome, exit_code, error, result, stdout,
    stderr, started, finished, user_time, system_time, peak_memory, environment, marks)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
MADE = "INSERT OR IGNORE INTO makers (checksum, job_id) VALUES (?, ?)"
_died_ready = move(JobState.RUNNING, JobState.READY)
HELD_BY = f"""SELECT id, fence, started, deaths FROM jobs WHERE worker_id = ? AND {among(JobState.RUNNING)}"""
STOPPING = f"SELECT id FROM jobs WHERE worker_id = ? AND {among(JobState.CANCELED)}"
DIED = f"""UPDATE jobs SET {_died_ready.set}, deaths = ?, worker_id = NULL WHERE id = ?
    AND {_died_ready.guard}"""
DIED_OFTEN = f"""UPDATE jobs SET {_failed.set}, deaths = deaths + 1, worker_id = NULL, finished = ? WHERE id = ?
    AND {_failed.guard} AND {_NOTHING_KEPT}"""
DIED_REFRESHING = f"""UPDATE jobs SET {_done.set}, deaths = deaths + 1, worker_id = NULL, finished = ? WHERE id = ?
    AND {_done.guard} AND NOT {_NOTHING_KEPT}"""


def claim(connection: Any, worker_id: int, lane: int, want: int) -> list[int]:
    """Reserve up to `want` jobs of the lane, best first; or one that another worker only reserves."""
    rows = connection.execute(CLAIM, (worker_id, lane, want)).fetchall()
    if rows:
        return [job_id for job_id, _ in sorted(rows, key=lambda row: (-row[1], row[0]))]
    return [row[0] for row in connection.execute(STEAL, (worker_id, worker_id, lane)).fetchall()]


def claim_this(connection: Any, worker_id: int, lane: int, job_id: int, *, deadly: bool = True) -> bool:
    """Reserve one job, for whom waits for it; False if it is not there to be begun.

    Unless `deadly`, False as well if a worker has died of it.
    """
    return bool(connection.execute(CLAIM_THIS, (worker_id, job_id, lane, deadly)).rowcount)


def ready_count(database: Database, lane: int, at_most: int) -> int:
    """How many jobs of the lane are free to be claimed, counted no further than `at_most`."""
    return int(database.row(READY_COUNT, (lane, at_most))[0])


def free_among(database: Database, lane: int, job_ids: list[int]) -> list[int]:
    """Which of these jobs are free to be claimed in the lane."""
    return [row[0] for row in database.rows(FREE_AMONG, (str(job_ids), lane))] if job_ids else []


def is_ready(database: Database, lane: int, job_id: int, *, deadly: bool = True) -> bool:
    """Whether `claim_this` would get the job: whatever it demands, and whoever has only reserved it."""
    return database.row(IS_READY, (job_id, lane, deadly)) is not None


def any_reserved(database: Database, lane: int) -> bool:
    """Whether a worker has reserved a job of the lane that it has not begun."""
    return database.row(ANY_RESERVED, (lane,)) is not None


def begin(connection: Any, worker_id: int, job_id: int, *, together: bool = False) -> Running | None:
    """Make a reserved job one that the worker runs; None if it is not its any more.

    None as well if it is to be begun `together` with others, but has seen a worker die.
    """
    row = connection.execute(BEGIN, (time.time(), job_id, worker_id, not together)).fetchone()
    if row is None:
        return None
    *found, deaths, devices = row
    wish = connection.execute(WISH, (job_id,)).fetchone()
    return _running((job_id, *found), wish)._replace(alone=deaths != 0, devices=devices)


def begin_all(connection: Any, worker_id: int, job_ids: list[int]) -> list[Running]:
    """Make reserved jobs ones that the worker runs, together: not those that have seen a worker die."""
    numbers = str(job_ids)
    begun = {row[0]: row for row in connection.execute(BEGIN_ALL, (time.time(), numbers, worker_id)).fetchall()}
    wishes = {row[0]: row[1:] for row in connection.execute(WISHES, (numbers,)).fetchall()}
    return [_running(begun[job_id], wishes.get(job_id)) for job_id in job_ids if job_id in begun]


def _running(
    row: tuple[int, bytes, int, float | None, bytes | None], wish: tuple[int, str, bytes | None] | None
) -> Running:
    job_id, checksum, fence, timeout, result = row
    request_id, command, context = wish or (0, "", None)
    return Running(
        job_id,
        checksum.hex(),
        fence,
        timeout,
        request_id,
        command,
        context.hex() if context else None,
        former=result.hex() if result else None,
    )


def holds(database: Database, worker_id: int, running: Running) -> bool:
    """Whether the worker may still go on with this attempt."""
    return database.row(HOLDS, (running.job_id, worker_id, running.fence)) is not None


def worker_to_stop(database: Database, job_id: int | None) -> int | None:
    """The worker that still runs a job which was canceled under it."""
    row = database.row(TO_STOP, (job_id,))
    return int(row[0]) if row else None


def all_to_stop(database: Database) -> list[tuple[int, int]]:
    """Jobs that were canceled under their workers: job and worker, of any session."""
    return [(row[0], row[1]) for row in database.rows(ALL_TO_STOP)]


def finish(connection: Any, session_id: int, worker_id: int, running: Running, finished: Finished) -> Consequences:
    """Publish an attempt's outcome. Raises Fenced if the job was taken over or taken back."""
    if finished.outcome is Outcome.DONE:
        ended, consequences = finish_done(connection, session_id, worker_id, [(running, finished)])
        if not ended:
            raise Fenced
        return consequences._replace(differed=ended[running.job_id].outcome is Outcome.DIFFERED)
    held = (running.job_id, worker_id, running.fence)
    now = time.time()
    if finished.outcome is Outcome.RELEASED:
        started, consequences = _started(connection, RELEASE, held), Consequences(again=True)
    else:
        started, consequences = _finish_failed(connection, held, finished, now)
    _record(connection, session_id, worker_id, running.job_id, running.fence, finished, started, now)
    return consequences


def finish_done(
    connection: Any, session_id: int, worker_id: int, done: list[tuple[Running, Finished]]
) -> tuple[dict[int, Finished], Consequences]:
    """Publish results, together: how each job ended, by its id. A job that was taken over or back is not there."""
    now = time.time()
    rows = [[running.job_id, running.fence, finished.result] for running, finished in done]
    kept = {
        job_id: (result, started)
        for job_id, result, started in connection.execute(DONE, (now, json.dumps(rows), worker_id)).fetchall()
    }
    ended, records = {}, []
    made: list[tuple[bytes, int]] = []
    for running, finished in done:
        if running.job_id in kept:
            started = kept[running.job_id][1]
            finished = ended[running.job_id] = _compared(finished, running.former)
            records.append(_attempt(session_id, worker_id, running.job_id, running.fence, finished, started, now))
            made.extend((bytes.fromhex(member), running.job_id) for member in finished.members)
    connection.executemany(RECORD, records)
    if made:
        connection.executemany(MADE, made)
    return ended, progress.settle(connection, {job_id: result.hex() for job_id, (result, _) in kept.items()})


def _compared(finished: Finished, former: str | None) -> Finished:
    if former is None or former == finished.result:
        return finished
    return finished._replace(outcome=Outcome.DIFFERED, error=f"result differs from {former}")


def acknowledge_stop(
    connection: Any, session_id: int, worker_id: int, running: Running, finished: Finished | None = None
) -> None:
    """The worker has stopped a job that was canceled under it; it may run again if somebody asks.

    A job that it gave up although others want it is given back to them. `finished`: how far it had come.
    """
    row = connection.execute(STOPPED, (running.job_id, worker_id)).fetchone()
    outcome = Outcome.CANCELED
    if row is None:
        row = connection.execute(RELEASE, (running.job_id, worker_id, running.fence)).fetchone()
        outcome = Outcome.RELEASED
    if row is None:
        return
    _revive_if_wanted(connection, running.job_id)
    finished = (finished or Finished(outcome))._replace(outcome=outcome, error="canceled", result=None)
    _record(connection, session_id, worker_id, running.job_id, running.fence, finished, row[0], time.time())


def give_back(connection: Any, worker_id: int, running: Running) -> None:
    """A job that was begun but not touched goes back, as if it had only been reserved."""
    connection.execute(RELEASE, (running.job_id, worker_id, running.fence))


def unreserve(connection: Any, worker_id: int) -> int:
    """Give back what the worker has reserved and not begun; how many that were."""
    return int(connection.execute(UNRESERVE, (worker_id,)).rowcount)


def bury(
    connection: Any,
    session_id: int,
    worker_id: int,
    why: str,
    *,
    charge: bool = True,
    streams: Streams = NO_STREAMS,
) -> Consequences:
    """A worker has died: its jobs are claimable again, or fail when that has happened too often.

    Without `charge` it died for another's sake, such as its session's, and its jobs are not to blame. `streams`:
    what the one that ran had written, if it was one.
    """
    unreserve(connection, worker_id)
    deliveries.release(connection, worker_id)
    for (job_id,) in connection.execute(STOPPING, (worker_id,)).fetchall():
        connection.execute(STOPPED, (job_id, worker_id))
        _revive_if_wanted(connection, job_id)
    held = connection.execute(HELD_BY, (worker_id,)).fetchall()
    consequences = Consequences()
    for job_id, fence, started, deaths in held:
        now = time.time()
        finished = Finished(Outcome.DIED, error=why)
        if len(held) == 1:
            finished = finished._replace(stdout=streams.stdout, stderr=streams.stderr)
        charged = max(deaths, 0) + 1
        if not charge:
            connection.execute(DIED, (deaths, job_id))
            consequences = consequences.and_then(Consequences(again=True))
        elif len(held) > 1 and not deaths:
            # One of them was running, nobody knows which: none is charged, each runs alone from now on. One that
            # has been told so before was not begun with others: its code asked for them, or theirs for it.
            connection.execute(DIED, (DIED_TOGETHER, job_id))
            consequences = consequences.and_then(Consequences(again=True))
        elif charged >= MAX_DEATHS:
            connection.execute(DIED_OFTEN, (now, job_id))
            connection.execute(DIED_REFRESHING, (now, job_id))
            error = f"its worker died {charged} times, last: {why}"
            consequences = consequences.and_then(progress.fail_job_requests(connection, job_id, error))
        else:
            connection.execute(DIED, (charged, job_id))
            consequences = consequences.and_then(Consequences(again=True))
        _record(connection, session_id, worker_id, job_id, fence, finished, started, now)
    return consequences


def _finish_failed(
    connection: Any, held: tuple[int, int, int], finished: Finished, now: float
) -> tuple[float, Consequences]:
    row = connection.execute(RETRY, held).fetchone()
    if row is not None:
        return row[0], Consequences(again=True)
    row = connection.execute(FAILED, (now, *held)).fetchone()
    started = row[0] if row else _started(connection, STILL_DONE, (now, *held))
    return started, progress.fail_job_requests(connection, held[0], finished.error or "failed")


def _started(connection: Any, statement: str, parameters: tuple[object, ...]) -> float:
    row = connection.execute(statement, parameters).fetchone()
    if row is None:
        raise Fenced
    return float(row[0])


def _revive_if_wanted(connection: Any, job_id: int) -> None:
    wanted = connection.execute(progress.STILL_WANTED, (job_id,)).fetchone()
    if wanted is not None:
        connection.execute(REVIVE, (wanted[0], wanted[0], job_id))
    else:
        connection.execute(progress.RESTORE, (job_id,))


def _record(
    connection: Any,
    session_id: int,
    worker_id: int,
    job_id: int,
    fence: int,
    finished: Finished,
    started: float | None,
    now: float,
) -> None:
    connection.execute(RECORD, _attempt(session_id, worker_id, job_id, fence, finished, started, now))


def _attempt(
    session_id: int, worker_id: int, job_id: int, fence: int, finished: Finished, started: float | None, now: float
) -> tuple[object, ...]:
    checksums = (bytes.fromhex(c) if c else None for c in (finished.result, finished.stdout, finished.stderr))
    return (
        job_id,
        fence,
        session_id,
        worker_id,
        finished.outcome.value,
        finished.exit_code,
        finished.error,
        *checksums,
        finished.began or started,
        now,
        *finished.usage,
        bytes.fromhex(finished.environment) if finished.environment else None,
        finished.marks,
    )
