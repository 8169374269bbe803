"""Progress on a terminal: there when something takes long, gone afterwards, and never anywhere else."""

from __future__ import annotations

import re

import pytest

from .shop import Shop, until
from .terminal import Terminal

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|38|9[0-7])(?:;\d+)*m")
CURSOR_OFF, CURSOR_ON = "\x1b[?25l", "\x1b[?25h"
ERASE_LINE = "\x1b[2K"


@pytest.fixture
def waited_for(shop: Shop) -> Shop:
    """A server runs a job that does not end before it is let."""
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    shop.server("--workers", "1")
    shop.runs("gate")
    return shop


def test_that_no_server_runs_is_said_once_to_several_commands(shop: Shop) -> None:
    """One may be starting meanwhile."""
    line = "seamless-run --qsubmit -c 'echo 1 > a'; seamless-run --qsubmit -c 'cat a > b'; echo done"
    with Terminal(shop, "bash", "-c", line) as terminal:
        terminal.shows("done")
        assert terminal.text.count("no queue server runs") == 1
    shop.work_off()


def test_what_is_waited_for(waited_for: Shop) -> None:
    with Terminal(waited_for, "seamless-run", "cat", "x.txt") as terminal:
        terminal.shows("request 1 will write it")
        terminal.shows("waits for request 1, running for 0:0")
        assert COLOUR.search(terminal.raw)
        waited_for.let("gate")
        assert terminal.wait() == 0
    # The line was taken away before the output came.
    assert terminal.raw.endswith(f"{ERASE_LINE}1\r\n")
    assert terminal.raw.count(CURSOR_ON) == terminal.raw.count(CURSOR_OFF) == 1


def test_an_interruption_leaves_nothing_on_the_screen(waited_for: Shop) -> None:
    with Terminal(waited_for, "seamless-run", "cat", "x.txt", columns=40, NO_COLOR="1") as terminal:
        terminal.shows("waits for request 1, running for 0:0")
        terminal.type("\x03")
        assert terminal.wait() == 130
    last = terminal.raw.rpartition(ERASE_LINE)[2]
    assert last == "seamless-run: error: interrupted\r\n"
    assert terminal.raw.count(CURSOR_ON) == 1
    assert not COLOUR.search(terminal.raw)
    waited_for.let("gate")


@pytest.mark.parametrize(("words", "environment"), [(["-q"], {}), ([], {"TERM": "dumb"})])
def test_nothing_is_drawn(waited_for: Shop, words: list[str], environment: dict[str, str]) -> None:
    with Terminal(waited_for, "seamless-run", *words, "cat", "x.txt", **environment) as terminal:
        until(lambda: len(waited_for.rows("SELECT id FROM requests")) == 2, "the request")
        with Terminal(waited_for, "seamless-run", "cat", "x.txt") as other:
            other.shows("waits for request 1, running for 0:0")
            waited_for.let("gate")
            assert (terminal.wait(), other.wait()) == (0, 0)
    assert "\x1b" not in terminal.raw


def test_a_batch(shop: Shop) -> None:
    shop.write("commands", "".join(f"echo {number}\n" for number in range(8000)))
    with Terminal(shop, "seamless-run", "--qsubmit", "--batch", "commands") as terminal:
        terminal.shows("/8000")
        terminal.type("\x03")
        assert terminal.wait() == 130
    assert terminal.raw.rpartition(ERASE_LINE)[2] == "seamless-run: error: interrupted\r\n"
    # What was read until then is submitted.
    count = shop.rows("SELECT COUNT(*) FROM requests")[0][0]
    assert 0 < count < 8000


def test_the_end_of_a_queue(waited_for: Shop) -> None:
    with Terminal(waited_for, "seamless-queue-finish", "--notify") as terminal:
        terminal.shows("0/1")
        waited_for.let("gate")
        assert terminal.wait() == 0
    # The last state stays.
    assert "1/1" in terminal.text
    assert "\a" in terminal.raw


def test_notification(shop: Shop) -> None:
    tool = shop.top / "bin" / "notify-send"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "$@" >> "$GATES/notified"\n')
    tool.chmod(0o755)
    environment = {"PATH": f"{tool.parent}:{shop.env['PATH']}", "DISPLAY": ":7"}
    for text, status in (("echo hi", 0), ("exit 3", 3)):
        ended = shop.run("--notify", "-c", text, env=environment)
        assert (ended.status, "\a" in ended.err) == (status, False)
    notified = shop.gates / "notified"
    until(lambda: notified.exists() and len(notified.read_text().splitlines()) == 2, "the notifications")
    assert sorted(line.split(" -- ")[1] for line in notified.read_text().splitlines()) == [
        "done echo hi",
        "failed (3) exit 3",
    ]
    # No desktop, no program, no terminal: nothing.
    assert shop.good("--notify", "echo", "hi").err == ""
    assert shop.good("--notify", "echo", "hi", env={"DISPLAY": ":7"}).err == ""
    assert shop.run("--notify", "--qsubmit", "echo", "hi").status == 2
