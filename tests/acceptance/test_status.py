"""`seamless-status`: what runs, what waits, what failed, once and live."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import termios
from typing import Any

import pytest

from .script import run_script
from .shop import BIN, Shop
from .terminal import Terminal

STATUS = str(BIN / "seamless-status")
LEAVE_SCREEN, SHOW_CURSOR = "\x1b[?1049l", "\x1b[?25h"


FAILING = "echo no such thing >&2; test -e $GATES/fine > x.txt"


def status(shop: Shop, *words: str | bytes, code: int = 0) -> str:
    ended = shop.call("seamless-status", *words)
    assert ended.status == code, ended
    assert ended.err == ""
    return ended.out.decode()


def fields(shop: Shop, *words: str | bytes) -> dict[str, Any]:
    found = json.loads(status(shop, *words, "--json"))
    assert found["format"] == 1
    assert isinstance(found, dict)
    return found


def wrong(shop: Shop, *words: str, code: int = 1) -> str:
    """The one line that a mistake costs."""
    ended = shop.call("seamless-status", *words)
    assert (ended.status, ended.out) == (code, b""), ended
    assert len(ended.lines) == 1
    return ended.lines[0]


def test_before_there_is_a_store(bare_shop: Shop) -> None:
    assert "nothing has been run" in status(bare_shop)
    assert status(bare_shop, "--failed").startswith("there is no store")
    found = fields(bare_shop)
    assert set(found["counts"].values()) == {0}
    assert found["running"] == []
    assert "no store" in wrong(bare_shop, "12")
    assert not bare_shop.store.exists()


def test_an_empty_store(shop: Shop) -> None:
    text = status(shop)
    assert "no jobs yet" in text
    assert "nothing left to do" in text
    assert status(shop, "--running", "--waiting") == "nothing is running or ready or waiting\n"
    assert status(shop, "--graph") == "nothing is waiting, running or failed\n"


def test_what_runs_what_waits_and_for_what(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "--project", "yeast:a", "-c", "echo 1 > x.txt")
    shop.submit("--project", "fly", "-c", "sort x.txt > y.txt")
    server = shop.server("--workers", "1")
    shop.runs("gate")
    text = status(shop, "--once")
    assert "1 waiting, 1 running" in text
    assert "1 of 1 workers busy" in text
    assert "timeline" in status(shop, "--html", "-", "--stage", "one").lower()
    assert "only       project worm" in (nothing := status(shop, "--once", "--project", "worm"))
    assert "requests   no such ones" in nothing
    found = fields(shop)
    assert (found["counts"]["running"], found["counts"]["waiting"]) == (1, 1)
    assert [one["request"] for one in found["running"]] == [1]
    assert found["workers"][0]["request"] == 1
    assert found["servers"][0]["pid"] == server.pid
    assert found["waiting"][0]["waits_for"] == [
        {"path": str(shop.dir / "x.txt"), "request": 1, "command": "echo 1 > x.txt"}
    ]
    assert "for x.txt from #1" in status(shop, "--waiting")
    assert [one["request"] for one in fields(shop, "--running", "--project", "yeast")["running"]] == [1]
    assert fields(shop, "--running", "--project", "fly")["running"] == []
    assert status(shop, "--graph").splitlines() == [
        "#2 waiting: sort x.txt > y.txt",
        "  needs x.txt of #1 running: echo 1 > x.txt",
    ]
    assert status(shop, "x.txt", "--graph") == status(shop, "--graph")
    assert 'r1 -> r2 [label="x.txt"];' in status(shop, "--graph=dot")
    assert "the formats of a graph are tree and dot" in shop.call("seamless-status", "--graph=svg").err
    assert fields(shop, "--graph")["needs"] == [{"request": 2, "from": 1, "path": str(shop.dir / "x.txt")}]
    upstream = fields(shop, "x.txt")
    assert (upstream["state"], upstream["needed_by"], upstream["outputs"][0]["pending"]) == ("running", [2], True)
    assert fields(shop, "2")["why"] == "waits for 1 of its inputs"
    shop.let("gate")
    shop.finish()
    assert server.wait().status == 0
    assert fields(shop, "y.txt")["state"] == "done"


def test_all_views_agree_about_a_killed_command(shop: Shop) -> None:
    command = shop.start("seamless-run", *shop.held("gate"), "-c", "echo 1 > x.txt")
    shop.runs("gate")
    assert fields(shop, "1")["lost"] is False
    command.kill()
    command.wait()
    told = status(shop, "--running"), status(shop, "1"), shop.call("seamless-why", "1").out.decode()
    assert all("has died; the next command that runs something, or a server, takes it back" in one for one in told)
    assert (fields(shop, "1")["lost"], "It waits:" in told[2], "running since" in told[2]) == (True, True, False)
    shop.good("-c", "echo 2")
    assert fields(shop, "1")["state"] == "canceled"
    shop.everyone_gone()


def test_what_was_asked_for_again_has_not_started_before_that(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    shop.submit("-c", "cat a.txt > x.txt; exit 3")
    shop.work_off(status=1)
    assert "started" in status(shop, "1")
    assert shop.call("seamless-queue", "retry", "1").status == 0
    assert fields(shop, "2")["started"] is None
    assert "started" not in status(shop, "2")
    assert fields(shop, "--waiting")["ready"][0]["started"] is None
    shop.work_off(status=1)
    found = fields(shop, "2")
    assert found["started"] >= found["created"]


def test_a_dead_server_leaves_no_running_jobs_behind(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    server = shop.server("--workers", "1")
    shop.runs("gate")
    server.kill()
    shop.everyone_gone()
    assert [one["lost"] for one in fields(shop, "--running")["running"]] == [True]
    assert "its process has died" in status(shop)
    assert fields(shop)["workers"] == []
    shop.let("gate")
    shop.work_off()
    assert fields(shop, "x.txt")["state"] == "done"


def test_hits_and_what_they_saved(shop: Shop) -> None:
    for _ in range(3):
        shop.good("-c", "sleep 0.05; echo 1")
    found = fields(shop)
    assert found["counts"]["done"] == 3
    assert found["hits"]["count"] == 2
    assert found["hits"]["saved_seconds"] >= 0.1
    assert found["ended"] == {"last_minute": 1, "last_10_minutes": 1}
    assert fields(shop, "2")["why"] == "was known: no attempt of its own"
    # What was asked to run again was not answered by the store.
    shop.good("--refresh", "-c", "sleep 0.05; echo 1")
    assert fields(shop)["hits"]["count"] == 2


def test_failures_until_they_are_made_good(shop: Shop) -> None:
    shop.submit("-c", FAILING)
    shop.submit("-c", "sort x.txt > y.txt")
    shop.work_off(status=1)
    (failed,) = fields(shop, "--failed")["failed"]
    assert (failed["request"], failed["exit_code"], failed["last_line"]) == (1, 1, "no such thing")
    assert "no such thing" in status(shop, "--failed")
    assert fields(shop)["counts"]["failed"] == 2
    assert "(it never came)" in status(shop, "2")
    job = fields(shop, "1")
    assert [one["outcome"] for one in job["attempts"]] == ["failed"]
    assert fields(shop, failed["job"][:8])["request"] == 1
    shop.submit("-c", FAILING)
    shop.work_off(status=1)
    assert [one["request"] for one in fields(shop, "--failed")["failed"]] == [3]
    shop.let("fine")
    shop.submit("-c", FAILING)
    assert fields(shop, "4")["why"] == "no server runs: start one with seamless-queue"
    shop.work_off()
    assert fields(shop, "--failed")["failed"] == []
    assert status(shop, "--failed") == "nothing is failed\n"


def test_a_failure_that_says_nothing(shop: Shop) -> None:
    assert shop.run("false").status == 1
    (failed,) = fields(shop, "--failed")["failed"]
    assert (failed["exit_code"], failed["last_line"]) == (1, None)
    assert "exit code 1" in status(shop)


def test_a_traceback_is_told_of_one_job_only(shop: Shop) -> None:
    """Lists have its first line, however deep it is; the job has all of it, line by line."""
    text = """
