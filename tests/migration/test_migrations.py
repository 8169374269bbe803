"""The schema: made by migrations, equal to the models, and old stores keep opening."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from make_old_store import COMMAND, DATA
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from seamless_queue import schema
from seamless_queue.driver import Database, library
from seamless_queue.errors import StoreTooNew
from seamless_queue.models import Base
from seamless_queue.settings import Settings
from seamless_queue.store import DATABASE_NAME, Store, open_store

OLD = sorted(DATA.glob("*.db"))


@pytest.fixture
def path(tmp_path: Path) -> str:
    """An empty database file."""
    file = tmp_path / "new.db"
    file.touch()
    return str(file)


@pytest.fixture
def look(path: str) -> Iterator[Callable[[str], list[Any]]]:
    """Ask the database something, over a connection that is not kept."""

    def rows(sql: str) -> list[Any]:
        database = Database(path)
        try:
            return database.rows(sql)
        finally:
            database.close()

    return rows


def differences(path: str) -> list[Any]:
    engine = create_engine(f"sqlite:///{path}", module=library(), poolclass=NullPool)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    engine.dispose()
    return found


def test_the_newest_migration_is_the_version_that_the_code_expects(path: str) -> None:
    script = ScriptDirectory.from_config(schema.alembic_config(path))
    assert script.get_heads() == [f"{schema.VERSION:04}"]
    assert [revision.revision for revision in reversed(list(script.walk_revisions()))] == [
        f"{number:04}" for number in range(1, schema.VERSION + 1)
    ]


def test_an_empty_file_is_brought_to_the_newest_schema(path: str, look: Callable[[str], list[Any]]) -> None:
    schema.upgrade(path)
    assert look("PRAGMA user_version") == [(schema.VERSION,)]
    assert look("PRAGMA journal_mode") == [("wal",)]
    assert look("PRAGMA integrity_check") == [("ok",)]


def test_the_models_and_the_migrations_agree(path: str) -> None:
    schema.upgrade(path)
    assert differences(path) == []


def test_partial_indexes_have_the_conditions_of_the_models(path: str, look: Callable[[str], list[Any]]) -> None:
    """Autogenerate does not compare them."""
    schema.upgrade(path)
    conditions = r"(?s).*\bWHERE\b\s*(.*)"
    written = {
        name: re.sub(r"\s+", " ", match[1])
        for name, sql in look("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        if (match := re.match(conditions, sql))
    }
    expected = {
        str(index.name): str(index.dialect_options["sqlite"]["where"])
        for table in Base.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    assert written == expected
    assert written


def test_tables_without_row_ids_are_so_in_the_database(path: str, look: Callable[[str], list[Any]]) -> None:
    schema.upgrade(path)
    written = {name for (name,) in look("SELECT name FROM pragma_table_list WHERE wr = 1 AND schema = 'main'")}
    expected = {
        name for name, table in Base.metadata.tables.items() if table.dialect_options["sqlite"]["with_rowid"] is False
    }
    assert written == expected


def test_down_to_nothing_and_up_again(path: str, look: Callable[[str], list[Any]]) -> None:
    schema.upgrade(path)
    before = look("SELECT type, name, sql FROM sqlite_master ORDER BY name")
    command.downgrade(schema.alembic_config(path), "base")
    assert look("PRAGMA user_version") == [(0,)]
    tables = {name for (name,) in look("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables <= {"alembic_version", "sqlite_sequence"}
    schema.upgrade(path)
    assert look("PRAGMA user_version") == [(schema.VERSION,)]
    assert look("SELECT type, name, sql FROM sqlite_master ORDER BY name") == before


def test_one_step_at_a_time(path: str, look: Callable[[str], list[Any]]) -> None:
    for number in range(1, schema.VERSION + 1):
        schema.upgrade(path, f"{number:04}")
        assert look("PRAGMA user_version") == [(number,)]
    assert differences(path) == []


def test_a_schema_that_is_newer_than_the_code_is_refused(settings: Settings) -> None:
    store = open_store(settings)
    store.database.rows(f"PRAGMA user_version = {schema.VERSION + 1}")
    store.close()
    with pytest.raises(StoreTooNew, match=rf"has schema {schema.VERSION + 1}, made by a newer .* upgrade with: pip"):
        open_store(settings)


CREATE = """
import sys
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
print("ready", flush=True)
sys.stdin.readline()
store = open_store(Settings(sys.argv[1]))
print(store.id, store.digest.name, store.database.row("PRAGMA user_version")[0])
store.close()
"""


def test_processes_that_make_one_store_at_once_all_get_the_same(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", CREATE, str(tmp_path / "store")]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = []
    for process in processes:
        # Not one after another: all are told before one is waited for.
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        said.append(process.communicate()[0])
    assert [process.returncode for process in processes] == [0] * len(processes)
    assert len(set(said)) == 1
    assert said[0].split()[1:] == ["blake3", str(schema.VERSION)]


def test_this_release_has_left_a_database_behind() -> None:
    assert version("seamless-queue") in [path.stem for path in OLD]


@pytest.mark.parametrize("old", OLD, ids=[path.stem for path in OLD])
def test_an_old_database_opens_and_still_gives_its_answer(tmp_path: Path, old: Path) -> None:
    place = tmp_path / "store"
    for directory in (
        place,
        place / "buffers",
        place / "buffers" / ".new",
        place / "buffers" / ".damaged",
        place / "work",
    ):
        directory.mkdir(mode=0o700)
    shutil.copyfile(old, place / DATABASE_NAME)
    before = _attempts(open_store(Settings(str(place))))
    assert before == 1
    done = subprocess.run(
        [sys.executable, "-m", "seamless.cli.run", "--store", str(place), "--verbose", *COMMAND],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "hello from an old store\n"
    assert "answered from the store" in done.stderr
    store = open_store(Settings(str(place)))
    assert schema.version_of(store.database) == schema.VERSION
    # Closes it.
    assert _attempts(store) == before
    assert differences(str(place / DATABASE_NAME)) == []


def _attempts(store: Store) -> int:
    try:
        return int(store.database.row("SELECT COUNT(*) FROM attempts")[0])
    finally:
        store.close()
