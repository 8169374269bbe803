"""A Python process with workers: they are started, replaced and dismissed; jobs are canceled, nested, never lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import wait_until
from scripted import Caller, Script, calling, other_process

from seamless_queue import listener, owner, private
from seamless_queue.broker.claims import MAX_DEATHS
from seamless_queue.broker.states import JobState, Outcome
from seamless_queue.doorbell import runtime_directory
from seamless_queue.errors import SeamlessError
from seamless_queue.segments import Segments
from seamless_queue.settings import Settings
from seamless_queue.store import Store

Open = Callable[[int], Caller]
#: Enough short jobs for a worker to know that they are short.
MANY = 30


@pytest.fixture
def open_with(settings: Settings, tmp_path: Path) -> Iterator[Open]:
    """Open the caller of this test, with so many workers."""
    opened = []

    def open_one(workers: int) -> Caller:
        caller = calling(settings, tmp_path)
        opened.append(caller)
        made = caller.__enter__()
        made.session.spawn(workers)
        return made

    yield open_one
    for caller in opened:
        caller.__exit__(None, None, None)


@pytest.fixture
def caller(open_with: Open) -> Caller:
    """A process with one worker."""
    return open_with(1)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill at once who does not hear."""
    monkeypatch.setattr(listener, "STOP_SECONDS", 0.2)


def is_gone(pid: int) -> bool:
    return owner.start_time(pid) is None


def warm_up(caller: Caller) -> None:
    """Have the workers learn that jobs are short."""
    for ticket in caller.submit(*(caller.script("echo", f"warm{number}") for number in range(MANY))):
        assert caller.result(ticket) == f"{name_of(caller, ticket)} done"


def name_of(caller: Caller, ticket: Any) -> str:
    return str(caller.rows("SELECT command FROM requests WHERE id = ?", ticket.request_id)[0][0])


def results(caller: Caller, tickets: list[Any]) -> list[str]:
    return [caller.result(ticket) for ticket in tickets]


# -- workers -------------------------------------------------------------------------------------
def test_workers_run_what_is_submitted_and_say_how_it_ended(open_with: Open) -> None:
    caller = open_with(2)
    assert caller.session.workers == 2
    tickets = caller.submit(*(caller.script("echo", f"job{number}") for number in range(50)), caller.script("fail"))
    expected = [f"job{number} done" for number in range(50)]
    assert results(caller, tickets) == [*expected, "ValueError: fail"]
    wait_until(lambda: set(caller.told) == set(tickets), "the callbacks")
    assert caller.lane.open_count == 0
    assert len(caller.lines("begun")) == 51
    assert {int(line[2]) for line in caller.lines("begun")} <= caller.workers()
    assert os.getpid() not in caller.workers()


def test_a_short_result_comes_along(caller: Caller) -> None:
    ticket = caller.start("echo")
    assert caller.result(ticket) == "echo done"
    assert ticket.content == b"echo done"


def test_another_number_of_workers(caller: Caller) -> None:
    wait_until(lambda: len(caller.workers()) == 1, "one worker")
    caller.session.spawn(3)
    wait_until(lambda: len(caller.workers()) == 3, "two more workers")
    names = ["a", "b", "c"]
    tickets = [caller.start("wait", name) for name in names]
    for name in names:
        caller.begun(name)
    for name in names:
        caller.go(name)
    assert results(caller, tickets) == ["a done", "b done", "c done"]


def test_what_is_submitted_before_there_are_workers_is_run_by_them(settings: Settings, tmp_path: Path) -> None:
    with calling(settings, tmp_path) as caller:
        tickets = caller.submit(caller.script("echo", "a"), caller.script("echo", "b"))
        caller.session.spawn(1)
        assert results(caller, tickets) == ["a done", "b done"]


def test_a_quiet_worker_does_not_say_what_it_begins(caller: Caller) -> None:
    caller.start("wait")
    caller.begun("wait")
    pool = caller.session.listener.pool
    assert pool is not None
    assert [member.current for member in pool.members] == [None]


