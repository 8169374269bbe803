"""Results travel: by archives, and by a second store that is only read."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest

from seamless_queue.driver import Database

from .script import run_script
from .shop import COUNTED, Ended, Shop

PROJECT = """
@direct
def double(x):
    import os

    with open(os.environ["COUNTER"], "a") as file:
        file.write("r\\n")
    return x + x

print(len(double("abc" * 10_000)), double(21))
"""


def work(shop: Shop) -> bytes:
    """A small project: files, a directory, standard output, Python; what it prints."""
    shop.write("a.txt", "".join(f"{number}\n" for number in range(5000)))
    shop.good(*COUNTED, "--project", "yeast", "-c", "sort -r a.txt > b.txt")
    shop.good(*COUNTED, "--project", "yeast", "-cp", "parts", "-i", "a.txt", "mkdir parts; split -l 2500 a.txt parts/")
    printed = shop.good(*COUNTED, "--project", "yeast", "-c", "tail -n 1 b.txt; wc -l < b.txt").out
    return printed + run_script(shop, PROJECT, env={"SEAMLESS_CACHE": store_of(shop)}).encode()


def store_of(shop: Shop) -> str:
    return shop.env.get("SEAMLESS_CACHE", str(shop.store))


def forget_files(shop: Shop) -> None:
    shutil.rmtree(shop.dir)
    shop.dir.mkdir()


def care(shop: Shop, *words: str, status: int = 0, **given: object) -> Ended:
    ended = shop.call("seamless-store", *words, **given)
    assert ended.status == status, ended
    assert "Traceback" not in ended.err
    return ended


@pytest.fixture
def project(shop: Shop) -> bytes:
    """The project, done."""
    return work(shop)


def elsewhere(shop: Shop, name: str = "other") -> Path:
    """Go on with another, empty store."""
    path = shop.top / name
    shop.env["SEAMLESS_CACHE"] = str(path)
    return path


@pytest.mark.parametrize("name", ["results.tar", "results.tar.zst", "results.tar.gz"])
def test_a_project_that_was_imported_runs_from_hits(shop: Shop, project: bytes, name: str) -> None:
    executed = shop.executions
    archive = shop.top / name
    care(shop, "export", str(archive))
    forget_files(shop)
    elsewhere(shop)
    told = care(shop, "import", str(archive)).out
    assert b"5 jobs imported, 0 known already" in told
    assert work(shop) == project
    assert shop.executions == executed
    assert b"0 jobs imported, 5 known already" in care(shop, "import", str(archive)).out
    assert care(shop, "verify").status == 0


def test_a_selection_brings_its_upstream(shop: Shop, project: bytes) -> None:
    archive = str(shop.top / "one.tar")
    found = {}
    for options in ((), ("--no-upstream",)):
        care(shop, "export", archive, str(shop.dir / "b.txt"), *options)
        with tarfile.open(archive) as tar:
            found[options] = len(tar.getnames())
    # It has no upstream: both are alike.
    assert found[()] == found["--no-upstream",]
    care(shop, "export", archive, "--project", "yeast", "--since", "1h")
    elsewhere(shop)
    assert b"3 jobs imported" in care(shop, "import", archive).out
    assert care(shop, "export", archive, "nothing.txt", status=1).err.count("\n") == 1


def test_secrets_stay_behind(shop: Shop) -> None:
    shop.good("--qsubmit", "-c", "echo 1 > x.txt", env={"MY_SECRET": "open-sesame"})
    shop.work_off()
    archive = shop.top / "all.tar"
    care(shop, "export", str(archive))
    assert b"open-sesame" not in archive.read_bytes()


def test_no_variable_leaves_the_store(shop: Shop) -> None:
    options = ("--metavar", "THREADS=open-sesame", "--prologue", "true")
    shop.good(*options, "-c", "echo 1 > x.txt", env={"PLAIN": "open-sesame"})
    archive = shop.top / "all.tar"
    care(shop, "export", str(archive))
    assert b"open-sesame" not in archive.read_bytes()
    path = elsewhere(shop)
    care(shop, "import", str(archive))
    database = Database(str(path / "seamless.db"))
    [[record]] = database.rows("SELECT content FROM environments JOIN attempts ON environment = environments.checksum")
    assert b'"tools"' in bytes(record)
    assert b'"variables"' not in bytes(record)
    database.close()
    told = shop.good("--metavar", "THREADS=2", "--refresh", "-c", "echo 1 > x.txt")
    assert told.status == 0
    why = shop.call("seamless-why", "x.txt")
    assert (why.status, "open-sesame" in why.out.decode(), "variables" in why.out.decode()) == (0, False, False)


def tampered(archive: Path, how: str) -> None:
    content = archive.read_bytes()
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "changed buffer":
        content = content.replace(b"\n4321\n", b"\n4322\n", 1)
    elif how == "changed row":
        content = content.replace(b'"exit_code":0', b'"exit_code":1', 1)
    elif how == "newer":
        content = content.replace(b'"format": 1', b'"format": 9', 1)
    elif how == "no archive":
        content = b"once upon a time"
    elif how == "empty":
        content = b""
    archive.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "changed buffer", "changed row", "newer", "no archive", "empty", "outside"])
def test_a_bad_archive_is_refused_whole(shop: Shop, how: str) -> None:
    shop.write("a.txt", "".join(f"{number}\n" for number in range(5000)))
    shop.good("-c", "sort -r a.txt > b.txt")
    archive = shop.top / "bad.tar"
    care(shop, "export", str(archive))
    if how == "outside":
        with tarfile.open(archive, "w") as tar:
            tar.add(shop.dir / "a.txt", "../../evil")
    else:
        tampered(archive, how)
    store = elsewhere(shop)
    error = care(shop, "import", str(archive), status=1).err
    assert error.count("\n") == 1
    assert "bad.tar" in error
    assert shop.rows("SELECT COUNT(*) FROM jobs", store) == [(0,)]
    assert shop.rows("SELECT COUNT(*) FROM buffers", store) == [(0,)]
    assert [path for path in (store / "buffers").rglob("*") if path.is_file()] == []


def test_an_archive_with_another_digest_is_refused(shop: Shop) -> None:
    shop.good("echo", "1")
    archive = str(shop.top / "a.tar")
    care(shop, "export", archive)
    elsewhere(shop)
    error = care(shop, "import", archive, "--digest", "sha256", status=1).err
    assert "has digest blake3" in error


def test_a_store_that_is_made_for_an_archive_has_its_digest(shop: Shop) -> None:
    shop.env["SEAMLESS_DIGEST"] = "sha256"
    elsewhere(shop, "first")
    shop.good("echo", "1")
    archive = str(shop.top / "a.tar.zst")
    care(shop, "export", archive)
    del shop.env["SEAMLESS_DIGEST"]
    elsewhere(shop)
    assert b"1 job imported" in care(shop, "import", archive).out
    assert shop.run("--verbose", "echo", "1").err.endswith("answered from the store\n")


def test_an_archive_goes_through_a_pipe(shop: Shop) -> None:
    shop.good("echo", "1")
    ended = shop.bash(
        "seamless-store export - | seamless-store --store ../piped import -; mkfifo p; cat p > copy.tar &"
        " seamless-store export p; wait; [ -p p ] && seamless-store import copy.tar"
    )
    assert (ended.status, ended.out.count(b"4 buffers")) == (0, 2), ended
    assert shop.rows("SELECT COUNT(*) FROM jobs", shop.top / "piped") == [(1,)]


def test_an_archive_of_nothing_is_not_written(shop: Shop) -> None:
    """A misspelt label must not replace what an earlier export has saved."""
    shop.good("echo", "1")
    care(shop, "export", "a.tar")
    before = (shop.dir / "a.tar").read_bytes()
    assert "nothing to export" in care(shop, "export", "a.tar", "--project", "misspelt", status=1).err
    assert (shop.dir / "a.tar").read_bytes() == before


def test_a_dry_run_imports_nothing(shop: Shop) -> None:
    shop.good("echo", "1")
    archive = str(shop.top / "a.tar")
    care(shop, "export", archive)
    store = elsewhere(shop)
    assert b"1 job would be imported" in care(shop, "import", archive, "--dry-run").out
    assert shop.rows("SELECT COUNT(*) FROM jobs", store) == [(0,)]


# -- sources ----------------------------------------------------------------------------------
def contents(store: Path) -> dict[str, tuple[int, int, int]]:
    """Everything in a store but what SQLite itself puts beside a database that is read."""
    found = {}
    for path in sorted(store.rglob("*")):
        if path.name not in ("seamless.db-wal", "seamless.db-shm"):
            status = path.stat()
            is_file = path.is_file()
            found[str(path)] = (status.st_size * is_file, status.st_mtime_ns * is_file, status.st_atime_ns * is_file)
    return found


def test_a_project_runs_from_hits_of_another_store(shop: Shop, project: bytes) -> None:
    executed = shop.executions
    source = shop.store
    for path in shop.buffer_files():
        os.utime(path, ns=(10**18, path.stat().st_mtime_ns))
    forget_files(shop)
    elsewhere(shop)
    shop.env["SEAMLESS_SOURCES"] = f"/nowhere{os.pathsep}{source}"
    before = contents(source)
    assert work_quietly(shop) == project
    assert shop.executions == executed
    after = contents(source)
    # Reading may move access times where the file system keeps them; nothing else.
    assert {path: one[:2] for path, one in after.items()} == {path: one[:2] for path, one in before.items()}
    # From now on it is the store's own.
    shop.env.pop("SEAMLESS_SOURCES")
    forget_files(shop)
    assert work(shop) == project
    assert shop.executions == executed


def work_quietly(shop: Shop) -> bytes:
    """The project, where a source is passed over aloud."""
    shop.env["SEAMLESS_SOURCES"] = shop.env["SEAMLESS_SOURCES"].rpartition(os.pathsep)[2]
    return work(shop)


def test_a_source_that_cannot_be_used_is_passed_over(shop: Shop) -> None:
    shop.good("echo", "1")
    elsewhere(shop)
    shop.env["SEAMLESS_SOURCES"] = f"/nowhere{os.pathsep}{shop.store}"
    ended = shop.good("--digest", "sha256", "echo", "2")
    assert ended.out == b"2\n"
    assert [line.partition(" is passed over: ")[2] for line in ended.lines] == [
        "there is no store",
        "it has digest blake3, not sha256",
    ]


def test_a_queued_dependent_finds_its_result_in_another_store(shop: Shop) -> None:
    shop.write("a.txt", "3\n1\n2\n")
    words = ((*COUNTED, "-c", "sort a.txt > b.txt"), (*COUNTED, "-c", "tac b.txt > c.txt"))
    for each in words:
        shop.good(*each)
    executed = shop.executions
    # Known elsewhere only: the second one, which is keyed by the worker that has run the first.
    database = Database(str(shop.store / "seamless.db"))
    with database.transaction() as connection:
        connection.execute("DELETE FROM jobs WHERE id = 1")
    database.close()
    for name in ("b.txt", "c.txt", "b.txt.CHECKSUM", "c.txt.CHECKSUM"):
        (shop.dir / name).unlink()
    source = shop.store
    elsewhere(shop)
    shop.env["SEAMLESS_SOURCES"] = str(source)
    for each in words:
        shop.submit(*each)
    shop.work_off()
    assert shop.read("c.txt") == "3\n2\n1\n"
    assert shop.executions == executed + 1
