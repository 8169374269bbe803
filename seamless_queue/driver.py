"""The one door to SQLite: which library, how a connection is set up, how writers meet.

Several connections that write and checkpoint can corrupt a WAL database before SQLite 3.51.3
(backports 3.50.7 and 3.44.6), so an older library is refused. The wheel of pysqlite3 brings a
recent one; two builds must never be open on one file in one process, hence one door.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from .errors import DiskFull, DriverTooOld, StoreBusy, StoreClosed, StoreDamaged, StoreReadOnly
from .filesystems import has_no_room
from .signals import interruptible, uninterrupted

#: How long a writer tries before it gives up; long, because giving up loses work.
BUSY_SECONDS = 60.0
#: Mean pause between two tries of a writer; SQLite's own busy handler backs off to 100 ms and starves.
RETRY_SECONDS = 0.0002
#: A checkpoint syncs the disk twice: so it is done half as often as by SQLite's own choice.
CHECKPOINT_PAGES = 2000
#: A passing database is never synced, so that a checkpoint only costs copies: it can wait longer.
PASSING_CHECKPOINT_PAGES = 20_000
#: A log longer than this is begun anew by whoever looks after the store: under constant work of many processes there is
#: always one that reads, and SQLite by itself would only ever append.
LONGEST_LOG_BYTES = 64 << 20
#: How long a moment is looked for in which nobody reads or writes.
RESTART_SECONDS = 1.0
#: KiB of pages that a connection keeps in memory.
CACHE_KIB = 8000
#: Longest pause of a writer that has waited long.
RETRY_LONGEST_SECONDS = 0.002


def is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix of the race between a checkpoint and a WAL reset."""
    if version >= (3, 51, 3):
        return True
    return (version[:2] == (3, 50) and version >= (3, 50, 7)) or (version[:2] == (3, 44) and version >= (3, 44, 6))


@cache
def library() -> Any:
    """The DB-API module in use: pysqlite3, or the standard library's where that is new enough.

    Raises DriverTooOld where neither is safe.
    """
    try:
        from pysqlite3 import dbapi2 as module
    except ImportError:
        import sqlite3 as module  # noqa: TID251
    if not is_safe(tuple(module.sqlite_version_info)):
        raise DriverTooOld(
            f"SQLite {module.sqlite_version} can corrupt a store that several processes write to; "
            "install a safe one with: pip install --upgrade pysqlite3"
        )
    return module


class Database:
    """One connection to a store's database, never carried into another process.

    For one thread, or with `shared` for several that take turns under a lock of theirs. A `passing` database
    goes with the process that made it, and is never synced to the disk. `address` is a URI in place of the path, for
    one that is only read.
    """

    def __init__(
        self,
        path: str,
        *,
        durable: bool = False,
        shared: bool = False,
        passing: bool = False,
        address: str | None = None,
    ) -> None:
        self.path = path
        self._library = library()
        self._is_closed = False
        # timeout=0: waiting is done by `transaction` and `rows`, fairly.
        self.connection: Any = self._library.connect(
            address or path,
            timeout=0,
            isolation_level=None,
            cached_statements=256,
            check_same_thread=not shared,
            uri=address is not None,
        )
        synchronous = "OFF" if passing else "FULL" if durable else "NORMAL"
        for pragma in (
            "temp_store = MEMORY",
            f"wal_autocheckpoint = {PASSING_CHECKPOINT_PAGES if passing else CHECKPOINT_PAGES}",
            f"cache_size = -{CACHE_KIB}",
            f"synchronous = {synchronous}",
        ):
            self.rows(f"PRAGMA {pragma}")

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._is_closed = True
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A write transaction: all of its statements or none. Yields the connection."""
        with uninterrupted():
            self._begin()
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk or an I/O error has rolled back already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows of a statement that stands alone."""
        return list(self._patiently(lambda: self.connection.execute(sql, parameters).fetchall()))

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first row, or None."""
        return self._patiently(lambda: self.connection.execute(sql, parameters).fetchone())

    def shorten_log(self, longest: int = LONGEST_LOG_BYTES) -> bool:
        """Have the write-ahead log begun anew if it is longer than this; whether it is short now."""
        try:
            if os.stat(f"{self.path}-wal").st_size <= longest:
                return True
        except FileNotFoundError:
            return True
        deadline = time.monotonic() + RESTART_SECONDS
        while self.row("PRAGMA wal_checkpoint(TRUNCATE)")[0]:
            if time.monotonic() > deadline:
                return False
            time.sleep(RETRY_SECONDS)
        return True

    def _begin(self) -> None:
        self._patiently(lambda: self.connection.execute("BEGIN IMMEDIATE"))

    def _patiently(self, statement: Any) -> Any:
        try:
            return statement()
        except self._library.DatabaseError as exc:
            return self._again(statement, exc)

    def _again(self, statement: Any, exc: Exception) -> Any:
        """Try a statement that met a lock until it passes; the pause is jittered and grows slowly."""
        deadline, pause = time.monotonic() + BUSY_SECONDS, RETRY_SECONDS
        while True:
            self._reject_unless_busy(exc)
            if time.monotonic() > deadline:
                raise StoreBusy(
                    f"{self.path} stayed locked for {BUSY_SECONDS:.0f} s; end the process that holds it"
                ) from exc
            with interruptible():
                # Not by `random`: whoever has seeded that expects to draw from it alone.
                time.sleep(pause * (0.5 + os.urandom(1)[0] / 256))
            pause = min(pause * 1.1, RETRY_LONGEST_SECONDS)
            try:
                return statement()
            except self._library.OperationalError as later:
                exc = later

    def _reject_unless_busy(self, exc: Exception) -> None:
        if self._is_closed:
            raise StoreClosed("the session was closed while its store was in use") from exc
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if code == self._library.SQLITE_READONLY:
            raise StoreReadOnly(f"{self.path} is read-only; choose another store with --store") from exc
        if code == self._library.SQLITE_IOERR and has_no_room(os.path.dirname(self.path)):
            # So SQLite says when its shared-memory file cannot grow.
            raise DiskFull(f"no room for {self.path}") from exc
        if code in (self._library.SQLITE_NOTADB, self._library.SQLITE_CORRUPT):
            raise StoreDamaged(f"{self.path}: {exc}; move it away or choose another store with --store") from exc
        if code not in (self._library.SQLITE_BUSY, self._library.SQLITE_LOCKED):
            raise exc
