"""Gives up large results that can be made again, those first that cost least to make and were not used for longest.

    all files ──by directory──▶ large results of done jobs ──score──▶ the best of them ──▶ some jobs after the other

    score = bytes x seconds since the last use / seconds it took to make

Some results are given up together, in this order: the table says so of all of them; then one file after the other is
moved aside, looked at once more, and put back if somebody has used it meanwhile; then it is removed. After a death in
between, files are there that nobody promises, never a promise without its file.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import compress
from typing import Any, NamedTuple

from .. import crashpoints
from ..broker import evictions
from ..broker.states import JobState, among
from ..clerk import Functions
from ..errors import SeamlessError
from ..filesystems import unique_name
from ..store import Store
from . import files, needed
from .files import BufferFile
from .marks import Marks
from .runnable import Runnable

#: What was used this recently stays.
GRACE_SECONDS = 600.0
#: So many candidates are kept in mind; if all of them have been dealt with, the files are looked through again.
MOST_CANDIDATES = 200_000
#: So many are given up in one transaction: it lasts some milliseconds.
AT_ONCE = 50
#: No result counts as cheaper to make than this.
LEAST_SECONDS = 0.01
#: Of jobs with more makers than this nobody knows what is cheap.
MOST_JOBS = 20

_DONE = f"jobs.{among(JobState.DONE)} AND jobs.evicted IS NULL"
# The jobs that promise these files, with how long the newest run with this result took.
PROMISING = f"""SELECT lower(hex(sums.sum)), jobs.id, jobs.checksum, jobs.result, jobs.finished,
    (SELECT attempts.finished - attempts.started FROM attempts WHERE attempts.job_id = jobs.id
        AND attempts.result = jobs.result ORDER BY attempts.id DESC LIMIT 1)
    FROM (SELECT unhex(value) AS sum FROM json_each(?)) AS sums
    JOIN jobs ON jobs.id IN (SELECT id FROM jobs WHERE result = sums.sum
        UNION SELECT job_id FROM makers WHERE makers.checksum = sums.sum)
    WHERE {_DONE}"""
# Of a job that was given up in the same transaction.
KEEP = "UPDATE jobs SET evicted = NULL WHERE id = ?"


class Job(NamedTuple):
    """A job that promises a file."""

    id: int
    checksum: str
    result: str
    finished: float
    seconds: float


class Candidate(NamedTuple):
    """A file that might go."""

    score: float
    file: BufferFile
    jobs: tuple[Job, ...]


class Plan(NamedTuple):
    """A file that goes, with all that goes with it."""

    jobs: tuple[Job, ...]
    going: frozenset[str]
    bytes: int


class Evicted(NamedTuple):
    """What was given up, or would be."""

    jobs: int = 0
    files: int = 0
    bytes: int = 0
    #: files that were not given up because a sidecar names them
    named: int = 0

    def plus(self, other: Evicted) -> Evicted:
        """Both."""
        return Evicted(*(one + two for one, two in zip(self, other, strict=True)))


class Evictor:
    """Gives up results until so many bytes are free; `dry` only says what it would do."""

    def __init__(
        self,
        store: Store,
        functions: Functions,
        *,
        unused: float = GRACE_SECONDS,
        dry: bool = False,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._functions = functions
        self._unused = unused
        self._dry = dry
        self._goes_on = goes_on
        self._needed = Marks()
        needed.live(store, functions, self._needed)
        #: what goes in the next transaction; without one: what would have gone
        self._going: set[str] = set()
        self._runnable = Runnable(store, functions, self._going)
        # One moment for all: so a file has the same score whenever it is looked at.
        self._now = time.time()
        self._next: tuple[float, bytes] | None = None

    def free(self, wanted: int) -> Evicted:
        """Give up results of so many bytes together, or as many as there are."""
        total, are_more = Evicted(), True
        while are_more and total.bytes < wanted:
            best = self._best()
            are_more = len(best) == MOST_CANDIDATES
            for start in range(0, len(best), AT_ONCE):
                if total.bytes >= wanted or not self._goes_on():
                    return total
                some = [key.hex() for _, key in best[start : start + AT_ONCE]]
                total = total.plus(self._evict(some, wanted - total.bytes))
        return total

    # -- choosing ---------------------------------------------------------------------------
    def _best(self) -> list[tuple[float, bytes]]:
        """The best candidates of those that were not looked at yet, best first: their scores and checksums."""
        best: list[tuple[float, bytes]] = []
        for batch in files.batches(self._store.buffers.directory):
            for candidate in self._of(batch):
                each = (candidate.score, bytes.fromhex(candidate.file.checksum))
                if self._next is not None and each >= self._next:
                    continue
                if len(best) < MOST_CANDIDATES:
                    heapq.heappush(best, each)
                else:
                    heapq.heappushpop(best, each)
        best.sort(reverse=True)
        self._next = best[-1] if best else None
        return best

    def _of(self, batch: list[BufferFile]) -> Iterator[Candidate]:
        old = [file for file in batch if self._may_go(file)]
        wanted = self._needed.among([bytes.fromhex(file.checksum) for file in old])
        free = {file.checksum: file for file, is_needed in zip(old, wanted, strict=True) if not is_needed}
        promising: dict[str, list[Job]] = {}
        for checksum, *row in self._store.database.rows(PROMISING, (json.dumps(list(free)),)) if free else ():
            promising.setdefault(checksum, []).append(_job(row))
        for checksum, jobs in promising.items():
            idle = self._now - max(free[checksum].used, *(job.finished for job in jobs))
            if idle >= self._unused and len(jobs) <= MOST_JOBS:
                cost = max(LEAST_SECONDS, min(job.seconds for job in jobs))
                yield Candidate(free[checksum].size * max(idle, 1.0) / cost, free[checksum], tuple(jobs))

    def _may_go(self, file: BufferFile) -> bool:
        # One with further names frees nothing.
        return file.links == 1 and file.checksum not in self._going and self._now - file.used >= self._unused

    # -- giving up --------------------------------------------------------------------------
    def _evict(self, checksums: list[str], wanted: int) -> Evicted:
        """Give up some results, as they are now, as many of them as are wanted."""
        began = time.time()
        found = {one.file.checksum: one for one in self._of(list(_files(self._store, checksums)))}
        jobs = [job for one in found.values() for job in one.jobs]
        self._runnable.look_at([job.checksum for job in jobs])
        named = needed.of_sidecars(self._store.database, [job.id for job in jobs])
        plans, count_named, size = [], 0, 0
        for candidate in (found[one] for one in checksums if one in found):
            if size >= wanted:
                break
            if candidate.file.checksum in self._going or (going := self._planned(candidate)) is None:
                continue
            if _is_named(candidate.jobs, going, named):
                count_named += 1
                continue
            plans.append(self._plan(candidate, going))
            self._going |= going
            size += plans[-1].bytes
        evicted = self._would(plans) if self._dry else self._give_up(plans, began)
        return evicted.plus(Evicted(named=count_named))

    def _planned(self, candidate: Candidate) -> frozenset[str] | None:
        """What goes with a file; None if one of its jobs could not make it again."""
        spares = [self._spare(job) for job in candidate.jobs]
        if any(candidate.file.checksum not in spare for spare in spares):
            return None
        return frozenset().union(*spares)

    def _spare(self, job: Job) -> set[str]:
        """What of a job's result can be made again from what stays; nothing if it cannot be run."""
        with suppress(SeamlessError):
            needed_for_it = self._runnable.needs(job.checksum)
            if needed_for_it is not None:
                return set(self._functions.spare(self._store, job.checksum, job.result)) - needed_for_it
        return set()

    def _plan(self, candidate: Candidate, going: frozenset[str]) -> Plan:
        sizes = [candidate.file.size] if going == {candidate.file.checksum} else map(self._size, going)
        return Plan(candidate.jobs, going, sum(filter(None, sizes)))

    def _size(self, checksum: str) -> int | None:
        with suppress(FileNotFoundError):
            return os.stat(self._store.buffers.path(checksum)).st_size
        return None

    def _would(self, plans: list[Plan]) -> Evicted:
        sizes = [size for plan in plans for one in plan.going if (size := self._size(one)) is not None]
        return Evicted(sum(len(plan.jobs) for plan in plans), len(sizes), sum(sizes))

    def _give_up(self, plans: list[Plan], began: float) -> Evicted:
        given: list[Plan] = []
        if plans:
            with self._store.database.transaction() as connection:
                given = [plan for plan in plans if _give_up(connection, plan.jobs)]
        going = {one for plan in given for one in plan.going}
        going -= self._kept(list(going))
        total = Evicted()
        for plan in given:
            crashpoints.reached("evicted")
            sizes = [remove_file(self._store, one, self._unused, began) for one in plan.going & going]
            going -= plan.going
            gone = [size for size in sizes if size is not None]
            total = total.plus(Evicted(len(plan.jobs), len(gone), sum(gone)))
        self._going.clear()
        return total

    def _kept(self, checksums: list[str]) -> set[str]:
        """Those that somebody needs or promises all the same."""
        wanted = self._needed.among([bytes.fromhex(one) for one in checksums])
        return {*compress(checksums, wanted), *evictions.promised_among(self._store.database, checksums)}


