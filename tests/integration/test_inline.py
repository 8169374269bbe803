"""A session at a terminal: it runs its own job, or waits for others, but never for nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from desk import Desk

from seamless_queue import inline
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.broker.work import Finished
from seamless_queue.doorbell import Doorbell
from seamless_queue.inline import InlineSession
from seamless_queue.store import Store


class Deaf:
    """Nobody watches (inline.Audience)."""

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Nothing to do."""

    def look(self) -> None:
        """Nothing to do."""


class Executing:
    """Executes every job in no time (clerk.Functions)."""

    def __init__(self, store: Store) -> None:
        self._result = store.digest.of(b"result")
        self.executed = 0

    def execute(self, *_arguments: Any) -> Finished:
        self.executed += 1
        return Finished(Outcome.DONE, self._result, exit_code=0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look around at once, not after seconds."""
    monkeypatch.setattr(inline, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(inline, "RECLAIM_SECONDS", 0.0)


@contextmanager
def session(desk: Desk) -> Iterator[tuple[InlineSession, Executing]]:
    functions: Any = Executing(desk.store)
    with Doorbell(desk.store.runtime_name) as bell:
        opened = InlineSession(desk.store, functions, bell, Deaf())
        try:
            yield opened, functions
        finally:
            opened.close()


def test_a_session_runs_its_own_job(desk: Desk) -> None:
    with session(desk) as (mine, functions):
        request = desk.submit(lane=mine.id).request_id
        ending = mine.run(request, lambda: pytest.fail("it waited"))
    assert (ending.state, ending.ran_here, functions.executed) == (RequestState.DELIVERED, True, 1)


def test_a_session_shares_the_outcome_of_what_the_queue_runs(desk: Desk) -> None:
    desk.submit()
    running = desk.take()
    with session(desk) as (mine, functions):
        request = desk.submit(lane=mine.id).request_id
        ending = mine.run(request, lambda: desk.done(running))
    assert (ending.state, ending.ran_here, functions.executed) == (RequestState.DELIVERED, False, 0)


def test_a_session_takes_over_what_it_waits_for_when_the_queue_gives_it_back(desk: Desk) -> None:
    """The server was killed, and no other one may ever come."""
    desk.submit()
    desk.take()
    with session(desk) as (mine, functions):
        request = desk.submit(lane=mine.id).request_id
        ending = mine.run(request, lambda: desk.bury())
    assert (ending.state, ending.ran_here, functions.executed) == (RequestState.DELIVERED, True, 1)


def test_a_session_that_gives_up_leaves_nothing_to_be_run(desk: Desk) -> None:
    with session(desk) as (mine, _):
        request = desk.submit(lane=mine.id).request_id
        mine.cancel(request)
    assert (desk.request(request), desk.job()) == (RequestState.CANCELED, JobState.CANCELED)


def test_the_failure_of_others_is_told(desk: Desk) -> None:
    desk.submit()
    running = desk.take()
    with session(desk) as (mine, _):
        request = desk.submit(lane=mine.id).request_id
        ending = mine.run(request, lambda: desk.fail(running, "exit code 5: no"))
    assert (ending.state, ending.error) == (RequestState.FAILED, "exit code 5: no")
