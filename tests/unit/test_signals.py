"""Signals are put off where our own code runs, and let through where it waits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from seamless_queue import signals
from seamless_queue.signals import interruptible, uninterrupted


@pytest.fixture(autouse=True)
def same_handlers() -> Iterator[None]:
    """Whatever a test does, the handlers are those from before."""
    before = [signal.getsignal(number) for number in signals.STOP_SIGNALS]
    yield
    assert [signal.getsignal(number) for number in signals.STOP_SIGNALS] == before


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """What a handler of SIGINT and SIGTERM was called with."""
    numbers: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        numbers.append(number)

    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in both]
    yield numbers
    for number, handler in zip(both, before, strict=True):
        signal.signal(number, handler)


def test_a_signal_comes_when_the_block_ends() -> None:
    steps = []

    def work() -> None:
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
                steps.append("inner")
            steps.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["inner", "outer"]


def test_each_is_told_once(seen: list[int]) -> None:
    with uninterrupted():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
        assert seen == []
    assert sorted(seen) == [signal.SIGINT, signal.SIGTERM]


def test_it_comes_although_the_block_fails() -> None:
    @uninterrupted()
    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert isinstance(caught.value.__context__, ValueError)


def test_who_asks_twice_does_not_wait(monkeypatch: pytest.MonkeyPatch, seen: list[int]) -> None:
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        assert seen == [signal.SIGINT]
    assert seen == [signal.SIGINT]


def test_where_one_waits_it_comes_at_once() -> None:
    with uninterrupted():
        with pytest.raises(KeyboardInterrupt), interruptible():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruptible():
            pytest.fail("it was put off for longer")


def test_inside_of_what_is_let_through_it_can_be_put_off_again(seen: list[int]) -> None:
    with uninterrupted(), interruptible():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert seen == []
        assert seen == [signal.SIGINT]
        signal.raise_signal(signal.SIGTERM)
        assert seen == [signal.SIGINT, signal.SIGTERM]


def test_a_handler_that_is_set_inside_stays() -> None:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with uninterrupted():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_put_nothing_off(seen: list[int]) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with uninterrupted(), interruptible():
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    assert inside.wait(10)
    signal.raise_signal(signal.SIGINT)
    assert seen == [signal.SIGINT]
    go_on.set()
    thread.join()
