"""Brings a store's database to the schema of this code, or says why it cannot.

The hot path reads one number, `PRAGMA user_version`. An empty database gets the newest schema at once,
from a snapshot that was taken of the migrations. Alembic (and SQLAlchemy with it) is imported only for
a database that an older release has left.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .driver import Database
from .errors import StoreTooNew

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest migration, as a number: `0001` is 1.
VERSION = 4

OBJECTS = "SELECT COUNT(*) FROM sqlite_master"


def version_of(database: Database) -> int:
    """The schema version of a database: 0 for an empty one."""
    return int(database.row("PRAGMA user_version")[0])


def ensure(database: Database, lock_path: str) -> None:
    """Create the schema, or upgrade it under a lock; StoreTooNew if it is newer than this code."""
    version = version_of(database) or create(database)
    if version == VERSION:
        return
    if version > VERSION:
        raise StoreTooNew(
            f"{database.path} has schema {version}, made by a newer seamless-queue (this one knows {VERSION}); "
            "upgrade with: pip install --upgrade seamless-queue"
        )
    from filelock import FileLock

    with FileLock(lock_path, mode=0o600):
        if version_of(database) < VERSION:
            upgrade(database.path)


def create(database: Database) -> int:
    """Give an empty database the newest schema; one that has tables is left alone. Returns its version then."""
    # Outlives the connection and cannot be set inside a transaction.
    database.row("PRAGMA journal_mode = WAL")
    with database.transaction() as connection:
        # Looked at again: of several processes that make one store, the first one does it for all.
        if not connection.execute(OBJECTS).fetchone()[0]:
            for statement in snapshot():
                connection.execute(statement)
        return version_of(database)


def snapshot() -> list[str]:
    """The statements that make the newest schema at once, as migrations/snapshot.py has written them."""
    with open(os.path.join(_migrations(), "head.sql"), encoding="utf-8") as file:
        return file.read().removesuffix(";\n").split(";\n")


def upgrade(path: str, revision: str = "head") -> None:
    """Run the migrations on the database at `path`, up to `revision`."""
    from alembic import command

    command.upgrade(alembic_config(path), revision)


def alembic_config(path: str) -> Config:
    """The Alembic configuration of the database at `path`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _migrations())
    config.attributes["database"] = path
    return config


def _migrations() -> str:
    from . import migrations

    return os.path.dirname(migrations.__file__ or "")
