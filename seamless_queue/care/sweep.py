"""Removes what nobody refers to: what crashed runs, forgotten jobs and given-up results have left behind.

    mark   every checksum that a job, an attempt, a request, an upload or a sidecar names     (marks.py)
    sweep  files and rows that are not marked

Rows that come while this goes on are marked before anything is removed, in the transaction that removes it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import compress
from operator import not_
from typing import Any

from ..broker import sessions
from ..broker.sessions import SessionKind
from ..clerk import Functions
from ..store import Store
from . import evict, files, needed
from .evict import GRACE_SECONDS
from .files import Heap
from .marks import Marks
from .needed import Meaning, Position

#: So many rows are looked at at once.
STEP = 5000
#: So many are removed in one transaction: fewer write the same pages more often.
BATCH = 200

SMALL = "SELECT checksum FROM buffers WHERE checksum > ? ORDER BY checksum LIMIT ?"
# What has come since the marking began is somebody's who has not said so yet.
_OLD = "FROM buffers WHERE checksum IN (SELECT unhex(value) FROM json_each(?)) AND rowid <= ?"
OLD = f"SELECT length(content) {_OLD}"
DELETE_OLD = f"DELETE {_OLD} RETURNING length(content)"


class Sweeper:
    """One sweep of a store."""

    def __init__(
        self,
        store: Store,
        functions: Functions,
        meaning: Meaning,
        *,
        inputs: bool = False,
        unused: float = GRACE_SECONDS,
        dry: bool = False,
    ) -> None:
        self._store = store
        self._meaning = meaning
        self._inputs = inputs
        self._unused = unused
        self._dry = dry
        self._began = time.time()
        self._last_row = store.database.row(needed.LAST_ROW)[0]
        self._position = Position()
        self._marks = Marks()
        needed.live(store, functions, self._marks)
        needed.all_sidecars(store.database, self._marks)
        needed.all_jobs(store, meaning, self._marks, self._position, inputs=not inputs)
        self._mark_rows()

    def _mark_rows(self) -> None:
        needed.everything(self._store, self._meaning, self._marks, self._position, inputs=not self._inputs)

    def sweep(self) -> tuple[Heap, Heap]:
        """Remove files and rows; how many of each."""
        return self._sweep_files(), self._sweep_rows()

    def _sweep_files(self) -> Heap:
        heap = Heap()
        for batch in files.batches(self._store.buffers.directory):
            old = [file for file in batch if self._began - file.used >= self._unused]
            keys = [bytes.fromhex(file.checksum) for file in old]
            unmarked = [file for file, is_marked in zip(old, self._marks.among(keys), strict=True) if not is_marked]
            if unmarked:
                self._mark_news()
            for file in unmarked:
                if not self._marks.has(bytes.fromhex(file.checksum)):
                    heap = self._remove_file(file, heap)
        return heap

    def _remove_file(self, file: files.BufferFile, heap: Heap) -> Heap:
        if self._dry:
            return heap.plus(1, file.size)
        size = evict.remove_file(self._store, file.checksum, self._unused)
        return heap if size is None else heap.plus(1, size)

    def _mark_news(self) -> None:
        """Mark what has come since."""
        self._mark_rows()
        since = self._store.database.rows(needed.UPLOADS_SINCE, (self._began - 1,))
        self._marks.add(each for row in since for each in needed.of_upload(self._store, row[0]))

    def _sweep_rows(self) -> Heap:
        heap = Heap()
        # A Python session puts small buffers there before it says what for.
        if sessions.live_sessions(self._store.database, SessionKind.PYTHON):
            return heap
        for batch in self._unmarked():
            with self._store.database.transaction() as connection:
                self._mark_news()
                heap = heap.plus(*self._remove_rows(connection, batch))
        return heap

    def _unmarked(self) -> Iterator[list[bytes]]:
        last = b""
        found: list[bytes] = []
        while rows := self._store.database.rows(SMALL, (last, STEP)):
            last = rows[-1][0]
            keys = [row[0] for row in rows]
            found += compress(keys, map(not_, self._marks.among(keys)))
            while len(found) >= BATCH:
                yield found[:BATCH]
                del found[:BATCH]
        if found:
            yield found

    def _remove_rows(self, connection: Any, batch: list[bytes]) -> Heap:
        keys = json.dumps([key.hex() for key in compress(batch, map(not_, self._marks.among(batch)))])
        statement = OLD if self._dry else DELETE_OLD
        sizes = [row[0] for row in connection.execute(statement, (keys, self._last_row)).fetchall()]
        return Heap(len(sizes), sum(sizes))
