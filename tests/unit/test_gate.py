"""Threads wait until something has happened, whatever interrupts them."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from seamless_queue import gate
from seamless_queue.gate import Gate


def test_what_has_happened_is_not_waited_for() -> None:
    assert Gate().wait(lambda: True)


def test_a_wait_has_an_end() -> None:
    assert not Gate().wait(lambda: False, 0.01)


@pytest.mark.parametrize("seconds", [None, 20.0])
def test_all_who_wait_are_woken(seconds: float | None) -> None:
    one, happened, began, woken = Gate(), threading.Event(), threading.Barrier(4), list[bool]()

    def wait() -> None:
        began.wait()
        woken.append(one.wait(happened.is_set, seconds))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    began.wait()
    happened.set()
    one.open()
    for thread in threads:
        thread.join(20)
    assert woken == [True] * 3


def test_the_main_thread_is_woken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LOOK_SECONDS", 20)
    one, happened = Gate(), threading.Event()

    def open_later() -> None:
        time.sleep(0.05)
        happened.set()
        one.open()

    thread = threading.Thread(target=open_later)
    thread.start()
    began = time.monotonic()
    assert one.wait(happened.is_set)
    assert time.monotonic() - began < 10
    thread.join()


def test_ctrl_c_ends_a_wait_and_leaves_the_gate_as_it_was() -> None:
    one, happened = Gate(), threading.Event()
    for _ in range(2):
        timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            one.wait(happened.is_set)
        timer.join()
    happened.set()
    one.open()
    assert one.wait(happened.is_set)
