"""A process without workers: its threads run what they wait for, and share what others run."""

from __future__ import annotations

import errno
import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, wait_until
from scripted import Caller, calling, other_process, request_for

from seamless_queue import listener
from seamless_queue.broker import claims, progress, reports, submissions
from seamless_queue.broker.claims import MAX_DEATHS
from seamless_queue.broker.records import QUEUE_LANE, Identity, NewRequest
from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.broker.work import End, Finished
from seamless_queue.errors import DiskFull, SeamlessError
from seamless_queue.lane import Ticket
from seamless_queue.settings import Settings
from seamless_queue.staged import Staged
from seamless_queue.store import Store

J = JobState


@pytest.fixture
def caller(settings: Settings, tmp_path: Path) -> Iterator[Caller]:
    with calling(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the dead at once, not after seconds."""
    monkeypatch.setattr(listener, "RECLAIM_SECONDS", 0.05)


def in_thread(function: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Call it in a thread; its result, or its error, is put into the list."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(function())
        except BaseException as exc:
            found.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def ended(thread: threading.Thread, found: list[Any], seconds: float = 20.0) -> Any:
    thread.join(seconds)
    assert not thread.is_alive(), "the thread still waits"
    return found[0]


# -- tickets -------------------------------------------------------------------------------------
def test_equal_wishes_share_one_ticket(caller: Caller) -> None:
    echo = caller.script("echo")
    first, second = caller.submit(echo, echo)
    assert first is second
    assert caller.submit(echo) == [first]
    assert caller.rows("SELECT COUNT(*) FROM requests") == [(1,)]
    assert caller.run(first) == "echo done"
    # What has ended is a new wish, answered at once.
    (again,) = caller.submit(echo)
    assert again is not first
    assert (again.done, again.result) == (True, first.result)
    assert caller.runs("echo") == 1


def test_a_failure_is_told_and_tried_again_when_asked_again(caller: Caller) -> None:
    ticket = caller.start("fail")
    with pytest.raises(RuntimeError, match="ValueError: fail"):
        caller.run(ticket)
    assert (ticket.done, ticket.canceled, ticket.error) == (True, False, "ValueError: fail")
    with pytest.raises(RuntimeError):
        caller.run(caller.start("fail"))
    assert caller.runs("fail") == 2


@pytest.mark.parametrize("ends_first", [True, False])
def test_any_number_of_threads_wait_for_a_ticket(ends_first: bool) -> None:
    for _ in range(50):
        ticket, barrier = Ticket("a" * 64), threading.Barrier(5)
        if ends_first:
            ticket.end(result="b" * 64)
        waiting = [in_thread(lambda: barrier.wait() is not None and ticket.wait(10)) for _ in range(4)]  # noqa: B023
        barrier.wait()
        ticket.end(result="b" * 64)
        assert [ended(*each) for each in waiting] == [True] * 4


def test_a_submit_that_meets_a_full_disk_leaves_no_ticket_behind(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = caller.script("echo")
    with monkeypatch.context() as patch:
        patch.setattr(Staged, "write", full)
        with pytest.raises(OSError, match="No space"):
            caller.submit(echo)
    assert caller.lane.open_count == 0
    (ticket,) = caller.submit(echo)
    assert caller.run(ticket) == "echo done"


def full(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


# -- running here --------------------------------------------------------------------------------
def test_a_job_that_another_worker_has_only_reserved_is_run_here(caller: Caller, opened: Callable[..., Store]) -> None:
    desk = Desk(opened())
    other = desk.new_worker(caller.session.id)
    ticket = caller.start("echo")
    assert desk.claim(other, lane=caller.lane.number) == [ticket.job_id]
    assert caller.run(ticket) == "echo done"
    # Whose reservation it was cannot begin it any more.
    assert ticket.job_id is not None
    assert desk.begin(ticket.job_id, other) is None
    assert caller.runs("echo") == 1


def test_two_threads_never_run_one_job_twice(caller: Caller) -> None:
    tickets = [caller.start("echo", f"job{number}") for number in range(8)]
    barrier = threading.Barrier(4)

    def run_all() -> list[str]:
        barrier.wait()
        return [caller.run(ticket) for ticket in tickets]

    threads = [in_thread(run_all) for _ in range(4)]
    expected = [f"job{number} done" for number in range(8)]
    assert [ended(*thread) for thread in threads] == [expected] * 4
    assert sorted(line[1] for line in caller.lines("begun")) == sorted(f"job{number}" for number in range(8))


def test_a_thread_waits_for_what_another_one_runs(caller: Caller) -> None:
    ticket = caller.start("wait")
    first = in_thread(lambda: caller.run(ticket))
    caller.begun("wait")
    second = in_thread(lambda: caller.run(ticket))
    caller.go("wait")
    assert ended(*first) == ended(*second) == "wait done"
    assert caller.runs("wait") == 1


def test_ctrl_c_gives_the_job_back(caller: Caller) -> None:
    ticket = caller.start("die", signal=signal.SIGINT, once=str(caller.place / "once"))
    with pytest.raises(KeyboardInterrupt):
        caller.run(ticket)
    assert not ticket.done
    assert caller.state_of(ticket) == [(JobState.READY, caller.lane.number, None, 0)]
    assert caller.run(ticket) == "die done"
    assert caller.attempts(ticket) == [Outcome.RELEASED, Outcome.DONE]


def test_a_full_disk_gives_the_job_back(caller: Caller) -> None:
    ticket = caller.start("raise", errno=errno.ENOSPC)
    with pytest.raises(DiskFull, match=r"the disk of the store .* is full; free some space and run again"):
        caller.run(ticket)
    assert not ticket.done
    assert caller.attempts(ticket) == [Outcome.RELEASED]


def run_on_a_full_disk(caller: Caller, ticket: Ticket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be run, but its outcome not be published."""
    with monkeypatch.context() as patch:
        patch.setattr(Staged, "write", full)
        with pytest.raises(OSError, match="No space"):
            caller.run(ticket)


def test_an_outcome_that_meets_a_full_disk_is_not_lost_for_good(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else would ever take the job from a session that lives."""
    ticket = caller.start("echo")
    run_on_a_full_disk(caller, ticket, monkeypatch)
    assert not ticket.done
    running = in_thread(lambda: caller.run(ticket))
    assert ended(*running) == "echo done"
    assert caller.attempts(ticket)[-1] is Outcome.DONE


def test_it_does_not_wait_for_the_next_job_to_be_given_back(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker may wait for it."""
    ticket = caller.start("echo")
    run_on_a_full_disk(caller, ticket, monkeypatch)
    assert ticket.job_id is not None
    assert not caller.lane.is_left_to_us(ticket)
    caller.lane.give_back_unpublished()
    assert caller.lane.is_left_to_us(ticket)


def test_a_ticket_that_nobody_waits_for_is_not_shared(caller: Caller, opened: Callable[..., Store]) -> None:
    """Its job may end, and be wanted again, before anybody looks."""
    desk = Desk(opened())
    other = desk.new_worker(caller.session.id)
    ticket = caller.start("echo")
    caller.lane.forget(ticket)
    desk.done(desk.take(other, lane=caller.lane.number), worker=other)
    (again,) = caller.submit(caller.script("echo"))
    assert again is not ticket
    assert again.done
    shared = caller.start("nest", "shared", children=[])
    shared.owner = object()
    caller.lane.forget(shared)
    assert caller.start("nest", "shared", children=[]) is shared


# -- nesting -------------------------------------------------------------------------------------
def test_a_job_runs_what_it_asks_for_in_its_own_thread(caller: Caller) -> None:
    inner = caller.script("nest", "inner", children=[caller.script("echo")])
    outer = caller.start("nest", "outer", children=[inner, caller.script("echo")])
    assert caller.run(outer) == "echo done,echo done"
    assert [line[1] for line in caller.lines("begun")] == ["outer", "inner", "echo"]
    parents = caller.rows("SELECT command, parent IS NULL FROM requests ORDER BY id")
    assert parents[0] == ("outer", 1)
    assert all(not is_root for _, is_root in parents[1:])


def test_a_job_that_asks_for_itself_fails(caller: Caller) -> None:
    (caller.place / "self.json").write_text("[]")
    script = caller.script("nest", children_in=str(caller.place / "self.json"))
    write_children(caller, "self", script)
    ticket = caller.submit(script)[0]
    with pytest.raises(RuntimeError, match="it waits for itself"):
        ended_or_raise(in_thread(lambda: caller.run(ticket)))


def write_children(caller: Caller, name: str, *children: Any) -> None:
    (caller.place / f"{name}.json").write_text(json.dumps(children))


def ended_or_raise(waiting: tuple[threading.Thread, list[Any]]) -> Any:
    found = ended(*waiting)
    if isinstance(found, BaseException):
        raise found
    return found


def test_two_jobs_that_ask_for_each_other_fail(caller: Caller) -> None:
    """Both have been asked for by others as well, who wait for nobody."""
    one, two = (
        caller.script("nest", name, children_in=str(caller.place / f"{name}.json"), after=str(caller.place / "go"))
        for name in ("one", "two")
    )
    write_children(caller, "one", two)
    write_children(caller, "two", one)
    tickets = caller.submit(one, two)
    threads = [in_thread(lambda ticket=ticket: caller.run(ticket)) for ticket in tickets]  # type: ignore[misc]
    for name in ("one", "two"):
        caller.begun(name)
    (caller.place / "go").touch()
    found = [ended(*thread) for thread in threads]
    assert any("it waits for itself" in str(each) for each in found), found


# -- other sessions ------------------------------------------------------------------------------
def test_what_another_session_runs_is_waited_for_and_shared(caller: Caller, settings: Settings, tmp_path: Path) -> None:
    other = other_process(settings, tmp_path, caller.script("wait"))
    pid = caller.begun("wait")
    ticket = caller.start("wait")
    assert caller.lane.has_strangers
    waiting = in_thread(lambda: caller.run(ticket))
    caller.go("wait")
    assert ended(*waiting) == "wait done"
    assert other.communicate(timeout=20)[0] == b"wait done\n"
    assert caller.lines("begun") == [["begun", "wait", str(pid)]]
    assert caller.lane.open_count == 0
    assert not caller.lane.has_strangers


def test_the_failure_of_another_session_is_shared(caller: Caller, opened: Callable[..., Store]) -> None:
    desk = Desk(opened())
    other = desk.new_session(SessionKind.PYTHON)
    theirs = desk.new_worker(other)
    script = caller.script("echo")
    staged = Staged()
    with caller.session.lock:
        request = request_for(caller.store, staged, other, script)
    with desk.store.database.transaction() as connection:
        staged.write(connection)
        submissions.submit(connection, request)
    running = desk.take(theirs, lane=other)
    (ticket,) = caller.submit(script)
    waiting = in_thread(lambda: caller.run(ticket))
    desk.fail(running, "exit code 9", worker=theirs)
    assert str(ended(*waiting)) == "exit code 9"
    assert caller.runs("echo") == 0


@pytest.mark.usefixtures("impatient")
def test_what_a_killed_session_was_running_is_taken_over(caller: Caller, settings: Settings, tmp_path: Path) -> None:
    other = other_process(settings, tmp_path, caller.script("wait"))
    caller.begun("wait")
    ticket = caller.start("wait")
    waiting = in_thread(lambda: caller.run(ticket))
    other.kill()
    other.communicate()
    caller.begun("wait", times=2)
    caller.go("wait")
    assert ended(*waiting) == "wait done"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["given back", "its request was canceled"])
def test_what_the_queue_was_running_is_taken_over_when_it_gives_up(
    caller: Caller, opened: Callable[..., Store], how: str
) -> None:
    """No server may ever come."""
    desk = Desk(opened())
    (queued,) = caller.submit(caller.script("echo"), lane=QUEUE_LANE)
    running = desk.take()
    caller.session.close()
    with calling(caller.session._settings, caller.place) as later:
        (ticket,) = later.submit(later.script("echo"))
        assert later.lane.has_strangers
        waiting = in_thread(lambda: later.run(ticket))
        with desk.store.database.transaction() as connection:
            if how != "given back":
                progress.cancel_request(connection, queued.request_id)
        desk.bury(running and desk.worker)
        assert ended(*waiting) == "echo done"


def test_a_queued_job_is_not_run_here(caller: Caller, opened: Callable[..., Store]) -> None:
    desk = Desk(opened())
    (ticket,) = caller.submit(caller.script("echo"), lane=QUEUE_LANE)
    assert caller.lane.own_tickets() == []
    waiting = in_thread(lambda: ticket.wait(20))
    running = desk.take()
    staged = Staged()
    result = desk.store.buffers.stage(b"from the queue", staged)
    with desk.store.database.transaction() as connection:
        staged.write(connection)
    desk.finish(running, Finished(Outcome.DONE, result, exit_code=0))
    assert ended(*waiting) is True
    assert caller.result(ticket) == "from the queue"
    wait_until(lambda: caller.told == [ticket], "the callback")
    assert caller.runs("echo") == 0


# -- taking back ---------------------------------------------------------------------------------
def test_a_ready_wish_is_taken_back(caller: Caller) -> None:
    ticket = caller.start("echo")
    assert caller.lane.withdraw(ticket, "changed my mind")
    assert (ticket.done, ticket.canceled, ticket.error) == (True, True, "changed my mind")
    assert caller.state_of(ticket)[0][0] == JobState.CANCELED
    assert not caller.lane.run_here(ticket, caller.session.host)
    assert not caller.lane.withdraw(ticket, "again")
    assert caller.run(caller.start("echo")) == "echo done"


def test_a_running_wish_is_taken_back_and_its_outcome_does_not_count(caller: Caller) -> None:
    ticket = caller.start("wait")
    running = in_thread(lambda: caller.lane.run_here(ticket, caller.session.host))
    caller.begun("wait")
    assert caller.lane.withdraw(ticket, "changed my mind")
    # Whoever wants it meanwhile gets it when the first execution has been stopped.
    again = caller.start("wait")
    assert again is not ticket
    caller.go("wait")
    ended(*running)
    assert ticket.result is None
    assert ended(*in_thread(lambda: caller.run(again))) == "wait done"
    assert caller.attempts(ticket) == [Outcome.CANCELED, Outcome.DONE]


def test_a_wish_that_others_share_is_taken_back_for_us_alone(
    caller: Caller, settings: Settings, tmp_path: Path
) -> None:
    other = other_process(settings, tmp_path, caller.script("wait"))
    caller.begun("wait")
    ticket = caller.start("wait")
    assert caller.lane.withdraw(ticket, "changed my mind")
    caller.go("wait")
    assert other.communicate(timeout=20)[0] == b"wait done\n"
    rows = caller.rows("SELECT state FROM requests ORDER BY id")
    assert [RequestState(row[0]) for row in rows] == [RequestState.DELIVERED, RequestState.CANCELED]


def test_a_job_of_ours_that_others_want_moves_to_them(caller: Caller, settings: Settings, tmp_path: Path) -> None:
    """We have not begun it, and never will."""
    ticket = caller.start("echo")
    other = other_process(settings, tmp_path, caller.script("echo"))
    wait_until(lambda: caller.rows("SELECT COUNT(*) FROM requests") == [(2,)], "the other request")
    assert caller.lane.withdraw(ticket, "changed my mind")
    assert other.communicate(timeout=20)[0] == b"echo done\n"
    assert caller.lines("begun") == [["begun", "echo", str(other.pid)]]


# -- what the lane asks the table ------------------------------------------------------------------
def test_one_job_is_claimed_by_its_number(desk: Desk) -> None:
    first, second = desk.submit("first", lane=7), desk.submit("second", lane=7)
    other = desk.new_worker()
    assert second.job_id is not None

    def claim_this(job: int | None, worker: int = desk.worker, lane: int = 7) -> bool:
        assert job is not None
        with desk.store.database.transaction() as connection:
            return claims.claim_this(connection, worker, lane, job)

    assert not claim_this(second.job_id, lane=8)
    assert claim_this(second.job_id)
    # It may be taken from whoever has only reserved it, not from whoever has begun it.
    assert claim_this(second.job_id, other)
    assert desk.begin(second.job_id) is None
    running = desk.begin(second.job_id, other)
    assert running is not None
    assert not claim_this(second.job_id)
    desk.done(running, worker=other)
    assert not claim_this(second.job_id)
    assert desk.claim(lane=7, want=5) == [first.job_id]
    assert not claim_this(99)


def test_which_jobs_are_free(desk: Desk) -> None:
    jobs = [desk.submit(name, lane=7).job_id or 0 for name in ("free", "reserved", "running", "canceled")]
    elsewhere = desk.submit("elsewhere", lane=8).job_id or 0
    with desk.store.database.transaction() as connection:
        for job in jobs[1:3]:
            claims.claim_this(connection, desk.worker, 7, job)
    desk.begin(jobs[2])
    desk.cancel(4)
    assert claims.free_among(desk.store.database, 7, [*jobs, elsewhere, 99]) == jobs[:1]
    assert claims.free_among(desk.store.database, 7, []) == []
    # Whoever waits for one may take it from whoever has only reserved it, and whatever it demands.
    execute(desk, "UPDATE jobs SET resources = '{\"cpus\": 2}' WHERE id = ?", jobs[0])
    found = [job for job in (*jobs, elsewhere, 99) if claims.is_ready(desk.store.database, 7, job)]
    assert found == jobs[:2]


def execute(desk: Desk, statement: str, *parameters: object) -> None:
    with desk.store.database.transaction() as connection:
        connection.execute(statement, parameters)


def test_the_ends_of_requests(desk: Desk) -> None:
    done, failed, canceled, waiting = (desk.submit(name).request_id for name in ("done", "failed", "canceled", "wait"))
    desk.done(desk.take(), "result of it")
    desk.fail(desk.take(), "exit code 4")
    desk.cancel(canceled)
    assert reports.ends(desk.store.database, [done, failed, canceled, waiting, 99]) == [
        End(done, RequestState.DELIVERED, None, desk.checksum("done"), desk.checksum("result of it")),
        End(failed, RequestState.FAILED, "exit code 4", desk.checksum("failed"), None),
        End(canceled, RequestState.CANCELED, "canceled", desk.checksum("canceled"), None),
    ]
    assert reports.ends(desk.store.database, []) == []


def wish_of(desk: Desk, what: str, parent: int | None = None) -> tuple[int, int]:
    """Ask for something in the name of a job; the request and the job."""
    request = NewRequest(what, b"/", None, None, 7, Identity(desk.checksum(what)), parent=parent)
    with desk.store.database.transaction() as connection:
        submitted, _ = submissions.submit(connection, request)
    assert submitted.job_id is not None
    return submitted.request_id, submitted.job_id


def test_whose_part_a_job_is(desk: Desk) -> None:
    _, top = wish_of(desk, "top")
    middle_request, middle = wish_of(desk, "middle", top)
    _, bottom = wish_of(desk, "bottom", middle)
    _, stranger = wish_of(desk, "stranger")
    database = desk.store.database
    assert all(reports.is_ancestor(database, job, bottom) for job in (top, middle, bottom))
    assert not any(reports.is_ancestor(database, job, top) for job in (middle, bottom, stranger))
    # A circle is no endless loop.
    wish_of(desk, "top", bottom)
    assert reports.is_ancestor(database, bottom, top)
    assert not reports.is_ancestor(database, stranger, top)
    # What has ended is nobody's part any more.
    desk.cancel(middle_request)
    assert not reports.is_ancestor(database, top, bottom)


def test_the_children_of_a_stopped_job_are_taken_back(desk: Desk) -> None:
    _, top = wish_of(desk, "top")
    _, only_mine = wish_of(desk, "only mine", top)
    _, shared = wish_of(desk, "shared", top)
    wish_of(desk, "shared")
    with desk.store.database.transaction() as connection:
        jobs, _ = progress.cancel_children(connection, top)
    assert sorted(jobs) == [only_mine, shared]
    assert (desk.job("only mine"), desk.job("shared"), desk.job("top")) == (J.CANCELED, J.READY, J.READY)
    with desk.store.database.transaction() as connection:
        assert progress.cancel_children(connection, top)[0] == []


def test_a_job_that_kills_its_worker_inside_of_another_is_charged_in_the_end(desk: Desk) -> None:
    """At first nobody knows which of the two it was; then both have been told to run alone."""
    for name in ("outer", "inner"):
        desk.submit(name)
    outer, inner = 1, 2
    for _ in range(MAX_DEATHS + 1):
        worker = desk.new_worker()
        with desk.store.database.transaction() as connection:
            assert claims.claim_this(connection, worker, QUEUE_LANE, outer)
            assert claims.begin(connection, worker, outer)
            assert claims.claim_this(connection, worker, QUEUE_LANE, inner)
            assert claims.begin(connection, worker, inner)
        desk.bury(worker)
    assert (desk.job("outer"), desk.job("inner")) == (J.FAILED, J.FAILED)


# -- the end -------------------------------------------------------------------------------------
def test_closing_takes_back_what_has_not_ended_and_wakes_who_waits(settings: Settings, tmp_path: Path) -> None:
    with calling(settings, tmp_path) as caller:
        mine = caller.start("echo")
        (queued,) = caller.submit(caller.script("echo", "queued"), lane=QUEUE_LANE)
        waiting = [in_thread(lambda ticket=ticket: ticket.wait(20)) for ticket in (mine, queued)]  # type: ignore[misc]
        assert caller.session.close() == 1
        assert [ended(*each) for each in waiting] == [True, True]
        assert (mine.canceled, mine.error) == (True, "the session was closed")
        assert queued.result is None
        assert set(caller.told) == {mine, queued}
        assert caller.session.close() == 0
    with calling(settings, tmp_path) as later:
        rows = later.rows("SELECT command, state FROM requests ORDER BY id")
    # The queue goes on without us.
    assert rows == [("echo", RequestState.CANCELED), ("queued", RequestState.QUEUED)]


def test_code_that_outlasts_its_session_is_told_so(settings: Settings, tmp_path: Path) -> None:
    """Nobody can make a thread stop; what it comes to has no place any more."""
    with calling(settings, tmp_path) as caller:
        running, waiting = caller.start("wait"), caller.start("echo")
        thread = in_thread(lambda: caller.lane.run_here(running, caller.session.host))
        caller.begun("wait")
        assert caller.session.close() == 2
        caller.go("wait")
        assert isinstance(found := ended(*thread), SeamlessError)
        assert "the session was closed" in str(found)
        for refused in (
            lambda: caller.start("echo"),
            lambda: caller.session.spawn(1),
            lambda: caller.lane.submit([], Staged()),
        ):
            with pytest.raises(SeamlessError, match="the session was closed"):
                refused()
        assert not caller.session.cancel(waiting)
        caller.session.watch_others()
        assert caller.session.host.wait_for(waiting) is None  # type: ignore[func-returns-value]
