"""Forgets whole jobs that ended long ago: with their attempts, requests and outputs, all of one job or nothing.

Their bytes go with the next sweep. A job stays if a request still wants it, if a sidecar names its result, and if its
result was given up and something that stays would need it to be made again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..broker import evictions
from ..broker.states import LIVE, JobState, RequestState, among
from ..clerk import Functions
from ..errors import SeamlessError
from ..store import Store
from . import needed

#: So many jobs are looked at at once, and forgotten in one transaction: fewer write the same pages more often.
BATCH = 200

_ENDED = among(JobState.DONE, JobState.FAILED, JobState.CANCELED)
# Not the newest job: its number would be given again, and whatever still names it would mean another one.
_IDLE = f"""worker_id IS NULL AND id < (SELECT MAX(id) FROM jobs)
    AND NOT EXISTS (SELECT 1 FROM requests WHERE requests.job_id = jobs.id AND requests.{among(*LIVE)})
    AND NOT EXISTS (SELECT 1 FROM requests WHERE requests.parent = jobs.id AND requests.{among(*LIVE)})
    AND NOT EXISTS (SELECT 1 FROM requests AS upstream
        JOIN dependencies ON dependencies.upstream_id = upstream.id
        JOIN requests AS dependent ON dependent.id = dependencies.request_id
        WHERE upstream.job_id = jobs.id AND dependent.{among(*LIVE)})"""
OLD = f"""SELECT id, result, evicted IS NOT NULL FROM jobs WHERE id > ?
    AND ((? IS NOT NULL AND {_ENDED} AND COALESCE(finished, created) < ?)
        OR (? IS NOT NULL AND {among(JobState.FAILED, JobState.CANCELED)} AND COALESCE(finished, created) < ?))
    AND {_IDLE} ORDER BY id LIMIT ?"""
EVICTED = f"""SELECT id, checksum FROM jobs WHERE id > ? AND evicted IS NOT NULL AND {among(JobState.DONE)}
    AND (? IS NULL OR COALESCE(finished, created) >= ?) ORDER BY id LIMIT ?"""
_THESE = "(SELECT value FROM json_each(?))"
STILL_IDLE = f"SELECT id FROM jobs WHERE id IN {_THESE} AND {_ENDED} AND {_IDLE}"
_OF_THESE = f"(SELECT id FROM requests WHERE job_id IN {_THESE})"
DELETE_OUTPUTS = f"DELETE FROM outputs WHERE request_id IN {_OF_THESE}"
DELETE_DEPENDENCIES = f"DELETE FROM dependencies WHERE request_id IN {_OF_THESE}"
DELETE_REQUESTS = f"DELETE FROM requests WHERE job_id IN {_THESE}"
DELETE_ATTEMPTS = f"DELETE FROM attempts WHERE job_id IN {_THESE}"
DELETE_JOBS = f"DELETE FROM jobs WHERE id IN {_THESE}"
# In this order: what is left after a death in between is found by its job again.
DELETES = (DELETE_OUTPUTS, DELETE_DEPENDENCIES, DELETE_REQUESTS, DELETE_ATTEMPTS, DELETE_JOBS)
# Requests that never had a job: an upstream of theirs failed.
JOBLESS = f"""SELECT id FROM requests WHERE id > ? AND job_id IS NULL AND finished < ?
    AND {among(RequestState.FAILED, RequestState.CANCELED, RequestState.SUPERSEDED)} ORDER BY id LIMIT ?"""
DELETE_JOBLESS_OUTPUTS = f"DELETE FROM outputs WHERE request_id IN {_THESE}"
DELETE_JOBLESS_DEPENDENCIES = f"DELETE FROM dependencies WHERE request_id IN {_THESE}"
DELETE_JOBLESS = f"DELETE FROM requests WHERE id IN {_THESE}"
MAKERS = "SELECT checksum, job_id FROM makers WHERE (checksum, job_id) > (?, ?) ORDER BY checksum, job_id LIMIT ?"
GONE = f"SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM jobs WHERE id IN {_THESE})"
DELETE_MAKER = "DELETE FROM makers WHERE checksum = ? AND job_id = ?"
LAST_ATTEMPT = "SELECT COALESCE(MAX(id), 0) FROM attempts"
# All attempts are looked through, so nobody is kept from writing meanwhile; what has come since is looked at again.
UNUSED_ENVIRONMENTS = """SELECT lower(hex(checksum)) FROM environments
    WHERE checksum NOT IN (SELECT environment FROM attempts WHERE environment IS NOT NULL)"""
DELETE_ENVIRONMENTS = """DELETE FROM environments WHERE checksum IN (SELECT unhex(value) FROM json_each(?))
    AND checksum NOT IN (SELECT environment FROM attempts WHERE id > ? AND environment IS NOT NULL)"""


def forget(store: Store, functions: Functions, all_: float | None, failed: float | None, *, dry: bool) -> int:
    """Forget jobs that ended so many seconds ago: all of them, and failed or canceled ones; how many that were."""
    if all_ is None and failed is None:
        return 0
    now = time.time()
    before = tuple(None if age is None else now - age for age in (all_, failed))
    kept = _needed_makers(store, functions, before[0])
    count = 0
    for batch in _batches(store, before, kept):
        count += len(batch) if dry else _delete(store, batch)
    if not dry:
        _forget_jobless(store, max(one for one in before if one is not None))
        _tidy(store)
    return count


def _batches(store: Store, before: tuple[float | None, ...], kept: set[int]) -> Iterator[list[int]]:
    last = 0
    wish = tuple(one for one in before for _ in range(2))
    while rows := store.database.rows(OLD, (last, *wish, BATCH)):
        last = rows[-1][0]
        free = [row for row in rows if row[0] not in kept]
        named = needed.of_sidecars(store.database, [job_id for job_id, result, _ in free if result is not None])
        yield [job_id for job_id, result, _ in free if not _is_named(store, result, named.get(job_id, set()))]


def _is_named(store: Store, result: bytes | None, named: set[bytes]) -> bool:
    """Whether what the sidecars of a job's outputs name is still what it has made."""
    if result is None or not named:
        return False
    return not named.isdisjoint({result, *needed.named_in(needed.index_content(store, result))})


