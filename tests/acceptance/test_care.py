"""Care of a store: what goes, what stays, what is found damaged and comes back."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from seamless_queue.driver import Database

from .script import run_script
from .shop import COUNTED, Shop, until
from .test_exchange import care

#: More than fits into the database.
MUCH = "seq 3000 12000"


def fields(shop: Shop, *words: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(care(shop, *words, "--json", status=status).out)
    return found


def age(shop: Shop, seconds: float = 7200) -> None:
    """All was done and used some hours ago."""
    for path in shop.buffer_files():
        os.utime(path, (time.time() - seconds, path.stat().st_mtime))
    database = Database(str(shop.store / "seamless.db"))
    with database.transaction() as connection:
        connection.execute("UPDATE jobs SET finished = finished - ?", (seconds,))
    database.close()
    marker = shop.store / ".collected"
    if marker.exists():
        os.utime(marker, (time.time() - seconds,) * 2)


def evicted(shop: Shop) -> list[int]:
    return [row[0] for row in shop.rows("SELECT id FROM jobs WHERE evicted IS NOT NULL ORDER BY id")]


# -- info -------------------------------------------------------------------------------------
def test_info_counts(shop: Shop) -> None:
    shop.write("a.txt", "x" * 20_000)
    shop.good("--project", "yeast", "-i", "a.txt", "-c", f"{MUCH}; cat a.txt")
    found = fields(shop, "info")
    assert found["jobs"]["done"] == found["requests"]["delivered"] == found["attempts"] == 1
    assert (found["large"]["number"], found["results"]["number"], found["other"]["number"]) == (2, 1, 1)
    assert found["projects"] == {"yeast": found["results"]["bytes"]}
    assert found["digest"] == "blake3"
    assert 0 < found["used"] < found["cap"]["bytes"]
    lines = care(shop, "info").out.decode()
    assert str(shop.store) in lines


def test_a_store_that_is_none(shop: Shop) -> None:
    for words in (("info",), ("gc",), ("verify",), ("repair",), ("export", "x.tar")):
        error = care(shop, *words, "--store", "nowhere", status=1).err
        assert "there is no store at" in error
    assert not shop.has("nowhere")


@pytest.mark.parametrize(
    "words",
    [
        ("gc", "--max-size", "5 elephants"),
        ("gc", "--older-than", "soon"),
        ("gc", "--forget", "-1d"),
        ("export", "x.tar", "--since", "yesterday"),
        ("unknown",),
        (),
    ],
)
def test_misspelt_words(shop: Shop, words: tuple[str, ...]) -> None:
    assert care(shop, *words, status=2).err.count("\n") == 1


def test_a_misspelt_cap_in_a_file(shop: Shop) -> None:
    shop.write("seamless.yaml", "- max_size: lots\n")
    assert "seamless.yaml, line 1: 'lots' is not a size" in care(shop, "info", status=2).err


# -- the cap ----------------------------------------------------------------------------------
def test_results_beyond_the_cap_go_by_themselves_and_come_back(shop: Shop) -> None:
    for number in range(3):
        shop.good(*COUNTED, "-c", f"{MUCH}; echo {number}")
    expected = shop.good("-c", "echo other").out
    age(shop)
    shop.env["SEAMLESS_MAX_SIZE"] = "1k"
    shop.good("-c", f"echo {len(expected)}")
    assert evicted(shop) == [1, 2, 3]
    assert shop.buffer_files() == []
    assert care(shop, "verify", "-q").out == b""
    # Within the hour nothing more is looked at.
    again = shop.good(*COUNTED, "-c", f"{MUCH}; echo 1").out
    assert again.endswith(b"\n12000\n1\n")
    assert shop.executions == 4
    assert evicted(shop) == [1, 3]


def test_a_server_and_a_python_session_see_to_the_cap_too(shop: Shop) -> None:
    for start in ("python", "server"):
        shop.good("-c", f"{MUCH}; echo {start}")
        age(shop)
        given = {"SEAMLESS_MAX_SIZE": "1k", "SEAMLESS_CACHE": str(shop.store)}
        if start == "python":
            run_script(shop, CALL, env=given)
        else:
            shop.server(env=given)
            until(lambda: not shop.buffer_files(), "the server to give up what it can")
        assert shop.buffer_files() == [], start


CALL = """
@direct
def f(x):
    return x

