"""What a store holds, counted in steps that hold nobody back and need little memory."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from .. import schema
from ..broker import sessions
from ..broker.states import JobState, RequestState, among
from ..driver import Database
from ..store import Store
from . import cap, files
from .cap import Cap
from .files import Heap
from .marker import last_collection

#: So many rows are looked at in one read transaction.
STEP = 200_000
#: So many projects are told.
PROJECTS = 10

LAST_OF = {
    "jobs": "SELECT MAX(id) FROM jobs",
    "requests": "SELECT MAX(id) FROM requests",
    "attempts": "SELECT MAX(id) FROM attempts",
    "buffers": "SELECT MAX(rowid) FROM buffers",
}
JOBS = """SELECT state, evicted IS NOT NULL, COUNT(*), MIN(created) FROM jobs WHERE id > ? AND id <= ?
    GROUP BY state, evicted IS NOT NULL"""
REQUESTS = "SELECT state, COUNT(*) FROM requests WHERE id > ? AND id <= ? GROUP BY state"
ATTEMPTS = "SELECT COUNT(*) FROM attempts WHERE id > ? AND id <= ?"
SMALL = "SELECT COUNT(*), SUM(length(content)) FROM buffers WHERE rowid > ? AND rowid <= ?"
UPLOADS = "SELECT COUNT(DISTINCT checksum) FROM uploads"
# What the files with these checksums are: whether they are pinned, and the newest job that has made them.
KINDS = f"""SELECT lower(hex(sums.sum)), EXISTS (SELECT 1 FROM uploads WHERE uploads.checksum = sums.sum),
    COALESCE((SELECT MAX(jobs.id) FROM jobs WHERE jobs.result = sums.sum AND jobs.{among(JobState.DONE)}),
        (SELECT MAX(makers.job_id) FROM makers WHERE makers.checksum = sums.sum))
    FROM (SELECT unhex(value) AS sum FROM json_each(?)) AS sums"""
PROJECT_OF = """SELECT jobs.value, (SELECT project FROM requests WHERE requests.job_id = jobs.value
    AND project IS NOT NULL ORDER BY id DESC LIMIT 1) FROM json_each(?) AS jobs"""


class Usage(NamedTuple):
    """What a store holds."""

    path: str
    id: str
    digest: str
    schema: int
    owner: int
    #: when its first job was recorded; None: there is none
    since: float | None
    jobs: dict[str, int]
    #: of the jobs that are done: those whose bytes were given up
    evicted: int
    requests: dict[str, int]
    attempts: int
    sessions: int
    database: int
    small: Heap
    large: Heap
    #: of the large ones
    results: Heap
    pinned: Heap
    other: Heap
    damaged: Heap
    temporary: Heap
    #: large results by the project of their newest request
    projects: dict[str, int]
    #: uploads that are kept until they are unpinned
    uploads: int
    cap: Cap
    collected: float | None
    sources: tuple[str, ...]

    @property
    def used(self) -> int:
        """What counts against the cap."""
        return self.database + self.large.bytes + self.damaged.bytes + self.temporary.bytes


def of(store: Store, max_size: str | None, sources: tuple[str, ...] = ()) -> Usage:
    """Count all that a store holds."""
    database = store.database
    jobs, evicted, since = _jobs(database)
    large = _large(store)
    damaged, temporary = (
        files.below(os.path.join(store.buffers.directory, name)) for name in (files.DAMAGED, files.NEW)
    )
    temporary = temporary.plus(*files.below(store.work))
    size = files.database_bytes(store.path)
    used = size + large.all.bytes + damaged.bytes + temporary.bytes
    return Usage(
        path=store.path,
        id=store.id,
        digest=store.digest.name,
        schema=schema.version_of(database),
        owner=os.stat(store.path).st_uid,
        since=since,
        jobs={state.name.lower(): jobs[state.value] for state in JobState},
        evicted=evicted,
        requests=_requests(database),
        attempts=sum(rows[0][0] for rows in _stepwise(database, ATTEMPTS, "attempts")),
        sessions=len(sessions.live_sessions(database)),
        database=size,
        small=_small(database),
        large=large.all,
        results=large.results,
        pinned=large.pinned,
        other=large.other,
        damaged=damaged,
        temporary=temporary,
        projects=dict(large.projects.most_common(PROJECTS)),
        uploads=database.row(UPLOADS)[0],
        cap=cap.of(store.path, max_size, used),
        collected=last_collection(store.path),
        sources=sources,
    )


def used_bytes(store: Store) -> int:
    """What counts against the cap."""
    size = files.database_bytes(store.path)
    for batch in files.batches(store.buffers.directory):
        size += sum(file.size for file in batch)
    for name in (files.DAMAGED, files.NEW):
        size += files.below(os.path.join(store.buffers.directory, name)).bytes
    return size + files.below(store.work).bytes


def _stepwise(database: Database, statement: str, table: str) -> Iterator[list[Any]]:
    """A statement over a range of rows, range after range: a reader that stays long keeps the log from shrinking."""
    last = database.row(LAST_OF[table])[0] or 0
    for start in range(0, last, STEP):
        yield database.rows(statement, (start, start + STEP))


def _jobs(database: Database) -> tuple[Counter[int], int, float | None]:
    found: Counter[int] = Counter()
    evicted, since = 0, None
    for rows in _stepwise(database, JOBS, "jobs"):
        for state, is_evicted, count, first in rows:
            found[state] += count
            evicted += count if is_evicted and state == JobState.DONE else 0
            since = first if since is None else min(since, first)
    return found, evicted, since


def _requests(database: Database) -> dict[str, int]:
    found: Counter[int] = Counter()
    for rows in _stepwise(database, REQUESTS, "requests"):
        for state, count in rows:
            found[state] += count
    return {state.name.lower(): found[state.value] for state in RequestState}


def _small(database: Database) -> Heap:
    heap = Heap()
    for rows in _stepwise(database, SMALL, "buffers"):
        heap = heap.plus(rows[0][0], rows[0][1] or 0)
    return heap


class _Large(NamedTuple):
    all: Heap
    results: Heap
    pinned: Heap
    other: Heap
    projects: Counter[str]


def _large(store: Store) -> _Large:
    everything, results, pinned, other = Heap(), Heap(), Heap(), Heap()
    projects: Counter[str] = Counter()
    for batch in files.batches(store.buffers.directory):
        kinds = {row[0]: row[1:] for row in store.database.rows(KINDS, (json.dumps([file[0] for file in batch]),))}
        makers = {maker for _, maker in kinds.values() if maker is not None}
        names = dict(store.database.rows(PROJECT_OF, (json.dumps(sorted(makers)),)))
        for file in batch:
            is_pinned, maker = kinds[file.checksum]
            everything = everything.plus(1, file.size)
            if is_pinned:
                pinned = pinned.plus(1, file.size)
            elif maker is not None:
                results = results.plus(1, file.size)
            else:
                other = other.plus(1, file.size)
            if maker is not None and names.get(maker):
                projects[names[maker]] += file.size
    return _Large(everything, results, pinned, other, projects)


def as_fields(usage: Usage) -> dict[str, Any]:
    """For JSON."""
    fields = usage._asdict()
    for name, value in fields.items():
        if isinstance(value, Heap | Cap):
            fields[name] = value._asdict()
    fields["used"] = usage.used
    fields["now"] = time.time()
    return fields
