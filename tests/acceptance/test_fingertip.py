"""Bytes that are gone come back: by fingertip, and for the jobs that need them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from seamless_queue.broker.states import Outcome
from seamless_queue.driver import Database

from .shop import COUNTED, Server, Shop, children, until

LARGE = "seq 20000 > a.txt; true"
SMALL = "seq 5 > a.txt; true"
UNKNOWN = "0123456789abcdef" * 4


def counted(shop: Shop, *words: str) -> None:
    shop.good(*COUNTED, *words)


def checksum_of(shop: Shop, name: str) -> str:
    return shop.read(f"{name}.CHECKSUM").strip()


def forget(shop: Shop, name: str) -> None:
    """Delete the bytes of a file from the store, behind its back."""
    checksum = checksum_of(shop, name)
    (shop.store / "buffers" / checksum[:2] / checksum).unlink(missing_ok=True)
    database = Database(str(shop.store / "seamless.db"))
    with database.transaction() as connection:
        connection.execute("DELETE FROM buffers WHERE checksum = ?", (bytes.fromhex(checksum),))
    database.close()


def damage(shop: Shop, name: str) -> None:
    """Write nonsense over the bytes of a file in the store."""
    checksum = checksum_of(shop, name)
    (shop.store / "buffers" / checksum[:2] / checksum).write_text("nonsense")


def seq(last: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, last + 1))


def fingertip(shop: Shop, name: str) -> bytes:
    ended = shop.call("seamless-fingertip", name)
    assert (ended.status, ended.err) == (0, ""), ended
    return ended.out


# -- what is made again ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "lose", "content"), [(LARGE, forget, seq(20000)), (SMALL, forget, seq(5)), (LARGE, damage, seq(20000))]
)
def test_a_lost_result_comes_back(shop: Shop, text: str, lose: object, content: bytes) -> None:
    counted(shop, "-cp", "a.txt", "-c", text)
    (shop.dir / "a.txt").unlink()
    lose(shop, "a.txt")  # type: ignore[operator]
    assert fingertip(shop, "a.txt.CHECKSUM") == content
    assert fingertip(shop, checksum_of(shop, "a.txt")) == content
    assert shop.executions == 2


@pytest.mark.parametrize("by_queue", [False, True])
def test_a_job_whose_input_is_lost_has_it_made_again(shop: Shop, by_queue: bool) -> None:
    counted(shop, "-cp", "a.txt", "-c", LARGE)
    (shop.dir / "a.txt").unlink()
    forget(shop, "a.txt")
    words = (*COUNTED, "-cp", "b.txt", "-c", "tac a.txt > b.txt")
    if by_queue:
        shop.submit(*words)
        shop.work_off()
    else:
        assert shop.good(*words).err == ""
    assert shop.read("b.txt").splitlines()[:2] == ["20000", "19999"]
    assert shop.executions == 3
    assert not shop.has("a.txt"), "nobody has asked for this file"


def test_meta_variables_and_directories_are_as_they_were(shop: Shop) -> None:
    (shop.dir / "out").mkdir()
    counted(shop, "--metavar", "N=it's 7", "-cp", "out/a.txt", "-c", 'echo "$N" > out/a.txt')
    forget(shop, "out/a.txt")
    assert fingertip(shop, "out/a.txt.CHECKSUM") == b"it's 7\n"
    assert shop.executions == 2


def test_output_goes_to_a_file_whole(shop: Shop) -> None:
    counted(shop, "-cp", "a.txt", "-c", LARGE)
    forget(shop, "a.txt")
    ended = shop.call("seamless-fingertip", "a.txt.CHECKSUM", "--output", "copy ü.txt")
    assert (ended.status, ended.out, ended.err) == (0, b"", "")
    assert (shop.dir / "copy ü.txt").read_bytes() == seq(20000)
    ended = shop.call("seamless-fingertip", "a.txt.CHECKSUM", "--output", "none/x")
    assert (ended.status, ended.lines) == (
        1,
        ["seamless-fingertip: error: cannot write in none: No such file or directory"],
    )


def test_what_nobody_has_made_is_an_error_that_says_what_was_tried(shop: Shop) -> None:
    ended = shop.call("seamless-fingertip", UNKNOWN)
    assert ended.status == 1
    assert len(ended.lines) == 1
    assert UNKNOWN in ended.err
    assert "no job" in ended.err
    shop.write("bad.CHECKSUM", "nonsense\n")
    for name in ("bad.CHECKSUM", "nothing"):
        ended = shop.call("seamless-fingertip", name)
        assert (ended.status, len(ended.lines)) == (1, 1)


# -- scratch --------------------------------------------------------------------------------------
def test_a_scratch_result_is_sidecars_only(shop: Shop) -> None:
    words = ("--scratch", "-cp", "a.txt", "-c", LARGE)
    counted(shop, *words)
    assert not shop.has("a.txt")
    assert shop.buffer_files() == []
    counted(shop, *words)
    assert shop.executions == 1, "nothing needs its bytes"
    assert fingertip(shop, "a.txt.CHECKSUM") == seq(20000)
    assert shop.executions == 2
    assert shop.buffer_files() == [], "and they are given up again"
    counted(shop, *words[1:])
    assert shop.executions == 3
    assert (shop.dir / "a.txt").read_bytes() == seq(20000)
    assert len(shop.buffer_files()) == 1, "now somebody wants it kept"
    counted(shop, *words)
    assert (shop.executions, len(shop.buffer_files())) == (3, 1)


def test_scratch_output_is_shown_each_time(shop: Shop) -> None:
    words = (*COUNTED, "--scratch", "-c", "seq 3; echo warned >&2")
    for times in (1, 2):
        ended = shop.good(*words)
        assert (ended.out, ended.err, shop.executions) == (b"1\n2\n3\n", "warned\n", times)


def test_scratch_upon_scratch(shop: Shop) -> None:
    counted(shop, "--scratch", "-cp", "a.txt", "-c", LARGE)
    counted(shop, "--scratch", "-cp", "b.txt", "-c", "tac a.txt > b.txt")
    assert shop.executions == 3
    last = ("-cp", "c.txt", "-c", "LC_ALL=C sort b.txt > c.txt")
    counted(shop, *last)
    assert shop.executions == 6
    counted(shop, *last)
    assert shop.executions == 6
    counted(shop, "--refresh", *last)
    assert shop.executions == 9
    assert (shop.dir / "c.txt").read_bytes().splitlines() == sorted(seq(20000).splitlines())
    assert len(shop.buffer_files()) == 1


def test_scratch_through_the_queue(shop: Shop) -> None:
    """While it is pending and after it: what follows at once finds the bytes, what comes later has them made again."""
    shop.submit(*COUNTED, "--scratch", "-cp", "a.txt", "-c", LARGE)
    shop.submit(*COUNTED, "--scratch", "-cp", "b.txt", "-c", "tac a.txt > b.txt")
    shop.submit(*COUNTED, "-cp", "c.txt", "-c", "LC_ALL=C sort b.txt > c.txt")
    shop.work_off()
    assert shop.executions == 3
    assert {name for name in shop.names() if name.endswith("txt")} == {"c.txt"}
    assert len(shop.buffer_files()) == 1, "the server has given up the others when it ended"
    shop.submit(*COUNTED, "-cp", "d.txt", "-c", "head -n 1 b.txt > d.txt")
    shop.work_off()
    assert shop.executions == 6
    assert shop.read("d.txt") == "20000\n"
    assert len(shop.buffer_files()) == 1


def test_what_could_not_be_made_again_stays(shop: Shop) -> None:
    """A scratch result that is somebody's input, itself or over corners."""
    shop.write("x.txt", seq(20000))
    counted(shop, "--scratch", "-g1", "-cp", "y.txt", "-c", "cp x.txt y.txt; true")
    assert len(shop.buffer_files()) == 1
    counted(shop, "--scratch", "-cp", "coded.txt", "-c", "base64 x.txt > coded.txt")
    counted(shop, "--scratch", "-cp", "z.txt", "-c", "base64 -d coded.txt > z.txt")
    (shop.dir / "x.txt").unlink()
    for name in ("x.txt", "y.txt", "z.txt"):
        (shop.dir / name).unlink(missing_ok=True)
    assert fingertip(shop, "z.txt.CHECKSUM") == seq(20000)
    assert fingertip(shop, "coded.txt.CHECKSUM")[:4] == b"MQoy"


