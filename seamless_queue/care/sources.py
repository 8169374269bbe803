"""Other stores that are asked for results and buffers which this one does not have; they are only read.

A source has the same digest and schema, may belong to another user, and is opened when it is first asked, with a
connection of its own. One that cannot be used is passed over, which is said once.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote

from .. import schema
from ..buffers import SMALL_BYTES, BufferStore
from ..digest import Digest
from ..driver import Database
from ..errors import BufferError_, SeamlessError, StoreReadOnly, StoreTooNew
from ..filesystems import refuse_network
from ..staged import Staged
from . import jobrows
from .jobrows import Found, Record

READ_FACTS = "SELECT name, value FROM facts"


class Source(NamedTuple):
    """An open source."""

    path: str
    database: Database
    buffers: BufferStore


class SourceUnusable(SeamlessError):
    """A source cannot be used."""


def open_source(path: str, digest: Digest) -> Source:
    """Open a store to read it. SourceUnusable with the reason: not there, not a store, another digest or schema."""
    place = os.path.join(path, "seamless.db")
    if not os.path.exists(place):
        raise SourceUnusable("there is no store")
    refuse_network(path)
    database = _open_database(place)
    try:
        _check(database, digest)
    except BaseException:
        database.close()
        raise
    return Source(path, database, BufferStore(os.path.join(path, "buffers"), database, digest, read_only=True))


def _open_database(place: str) -> Database:
    address = f"file:{quote(place)}?mode=ro"
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        # Nobody can be writing there, and there is no place for the files by which readers and writers meet.
        address += "&immutable=1"
    try:
        database = Database(place, shared=True, address=address)
        schema.version_of(database)
    except StoreReadOnly as exc:
        raise SourceUnusable(
            "it is not yours to write to, and nobody uses it now; such a store can be read while its owner uses it, or "
            "on a file system that is mounted read-only"
        ) from exc
    except SeamlessError:
        raise
    except Exception as exc:
        raise SourceUnusable(f"its database cannot be read: {exc}") from exc
    return database


def _check(database: Database, digest: Digest) -> None:
    version = schema.version_of(database)
    if version > schema.VERSION:
        raise StoreTooNew(f"it has schema {version}, made by a newer seamless-queue (this one knows {schema.VERSION})")
    if version < schema.VERSION:
        raise SourceUnusable(
            f"it has schema {version}, this seamless-queue {schema.VERSION}; whoever owns it upgrades it by using it, "
            "with seamless-store info for example"
        )
    facts = dict(database.rows(READ_FACTS))
    if facts.get("digest") != digest.name:
        raise SourceUnusable(f"it has digest {facts.get('digest')}, not {digest.name}")


class Sources:
    """The sources of one store."""

    def __init__(self, paths: tuple[str, ...], database: Database, buffers: BufferStore) -> None:
        self._paths = [path for path in paths if os.path.realpath(path) != os.path.realpath(_store_of(buffers))]
        self._database = database
        self._buffers = buffers
        self._opened: list[Source] | None = None

    def find(self, checksum: str) -> tuple[Source, Found] | None:
        """The first source that has an identity done, with the bytes of its result."""
        for source in self._open():
            with suppress(SeamlessError):
                found = jobrows.find(source.database, checksum)
                if found is not None and source.buffers.holds(found.result):
                    return source, found
        return None

    def fetch(self, checksum: str) -> bool:
        """Bring a buffer into the store, verified; False if no source has it."""
        return any(self.bring(source, checksum) for source in self._open())

    def bring(self, source: Source, checksum: str) -> bool:
        """Bring a buffer from one source; False if it does not have it, or only a damaged copy."""
        if self._database.connection.in_transaction:
            return False
        try:
            if source.buffers.size(checksum) <= SMALL_BYTES:
                staged = Staged()
                staged.small[checksum] = source.buffers.read(checksum)
                with self._database.transaction() as connection:
                    staged.write(connection)
            else:
                descriptor = source.buffers.open(checksum)
                with os.fdopen(descriptor, "rb"):
                    return self._buffers.copy_in(descriptor, checksum)
        except BufferError_:
            return False
        return True

    def insert(self, source: Source, record: Record) -> None:
        """Record a job as done whose bytes have been brought."""
        with self._database.transaction() as connection:
            for checksum in jobrows.environments(record):
                content = jobrows.environment(source.database, checksum)
                if content is not None:
                    jobrows.insert_environment(connection, checksum, content)
            jobrows.insert(connection, record)

    def close(self) -> None:
        """Close the connections."""
        for source in self._opened or ():
            source.database.close()
        self._opened = []

    def _open(self) -> list[Source]:
        if self._opened is None:
            self._opened = []
            for path in self._paths:
                try:
                    self._opened.append(open_source(path, self._buffers.digest))
                except (SeamlessError, OSError) as exc:
                    print(f"seamless: the source {path} is passed over: {exc}", file=sys.stderr)
        return self._opened


def _store_of(buffers: BufferStore) -> str:
    return os.path.dirname(buffers.directory)
