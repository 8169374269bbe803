"""Gives up large results that can be made again, those first that cost least to make and were not used for longest.

    all files ──by directory──▶ large results of done jobs ──score──▶ the best few thousand ──▶ one job after the other

    score = bytes x seconds since the last use / seconds it took to make

One result is given up in this order: the table says so; then its file is moved aside, looked at once more, and put
back if somebody has used it meanwhile; then it is removed. After a death in between, a file is there that nobody
promises, never a promise without its file.
"""

from __future__ import annotations

import heapq
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from .. import crashpoints
from ..broker import evictions
from ..broker.states import JobState, among
from ..clerk import Functions
from ..errors import SeamlessError
from ..filesystems import unique_name
from ..store import Store
from . import files, needed
from .files import BufferFile, Heap
from .marks import Marks

#: What was used this recently stays.
GRACE_SECONDS = 600.0
#: So many candidates are kept in mind.
MOST_CANDIDATES = 20_000
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
PINNED = "SELECT 1 FROM uploads WHERE checksum = ?"


class Job(NamedTuple):
    """A job that promises a file."""

    id: int
    checksum: str
    result: str
    finished: float
    seconds: float


class Candidate(NamedTuple):
    """A file that might go; the first field orders them."""

    score: float
    file: BufferFile
    jobs: tuple[Job, ...]


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
        #: what was looked at: it has gone, or has to stay
        self._settled: set[str] = set()
        #: what would have gone
        self._settled_gone: set[str] = set()

    def free(self, wanted: int) -> Evicted:
        """Give up results of so many bytes together, or as many as there are."""
        total = Evicted()
        while total.bytes < wanted and (candidates := self._candidates(wanted - total.bytes)):
            for candidate in candidates:
                if total.bytes >= wanted or not self._goes_on():
                    return total
                self._settled.add(candidate.file.checksum)
                total = total.plus(self._evict(candidate))
        return total

    # -- choosing ---------------------------------------------------------------------------
    def _candidates(self, wanted: int) -> list[Candidate]:
        """The best candidates of those that were not looked at yet, best first."""
        best: list[Candidate] = []
        for batch in files.batches(self._store.buffers.directory):
            for candidate in self._of(batch):
                if len(best) < MOST_CANDIDATES:
                    heapq.heappush(best, candidate)
                else:
                    heapq.heappushpop(best, candidate)
        return sorted(best, reverse=True)

    def _of(self, batch: list[BufferFile]) -> Iterator[Candidate]:
        now = time.time()
        old = [file for file in batch if self._may_go(file, now)]
        wanted = self._needed.among([bytes.fromhex(file.checksum) for file in old])
        free = {file.checksum: file for file, is_needed in zip(old, wanted, strict=True) if not is_needed}
        promising: dict[str, list[Job]] = {}
        for checksum, *row in self._store.database.rows(PROMISING, (json.dumps(list(free)),)) if free else ():
            promising.setdefault(checksum, []).append(_job(row))
        for checksum, jobs in promising.items():
            idle = now - max(free[checksum].used, *(job.finished for job in jobs))
            if idle >= self._unused and len(jobs) <= MOST_JOBS:
                cost = max(LEAST_SECONDS, min(job.seconds for job in jobs))
                yield Candidate(free[checksum].size * max(idle, 1.0) / cost, free[checksum], tuple(jobs))

    def _may_go(self, file: BufferFile, now: float) -> bool:
        # One with further names frees nothing.
        return file.links == 1 and file.checksum not in self._settled and now - file.used >= self._unused

    # -- giving up --------------------------------------------------------------------------
    def _evict(self, candidate: Candidate) -> Evicted:
        going: set[str] = set()
        for job in candidate.jobs:
            spare = self._spare(job)
            if candidate.file.checksum not in spare:
                return Evicted()
            if any(bytes.fromhex(one) in (named := self._named(job)) for one in spare) or named_result(job, named):
                return Evicted(named=1)
            going |= spare
        if self._dry:
            self._settled |= going
            self._settled_gone |= going
            sizes = [size for one in going if (size := self._size(one)) is not None]
            return Evicted(len(candidate.jobs), len(sizes), sum(sizes))
        return self._give_up(candidate, going)

    def _spare(self, job: Job) -> set[str]:
        """What of a job's result can be made again from what stays; nothing if it cannot be run."""
        with suppress(SeamlessError):
            needed_for_it = self._needed_for(job.checksum)
            if needed_for_it is not None:
                return set(self._functions.spare(self._store, job.checksum, job.result)) - needed_for_it
        return set()

    def _needed_for(self, job: str) -> set[str] | None:
        """All that is needed to run a job, what has to be made first included; None if something nobody can make.

        As `scratch.can_be_made`, for all files of a result at once.
        """
        seen, stack, found = {job}, [job], set[str]()
        while stack:
            needs = set(self._functions.needs(self._store, stack.pop())) - found
            found |= needs
            for missing in (one for one in needs if one in self._settled_gone or not self._store.buffers.holds(one)):
                maker = evictions.maker_of(self._store.database, missing)
                if maker is None:
                    return None
                if maker.checksum not in seen:
                    seen.add(maker.checksum)
                    stack.append(maker.checksum)
        return found

    def _named(self, job: Job) -> set[bytes]:
        return needed.of_sidecars(self._store.database, job.id)

    def _size(self, checksum: str) -> int | None:
        with suppress(FileNotFoundError):
            return os.stat(self._store.buffers.path(checksum)).st_size
        return None

    def _give_up(self, candidate: Candidate, going: set[str]) -> Evicted:
        try:
            with self._store.database.transaction() as connection:
                for job in candidate.jobs:
                    if evictions.give_up(connection, job.id) is None:
                        raise StillWanted
                gone = [one for one in going if not self._is_kept(one)]
        except StillWanted:
            return Evicted()
        crashpoints.reached("evicted")
        removed = Heap()
        for one in gone:
            size = self._remove(one)
            removed = removed.plus(1, size) if size is not None else removed
        return Evicted(len(candidate.jobs), *removed)

    def _is_kept(self, checksum: str) -> bool:
        return self._needed.has(bytes.fromhex(checksum)) or evictions.is_promised(self._store.database, checksum)

    def _remove(self, checksum: str) -> int | None:
        return remove_file(self._store, checksum, self._unused)


class StillWanted(Exception):
    """Somebody has come to want a result."""


def named_result(job: Job, named: set[bytes]) -> bool:
    """Whether a sidecar names the result of a job itself."""
    return bytes.fromhex(job.result) in named


def _job(row: Any) -> Job:
    job_id, checksum, result, finished, seconds = row
    return Job(job_id, bytes(checksum).hex(), bytes(result).hex(), finished or 0.0, seconds or 0.0)


def remove_file(store: Store, checksum: str, unused: float) -> int | None:
    """Remove the file of a large buffer that nobody promises, unless it was used meanwhile; how large it was."""
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
    if after.st_atime > before.st_atime or time.time() - after.st_atime < unused:
        os.rename(aside, path)
        return None
    os.unlink(aside)
    return after.st_size