def _needed_makers(store: Store, functions: Functions, before: float | None) -> set[int]:
    """Jobs that would have to run to make again what others, which stay, need: only those can bring it back."""
    kept: set[int] = set()
    last = 0
    while rows := store.database.rows(EVICTED, (last, before, before, BATCH)):
        last = rows[-1][0]
        stack = [row[1].hex() for row in rows]
        while stack:
            for maker in _makers_needed_by(store, functions, stack.pop()):
                if maker.job_id not in kept:
                    kept.add(maker.job_id)
                    stack.append(maker.checksum)
    return kept


def _makers_needed_by(store: Store, functions: Functions, job: str) -> list[evictions.Maker]:
    with suppress(SeamlessError):
        missing = [one for one in functions.needs(store, job) if not store.buffers.holds(one)]
        makers = (evictions.maker_of(store.database, one) for one in missing)
        return [maker for maker in makers if maker is not None]
    return []


def _delete(store: Store, job_ids: list[int]) -> int:
    with store.database.transaction() as connection:
        numbers = json.dumps([row[0] for row in connection.execute(STILL_IDLE, (json.dumps(job_ids),)).fetchall()])
        for statement in DELETES:
            done = connection.execute(statement, (numbers,))
        return int(done.rowcount)


def _forget_jobless(store: Store, before: float) -> None:
    last = 0
    while rows := store.database.rows(JOBLESS, (last, before, BATCH)):
        last = rows[-1][0]
        numbers = json.dumps([row[0] for row in rows])
        with store.database.transaction() as connection:
            for statement in (DELETE_JOBLESS_OUTPUTS, DELETE_JOBLESS_DEPENDENCIES, DELETE_JOBLESS):
                connection.execute(statement, (numbers,))


def _tidy(store: Store) -> None:
    """Remove what named the jobs that are gone, which has no number of theirs to be found by."""
    last: tuple[Any, ...] = (b"", 0)
    while rows := store.database.rows(MAKERS, (*last, BATCH)):
        last = tuple(rows[-1])
        numbers = json.dumps(sorted({row[1] for row in rows}))
        gone = {row[0] for row in store.database.rows(GONE, (numbers, numbers))}
        if gone:
            with store.database.transaction() as connection:
                connection.executemany(DELETE_MAKER, [tuple(row) for row in rows if row[1] in gone])
    last_attempt = store.database.row(LAST_ATTEMPT)[0]
    if unused := [row[0] for row in store.database.rows(UNUSED_ENVIRONMENTS)]:
        with store.database.transaction() as connection:
            connection.execute(DELETE_ENVIRONMENTS, (json.dumps(unused), last_attempt))
