"""Takes head.sql, the newest schema as plain SQL, from a database that the migrations have made.

Run after every new migration: python -m seamless_queue.migrations.snapshot
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from seamless_queue import schema
from seamless_queue.driver import Database

PATH = os.path.join(os.path.dirname(__file__), "head.sql")
HEADER = """\
-- The newest schema, for an empty database. Taken of the migrations, not written by hand:
-- python -m seamless_queue.migrations.snapshot
"""
#: In the order of their making; what has no SQL, or such a name, SQLite makes by itself.
MADE = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid"
REVISION = "SELECT version_num FROM alembic_version"


def take() -> str:
    """The text that head.sql is to have."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "head.db")
        schema.upgrade(path)
        database = Database(path)
        try:
            return HEADER + "".join(f"{statement};\n" for statement in statements(database))
        finally:
            database.close()


def statements(database: Database) -> Iterator[str]:
    """What makes another database like this one."""
    for (sql,) in database.rows(MADE):
        # SQLAlchemy leaves blanks at the ends of lines, and empty lines.
        yield "\n".join(line.rstrip() for line in sql.replace("\t", "    ").splitlines() if line.strip())
    yield f"INSERT INTO alembic_version (version_num) VALUES ('{database.row(REVISION)[0]}')"
    yield f"PRAGMA user_version = {schema.version_of(database)}"


def main() -> None:
    """Write head.sql."""
    text = take()
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
