"""One execution, whoever asks; and what becomes of it when one of them is killed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from .shop import COUNTED, PATIENCE_SECONDS, Shop, state_of, until

WORDS = (*COUNTED, "-c", "echo result")


def alive(shop: Shop, text: bytes) -> list[int]:
    """Processes of this test whose command line holds a text."""
    return [pid for pid, line in shop.processes().items() if text in line]


def test_two_shells_and_the_queue_at_once(shop: Shop) -> None:
    words = (*shop.held("gate"), *WORDS)
    server = shop.server()
    shells = [shop.start("seamless-run", *words) for _ in range(2)]
    shop.submit(*words)
    shop.runs("gate")
    shop.submit(*words)
    until(lambda: len(shop.rows("SELECT id FROM requests")) == 4, "all four requests")
    shop.let("gate")
    for shell in shells:
        ended = shell.wait()
        assert (ended.status, ended.out) == (0, b"result\n")
    shop.finish()
    server.wait()
    assert shop.executions == 1
    assert shop.good(*words).out == b"result\n"
    assert shop.executions == 1


def test_waiters_share_a_failure(shop: Shop) -> None:
    words = (*shop.held("gate"), *COUNTED, "-c", "echo bad >&2; exit 9")
    shells = [shop.start("seamless-run", *words) for _ in range(2)]
    shop.runs("gate")
    until(lambda: len(shop.rows("SELECT id FROM requests")) == 2, "both requests")
    shop.let("gate")
    for shell in shells:
        ended = shell.wait()
        assert ended.status == 9
        assert "bad" in ended.err
    assert shop.executions == 1


def test_different_directories_share_the_run(shop: Shop) -> None:
    for name in ("one", "two"):
        shop.write(f"{name}/in.txt", "same\n")
        assert shop.good(*COUNTED, "-c", "cat in.txt > out.txt", cwd=shop.dir / name).status == 0
    assert shop.executions == 1
    assert shop.read("one/out.txt") == shop.read("two/out.txt") == "same\n"


def test_inline_killed_while_the_queue_wants_the_job(shop: Shop) -> None:
    """The job moves to the queue and is done there, after the old command was seen dead."""
    words = (*shop.held("gate"), *COUNTED, "-c", "echo result > x.txt")
    shell = shop.start("seamless-run", *words)
    shop.runs("gate")
    shop.submit(*words)
    shell.kill()
    server = shop.server()
    shop.let("gate")
    shop.finish()
    server.wait()
    assert shop.read("x.txt") == "result\n"
    assert shop.executions <= 2


def test_inline_killed_while_another_waits(shop: Shop) -> None:
    """Without any server the one who waits takes over."""
    words = (*shop.held("gate"), *COUNTED, "-c", "echo result")
    first = shop.start("seamless-run", *words)
    shop.runs("gate")
    second = shop.start("seamless-run", *words)
    second.says("another process is running the same command")
    first.kill()
    shop.let("gate")
    ended = second.wait()
    assert (ended.status, ended.out) == (0, b"result\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_inline_is_told_to_stop(shop: Shop, number: signal.Signals) -> None:
    text = 'sleep 12345 & touch "$GATES/gate.runs"; sleep 12346'
    shell = shop.start("seamless-run", "--prologue", text, "-c", "echo 1 > x.txt")
    shop.runs("gate")
    assert shop.has("x.txt.FUTURE")
    shell.signal(number)
    ended = shell.wait()
    assert ended.status == 130
    assert ended.lines == ["seamless-run: error: interrupted"]
    assert alive(shop, b"sleep") == []
    assert shop.names() == set()
    assert shop.store_leftovers() == []


def test_inline_that_waits_is_told_to_stop(shop: Shop) -> None:
    """Its going away takes nothing from the others."""
    words = (*shop.held("gate"), *WORDS)
    shop.server()
    shop.submit(*words)
    shop.runs("gate")
    shell = shop.start("seamless-run", *words)
    shell.says("another process is running")
    shell.signal(signal.SIGTERM)
    assert shell.wait().status == 130
    shop.let("gate")
    shop.finish()
    assert shop.good(*words).out == b"result\n"
    assert shop.executions == 1


def test_ctrl_c_on_a_terminal(shop: Shop) -> None:
    """On a real terminal the whole foreground group gets the signal at once."""
    ours, theirs = pty.openpty()
    text = "seamless-run --prologue 'touch \"$GATES/gate.runs\"' -c 'sleep 12345; true > x.txt'; echo status $?"
    words = ["setsid", "--ctty", "--wait", "bash", "-c", f"trap : INT; {text}"]
    process = subprocess.Popen(words, **shop.options(stdin=theirs, stdout=theirs, stderr=theirs))
    os.close(theirs)
    try:
        shop.runs("gate")
        os.write(ours, b"\x03")
        said = b""
        while b"status" not in said:
            said += os.read(ours, 4096)
        assert b"status 130" in said
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)
        os.close(ours)
    assert alive(shop, b"sleep") == []
    assert shop.names() == set()


def test_stopped_and_continued(shop: Shop) -> None:
    """As by Ctrl-Z and fg; SIGTSTP itself stops nothing where there is no terminal."""
    shell = shop.start("seamless-run", *shop.held("gate"), "-c", "echo 1 > x.txt")
    shop.runs("gate")
    shell.signal(signal.SIGSTOP)
    until(lambda: state_of(shell.pid) == "T", "the stop")
    shop.let("gate")
    shell.signal(signal.SIGCONT)
    assert shell.wait().status == 0
    assert shop.read("x.txt") == "1\n"


def test_timeout_kills_all_that_was_started(shop: Shop) -> None:
    text = "sleep 12345 & sleep 12346 & wait; true > x.txt"
    ended = shop.run("--timeout", "0.3", "-c", text)
    assert ended.status == 124
    assert "timed out after 0.3 s" in ended.err
    assert shop.names() == set()
    shop.submit("--timeout", "0.2", "-c", text)
    assert "timed out after 0.2 s" in shop.work_off(status=1).err
    assert alive(shop, b"sleep") == []


def test_background_processes_do_not_outlive_their_command(shop: Shop) -> None:
    """Nor those that tried to get away."""
    away = "setsid sleep 12345 > /dev/null 2>&1 < /dev/null & sleep 12346 & echo done > x.txt"
    shop.submit("-c", away)
    shop.work_off()
    assert shop.read("x.txt") == "done\n"
    assert alive(shop, b"sleep") == []
    assert Path(shop.dir / "x.txt.CHECKSUM").exists()