def test_a_result_that_two_jobs_give_stays_while_one_wants_it_kept(shop: Shop) -> None:
    counted(shop, "-cp", "kept.txt", "-c", "seq 20000 > kept.txt; true")
    counted(shop, "--scratch", "-cp", "a.txt", "-c", LARGE)
    assert len(shop.buffer_files()) == 1
    assert fingertip(shop, "a.txt.CHECKSUM") == seq(20000)
    assert shop.executions == 2


def test_a_death_while_bytes_are_given_up(shop: Shop) -> None:
    words = (*COUNTED, "--scratch", "-cp", "a.txt", "-c", LARGE)
    assert shop.run(*words, env={"SEAMLESS_CRASH_AT": "removed"}).status == -signal.SIGKILL
    counted(shop, "-c", "true")
    assert shop.rows("SELECT count(*) FROM jobs WHERE scratch = 1 AND evicted IS NOT NULL") == [(1,)]
    assert fingertip(shop, "a.txt.CHECKSUM") == seq(20000)


# -- what is not the same any more ------------------------------------------------------------------
def test_an_irreproducible_recomputation_is_told_and_recorded(shop: Shop) -> None:
    (shop.top / "changing").write_text("one\n")
    shop.good("--scratch", "-cp", "a.txt", "-c", f"eval cat {shop.top}/changin? > a.txt; true")
    before = checksum_of(shop, "a.txt")
    (shop.top / "changing").write_text("two\n")
    now = shop.good("-c", "echo two").out
    assert now == b"two\n"
    ended = shop.call("seamless-fingertip", "a.txt.CHECKSUM")
    assert (ended.status, ended.out, len(ended.lines)) == (1, b"", 1)
    assert "not reproducible" in ended.err
    made = {row[0] for row in shop.rows("SELECT lower(hex(checksum)) FROM makers")}
    assert before in ended.err
    assert any(other in ended.err for other in made - {before})
    assert shop.rows(f"SELECT count(*) FROM attempts WHERE outcome = {Outcome.DIFFERED.value}") == [(1,)]
    ended = shop.run("-cp", "b.txt", "-c", "cat a.txt > b.txt")
    assert (ended.status, len(ended.lines)) == (1, 1)
    assert before in ended.err