DEATHS = [
    pytest.param({"signal": signal.SIGKILL}, "killed by SIGKILL", id="SIGKILL"),
    pytest.param({"signal": signal.SIGSEGV}, "killed by SIGSEGV", id="SIGSEGV"),
    pytest.param({"code": 7}, "exit code 7", id="exit"),
    pytest.param({"code": 0}, "exit code 0", id="exit 0"),
]


@pytest.mark.parametrize(("how", "_words"), DEATHS)
def test_a_worker_that_dies_is_replaced_and_its_job_run_again(caller: Caller, how: Script, _words: str) -> None:
    ticket = caller.start("die", once=str(caller.place / "once"), **how)
    assert caller.result(ticket) == "die done"
    assert caller.attempts(ticket) == [Outcome.DIED, Outcome.DONE]
    first, last = (int(line[2]) for line in caller.lines("begun"))
    assert first != last
    assert caller.workers() == {last}


@pytest.mark.parametrize(("how", "words"), DEATHS[:1] + DEATHS[2:3])
def test_a_job_that_kills_its_workers_fails_and_the_pool_goes_on(caller: Caller, how: Script, words: str) -> None:
    poison, fine = caller.submit(caller.script("die", **how), caller.script("echo"))
    assert caller.result(poison) == f"its worker died {MAX_DEATHS} times, last: worker {words}"
    assert caller.result(fine) == "echo done"
    assert caller.runs("die") == MAX_DEATHS
    assert caller.runs("echo") == 1


def test_jobs_that_were_begun_with_a_poisonous_one_are_not_charged(caller: Caller) -> None:
    warm_up(caller)
    scripts = [caller.script("echo", f"job{number}") for number in range(6)]
    tickets = caller.submit(*scripts[:3], caller.script("die"), *scripts[3:])
    poison = tickets.pop(3)
    assert results(caller, tickets) == [f"job{number} done" for number in range(6)]
    assert caller.result(poison).startswith(f"its worker died {MAX_DEATHS} times")
    assert max(caller.state_of(ticket)[0][3] for ticket in tickets) <= 0


def test_an_idle_worker_that_is_killed_is_replaced(caller: Caller) -> None:
    assert caller.result(caller.start("echo", "first")) == "first done"
    (pid,) = caller.workers()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: caller.workers() not in (set(), {pid}), "another worker")
    assert caller.result(caller.start("echo", "second")) == "second done"


def test_a_stopped_worker_is_no_dead_worker(caller: Caller) -> None:
    ticket = caller.start("spin")
    pid = caller.begun("spin")
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    caller.go("spin")
    assert caller.result(ticket) == "spin done"
    assert caller.workers() == {pid}