def _give_up(connection: Any, jobs: Sequence[Job]) -> bool:
    """Say of all jobs of a file that their bytes are given up, or of none, if somebody wants one of them."""
    given: list[tuple[int]] = []
    for job in jobs:
        if evictions.give_up(connection, job.id) is None:
            connection.executemany(KEEP, given)
            return False
        given.append((job.id,))
    return True


def _is_named(jobs: Sequence[Job], going: Iterable[str], named: dict[int, set[bytes]]) -> bool:
    """Whether a sidecar names what would go, or the result of a job itself."""
    return any(bytes.fromhex(one) in named.get(job.id, ()) for job in jobs for one in (*going, job.result))


def _files(store: Store, checksums: Iterable[str]) -> Iterator[BufferFile]:
    """These files as they are now."""
    for checksum in checksums:
        with suppress(FileNotFoundError):
            status = os.stat(store.buffers.path(checksum), follow_symlinks=False)
            yield BufferFile(checksum, status.st_size, status.st_atime, status.st_nlink)


def _job(row: Any) -> Job:
    job_id, checksum, result, finished, seconds = row
    return Job(job_id, bytes(checksum).hex(), bytes(result).hex(), finished or 0.0, seconds or 0.0)


def remove_file(store: Store, checksum: str, unused: float, began: float = math.inf) -> int | None:
    """Remove the file of a large buffer that nobody promises, unless it was used meanwhile; how large it was.

    That nobody promises it was seen after `began`.
    """
    path = store.buffers.path(checksum)
    aside = os.path.join(store.buffers.directory, files.NEW, unique_name())
    try:
        before = os.stat(path)
        os.rename(path, aside)
    except FileNotFoundError:
        return None
    crashpoints.reached("set-aside")
    after = os.stat(aside)
    # Somebody who has just found it relies on it.
    if after.st_atime > min(before.st_atime, began) or time.time() - after.st_atime < unused:
        os.rename(aside, path)
        return None
    os.unlink(aside)
    return after.st_size
