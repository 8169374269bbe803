"""What must stay: what somebody has pinned, what live requests need, what sidecars name, what jobs are made of."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import compress
from typing import Any, Protocol

from ..broker.states import IS_LIVE, LIVE, JobState, Outcome, among
from ..clerk import Functions
from ..driver import Database
from ..errors import BufferError_, SeamlessError
from ..sidecars import CHECKSUM, INDEX, read_checksum
from ..store import Store
from . import files
from .marks import Marks

#: So many rows are looked at in one read transaction.
STEP = 2000
#: An index that somebody has pinned, or that an input is, is not larger.
LARGEST_INDEX = 1 << 28
#: An identity says its language and names its code by a checksum.
SHORTEST_IDENTITY = 80

# In the order of the index of live requests: what moves on while this goes on moves ahead of it.
LIVE_REQUESTS = f"""SELECT requests.state, requests.lane, requests.id, requests.specification, jobs.checksum,
    jobs.result
    FROM requests LEFT JOIN jobs ON jobs.id = requests.job_id
    WHERE requests.{IS_LIVE} AND (requests.state, requests.lane, requests.id) > (?, ?, ?)
    ORDER BY requests.state, requests.lane, requests.id LIMIT ?"""
LIVE_INPUTS = f"""SELECT dependencies.checksum FROM dependencies JOIN requests ON requests.id = dependencies.request_id
    WHERE dependencies.checksum IS NOT NULL AND requests.{among(*LIVE)} AND requests.{IS_LIVE}"""
UPLOADS = "SELECT checksum, path FROM uploads WHERE checksum > ? ORDER BY checksum LIMIT ?"
UPLOADS_SINCE = "SELECT checksum, path FROM uploads WHERE created >= ?"
CONTENT = "SELECT content FROM buffers WHERE checksum = ?"
JOBS = f"""SELECT jobs.id, jobs.checksum, jobs.result, jobs.evicted IS NOT NULL, NOT jobs.{among(JobState.DONE)},
    identity.content, results.content
    FROM jobs LEFT JOIN buffers AS identity ON identity.checksum = jobs.checksum
    LEFT JOIN buffers AS results ON results.checksum = jobs.result
    WHERE jobs.id > ? ORDER BY jobs.id LIMIT ?"""
# All jobs, without a look at another table, which would be at another place for each.
RESULTS = f"""SELECT id, checksum, CASE WHEN evicted IS NULL THEN result END,
    evicted IS NOT NULL OR NOT {among(JobState.DONE)} FROM jobs WHERE id > ? ORDER BY id LIMIT ?"""
LAST_ROW = "SELECT COALESCE(MAX(rowid), 0) FROM buffers"
# All identities in the order in which they lie there.
# The length is asked first, because it is known without the content.
IDENTITIES = f"""SELECT checksum, content FROM buffers WHERE rowid > ? AND rowid <= ?
    AND length(content) >= {SHORTEST_IDENTITY} AND instr(content, CAST('"__language__"' AS BLOB))"""
RESULT_OF = "SELECT result, evicted IS NOT NULL FROM jobs WHERE checksum = ? AND result IS NOT NULL"
ARE_JOBS = "SELECT value FROM json_each(?) WHERE unhex(value) IN (SELECT checksum FROM jobs)"
_KEPT = f"(jobs.evicted IS NULL OR attempts.outcome <> {Outcome.DONE.value})"
# Those of which there is more to keep than their jobs say.
ATTEMPTS = f"""SELECT attempts.result, attempts.stdout, attempts.stderr FROM attempts
    JOIN jobs ON jobs.id = attempts.job_id WHERE attempts.id > ? AND attempts.id <= ? AND {_KEPT}
    AND (attempts.result IS NOT jobs.result OR jobs.evicted IS NOT NULL
        OR attempts.stdout IS NOT NULL OR attempts.stderr IS NOT NULL)"""
# All attempts of jobs that were run lately: what a job says now is not what it said when it was looked at.
NEW_ATTEMPTS = f"""SELECT attempts.result, attempts.stdout, attempts.stderr FROM attempts AS latest
    JOIN attempts ON attempts.job_id = latest.job_id JOIN jobs ON jobs.id = attempts.job_id
    WHERE latest.id > ? AND latest.id <= ? AND {_KEPT}"""
SPECIFICATIONS = """SELECT id, specification FROM requests WHERE id > ? AND id <= ? AND specification IS NOT NULL
    ORDER BY id LIMIT ?"""
LAST_ATTEMPT = "SELECT COALESCE(MAX(id), 0) FROM attempts"
LAST_REQUEST = "SELECT COALESCE(MAX(id), 0) FROM requests"
OUTPUTS_OF = """SELECT requests.job_id, outputs.path FROM requests
    JOIN outputs ON outputs.request_id = requests.id
    WHERE requests.job_id IN (SELECT value FROM json_each(?)) AND outputs.pending = 0"""
OUTPUTS = """SELECT request_id, path FROM outputs WHERE request_id > ? AND pending = 0
    ORDER BY request_id LIMIT ?"""

_CHECKSUM = re.compile(rb'"([0-9a-f]{64})"')


class Meaning(Protocol):
    """What gives the bytes of identities a meaning: a module with these functions."""

    def mentions(self, store: Store, content: bytes) -> Iterable[bytes]:
        """What a job needs, by the content of its identity or specification; maybe more."""

    def essence(self, content: bytes) -> Iterable[bytes]:
        """What tells what a job is, without its inputs."""

    # The next two may be asked of many at once, one after the other in one piece: both are False only if they are
    # of each.

    def names_indices(self, content: bytes) -> bool:
        """Whether what a job needs may be named by indices, beside its identity."""

    def makes_index(self, content: bytes) -> bool:
        """Whether its result names further buffers."""


def live(store: Store, functions: Functions, marks: Marks) -> None:
    """Mark what requests that have not ended need, and what somebody has pinned."""
    last: tuple[int, ...] = (-1, 0, 0)
    while rows := store.database.rows(LIVE_REQUESTS, (*last, STEP)):
        for *_, specification, identity, result in rows:
            marks.add(each for each in (specification, identity, result) if each)
            for checksum in filter(None, (specification, identity)):
                marks.add(mentions_of(store, functions, checksum))
        last = tuple(rows[-1][:3])
    marks.add(row[0] for row in store.database.rows(LIVE_INPUTS))
    pinned(store, marks)


def pinned(store: Store, marks: Marks) -> None:
    """Mark what was uploaded, and what uploaded directories name."""
    last = b""
    while rows := store.database.rows(UPLOADS, (last, STEP)):
        marks.add(each for row in rows for each in of_upload(store, row[0]))
        last = rows[-1][0]


def of_upload(store: Store, checksum: bytes) -> Iterator[bytes]:
    """An upload, and what it names if it is the index of a directory."""
    yield checksum
    yield from named_in(index_content(store, checksum))


def mentions_of(store: Store, meaning: Meaning | Functions, identity: bytes) -> list[bytes]:
    """What a job needs, by its identity or specification; nothing if that is not there."""
    with suppress(BufferError_):
        return list(meaning.mentions(store, store.buffers.read(identity.hex())))
    return []


def index_content(store: Store, checksum: bytes) -> bytes:
    """The content of a buffer if it may be an index, else nothing."""
    row = store.database.row(CONTENT, (checksum,))
    if row is not None:
        return bytes(row[0])
    path = store.buffers.path(checksum.hex())
    try:
        with open(files.open_unnoticed(path), "rb") as file:
            if os.fstat(file.fileno()).st_size > LARGEST_INDEX or (first := file.read(1)) not in (b"{", b"["):
                return b""
            return first + file.read()
    except OSError:
        return b""


def named_in(content: bytes) -> list[bytes]:
    """All checksums that a text names."""
    return [bytes.fromhex(found.decode()) for found in _CHECKSUM.findall(content)]


# -- sidecars ---------------------------------------------------------------------------------
def of_sidecars(database: Database, job_ids: list[int]) -> dict[int, set[bytes]]:
    """What the sidecars of the outputs of jobs name now; nothing is said of those without."""
    found: dict[int, set[bytes]] = {}
    for job_id, path in database.rows(OUTPUTS_OF, (json.dumps(job_ids),)):
        found.setdefault(job_id, set()).update(of_sidecar(os.fsdecode(path)))
    return found


def of_sidecar(path: str) -> Iterator[bytes]:
    """What the sidecars of one path name now; nothing if there are none."""
    with suppress(OSError, SeamlessError):
        checksum = read_checksum(path)
        if checksum is None:
            return
        yield bytes.fromhex(checksum)
        with open(path + INDEX, "rb") as file:
            yield from named_in(file.read())


def all_sidecars(database: Database, marks: Marks) -> None:
    """Mark what the sidecars of all outputs and uploads name now."""
    last = 0
    while rows := database.rows(OUTPUTS, (last, STEP)):
        for _, path in rows:
            if os.path.lexists(os.fsdecode(path) + CHECKSUM):
                marks.add(of_sidecar(os.fsdecode(path)))
        # The rows of a request may be cut in two: its last ones are read again.
        last = rows[-1][0] if len(rows) < STEP or rows[0][0] == rows[-1][0] else rows[-1][0] - 1


# -- everything -------------------------------------------------------------------------------
class Position:
    """How far the rows have been looked at, by table."""

    def __init__(self) -> None:
        self.job = self.attempt = self.request = 0


def all_jobs(store: Store, meaning: Meaning, marks: Marks, since: Position, *, inputs: bool = True) -> None:
    """Mark the same as `everything` of all jobs, faster: tables are read in the order in which they lie there."""
    again = None if inputs else Marks()
    # Attempts first: a result that a job has got since then is seen at the job.
    _mark_attempts(store.database, marks, since)
    while rows := store.database.rows(RESULTS, (since.job, STEP)):
        marks.add_all(b"".join([row[1] for row in rows]))
        marks.add_all(b"".join([row[2] for row in rows if row[2]]))
        if again is not None:
            again.add_all(b"".join([row[1] for row in rows if row[3]]))
        since.job = rows[-1][0]
    jobs = _Jobs(store, meaning, marks, again)
    for start in range(0, store.database.row(LAST_ROW)[0], STEP):
        jobs.mark(store.database.rows(IDENTITIES, (start, start + STEP)))
    for batch in files.batches(store.buffers.directory):
        names = store.database.rows(ARE_JOBS, (json.dumps([file.checksum for file in batch]),))
        keys = [bytes.fromhex(name) for (name,) in names]
        jobs.mark([(key, index_content(store, key)) for key in keys])


def _mark_attempts(database: Database, marks: Marks, since: Position) -> None:
    last = database.row(LAST_ATTEMPT)[0]
    for start in range(since.attempt, last, STEP):
        rows = database.rows(ATTEMPTS, (start, min(start + STEP, last)))
        marks.add(each for row in rows for each in row if each)
    since.attempt = last


class _Jobs:
    """Marks what jobs need, by their identities; of those that are not `again` to be run only what they are."""

    def __init__(self, store: Store, meaning: Meaning, marks: Marks, again: Marks | None) -> None:
        self._store = store
        self._meaning = meaning
        self._marks = marks
        self._again = again

    def mark(self, identities: list[tuple[bytes, bytes]]) -> None:
        """Mark what belongs to these, unless they are of no job any more."""
        jobs = list(compress(identities, self._marks.among([row[0] for row in identities])))
        together = b"\n".join([content for _, content in jobs])
        meaning = self._meaning
        # Most are plain: that is told of all at once.
        if self._again is None and not meaning.makes_index(together) and not meaning.names_indices(together):
            self._mark_named(together)
        else:
            self._mark_each(jobs)

    def _mark_each(self, jobs: list[tuple[bytes, bytes]]) -> None:
        plain = []
        for checksum, content in jobs:
            if self._again is not None and not self._again.has(checksum):
                self._marks.add(self._meaning.essence(content))
            elif self._meaning.names_indices(content):
                self._marks.add(self._meaning.mentions(self._store, content))
            else:
                plain.append(content)
            if self._meaning.makes_index(content):
                self._mark_index(checksum)
        self._mark_named(b"\n".join(plain))

    def _mark_named(self, contents: bytes) -> None:
        self._marks.add_all(bytes.fromhex(b"".join(_CHECKSUM.findall(contents)).decode()))

    def _mark_index(self, checksum: bytes) -> None:
        for result, is_evicted in self._store.database.rows(RESULT_OF, (checksum,)):
            # It tells what there was, also when that is gone.
            self._marks.add([result])
            if not is_evicted:
                self._marks.add(named_in(index_content(self._store, result)))


def everything(store: Store, meaning: Meaning, marks: Marks, since: Position, *, inputs: bool = True) -> None:
    """Mark what all jobs are made of, and what they have made, from a position on, which moves on.

    Without `inputs`: the inputs only of those jobs that may have to run again, because their results are not there.
    """
    # Known first: few rows may be of interest, and those behind the last of them are not to be looked through again.
    last_attempt = store.database.row(LAST_ATTEMPT)[0]
    last_request = store.database.row(LAST_REQUEST)[0]
    while rows := store.database.rows(JOBS, (since.job, STEP)):
        for row in rows:
            marks.add(_of_job(store, meaning, row, inputs))
        since.job = rows[-1][0]
    for start in range(since.attempt, last_attempt, STEP):
        rows = store.database.rows(NEW_ATTEMPTS, (start, min(start + STEP, last_attempt)))
        marks.add(each for row in rows for each in row if each)
    since.attempt = max(since.attempt, last_attempt)
    for rows in _stepwise(store.database, SPECIFICATIONS, last_request, since.request):
        for _, specification in rows:
            marks.add([specification, *(mentions_of(store, meaning, specification) if inputs else ())])
    since.request = max(since.request, last_request)


def _stepwise(database: Database, statement: str, last: int, position: int) -> Iterator[list[Any]]:
    """The rows after a position, up to the last that there was at the beginning, some at a time."""
    while position < last and (rows := database.rows(statement, (position, last, STEP))):
        position = rows[-1][0]
        yield rows


def _of_job(store: Store, meaning: Meaning, row: Any, inputs: bool) -> Iterator[bytes]:
    _, checksum, result, is_evicted, is_open, content, index = row
    yield checksum
    content = bytes(content) if content is not None else index_content(store, checksum)
    if inputs or is_evicted or is_open:
        yield from meaning.mentions(store, content)
    else:
        yield from meaning.essence(content)
    if result is None:
        return
    makes_index = meaning.makes_index(content)
    if not is_evicted:
        yield result
        if makes_index:
            yield from named_in(bytes(index) if index is not None else index_content(store, result))
    elif makes_index:
        # It tells what there was.
        yield result
