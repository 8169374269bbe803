"""Opening a store: made once, with its modes and facts, or refused in one line with the remedy."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from seamless_queue import filesystems
from seamless_queue import store as store_module
from seamless_queue.driver import Database, is_safe, library
from seamless_queue.errors import (
    DigestMismatch,
    NetworkFileSystem,
    NotAStore,
    StoreNotOurs,
    StoreReadOnly,
)
from seamless_queue.settings import Settings
from seamless_queue.staged import INSERT
from seamless_queue.store import Store, open_store


@pytest.mark.both_digests
def test_a_new_store_is_private_and_knows_its_digest(tmp_path: Path, digest_name: str) -> None:
    opened = open_store(Settings(str(tmp_path / "deep" / "store"), digest_name))
    try:
        path = Path(opened.path)
        assert opened.digest.name == digest_name
        assert len(opened.id) == 32
        modes = {name: stat.S_IMODE((path / name).stat().st_mode) for name in (".", "seamless.db", "buffers", "work")}
        assert modes == {".": 0o700, "seamless.db": 0o600, "buffers": 0o700, "work": 0o700}
        with opened.database.transaction() as connection:
            connection.execute("INSERT INTO facts VALUES ('x', 'y')")
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.glob("seamless.db-*")} == {0o600}
    finally:
        opened.close()


@pytest.mark.both_digests
def test_a_store_keeps_its_digest_and_its_id(
    settings: Settings, digest_name: str, opened: Callable[..., Store]
) -> None:
    first = opened()
    assert (opened().digest.name, opened().id) == (digest_name, first.id)
    assert opened(settings._replace(digest=digest_name)).id == first.id
    other = "sha256" if digest_name == "blake3" else "blake3"
    with pytest.raises(DigestMismatch, match=f"has digest {digest_name}, not {other}; .*use another store"):
        open_store(settings._replace(digest=other))


def test_two_stores_have_two_ids(new_store_directory: Callable[[], Path], opened: Callable[..., Store]) -> None:
    assert opened(Settings(str(new_store_directory()))).id != opened(Settings(str(new_store_directory()))).id


@pytest.mark.parametrize("kind", ["file", "directory of others", "below a file"])
def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "place"
    if kind == "directory of others":
        path.mkdir()
        (path / "thesis.tex").write_text("text")
    else:
        path.write_text("text")
    wanted = path / "below" if kind == "below a file" else path
    with pytest.raises(NotAStore, match="with --store"):
        open_store(Settings(str(wanted)))
    assert [file.name for file in path.rglob("*")] in ([], ["thesis.tex"])


def test_an_empty_directory_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    open_store(Settings(str(tmp_path / "empty"))).close()
    assert (tmp_path / "empty" / "seamless.db").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_the_store_of_another_user_is_refused(settings: Settings) -> None:
    os.chown(settings.store, 12345, -1)
    with pytest.raises(StoreNotOurs, match=r"belongs to user 12345, not to you.*use your own with --store"):
        open_store(settings)


def test_a_store_that_cannot_be_written_to_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module.os, "access", lambda *_: False)
    with pytest.raises(StoreReadOnly, match=r"is read-only; choose another with --store"):
        open_store(settings)


def test_a_store_on_a_network_file_system_is_refused_before_it_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystems, "type_of", lambda *_: "nfs4")
    with pytest.raises(NetworkFileSystem):
        open_store(Settings(str(tmp_path / "store")))
    assert not (tmp_path / "store" / "seamless.db").exists()


def test_the_database_is_in_wal_mode_and_durable_if_asked(settings: Settings, opened: Callable[..., Store]) -> None:
    fast, durable = opened(), opened(settings._replace(durable=True))
    assert fast.database.row("PRAGMA journal_mode")[0] == "wal"
    assert (fast.database.row("PRAGMA synchronous")[0], durable.database.row("PRAGMA synchronous")[0]) == (1, 2)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((4, 0, 0), True),
        ((3, 51, 2), False),
        ((3, 50, 7), True),
        ((3, 50, 6), False),
        ((3, 44, 6), True),
        ((3, 44, 5), False),
        ((3, 49, 9), False),
    ],
)
def test_which_versions_of_sqlite_are_safe(version: tuple[int, ...], expected: bool) -> None:
    assert is_safe(version) is expected


def test_the_library_in_use_is_a_safe_one() -> None:
    assert is_safe(tuple(library().sqlite_version_info))


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    def fail() -> None:
        with store.database.transaction() as connection:
            connection.execute("INSERT INTO facts VALUES ('x', 'y')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.database.row("SELECT 1 FROM facts WHERE name = 'x'") is None
    # And the next one is not inside the failed one.
    with store.database.transaction() as connection:
        connection.execute("INSERT INTO facts VALUES ('x', 'y')")
    assert store.database.row("SELECT 1 FROM facts WHERE name = 'x'") is not None


def test_a_connection_that_is_closed_may_be_closed_again(store: Store) -> None:
    other = Database(store.database.path)
    other.close()
    other.close()


def test_a_long_log_is_begun_anew_once_nobody_reads_it(opened: Callable[..., Store]) -> None:
    """SQLite does so by itself only in a moment without readers, which may never come."""
    writer, reader = opened(), opened()
    log = Path(f"{writer.database.path}-wal")
    reader.database.rows("BEGIN")
    reader.database.rows("SELECT COUNT(*) FROM jobs")
    with writer.database.transaction() as connection:
        rows = [(number.to_bytes(32, "big"), bytes(8000)) for number in range(100)]
        connection.executemany(INSERT, rows)
    assert log.stat().st_size > 500_000
    assert writer.database.shorten_log()
    assert log.stat().st_size > 500_000
    assert not writer.database.shorten_log(longest=1000)
    reader.database.rows("COMMIT")
    assert writer.database.shorten_log(longest=1000)
    assert log.stat().st_size == 0
    assert reader.database.row("SELECT COUNT(*) FROM buffers")[0] == 100