print(f(3))
"""


def test_the_cheap_and_long_unused_goes_first(shop: Shop) -> None:
    for text in (f"{MUCH}; echo 0", f"{MUCH}; echo 1", f"{MUCH}; echo 2"):
        shop.good("-c", text)
    age(shop)
    sizes = {path: path.stat().st_size for path in shop.buffer_files()}
    database = Database(str(shop.store / "seamless.db"))
    with database.transaction() as connection:
        # The first took long, the last was used an hour later than the others.
        connection.execute("UPDATE attempts SET started = finished - 100 WHERE job_id = 1")
        connection.execute("UPDATE attempts SET started = finished - 1 WHERE job_id > 1")
        connection.execute("UPDATE jobs SET finished = finished + 3600 WHERE id = 3")
    database.close()
    used = fields(shop, "info")["used"]
    care(shop, "gc", "--max-size", str(used - min(sizes.values()) + 100))
    assert evicted(shop) == [2]


def test_what_stays(shop: Shop) -> None:
    """Inputs, uploads, what was used just now, what sidecars name, what could be made from itself only."""
    shop.write("a.txt", "x" * 20_000)
    shop.good("-c", "cat a.txt")
    shop.good("-c", f"{MUCH} > kept.txt")
    shop.good("-c", f"{MUCH}; echo pinned")
    (pinned,) = shop.rows("SELECT hex(result) FROM jobs WHERE id = 3")[0]
    care(shop, "pin", pinned.lower())
    shop.good("-c", f"{MUCH}; echo gone")
    age(shop)
    shop.good("-c", f"{MUCH}; echo fresh")
    told = fields(shop, "gc", "--max-size", "0")
    assert evicted(shop) == [4]
    assert told["evicted"]["named"] == 1
    assert b"above the cap all the same: the database" in care(shop, "gc", "--max-size", "0").out
    # A sidecar that is gone needs nothing.
    (shop.dir / "kept.txt.CHECKSUM").unlink()
    care(shop, "gc", "--max-size", "0")
    assert evicted(shop) == [2, 4]
    care(shop, "unpin", pinned.lower())
    care(shop, "gc", "--max-size", "0")
    assert evicted(shop) == [2, 3, 4]
    assert care(shop, "verify").status == 0


def test_inputs_of_pending_requests_stay(shop: Shop) -> None:
    shop.good("-c", f"{MUCH} > a.txt")
    shop.submit("-c", "wc -l a.txt > b.txt")
    (shop.dir / "a.txt.CHECKSUM").unlink()
    age(shop)
    assert fields(shop, "gc", "--max-size", "0")["evicted"]["jobs"] == 0
    shop.work_off()
    age(shop)
    assert fields(shop, "gc", "--max-size", "0")["evicted"]["jobs"] == 1


def test_a_chain_that_was_given_up_is_made_again(shop: Shop) -> None:
    shop.write("a.txt", "".join(f"{number}\n" for number in range(5000)))
    shop.good(*COUNTED, "-c", "sort -r a.txt > b.txt")
    expected = shop.good(*COUNTED, "-c", "rev b.txt").out
    (shop.dir / "b.txt.CHECKSUM").unlink()
    age(shop)
    care(shop, "gc", "--max-size", "0")
    assert evicted(shop) == [1, 2]
    # The input is what all is made of: it has stayed.
    assert len(shop.buffer_files()) == 1
    assert shop.good(*COUNTED, "-c", "rev b.txt").out == expected
    assert shop.executions == 3


# -- what is asked for ------------------------------------------------------------------------
def test_leftovers_go(shop: Shop) -> None:
    shop.good("-c", MUCH)
    orphan = shop.store / "buffers" / "ab" / ("ab" * 32)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x" * 10_000)
    half = shop.store / "buffers" / ".new" / "4194305-0"
    half.write_bytes(b"half")
    damaged = shop.store / "buffers" / ".damaged" / ("cd" * 32 + "-1-1")
    damaged.write_bytes(b"bad")
    age(shop)
    assert fields(shop, "gc", "--dry-run")["freed"] == 10_004
    assert orphan.exists()
    assert half.exists()
    care(shop, "gc")
    assert not orphan.exists()
    assert not half.exists()
    assert damaged.exists()
    care(shop, "gc", "--older-than", "0")
    assert not damaged.exists()
    assert len(shop.buffer_files()) == 1


def test_what_goes_from_the_database_frees_no_file(shop: Shop) -> None:
    shop.write("a.txt", "hello")
    assert shop.call("seamless-upload", "-y", "a.txt").status == 0
    care(shop, "unpin", "a.txt")
    (shop.dir / "a.txt.CHECKSUM").unlink()
    age(shop)
    told = care(shop, "gc", "--dry-run", "--older-than", "0").out.decode().splitlines()
    assert "in the database that nobody refers to" in told[0]
    size = told[0].rpartition(", ")[2]
    assert told[1].startswith("0 B would be freed of ")
    assert f", and {size} for new rows inside the database; " in told[1]


def test_unused_inputs_and_old_jobs_go_when_that_is_said(shop: Shop) -> None:
    shop.write("a.txt", "x" * 20_000)
    shop.good(*COUNTED, "-c", f"cat a.txt; {MUCH}")
    shop.run("-c", "exit 3")
    shop.good("-c", "echo last")
    age(shop)
    care(shop, "gc", "--inputs")
    assert len(shop.buffer_files()) == 1
    shop.good(*COUNTED, "-c", f"cat a.txt; {MUCH}")
    assert shop.executions == 1
    care(shop, "gc", "--failed")
    assert shop.rows("SELECT COUNT(*) FROM jobs WHERE state <> 2") == [(0,)]
    age(shop)
    care(shop, "gc", "--forget", "1h")
    # The newest one stays, so that its number is not given again.
    for table in ("jobs", "attempts", "requests"):
        assert shop.rows(f"SELECT COUNT(*) FROM {table}") == [(1,)]
    assert shop.buffer_files() == []
    assert shop.rows("SELECT COUNT(*) FROM makers") == [(0,)]


@pytest.mark.parametrize("place", ["evicted", "set-aside"])
def test_a_collection_that_is_killed_leaves_no_promise_without_bytes(shop: Shop, place: str) -> None:
    for number in range(3):
        shop.good(*COUNTED, "-c", f"{MUCH}; echo {number}")
    age(shop)
    words = ("seamless-store", "gc", "--max-size", "0")
    ended = shop.call(*words, env={"SEAMLESS_CRASH_AT": f"{place}:2"})
    assert ended.status == -signal.SIGKILL
    assert care(shop, "verify").status == 0
    care(shop, "gc", "--max-size", "0")
    assert evicted(shop) == [1, 2, 3]
    assert shop.buffer_files() == []
    assert shop.store_leftovers() == []


# -- damage -----------------------------------------------------------------------------------
def damage(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"?")


def test_damage_is_found_and_mended(shop: Shop) -> None:
    shop.write("a.txt", "x" * 20_000)
    shop.good(*COUNTED, "-c", f"cat a.txt; {MUCH}")
    shop.good(*COUNTED, "-cp", "parts", f"mkdir parts; {MUCH} > parts/x; {MUCH} | rev > parts/y")
    shop.good(*COUNTED, "-c", f"{MUCH} | tac > out.txt")
    (shop.dir / "out.txt.CHECKSUM").unlink()
    files = shop.buffer_files()
    for path in files:
        damage(path)
    found = fields(shop, "verify", status=1)
    assert sorted(fault["checksum"] for fault in found["faults"]) == sorted(path.name for path in files)
    assert {fault["kind"] for fault in found["faults"]} == {"damaged"}
    care(shop, "repair")
    assert sorted(shop.buffer_files()) == sorted(files)
    care(shop, "verify")
    # Of three jobs only the first had to run again: the others' files are where they were written.
    assert shop.executions == 4


def test_files_that_were_deleted_by_hand_come_back(shop: Shop) -> None:
    shop.good(*COUNTED, "-c", MUCH)
    for path in shop.buffer_files():
        path.unlink()
    assert fields(shop, "verify", "--quick", status=1)["faults"][0]["kind"] == "missing"
    assert b"its job was run again" in care(shop, "repair", "--quick").out
    assert shop.executions == 2
    care(shop, "verify")


def test_an_input_that_is_lost_stays_a_fault(shop: Shop) -> None:
    path = shop.write("a.txt", "x" * 20_000)
    shop.good("-c", "wc -c a.txt")
    (stored,) = shop.buffer_files()
    damage(stored)
    path.unlink()
    assert b"1 damaged; try: seamless-store repair" in care(shop, "verify", status=1).out
    assert b"lost: " in care(shop, "repair", status=1).out
    for quick in ((), ("--quick",)):
        told = care(shop, "verify", *quick, status=1).out.decode()
        assert told.startswith(f"lost: {stored.name} (set aside in ")
        assert "1 lost; try: seamless-store repair" in told
    shop.write("a.txt", "x" * 20_000)
    care(shop, "repair")
    assert b"all is well" in care(shop, "verify").out


def test_what_cannot_be_mended_is_said(shop: Shop) -> None:
    shop.write("a.txt", "x" * 20_000)
    shop.good("-c", f"cat a.txt; {MUCH}")
    shop.good("-c", f"{MUCH}; date +%s%N")
    for path in shop.buffer_files():
        path.unlink()
    shop.write("a.txt", "changed")
    ended = care(shop, "repair", status=1)
    lost = [line for line in ended.out.decode().splitlines() if line.startswith("lost: ")]
    assert len(lost) == 2
    assert any("not reproducible" in line for line in lost)


def test_repair_from_another_store(shop: Shop) -> None:
    shop.good(*COUNTED, "-c", MUCH)
    archive = str(shop.top / "all.tar")
    care(shop, "export", archive)
    care(shop, "import", archive, "--store", str(shop.top / "backup"))
    damage(shop.buffer_files()[0])
    told = care(shop, "repair", env={"SEAMLESS_SOURCES": str(shop.top / "backup")}).out
    assert b"from another store" in told
    assert shop.executions == 1


# -- pins, doctor -----------------------------------------------------------------------------
def test_pins_of_unknown_things(shop: Shop) -> None:
    assert "has no buffer" in care(shop, "pin", "ab" * 32, status=1).err
    assert "is not pinned" in care(shop, "unpin", "ab" * 32, status=1).err
    assert "is not pinned" in care(shop, "unpin", "nothing.txt", status=1).err
    assert "no file nothing.txt.CHECKSUM" in care(shop, "pin", "nothing.txt", status=1).err


def test_doctor_finds_and_mends(shop: Shop) -> None:
    shop.good("echo", "1")
    assert b"FAIL" not in care(shop, "doctor").out
    shop.store.chmod(0o755)
    (shop.store / "buffers" / ".new" / "4194305-0").write_bytes(b"half")
    told = care(shop, "doctor").out.decode()
    assert "warn  permissions" in told
    assert "warn  leftovers" in told
    care(shop, "doctor", "--fix")
    assert shop.store.stat().st_mode & 0o777 == 0o700
    told = care(shop, "doctor").out.decode()
    assert "ok    permissions" in told
    assert "ok    leftovers" in told


def test_doctor_says_what_fails(shop: Shop) -> None:
    told = care(shop, "doctor", "--store", "nowhere", status=1).out.decode()
    assert "FAIL  store" in told
    shop.write("file", "no store")
    assert "FAIL  store" in care(shop, "doctor", "--store", "file", status=1).out.decode()
