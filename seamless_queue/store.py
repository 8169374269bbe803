"""A store: a directory with the job table and the buffers, of one user, with one digest.

STORE/seamless.db       job table, small buffers (and SQLite's -wal and -shm)
STORE/buffers/          large buffers
STORE/work/             the running jobs' directories, moved into buffers/ without a copy
STORE/.lock             held while the schema is made or changed
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from . import filesystems, private, schema
from .buffers import BufferStore
from .digest import DEFAULT_DIGEST, Digest, digest_named
from .driver import Database
from .errors import DigestMismatch, NotAStore, StoreNotOurs, StoreReadOnly
from .segments import Segments
from .settings import Settings

if TYPE_CHECKING:
    from .care.sources import Sources

DATABASE_NAME = "seamless.db"
LOCK_NAME = ".lock"
#: What a store may hold before its database is made.
UNFINISHED = frozenset({"buffers", "work", LOCK_NAME})

READ_FACTS = "SELECT name, value FROM facts"
WRITE_FACT = "INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)"


class Store(NamedTuple):
    """An open store: one connection of one process."""

    path: str
    id: str
    digest: Digest
    database: Database
    buffers: BufferStore
    #: other stores that are asked for results; None: there are none
    sources: Sources | None = None

    @property
    def work(self) -> str:
        """Where jobs run."""
        return os.path.join(self.path, "work")

    @property
    def runtime_name(self) -> str:
        """What its sockets are found by."""
        return private.name_of(self.path) or self.id[:16]

    def close(self) -> None:
        """Close the connection."""
        if self.sources is not None:
            self.sources.close()
        self.database.close()


def open_store(settings: Settings, *, shared: bool = False) -> Store:
    """Open the store, making it on first use; `shared` among the threads of this process.

    Raises a StoreError with the remedy: not a store, another user's, read-only, on a network file
    system, of a newer version; DigestMismatch if another digest is asked for than it has.
    """
    path = settings.store
    _prepare_directory(path)
    database = Database(
        os.path.join(path, DATABASE_NAME), durable=settings.durable, shared=shared, passing=settings.private
    )
    try:
        schema.ensure(database, os.path.join(path, LOCK_NAME))
        facts = _facts(database, settings.digest)
        digest = digest_named(facts["digest"])
        if settings.digest not in (None, digest.name):
            raise DigestMismatch(
                f"the store {path} has digest {digest.name}, not {settings.digest}; "
                "a digest is chosen when a store is made: use another store"
            )
    except BaseException:
        database.close()
        raise
    segments = Segments(os.path.basename(path)) if settings.private else None
    buffers = BufferStore(os.path.join(path, "buffers"), database, digest, durable=settings.durable, segments=segments)
    sources = None
    if settings.sources and not settings.private:
        from .care.sources import Sources

        sources = Sources(settings.sources, database, buffers)
        buffers.fetch = sources.fetch
    return Store(path, facts["id"], digest, database, buffers, sources)


def exists(settings: Settings) -> bool:
    """Whether there is a store at its place, or something else that opening it will complain of."""
    path = settings.store
    if not os.path.isdir(path):
        return os.path.lexists(path)
    try:
        return bool(set(os.listdir(path)) - UNFINISHED)
    except PermissionError:
        return True


def _prepare_directory(path: str) -> None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        _make(path)
        return
    except OSError as exc:
        raise NotAStore(f"{path} cannot be used as a store: {exc.strerror}; choose another with --store") from exc
    if not stat.S_ISDIR(status.st_mode):
        raise NotAStore(f"{path} is not a directory; choose another store with --store")
    if status.st_uid != os.geteuid():
        raise StoreNotOurs(
            f"the store {path} belongs to user {status.st_uid}, not to you ({os.geteuid()}); "
            "use your own with --store or SEAMLESS_CACHE"
        )
    # Looked at once: another process may be making the store just now.
    names = set(os.listdir(path))
    if DATABASE_NAME not in names:
        if names - UNFINISHED:
            raise NotAStore(f"{path} is not empty and not a store; choose an empty directory with --store")
        _make(path)
    if not os.access(path, os.W_OK) or os.statvfs(path).f_flag & os.ST_RDONLY:
        raise StoreReadOnly(f"the store {path} is read-only; choose another with --store or SEAMLESS_CACHE")
    filesystems.refuse_network(path)


def _make(path: str) -> None:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        filesystems.refuse_network(path)
        for part in ("buffers", "buffers/.new", "buffers/.damaged", "work"):
            os.makedirs(os.path.join(path, part), mode=0o700, exist_ok=True)
        # Created here, with its mode, so that SQLite gives -wal and -shm the same.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with suppress(FileExistsError):
            os.close(os.open(os.path.join(path, DATABASE_NAME), flags, 0o600))
    except OSError as exc:
        raise StoreReadOnly(
            f"the store {path} cannot be made: {exc.strerror}; choose another with --store or SEAMLESS_CACHE"
        ) from exc


def _facts(database: Database, digest: str | None) -> dict[str, str]:
    facts = dict(database.rows(READ_FACTS))
    if "digest" not in facts or "id" not in facts:
        with database.transaction() as connection:
            connection.execute(WRITE_FACT, ("id", os.urandom(16).hex()))
            connection.execute(WRITE_FACT, ("digest", digest or DEFAULT_DIGEST))
        facts = dict(database.rows(READ_FACTS))
    return facts