def test_workers_that_cannot_start_are_an_error_that_says_why(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orjson.py").write_text("raise SystemExit(9)")
    with calling(settings, tmp_path) as caller:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        ticket = caller.start("echo")
        caller.session.spawn(2)
        assert caller.result(ticket).startswith("workers cannot start (exit code 9); run: python -c")
        assert caller.session.broken == ticket.error
        # Nor does what comes later wait for ever.
        with pytest.raises(SeamlessError, match="workers cannot start"):
            caller.start("echo", "later")
        wait_until(lambda: caller.workers() == set(), "the end of all starts")
        assert caller.told == [ticket]


def test_workers_find_the_callers_modules_and_streams(caller: Caller, capfd: pytest.CaptureFixture[str]) -> None:
    ticket = caller.submit(caller.script("print", parts=["one", "two"], capture=True))[0]
    assert caller.result(ticket) == "print done"
    ((stdout,),) = caller.rows("SELECT stdout FROM attempts")
    assert caller.store.buffers.read(stdout.hex()) == b"one\ntwo\n"
    assert capfd.readouterr() == ("", "")


# -- canceling -----------------------------------------------------------------------------------
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("do", ["wait", "spin", "hold", "backtrack", "nest", "command"])
def test_a_running_job_is_stopped(caller: Caller, do: str) -> None:
    given: Script = {
        "nest": {"children": [caller.script("wait", "child")]},
        "command": {"text": f"echo > {caller.place}/command.pid; sleep 304"},
    }.get(do, {})
    ticket = caller.start(do, **given)
    pid = caller.begun("child" if do == "nest" else do)
    assert caller.session.cancel(ticket)
    assert (ticket.done, ticket.canceled, ticket.error) == (True, True, "canceled")
    assert caller.result(caller.start("echo")) == "echo done"
    wait_until(lambda: caller.state_of(ticket) == [(JobState.CANCELED, caller.lane.number, None, 0)], "the stop")
    assert (pid in caller.workers()) is (do == "command")
    assert set(caller.attempts(ticket)) <= {Outcome.CANCELED}
    assert not caller.session.cancel(ticket)


@pytest.mark.usefixtures("hasty")
def test_a_worker_that_is_stopped_is_killed(caller: Caller) -> None:
    ticket = caller.start("wait")
    pid = caller.begun("wait")
    os.kill(pid, signal.SIGSTOP)
    assert caller.session.cancel(ticket)
    assert caller.result(caller.start("echo")) == "echo done"
    assert is_gone(pid)


@pytest.mark.usefixtures("hasty")
def test_a_worker_that_has_obeyed_is_left_in_peace(caller: Caller) -> None:
    """It runs another job by the time when it would have been killed."""
    canceled = caller.start("command", text="sleep 305")
    pid = caller.begun("command")
    assert caller.session.cancel(canceled)
    later = caller.start("wait")
    assert caller.begun("wait") == pid
    deadline = time.monotonic() + 3 * listener.STOP_SECONDS
    wait_until(lambda: time.monotonic() > deadline or is_gone(pid), "what would be too late")
    caller.go("wait")
    assert caller.result(later) == "wait done"
    assert caller.attempts(later) == [Outcome.DONE]
    assert caller.runs("wait") == 1


def test_a_job_that_was_begun_with_others_is_canceled_before_its_turn(caller: Caller) -> None:
    warm_up(caller)
    first, *others = caller.submit(
        caller.script("wait", "first"), *(caller.script("echo", f"job{number}") for number in range(5))
    )
    caller.begun("first")
    for ticket in others:
        assert caller.session.cancel(ticket)
    wait_until(lambda: all(caller.state_of(ticket)[0][2] is None for ticket in others), "the worker to drop them")
    caller.go("first")
    assert caller.result(first) == "first done"
    assert caller.result(caller.start("echo", "last")) == "last done"
    assert [line[1] for line in caller.lines("begun") if line[1].startswith("job")] == []
    assert caller.attempts(first) == [Outcome.DONE]


@pytest.mark.usefixtures("hasty")
def test_others_that_were_begun_with_a_canceled_job_are_not_charged(caller: Caller) -> None:
    warm_up(caller)
    canceled, fine = caller.submit(caller.script("hold"), caller.script("echo"))
    caller.begun("hold")
    assert caller.session.cancel(canceled)
    assert caller.result(fine) == "echo done"
    assert caller.state_of(fine)[0][3] <= 0


@pytest.mark.usefixtures("hasty")
def test_a_canceled_job_is_run_again_when_it_is_asked_for_again(caller: Caller) -> None:
    ticket = caller.start("wait")
    caller.begun("wait")
    caller.session.cancel(ticket)
    again = caller.start("wait")
    caller.begun("wait", times=2)
    caller.go("wait")
    assert caller.result(again) == "wait done"
    assert caller.attempts(ticket) == [Outcome.CANCELED, Outcome.DONE]


@pytest.mark.usefixtures("hasty")
def test_what_a_canceled_job_has_asked_for_is_canceled_too(open_with: Open) -> None:
    """As far as nobody else wants it."""
    caller = open_with(2)
    scripts = [caller.script("spin", "alone"), caller.script("wait", "shared"), caller.script("echo", "later")]
    shared = caller.start("wait", "shared")
    driver = caller.start("nest", children=scripts)
    pids = {caller.begun("alone"), caller.begun("shared")}
    assert len(pids) == 2
    assert caller.session.cancel(driver)
    states = "SELECT command, jobs.state FROM jobs JOIN requests ON requests.job_id = jobs.id AND parent IS NOT NULL"
    expected = {"alone": JobState.CANCELED, "shared": JobState.RUNNING, "later": JobState.CANCELED}
    wait_until(lambda: dict(caller.rows(states)) == expected, "the end of all that was asked for")
    caller.go("shared")
    assert caller.result(shared) == "shared done"
    assert caller.result(caller.start("echo", "last")) == "last done"
    assert caller.runs("shared") == 1
    assert caller.runs("later") == 0


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("do", ["spin", "hold"])
def test_code_may_take_back_what_another_worker_runs_for_it(open_with: Open, do: str) -> None:
    caller = open_with(2)
    driver = caller.start("withdraw", children=[caller.script(do, "child")])
    pid = caller.begun("child")
    wait_until(lambda: is_gone(pid), "the worker to give it up")
    assert caller.result(caller.start("echo")) == "echo done"
    caller.go("withdraw")
    assert caller.result(driver) == "withdraw done"


@pytest.mark.usefixtures("hasty")
def test_a_worker_that_has_not_said_hello_is_stopped_too(caller: Caller) -> None:
    """It is quick, and whoever would hear of it has something else to do."""
    wait_until(caller.workers, "the process")
    with caller.session.lock:
        ticket = caller.start("spin")
        pid = caller.begun("spin")
        assert caller.session.cancel(ticket)
    assert caller.result(caller.start("echo")) == "echo done"
    assert is_gone(pid)


def test_a_stopped_job_is_not_run_again_before_it_has_stopped(open_with: Open) -> None:
    """The other worker would gladly have it at once; whoever runs it while another does, says so in the log."""
    caller = open_with(2)
    for times in range(1, 7):
        ticket = caller.start("spin")
        caller.begun("spin", times)
        assert caller.session.cancel(ticket)
    caller.go("spin")
    assert caller.result(caller.start("spin")) == "spin done"
    assert caller.lines("double") == []


def test_what_others_want_goes_on_although_one_gives_it_up(caller: Caller, settings: Settings) -> None:
    ticket = caller.start("wait")
    pid = caller.begun("wait")
    other = other_process(settings, caller.place, caller.script("wait"))
    wait_until(lambda: caller.rows("SELECT COUNT(*) FROM requests") == [(2,)], "the other wish")
    assert caller.session.cancel(ticket)
    caller.go("wait")
    assert other.communicate(timeout=20)[0] == b"wait done\n"
    assert caller.lines("begun") == [["begun", "wait", str(pid)]]


def test_a_job_whose_time_is_over_ends(caller: Caller) -> None:
    (ticket,) = caller.submit(caller.script("spin"), timeout=0.3)
    pid = caller.begun("spin")
    assert caller.result(ticket) == "timed out after 0.3 s"
    assert caller.attempts(ticket) == [Outcome.TIMED_OUT]
    assert caller.result(caller.start("echo")) == "echo done"
    assert is_gone(pid)


def test_a_job_that_is_in_time_ends_well(caller: Caller) -> None:
    (ticket,) = caller.submit(caller.script("echo"), timeout=20.0)
    assert caller.result(ticket) == "echo done"


# -- batches -------------------------------------------------------------------------------------
def test_a_slow_job_keeps_no_short_ones_waiting(open_with: Open) -> None:
    caller = open_with(2)
    warm_up(caller)
    short = [caller.script("echo", f"job{number}") for number in range(40)]
    tickets = caller.submit(*short[:20], caller.script("wait"), *short[20:])
    slow = tickets.pop(20)
    assert results(caller, tickets) == [f"job{number} done" for number in range(40)]
    assert not slow.done
    caller.go("wait")
    assert caller.result(slow) == "wait done"
    assert len(caller.lines("begun")) == MANY + 41


def test_what_a_worker_has_reserved_goes_back_when_it_leaves(open_with: Open) -> None:
    caller = open_with(1)
    warm_up(caller)
    first, *others = caller.submit(
        caller.script("wait", "first"), *(caller.script("echo", f"job{number}") for number in range(40))
    )
    pid = caller.begun("first")
    caller.session.cancel(first)
    assert results(caller, others) == [f"job{number} done" for number in range(40)]
    assert is_gone(pid)
    assert {caller.state_of(ticket)[0][3] for ticket in others} == {0}


# -- nesting -------------------------------------------------------------------------------------
def nested(caller: Caller, depth: int, width: int, name: str = "n") -> Script:
    """A tree of jobs that ask for jobs."""
    if not depth:
        return caller.script("echo", name)
    children = [nested(caller, depth - 1, width, f"{name}.{number}") for number in range(width)]
    return caller.script("nest", name, children=children)


@pytest.mark.parametrize("workers", [1, 2])
def test_any_depth_is_run_by_any_number_of_workers(open_with: Open, workers: int) -> None:
    caller = open_with(workers)
    tickets = caller.submit(nested(caller, 3, 3, "a"), nested(caller, 12, 1, "b"))
    first, second = results(caller, tickets)
    assert first.count("done") == 27
    assert second == "b" + 12 * ".0" + " done"
    names = [line[1] for line in caller.lines("begun")]
    assert len(names) == len(set(names)) == 27 + 9 + 3 + 1 + 13


def test_what_drivers_have_in_common_is_run_once(open_with: Open) -> None:
    caller = open_with(2)
    shared = [caller.script("nap", f"shared{number}", seconds=0.01) for number in range(8)]
    drivers = [caller.script("nest", f"driver{number}", children=shared) for number in range(4)]
    expected = ",".join(f"shared{number} done" for number in range(8))
    assert results(caller, caller.submit(*drivers)) == [expected] * 4
    assert sorted(line[1] for line in caller.lines("begun") if line[1].startswith("shared")) == sorted(
        script["name"] for script in shared
    )


def test_others_help_with_what_a_job_submits(open_with: Open) -> None:
    caller = open_with(2)
    ticket = caller.start("nest", children=[caller.script("wait", "a"), caller.script("wait", "b")])
    assert caller.begun("a") != caller.begun("b")
    caller.go("a")
    caller.go("b")
    assert caller.result(ticket) == "a done,b done"


def test_what_a_job_has_run_itself_is_known_to_whoever_else_waits_for_it(caller: Caller) -> None:
    """The worker that runs it as a part of another job is not asked for it."""
    child = caller.script("wait", "child")
    driver = caller.start("nest", children=[child])
    caller.begun("child")
    shared = caller.start("wait", "child")
    caller.go("child")
    assert caller.result(driver) == "child done"
    assert caller.result(shared) == "child done"
    assert caller.runs("child") == 1


def test_the_failure_of_what_a_job_has_run_itself_is_known_too(caller: Caller) -> None:
    driver, failing = caller.submit(caller.script("nest", children=[caller.script("fail")]), caller.script("fail"))
    assert caller.result(driver) == "RuntimeError: ValueError: fail"
    assert caller.result(failing) == "ValueError: fail"


def test_a_job_inside_a_job_that_kills_its_worker_fails_in_the_end(caller: Caller) -> None:
    ticket = caller.start("nest", children=[caller.script("die")])
    assert f"its worker died {MAX_DEATHS} times" in caller.result(ticket)
    assert caller.runs("die") <= MAX_DEATHS + 2
    assert caller.result(caller.start("echo")) == "echo done"


def test_a_job_that_asks_for_itself_is_an_error(caller: Caller) -> None:
    script = caller.script("nest", children_in=str(caller.place / "children.json"))
    import json

    (caller.place / "children.json").write_text(json.dumps([script]))
    assert caller.result(caller.submit(script)[0]) == "RuntimeError: it waits for itself"


def test_a_worker_that_waits_lends_its_place_and_gets_it_back(
    caller: Caller, settings: Settings, tmp_path: Path
) -> None:
    other = other_process(settings, tmp_path, caller.script("wait"))
    caller.begun("wait")
    driver = caller.start("nest", children=[caller.script("wait")])
    caller.begun("nest")
    pool = caller.session.listener.pool
    assert pool is not None
    wait_until(lambda: any(member.blocked for member in pool.members), "the driver to wait")
    naps = caller.submit(*(caller.script("nap", f"before{number}", seconds=0.02) for number in range(5)))
    assert results(caller, naps) == [f"before{number} done" for number in range(5)]
    assert len(caller.workers()) == 2
    assert not driver.done
    caller.go("wait")
    assert caller.result(driver) == "wait done"
    other.communicate(timeout=20)
    naps = caller.submit(*(caller.script("nap", f"after{number}", seconds=0.02) for number in range(10)))
    assert results(caller, naps) == [f"after{number} done" for number in range(10)]
    assert most_at_once(caller, "before") == 1
    # One more may have been at it when the driver went on.
    assert most_at_once(caller, "after", skip=1) == 1


def most_at_once(caller: Caller, prefix: str, skip: int = 0) -> int:
    """How many jobs whose names begin like this were running at the same time, but for the first ones."""
    running: set[str] = set()
    most, begun = 0, 0
    for line in (caller.place / "log").read_text().splitlines():
        what, name, _ = line.split()
        if not name.startswith(prefix):
            continue
        if what == "begun":
            running.add(name)
            begun += 1
        else:
            running.discard(name)
        if begun > skip + 1:
            most = max(most, len(running))
    return most


def test_jobs_that_all_wait_for_others_keep_nobody_from_working(
    caller: Caller, settings: Settings, tmp_path: Path
) -> None:
    """Two places may be lent, and one more when nobody is left who works."""
    names = [f"far{number}" for number in range(listener.LENT_WORKERS + 1)]
    others = [other_process(settings, tmp_path, caller.script("wait", name)) for name in names]
    for name in names:
        caller.begun(name)
    scripts = [caller.script("nest", f"driver of {name}", children=[caller.script("wait", name)]) for name in names]
    tickets = caller.submit(*scripts)
    wait_until(lambda: len(caller.workers()) >= len(names), "all drivers to be run")
    assert results(caller, caller.submit(*(caller.script("echo", f"job{number}") for number in range(9)))) == [
        f"job{number} done" for number in range(9)
    ]
    assert len(caller.workers()) <= len(names) + 1
    for name in names:
        caller.go(name)
    assert results(caller, tickets) == [f"{name} done" for name in names]
    for other in others:
        other.communicate(timeout=20)


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_of_a_job_may_wait_for_others(open_with: Open, workers: int) -> None:
    """They run nothing themselves; one that has got what it wanted leaves the others waiting."""
    caller = open_with(workers)
    children = [caller.script("nap", f"child{number}", seconds=0.01 * number) for number in range(5)]
    tickets = caller.submit(
        *(caller.script("threads", f"driver{number}", children=children[number:]) for number in range(3))
    )
    expected = [f"child{number} done" for number in range(5)]
    assert results(caller, tickets) == [",".join(expected[number:]) for number in range(3)]
    assert len([line for line in caller.lines("begun") if line[1].startswith("child")]) == 5


def test_what_a_dead_session_ran_for_a_nested_job_is_run_here(
    caller: Caller, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "RECLAIM_SECONDS", 0.05)
    other = other_process(settings, tmp_path, caller.script("wait"))
    caller.begun("wait")
    drivers = caller.submit(
        *(caller.script("nest", f"driver{number}", children=[caller.script("wait")]) for number in range(4))
    )
    limit = 1 + listener.LENT_WORKERS
    wait_until(lambda: len(caller.workers()) == limit, "all workers to wait")
    other.kill()
    other.communicate()
    caller.begun("wait", times=2)
    caller.go("wait")
    assert results(caller, drivers) == ["wait done"] * 4
    assert caller.runs("wait") == 2


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("how", ["canceled", "closed"])
def test_code_does_not_go_on_when_what_it_runs_is_stopped_with_it(
    caller: Caller, opened: Callable[..., Store], how: str
) -> None:
    """It might take the stop for a failure, and have another result because of that."""
    child = caller.script("command", "child", text="sleep 306")
    ticket = caller.start("nest", children=[child], catch=True)
    caller.begun("child")
    if how == "closed":
        caller.session.close()
    else:
        caller.session.cancel(ticket)
        assert caller.result(caller.start("echo")) == "echo done"
    assert caller.lines("ended", "nest") == []
    rows = opened().database.rows("SELECT state FROM jobs WHERE id = ?", (ticket.job_id,))
    assert rows == [(JobState.CANCELED,)]


# -- the end -------------------------------------------------------------------------------------
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("do", ["echo", "spin", "hold", "command", "nest", "stopped"])
def test_closing_ends_all(tmp_path: Path, do: str) -> None:
    given: Script = {"command": {"text": "sleep 307"}, "nest": {"children": []}}.get(do, {})
    settings = Settings(private.new_path(), private=True)
    with calling(settings, tmp_path) as caller:
        caller.session.spawn(2)
        if do == "nest":
            given["children"] = [caller.script("spin", "child")]
        large = caller.store.buffers.stage(os.urandom(100_000), staged := _staged())
        assert staged.small == {}
        assert Segments(os.path.basename(settings.store)).has(large)
        ticket = caller.start("wait" if do == "stopped" else do, do, **given)
        workers = {caller.begun("child" if do == "nest" else do)} | caller.workers()
        if do == "stopped":
            os.kill(caller.begun(do), signal.SIGSTOP)
        sockets = runtime_directory(caller.store.runtime_name)
        if do == "echo":
            caller.result(ticket)
        assert caller.session.close() == (do != "echo")
    assert all(is_gone(pid) for pid in workers)
    assert not os.path.exists(settings.store)
    assert not os.path.exists(sockets)
    assert not os.path.exists(f"/dev/shm/seamless-{os.geteuid()}/{os.path.basename(settings.store)}")
    assert ticket.done
    assert "seamless-listener" not in {thread.name for thread in threading.enumerate()}


def _staged() -> Any:
    from seamless_queue.staged import Staged

    return Staged()


def test_closing_from_several_threads_at_once(caller: Caller) -> None:
    ticket = caller.start("wait")
    caller.begun("wait")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(caller.session.close())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == [0, 0, 0, 1]
    assert ticket.error == "the session was closed"
    wait_until(lambda: caller.told == [ticket], "the callback")


def test_closing_while_workers_still_start(settings: Settings, tmp_path: Path) -> None:
    with calling(settings, tmp_path) as caller:
        caller.session.spawn(2)
        wait_until(lambda: len(caller.workers()) == 2, "the processes")
        workers = caller.workers()
        caller.session.close()
    assert all(is_gone(pid) for pid in workers)


@pytest.mark.parametrize("what", ["thread", "child", "child of a thread"])
def test_what_a_job_leaves_behind_does_not_outlive_its_worker(caller: Caller, what: str) -> None:
    ticket = caller.start("leave", what=what)
    left = caller.result(ticket)
    pid = caller.begun("leave")
    caller.session.close()
    assert is_gone(pid)
    if what != "thread":
        wait_until(lambda: is_gone(int(left)), "the end of what the job has left")


@pytest.mark.parametrize(
    ("do", "is_private"),
    [("wait", False), ("spin", True), ("hold", True), ("hold", False), ("command", True), ("leave", False)],
)
def test_workers_do_not_outlive_their_parent(settings: Settings, tmp_path: Path, do: str, is_private: bool) -> None:
    common = {"log": str(tmp_path / "log"), "go": str(tmp_path / "never")}
    script = {**common, "name": do, "do": do, "text": f"echo $$ > {tmp_path}/child; exec sleep 308", "what": "thread"}
    if do == "leave":
        # A worker that has nothing to do any more, but a thread that keeps Python from ending.
        script = {
            **common,
            "name": "nest",
            "do": "nest",
            "children": [script, {**common, "do": "wait", "name": "wait"}],
        }
    settings = settings._replace(private=is_private)
    other = other_process(settings, tmp_path, script, workers=2 if do == "leave" else 1)
    sign = {"leave": "ended leave"}.get(do, f"begun {do}")
    wait_until(lambda: sign in read(tmp_path / "log"), "the job")
    pids = {int(line.split()[2]) for line in read(tmp_path / "log").splitlines()}
    if do == "command":
        wait_until(lambda: read(tmp_path / "child"), "the command")
        pids.add(int(read(tmp_path / "child")))
    other.kill()
    other.communicate()
    wait_until(lambda: all(is_gone(pid) for pid in pids), "the end of the workers")
    assert_swept(settings, tmp_path, other.pid)


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def assert_swept(settings: Settings, tmp_path: Path, pid: int) -> None:
    """The next one removes what a killed process has left."""
    if settings.private:
        private.sweep()
        pattern = f"seamless-{os.geteuid()}/private-*-{pid}-*"
        assert [path for root in private._roots() for path in Path(root).glob(pattern)] == []
        return
    with calling(settings, tmp_path) as later:
        assert os.listdir(runtime_directory(later.store.runtime_name)) == [
            os.path.basename(later.session._bell.address)
        ]
        assert os.listdir(later.store.work) == []
        assert later.rows("SELECT COUNT(*) FROM jobs WHERE worker_id IS NOT NULL") == [(0,)]


FORKING = """
import os, sys, time
from pathlib import Path
from scripted import Caller
from seamless_queue.settings import Settings
caller = Caller(Settings(sys.argv[1]), Path(sys.argv[2]))
caller.session.spawn(1)
caller.result(caller.start("echo"))
child = os.fork()
if not child:
    time.sleep(30)
    os._exit(0)
print(child, *caller.workers(), flush=True)
time.sleep(30)
"""


def test_workers_do_not_outlive_a_parent_that_has_forked(settings: Settings, tmp_path: Path) -> None:
    """The fork holds a copy of the channel."""
    words = [sys.executable, "-W", "ignore", "-c", FORKING, settings.store, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    other = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment)
    assert other.stdout is not None
    child, worker = (int(word) for word in other.stdout.readline().split())
    try:
        other.kill()
        other.wait()
        wait_until(lambda: is_gone(worker), "the end of the worker")
        assert not is_gone(child)
    finally:
        os.kill(child, signal.SIGKILL)
        other.stdout.close()
    assert_swept(settings, tmp_path, other.pid)


# -- trouble -------------------------------------------------------------------------------------
def test_a_listener_that_meets_a_full_disk_goes_on(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one that notices everything."""
    from seamless_queue.broker import sessions

    bury, tried = sessions.bury_worker, []

    def bury_later(*arguments: Any, **given: Any) -> Any:
        tried.append(None)
        if len(tried) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return bury(*arguments, **given)

    monkeypatch.setattr(sessions, "bury_worker", bury_later)
    monkeypatch.setattr(listener, "TICK_SECONDS", 0.05)
    ticket = caller.start("die", once=str(caller.place / "once"))
    assert caller.result(ticket) == "die done"
    assert len(tried) >= 3


def test_nobody_waits_for_a_listener_that_has_failed(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = caller.start("wait")
    caller.begun("wait")
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(caller.session.listener, "_keep_lease", lambda: 1 / 0)
    assert "ZeroDivisionError" in caller.result(ticket)
    with pytest.raises(SeamlessError, match="ZeroDivisionError"):
        caller.start("echo")


def test_the_callback_of_a_ticket_may_fail(settings: Settings, tmp_path: Path) -> None:
    with calling(settings, tmp_path) as caller:
        caller.session.on_ended = lambda tickets: full()
        caller.session.spawn(1)
        assert caller.result(caller.start("echo", "a")) == "a done"
        assert caller.result(caller.start("echo", "b")) == "b done"


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


ON_A_LITTLE_DISK = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from desk import wait_until
from scripted import Caller
from seamless_queue.settings import Settings

disk, place = Path(sys.argv[1]), Path(sys.argv[3])
caller = Caller(Settings(str(disk / "store")), place)
caller.session.spawn(2)
assert caller.result(caller.start("echo", "before")) == "before done"
names = [f"job{number}" for number in range(6)]
waiting = [caller.start("wait", name) for name in names]
caller.begun("job0")
with open(disk / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
for name in names:
    caller.go(name)
import time
end = time.monotonic() + 1.0
wait_until(lambda: time.monotonic() > end or all(ticket.done for ticket in waiting), "a while")
os.unlink(disk / "filler")
assert [caller.result(ticket) for ticket in waiting] == [f"{name} done" for name in names]
assert caller.result(caller.start("echo", "after")) == "after done"
caller.session.close()
print("ok")
"""
MOUNT = 'mount -t tmpfs -o size=4m none "$1" && shift && exec "$@"'


def test_a_full_disk_only_holds_things_up(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    probe = [*unshare, "mount", "-t", "tmpfs", "none", str(disk)]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted in a mount namespace of our own here")
    words = [sys.executable, "-c", ON_A_LITTLE_DISK, str(disk), os.path.dirname(__file__), str(tmp_path)]
    done = subprocess.run(
        [*unshare, "sh", "-c", MOUNT, "sh", str(disk), *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "ok\n", done.stderr
    assert set(done.stderr.splitlines()) <= {"seamless: the disk is full; free some space, work goes on by itself"}
