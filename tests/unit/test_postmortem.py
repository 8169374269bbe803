"""How an attempt ended, in words."""

from __future__ import annotations

from typing import Any

import pytest

from seamless.cli import postmortem
from seamless_queue import machine
from seamless_queue.broker.attempts import Attempt
from seamless_queue.broker.states import Outcome
from seamless_queue.store import Store

GB = 10**9


def left(outcome: Outcome = Outcome.FAILED, **given: Any) -> Attempt:
    known: dict[str, Any] = dict.fromkeys(Attempt._fields)
    return Attempt(**{**known, "id": 1, "fence": 1, "outcome": outcome, "started": 10.0, "finished": 12.5, **given})


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 8 * GB)
    monkeypatch.setattr(machine, "kernel_tells_of_memory", lambda begin, end: False)


@pytest.mark.parametrize(
    ("attempt", "signal", "starved", "said"),
    [
        pytest.param(left(exit_code=1), None, False, "", id="plain failure"),
        pytest.param(left(exit_code=126), None, False, "cannot be executed", id="not executable"),
        pytest.param(left(exit_code=127), None, False, "was not found", id="not found"),
        pytest.param(left(exit_code=-11), "SIGSEGV", False, "bug of the program", id="crash"),
        pytest.param(left(exit_code=139), "SIGSEGV", False, "as a shell says it", id="crash below a shell"),
        pytest.param(left(exit_code=-9, peak_memory=GB), "SIGKILL", False, "not sent by this queue", id="killed"),
        pytest.param(left(exit_code=137, peak_memory=7 * GB), "SIGKILL", True, "likely out of memory", id="memory"),
        pytest.param(
            left(exit_code=137, error="exit code 137 (out of memory: the kernel has killed it)"),
            "SIGKILL",
            True,
            "likely out of memory",
            id="told when it happened",
        ),
        pytest.param(
            left(Outcome.DIED, error="worker killed by SIGKILL"), "SIGKILL", False, "not sent", id="worker killed"
        ),
        pytest.param(
            left(Outcome.DIED, error="worker killed by signal 64"), "SIGRTMAX", False, "SIGRTMAX", id="odd signal"
        ),
        pytest.param(left(Outcome.TIMED_OUT, exit_code=-9), "SIGKILL", False, "", id="our own kill, too late"),
        pytest.param(left(Outcome.CANCELED, exit_code=-9), "SIGKILL", False, "", id="our own kill, canceled"),
        pytest.param(left(error="MemoryError: no room"), None, True, "", id="Python lacked memory"),
    ],
)
def test_an_end_in_words(store: Store, attempt: Attempt, signal: str | None, starved: bool, said: str) -> None:
    found = postmortem._examine(store, attempt)
    assert (found.signal, found.out_of_memory) == (signal, starved)
    assert said in (found.meaning or "")
    assert bool(said) == bool(found.meaning)
    assert found.wall_time == 2.5


def test_the_kernel_is_asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "kernel_tells_of_memory", lambda begin, end: begin <= 12 <= end)
    assert postmortem._examine(store, left(exit_code=-9)).out_of_memory


def test_a_machine_has_memory_and_counts_what_it_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert machine.memory() > 10**7
    assert machine.out_of_memory_kills() >= 0
    for visible, count in (("", 0), ("-1", 0), ("0", 1), ("GPU-a, GPU-b", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert machine.offer()["gpus"] == count
