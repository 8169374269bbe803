"""Who minds the channel while Python code runs: awake when there is something to mind, asleep when there is not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from desk import wait_until
from scripted import Caller, calling

from seamless_queue import minder
from seamless_queue.broker.states import Outcome
from seamless_queue.minder import Minder
from seamless_queue.settings import Settings


class Minded:
    """A worker that notes how often it was minded; a byte in the pipe is its parent's word."""

    def __init__(self) -> None:
        self.interval: float | None = None
        self.minded = 0
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)

    def fileno(self) -> int:
        return self.reader

    def mind(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.reader, 100)
        self.minded += 1

    def speak(self) -> None:
        os.write(self._writer, b"!")

    def close(self) -> None:
        for end in (self.reader, self._writer):
            os.close(end)


@pytest.fixture
def minded() -> Iterator[Minded]:
    made = Minded()
    yield made
    # The minder is a daemon thread for good: it may have a last look.
    made.mind = lambda: None  # type: ignore[method-assign]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minder, "BRISK_SECONDS", 0.002)
    monkeypatch.setattr(minder, "CALM_SECONDS", 0.01)
    monkeypatch.setattr(minder, "AWAKE_SECONDS", 0.05)


def rests(one: Minder) -> None:
    """Wait until it is asleep."""
    wait_until(lambda: one._asleep, "the minder to fall asleep")


@pytest.mark.usefixtures("hasty")
def test_a_minder_that_was_never_needed_is_no_thread(minded: Minded) -> None:
    one = Minder(minded)
    one.set_duty(False)
    assert one._thread is None
    one.set_duty(True)
    assert one._thread is not None
    assert one._thread.daemon
    one.set_duty(False)


@pytest.mark.usefixtures("hasty")
def test_it_looks_around_by_itself_and_at_once_when_the_parent_speaks(
    minded: Minded, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Minder(minded)
    one.set_duty(True)
    wait_until(lambda: minded.minded >= 3, "three looks")
    # So long that only the parent's word can be the reason for a look.
    monkeypatch.setattr(minder, "CALM_SECONDS", 3600.0)
    wait_until(stillness(lambda: minded.minded, 0.1), "the last short pause to end")
    seen = minded.minded
    minded.speak()
    wait_until(lambda: minded.minded > seen, "a look")
    one.set_duty(False)
    minded.speak()


@pytest.mark.usefixtures("hasty")
def test_it_sleeps_when_there_is_nothing_to_mind(minded: Minded) -> None:
    one = Minder(minded)
    one.set_duty(True)
    wait_until(lambda: minded.minded, "a look")
    one.set_duty(False)
    rests(one)
    assert one._thread is not None
    thread, looks = [str(one._thread.native_id)], minded.minded
    wait_until(stillness(lambda: switches(os.getpid(), thread), 0.2), "the end of its wake-ups")
    minded.speak()
    wait_until(stillness(lambda: switches(os.getpid(), thread), 0.2), "no more wake-ups")
    assert minded.minded == looks
    assert one._asleep


def switches(pid: int, threads: Sequence[str] | None = None) -> list[str]:
    """How often threads of a process have been woken."""
    place = Path(f"/proc/{pid}/task")
    statuses = [(place / thread / "status").read_text() for thread in threads or sorted(os.listdir(place))]
    return [line for text in statuses for line in text.splitlines() if line.startswith("voluntary")]


def stillness(look: Callable[[], object], seconds: float) -> Callable[[], bool]:
    """Whether what one sees has not changed for so long."""
    seen, since = look(), time.monotonic()

    def is_still() -> bool:
        nonlocal seen, since
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= seconds

    return is_still


@pytest.mark.usefixtures("hasty")
def test_it_is_woken_by_its_duty(minded: Minded) -> None:
    one = Minder(minded)
    for _ in range(5):
        one.set_duty(True)
        seen = minded.minded
        wait_until(lambda: minded.minded > seen, "a look")  # noqa: B023
        one.set_duty(False)
        rests(one)


@pytest.mark.usefixtures("hasty")
def test_a_duty_that_begins_while_it_falls_asleep_is_not_missed(
    minded: Minded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins it sees nobody asleep yet, and wakes nobody."""
    one = Minder(minded)
    clear = one._wake.clear
    begun: list[bool] = []

    def begin_meanwhile() -> None:
        clear()
        if not begun:
            begun.append(True)
            one.on_duty = True

    monkeypatch.setattr(one._wake, "clear", begin_meanwhile)
    one.set_duty(True)
    wait_until(lambda: minded.minded, "a look")
    one.set_duty(False)
    wait_until(lambda: begun, "it to fall asleep")
    seen = minded.minded
    wait_until(lambda: minded.minded > seen, "a look")
    one.set_duty(False)


@pytest.mark.usefixtures("hasty")
def test_one_short_duty_after_another_wakes_nobody(minded: Minded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minder, "AWAKE_SECONDS", 3600.0)
    one = Minder(minded)
    woken: list[bool] = []
    monkeypatch.setattr(one._wake, "set", lambda: woken.append(True))
    for _ in range(1000):
        one.set_duty(True)
        one.set_duty(False)
    assert woken == []
    assert threading.active_count() < 20
    monkeypatch.undo()


@pytest.fixture
def caller(settings: Settings, tmp_path: Path) -> Iterator[Caller]:
    with calling(settings, tmp_path) as opened:
        opened.session.spawn(1)
        yield opened


@pytest.mark.parametrize("prepare", [None, "after others", "after a sleep"])
def test_a_time_limit_ends_python_code(caller: Caller, prepare: str | None) -> None:
    """Also of a worker whose minder has fallen asleep, or dozes."""
    if prepare == "after others":
        for ticket in caller.submit(*(caller.script("echo", f"job{number}") for number in range(5))):
            caller.result(ticket)
    elif prepare == "after a sleep":
        caller.result(caller.start("echo", "first"))
        pid = caller.begun("first")
        wait_until(stillness(lambda: switches(pid), 0.3), "the minder to fall asleep")
    (ticket,) = caller.submit(caller.script("wait"), timeout=0.1)
    assert caller.result(ticket) == "timed out after 0.1 s"
    assert caller.attempts(ticket) == [Outcome.TIMED_OUT]
    assert caller.result(caller.start("echo")) == "echo done"


def test_a_command_has_its_own_time_limit_among_python_code(caller: Caller) -> None:
    """The minder keeps off while a command runs, and is back afterwards."""
    child: Any = caller.script("command", text="true")
    (ticket,) = caller.submit(caller.script("nest", children=[child, caller.script("wait")]), timeout=0.3)
    assert caller.result(ticket) == "timed out after 0.3 s"