def test_a_maker_that_fails_is_told(shop: Shop) -> None:
    (shop.top / "there").write_text("one\n")
    shop.good(
        "--scratch",
        "-cp",
        "a.txt",
        "-c",
        f"eval cat {shop.top}/ther? > a.txt; true",
    )
    (shop.top / "there").unlink()
    ended = shop.run("-cp", "b.txt", "-c", "cat a.txt > b.txt")
    assert (ended.status, len(ended.lines)) == (1, 1)
    assert "which failed" in ended.err


# -- deaths and cancellations -------------------------------------------------------------------------
def _worker_of(server: Server) -> int:
    """The worker that runs a command."""
    return until(lambda: next((pid for pid in server.workers() if children(pid)), None), "a worker to run something")  # type: ignore[no-any-return]


def test_the_death_of_the_worker_that_makes_it_again(shop: Shop) -> None:
    shop.let("first")
    held = 'touch "$GATES/ran"; until [ -e "$GATES/first" ]; do sleep 0.02; done'
    shop.good(*COUNTED, "--prologue", held, "--scratch", "-cp", "a.txt", "-c", LARGE)
    (shop.gates / "first").unlink()
    (shop.gates / "ran").unlink()
    server = shop.server()
    shop.submit("-cp", "b.txt", "-c", "tac a.txt > b.txt")
    until((shop.gates / "ran").exists, "the maker to run again")
    worker = _worker_of(server)
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in server.workers(), "its death to be seen")
    shop.let("first")
    shop.finish()
    assert shop.read("b.txt").startswith("20000\n")


def test_ctrl_c_while_something_is_made_again(shop: Shop) -> None:
    shop.let("first")
    held = 'touch "$GATES/ran"; until [ -e "$GATES/first" ]; do sleep 0.02; done'
    shop.good("--prologue", held, "--scratch", "-cp", "a.txt", "-c", LARGE)
    (shop.gates / "first").unlink()
    (shop.gates / "ran").unlink()
    run = shop.start("seamless-run", "-cp", "b.txt", "-c", "tac a.txt > b.txt")
    until((shop.gates / "ran").exists, "the maker to run again")
    run.signal(signal.SIGINT)
    assert run.wait().status == 130
    shop.everyone_gone()
    assert shop.request_states()[1:] == ["canceled", "canceled"]
    shop.let("first")
    assert shop.good("-cp", "b.txt", "-c", "tac a.txt > b.txt").err == ""
    assert shop.read("b.txt").startswith("20000\n")


def test_a_time_limit_is_the_commands_own(shop: Shop) -> None:
    """What an input takes to be made again does not count."""
    shop.let("slow")
    held = 'touch "$GATES/ran"; until [ -e "$GATES/slow" ]; do sleep 0.02; done; [ ! -e "$GATES/sleep" ] || sleep 1.5'
    shop.good("--prologue", held, "--scratch", "-cp", "a.txt", "-c", LARGE)
    shop.let("sleep")
    shop.submit("--timeout", "1", "-cp", "b.txt", "-c", "tac a.txt > b.txt")
    shop.work_off()
    assert shop.read("b.txt").startswith("20000\n")


def test_two_jobs_that_lack_the_same_input(shop: Shop) -> None:
    counted(shop, "--scratch", "-cp", "a.txt", "-c", LARGE)
    for name in ("b", "c", "d", "e"):
        shop.submit("-cp", f"{name}.txt", "-c", f"cat a.txt > {name}.txt; echo {name} >> {name}.txt")
    shop.work_off()
    assert shop.executions <= 5
    for name in ("b", "c", "d", "e"):
        assert shop.read(f"{name}.txt").endswith(f"20000\n{name}\n")


def test_help_and_version(shop: Shop) -> None:
    for command in ("seamless-fingertip", "seamless-run-transformation", "seamless-cancel"):
        assert b"Examples:" in shop.call(command, "--help").out
        assert shop.call(command, "--version").status == 0
        assert shop.call(command).status == 2
    assert Path(shop.dir).is_dir()
