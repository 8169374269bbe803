"""The schema: made by migrations, equal to the models, and old stores keep opening."""

import re
import shutil
import subprocess
import sys
import tomllib
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
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from seamless_queue import schema
from seamless_queue.driver import Database, library
from seamless_queue.errors import StoreTooNew
from seamless_queue.migrations import snapshot
from seamless_queue.models import Base
from seamless_queue.settings import Settings
from seamless_queue.store import DATABASE_NAME, Store, open_store

ROOT = Path(__file__).resolve().parents[2]
OLD = sorted(DATA.glob("*.db"))
FIRST = DATA / "0.1.0.db"


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


#: White space aside: SQLAlchemy leaves blanks that nobody wants in a file.
SCHEMA = "SELECT name, type, tbl_name, sql FROM sqlite_master ORDER BY rowid"
PRAGMAS = (
    "user_version",
    "journal_mode",
    "page_size",
    "encoding",
    "auto_vacuum",
    "application_id",
    "foreign_key_check",
)


def contents(path: str) -> dict[str, list[Any]]:
    """All that there is to know of a database, by the statement that tells it."""
    database = Database(path)
    try:
        found = {sql: database.rows(sql) for sql in (f"PRAGMA {name}" for name in PRAGMAS)}
        made = database.rows(SCHEMA)
        found[SCHEMA] = [(name, " ".join(f"{kind} {table} {sql}".split())) for name, kind, table, sql in made if sql]
        for table in (name for name, kind, _, _ in made if kind == "table"):
            for sql in (f"SELECT * FROM {table}", f"PRAGMA table_xinfo({table})"):
                found[sql] = database.rows(sql)
        return found
    finally:
        database.close()


def create(path: str) -> int:
    database = Database(path)
    try:
        return schema.create(database)
    finally:
        database.close()


def execute(path: str, sql: str) -> None:
    database = Database(path)
    try:
        database.rows(sql)
    finally:
        database.close()


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


def test_the_newest_step_down_and_up_keeps_rows_and_numbers(tmp_path: Path) -> None:
    path = str(shutil.copyfile(FIRST, tmp_path / "old.db"))
    schema.upgrade(path)
    before = contents(path)
    command.downgrade(schema.alembic_config(path), "-1")
    assert contents(path)["PRAGMA user_version"] == [(schema.VERSION - 1,)]
    schema.upgrade(path)
    assert contents(path) == before
    # What gives requests numbers that were never used.
    assert before["SELECT * FROM sqlite_sequence"] == [("requests", 1)]
    assert "AUTOINCREMENT" in dict(before[SCHEMA])["requests"]


def test_an_upgrade_that_fails_leaves_the_old_schema_whole(tmp_path: Path) -> None:
    path = str(shutil.copyfile(FIRST, tmp_path / "old.db"))
    execute(path, "PRAGMA journal_mode = WAL")
    execute(path, "CREATE TABLE requests_of_parent (name)")
    before = contents(path)
    with pytest.raises(OperationalError, match="already a table named requests_of_parent"):
        schema.upgrade(path)
    assert contents(path) == before
    execute(path, "DROP TABLE requests_of_parent")
    schema.upgrade(path)
    assert differences(path) == []


def test_a_database_is_found_whatever_its_path_holds(tmp_path: Path) -> None:
    place = tmp_path / "100% mine? yes#1"
    place.mkdir()
    path = str(shutil.copyfile(FIRST, place / "old.db"))
    schema.upgrade(path)
    assert contents(path)["PRAGMA user_version"] == [(schema.VERSION,)]


# -- an empty database gets the newest schema at once ----------------------------------------
def test_the_snapshot_is_that_of_the_migrations() -> None:
    assert Path(snapshot.PATH).read_text() == snapshot.take(), f"run {sys.executable} -m {snapshot.__name__}"


def test_the_snapshot_is_shipped() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert Path(snapshot.PATH).name in project["tool"]["setuptools"]["package-data"]["seamless_queue.migrations"]


def test_the_snapshot_and_the_migrations_make_the_same(tmp_path: Path) -> None:
    made, migrated = str(tmp_path / "made.db"), str(tmp_path / "migrated.db")
    assert create(made) == schema.VERSION
    schema.upgrade(migrated)
    assert contents(made) == contents(migrated)
    assert len(contents(made)[SCHEMA]) == len(schema.snapshot()) - 1
    assert differences(made) == []


def test_a_snapshot_that_fails_midway_leaves_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statements = schema.snapshot()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "snapshot", lambda: [*statements[:5], "CREATE TABLE facts", *statements[5:]])
        with pytest.raises(library().OperationalError, match="incomplete input"):
            create(path)
    assert contents(path)[SCHEMA] == []
    assert contents(path)["PRAGMA user_version"] == [(0,)]
    assert create(path) == schema.VERSION


def test_a_database_with_tables_is_not_taken_for_an_empty_one(settings: Settings) -> None:
    path = str(Path(settings.store) / DATABASE_NAME)
    command.downgrade(schema.alembic_config(path), "base")
    before = contents(path)
    assert create(path) == 0
    assert contents(path) == before
    open_store(settings).close()
    assert contents(path)["PRAGMA user_version"] == [(schema.VERSION,)]
    assert differences(path) == []


def test_a_schema_that_is_newer_than_the_code_is_refused(settings: Settings) -> None:
    store = open_store(settings)
    store.database.rows(f"PRAGMA user_version = {schema.VERSION + 1}")
    store.close()
    with pytest.raises(StoreTooNew, match=rf"has schema {schema.VERSION + 1}, made by a newer .* upgrade with: pip"):
        open_store(settings)


FIRST_USE = """
import sys
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
open_store(Settings(sys.argv[1])).close()
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_first_use_of_a_store_imports_nothing_heavy(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", FIRST_USE, str(tmp_path / "store")]
    imported = set(subprocess.run(arguments, capture_output=True, check=True, text=True).stdout.split())
    assert "seamless_queue" in imported
    assert not imported & {"alembic", "sqlalchemy", "filelock", "asyncio"}


CREATE = """
import sys
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
print("ready", flush=True)
sys.stdin.readline()
store = open_store(Settings(sys.argv[1]))
row = store.database.row
print(store.id, store.digest.name, row("PRAGMA user_version")[0], row("PRAGMA journal_mode")[0])
store.close()
"""


def test_processes_that_make_one_store_at_once_all_get_the_same(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", CREATE, str(tmp_path / "store")]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)
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
    assert said[0].split()[1:] == ["blake3", str(schema.VERSION), "wal"]


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
