"""Giving up the bytes of results that can be made again, and finding out who makes them.

A job whose bytes were given up still tells which result it had: it is `evicted`. Functions that take a connection
run inside the caller's write transaction; the bytes go after it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..driver import Database
from .states import LIVE, JobState, RequestState, among

_MAKER = """SELECT jobs.id, jobs.checksum, jobs.result, jobs.scratch, jobs.evicted IS NOT NULL FROM jobs
    WHERE jobs.result IS NOT NULL"""
MAKERS_OF_RESULT = f"{_MAKER} AND jobs.result = ? ORDER BY jobs.id DESC LIMIT ?"
MAKERS_OF_MEMBER = f"""{_MAKER} AND jobs.id IN (SELECT job_id FROM makers WHERE makers.checksum = ?)
    ORDER BY jobs.id DESC LIMIT ?"""
# Looked through only where nothing else is left to be said.
FORMER = """SELECT jobs.checksum, jobs.result FROM attempts JOIN jobs ON jobs.id = attempts.job_id
    WHERE attempts.result = ? AND jobs.result <> attempts.result ORDER BY attempts.id DESC LIMIT 1"""
#: So many jobs at most are looked at that have made one buffer.
MOST_MAKERS = 20
# Whom the bytes still serve: a request that has not got its files, or one that waits for what they are made of; one
# of a session that lives, which may be reading them; a job that had them made again, and runs.
_UNUSED = f"""NOT EXISTS (SELECT 1 FROM requests WHERE requests.job_id = jobs.id
        AND requests.{among(RequestState.QUEUED, RequestState.DELIVERING)})
    AND NOT EXISTS (SELECT 1 FROM requests AS upstream
        JOIN dependencies ON dependencies.upstream_id = upstream.id
        JOIN requests AS dependent ON dependent.id = dependencies.request_id
        WHERE upstream.job_id = jobs.id AND dependent.{among(*LIVE)})
    AND NOT EXISTS (SELECT 1 FROM requests JOIN sessions ON sessions.id = requests.lane
        WHERE requests.job_id = jobs.id AND sessions.ended IS NULL)
    AND NOT EXISTS (SELECT 1 FROM requests JOIN jobs AS asking ON asking.id = requests.parent
        WHERE requests.job_id = jobs.id AND asking.{among(JobState.RUNNING)})"""
GIVE_UP = f"""UPDATE jobs SET evicted = ? WHERE id = ? AND {among(JobState.DONE)} AND evicted IS NULL
    AND {_UNUSED} RETURNING result"""
SCRATCH = f"""SELECT id, checksum, result, finished FROM jobs WHERE scratch = 1 AND evicted IS NULL
    AND {among(JobState.DONE)} AND {_UNUSED} LIMIT ?"""
_DONE = f"jobs.{among(JobState.DONE)} AND jobs.evicted IS NULL"
PROMISED = f"""SELECT sums.value FROM json_each(?) AS sums
    WHERE EXISTS (SELECT 1 FROM uploads WHERE checksum = unhex(sums.value))
    OR EXISTS (SELECT 1 FROM jobs WHERE result = unhex(sums.value) AND {_DONE})
    OR EXISTS (SELECT 1 FROM makers JOIN jobs ON jobs.id = makers.job_id
        WHERE makers.checksum = unhex(sums.value) AND {_DONE})"""


class Maker(NamedTuple):
    """A job that has made a buffer."""

    job_id: int
    checksum: str
    #: the whole result; the buffer itself, or the index that names it
    result: str
    scratch: bool
    evicted: bool


class Unused(NamedTuple):
    """A job whose bytes may be given up."""

    job_id: int
    checksum: str
    result: str
    #: when it was done
    finished: float


def makers_of(database: Database, checksum: str) -> list[Maker]:
    """The jobs whose result was this buffer, or that had it among its files; the newest first."""
    key = (bytes.fromhex(checksum), MOST_MAKERS)
    rows = [*database.rows(MAKERS_OF_RESULT, key), *database.rows(MAKERS_OF_MEMBER, key)]
    return [Maker(row[0], row[1].hex(), row[2].hex(), bool(row[3]), bool(row[4])) for row in rows]


def maker_of(database: Database, checksum: str) -> Maker | None:
    """The newest job whose result was this buffer, or had it among its files."""
    return next(iter(makers_of(database, checksum)), None)


def former_maker(database: Database, checksum: str) -> tuple[str, str] | None:
    """A job whose result was this buffer once, and the result that it gave instead since."""
    row = database.row(FORMER, (bytes.fromhex(checksum),))
    return (row[0].hex(), row[1].hex()) if row else None


def give_up(connection: Any, job_id: int) -> str | None:
    """Say of a job that its bytes are given up; its result, or None if somebody still needs them."""
    row = connection.execute(GIVE_UP, (time.time(), job_id)).fetchone()
    return row[0].hex() if row else None


def unused_scratch(database: Database, at_most: int) -> list[Unused]:
    """Jobs whose bytes nobody wants kept, and nobody is about to use."""
    return [Unused(row[0], row[1].hex(), row[2].hex(), row[3]) for row in database.rows(SCRATCH, (at_most,))]


def promised_among(database: Database, checksums: Iterable[str]) -> set[str]:
    """Those of these buffers that a job promises which is not evicted, or that somebody has uploaded to stay."""
    return {row[0] for row in database.rows(PROMISED, (json.dumps(list(checksums)),))}
