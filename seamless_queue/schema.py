"""Brings a store's database to the schema of this code, or says why it cannot.

The hot path reads one number, `PRAGMA user_version`; Alembic (and SQLAlchemy with it) is imported
only where that number is not the one expected.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .driver import Database
from .errors import StoreTooNew

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest migration, as a number: `0001` is 1.
VERSION = 1


def version_of(database: Database) -> int:
    """The schema version of a database: 0 for an empty one."""
    return int(database.row("PRAGMA user_version")[0])


def ensure(database: Database, lock_path: str) -> None:
    """Create or upgrade the schema under a lock; StoreTooNew if it is newer than this code."""
    version = version_of(database)
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


def upgrade(path: str, revision: str = "head") -> None:
    """Run the migrations on the database at `path`, up to `revision`."""
    from alembic import command

    command.upgrade(alembic_config(path), revision)


def alembic_config(path: str) -> Config:
    """The Alembic configuration of the database at `path`."""
    from alembic.config import Config

    from . import migrations

    config = Config()
    config.set_main_option("script_location", os.path.dirname(migrations.__file__ or ""))
    config.attributes["database"] = path
    return config