seamless.config.select_persistent(True)
seamless.config.select_execution("queue")
@delayed
def fails(*numbers):
    if numbers:
        raise ValueError("no such number\\nat all")
fails(*range(5000)).start()
"""
    run_script(shop, text)
    ended = shop.work_off(status=1)
    (line,) = (line for line in status(shop, "--failed").splitlines() if "#1 " in line)
    assert line.split("  ", 2)[2].split("  ")[-2:] == [
        "ValueError: no such number (line 3 of fails)",
        "fails(*numbers: 5,000 arguments)",
    ]
    assert "Traceback" not in status(shop, "--once") + ended.err
    said = status(shop, "1").splitlines()
    assert said[1] == "  why         ValueError: no such number (line 3 of fails)"
    assert said[2] == "              Traceback (most recent call last):"
    assert said[4] == '                  raise ValueError("no such number\\nat all")'
    assert "Traceback" in fields(shop, "1")["error"]


def test_names_of_any_kind(shop: Shop) -> None:
    shop.good(b"-c", b"echo 1 > 'caf\xe9 \x1b[2J.txt'")
    text = status(shop, b"caf\xe9 \x1b[2J.txt")
    assert "\x1b" not in text
    assert "caf\\xe9" in fields(shop, "1")["outputs"][0]["path"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nonsense",), "is no job here"),
        (("999",), "is no job here"),
        (("abcd",), "is no job here"),
        (("",), "is no job here"),
    ],
)
def test_unknown_jobs(shop: Shop, words: tuple[str, ...], says: str) -> None:
    assert says in wrong(shop, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("--since", "yesterday"),
        ("--limit", "-1"),
        ("--log",),
        ("--follow", "1"),
        ("--reproduce", "d"),
        ("1", "--failed"),
        ("1", "--log", "--json"),
        ("1", "--graph=png"),
        ("1", "2"),
    ],
)
def test_wrong_command_lines(shop: Shop, words: tuple[str, ...]) -> None:
    assert "error: " in wrong(shop, *words, code=2)


def test_limits(shop: Shop) -> None:
    shop.write("batch", "".join(f"echo {n} > o{n}.txt\n" for n in range(30)))
    shop.submit("-q", "--batch", "batch")
    assert len(fields(shop)["ready"]) == 20
    assert len(fields(shop, "--limit", "3")["ready"]) == 3
    assert len(fields(shop, "--limit", "0", "--waiting")["ready"]) == 30
    assert "… and 27 more" in status(shop, "--limit", "3")
    assert shop.bash("set -o pipefail; seamless-status --waiting --limit 0 | head -1").status in (0, 141)
    shop.work_off()


# -- live -----------------------------------------------------------------------------------------
def resize(terminal: Terminal, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def settings_of(terminal: Terminal) -> list[Any]:
    return termios.tcgetattr(terminal._master)


def test_the_dashboard(shop: Shop) -> None:
    """It starts, shows, obeys, and leaves the terminal as it was."""
    shop.submit(*shop.held("gate"), "-c", "echo this is said; cat > /dev/null; touch x.txt; echo 1 > y.txt")
    shop.submit("-c", "sort y.txt > z.txt")
    server = shop.server("--workers", "1")
    shop.runs("gate")
    with Terminal(shop, STATUS) as terminal:
        before = settings_of(terminal)
        terminal.shows("running 1")
        terminal.shows("for y.txt from #1")
        terminal.type("j")
        terminal.shows(">#1")
        terminal.type("\r")
        terminal.shows("#1 running: echo this is said")
        terminal.type("q")
        terminal.shows("Seamless Queue")
        terminal.type("?")
        terminal.shows("any key: back")
        terminal.type("x")
        terminal.shows("waiting 1")
        resize(terminal, 60, 20)
        terminal.shows("? help")
        terminal.type("/")
        terminal.shows("only commands with: _")
        terminal.type("sort\r")
        terminal.shows("only text sort")
        terminal.type("jc")
        terminal.shows("cancel #2? y/n")
        terminal.type("y")
        terminal.shows("canceled #2")
        terminal.type("q")
        assert terminal.wait() == 0
        assert LEAVE_SCREEN in terminal.raw
        assert SHOW_CURSOR in terminal.raw[-len(LEAVE_SCREEN + SHOW_CURSOR) :]
        assert settings_of(terminal) == before
    assert shop.request_states() == ["queued", "canceled"]
    shop.let("gate")
    shop.finish()
    assert server.wait().status == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 130), (signal.SIGHUP, 130), (signal.SIGINT, 0)])
def test_whatever_ends_the_dashboard_the_terminal_is_whole(shop: Shop, number: signal.Signals, status: int) -> None:
    with Terminal(shop, STATUS) as terminal:
        before = settings_of(terminal)
        terminal.shows("no jobs yet")
        os.kill(terminal.process.pid, number)
        assert terminal.wait() == status
        assert ("interrupted" in terminal.text) == bool(status)
        assert LEAVE_SCREEN in terminal.raw
        assert settings_of(terminal) == before


def test_ctrl_c_leaves_the_dashboard_as_q_does(shop: Shop) -> None:
    with Terminal(shop, STATUS) as terminal:
        terminal.shows("no jobs yet")
        terminal.type("\x03")
        assert terminal.wait() == 0
        assert terminal.text.count("error") == 0


def test_a_terminal_without_tricks_gets_text(shop: Shop) -> None:
    with Terminal(shop, STATUS, TERM="dumb") as terminal:
        assert terminal.wait() == 0
        assert "no jobs yet" in terminal.text
        assert "\x1b" not in terminal.raw


def test_without_colour(shop: Shop) -> None:
    with Terminal(shop, STATUS, NO_COLOR="1") as terminal:
        terminal.shows("no jobs yet")
        terminal.type("q")
        assert terminal.wait() == 0
        assert "\x1b[3" not in terminal.raw.replace("\x1b[39m", "")
