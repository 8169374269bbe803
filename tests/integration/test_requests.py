"""What becomes of requests: dependencies, failures that travel, and what is taken back."""

import pytest
from desk import Desk

from seamless_queue.broker import progress, reports, sessions, submissions
from seamless_queue.broker.records import Identity, NewDependency, NewRequest
from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.errors import Fenced

QUEUED, WAITING, KEYABLE = RequestState.QUEUED, RequestState.WAITING, RequestState.KEYABLE
FAILED, CANCELED, DELIVERED = RequestState.FAILED, RequestState.CANCELED, RequestState.DELIVERED


def test_a_dependent_waits_for_its_upstream_and_is_keyed_by_its_result(desk: Desk) -> None:
    upstream = desk.submit("up", writes=("x",)).request_id
    below = desk.submit("down", after=(upstream,))
    assert below.state is WAITING
    desk.done(desk.take(), "index of x")
    assert desk.left.key == (below.request_id,)
    assert desk.left.deliver == (upstream,)
    assert desk.request(below) is KEYABLE
    rows = desk.store.database.rows("SELECT checksum FROM dependencies WHERE request_id = ?", (below.request_id,))
    assert [row[0].hex() for row in rows] == [desk.checksum("index of x")]
    desk.key(below.request_id, "down")
    assert desk.request(below) is QUEUED
    desk.done(desk.take())
    assert desk.request(below) is DELIVERED


def test_what_is_known_at_submit_is_not_waited_for(desk: Desk) -> None:
    upstream = desk.submit("up", writes=("x",)).request_id
    desk.done(desk.take())
    assert desk.submit("down", after=(upstream,)).state is KEYABLE


def test_a_refreshed_upstream_is_waited_for_although_its_old_result_is_kept(desk: Desk) -> None:
    desk.submit("up", writes=("x",))
    desk.done(desk.take(), "old")
    refreshed = desk.submit("up", writes=("x",), refresh=True).request_id
    assert desk.submit("down", after=(refreshed,)).state is WAITING


def test_a_diamond_is_keyed_when_both_of_its_sides_are_known(desk: Desk) -> None:
    top = desk.submit("top", writes=("t",)).request_id
    left = desk.submit("left", writes=("l",), after=(top,)).request_id
    right = desk.submit("right", writes=("r",), after=(top,)).request_id
    bottom = desk.submit("bottom", after=(left, right)).request_id
    desk.done(desk.take())
    assert sorted(desk.left.key) == [left, right]
    desk.key(left, "left")
    desk.key(right, "right")
    desk.done(desk.take(), "left result")
    assert desk.left.key == ()
    assert desk.request(bottom) is WAITING
    desk.done(desk.take(), "right result")
    assert desk.left.key == (bottom,)


def test_two_inputs_from_one_upstream_key_the_dependent_once(desk: Desk) -> None:
    upstream = desk.submit("up", writes=("x", "y")).request_id
    below = desk.submit("down", after=(upstream, upstream)).request_id
    desk.done(desk.take())
    assert desk.left.key == (below,)


def test_many_that_fan_in_are_all_needed(desk: Desk) -> None:
    upstreams = tuple(desk.submit(f"up {n}", writes=(f"x{n}",)).request_id for n in range(20))
    below = desk.submit("down", after=upstreams).request_id
    for _ in range(19):
        desk.done(desk.take())
        assert desk.left.key == ()
    desk.done(desk.take())
    assert desk.left.key == (below,)


def test_two_upstreams_that_share_a_job_are_answered_together(desk: Desk) -> None:
    one = desk.submit("same", writes=("x",)).request_id
    two = desk.submit("same", writes=("y",)).request_id
    below = desk.submit("down", after=(one, two)).request_id
    desk.done(desk.take())
    assert desk.left.key == (below,)


def test_a_failure_travels_down_the_chain_and_names_its_root(desk: Desk) -> None:
    top = desk.submit("top", writes=("t",)).request_id
    middle = desk.submit("middle", writes=("m",), after=(top,)).request_id
    bottom = desk.submit("bottom", writes=("b",), after=(middle,)).request_id
    desk.fail(desk.take(), "exit code 7: broken")
    assert [desk.request(request) for request in (top, middle, bottom)] == [FAILED] * 3
    for request in (middle, bottom):
        assert desk.error(request) == (
            f"its input was to come from request {top} (make top), which did not: exit code 7: broken"
        )
    assert sorted(desk.left.ended) == [top, middle, bottom]


def test_a_request_after_one_that_failed_already_fails_at_once(desk: Desk) -> None:
    top = desk.submit("top", writes=("t",)).request_id
    desk.fail(desk.take())
    below = desk.submit("down", writes=("d",), after=(top,))
    assert below.state is FAILED
    assert f"request {top}" in desk.error(below)
    assert desk.left.ended == (below.request_id,)


def test_a_retry_does_not_fail_those_below(desk: Desk) -> None:
    top = desk.submit("top", writes=("t",), retries=1).request_id
    below = desk.submit("down", after=(top,))
    desk.fail(desk.take())
    assert desk.request(below) is WAITING
    desk.done(desk.take())
    assert desk.request(below) is KEYABLE


def test_canceling_takes_back_the_job_that_nobody_else_wants(desk: Desk) -> None:
    request = desk.submit(writes=("x",)).request_id
    desk.cancel(request)
    assert (desk.request(request), desk.job()) == (CANCELED, JobState.CANCELED)
    assert desk.left.ended == (request,)
    assert desk.claim() == []


def test_canceling_one_of_two_keeps_the_job(desk: Desk) -> None:
    one, two = desk.submit(), desk.submit()
    desk.cancel(one.request_id)
    assert desk.job() is JobState.READY
    desk.done(desk.take())
    assert (desk.request(one), desk.request(two)) == (CANCELED, DELIVERED)


def test_canceling_one_of_two_of_a_running_job_does_not_disturb_it(desk: Desk) -> None:
    one, two = desk.submit(), desk.submit()
    running = desk.take()
    desk.cancel(one.request_id)
    desk.done(running)
    assert (desk.request(one), desk.request(two)) == (CANCELED, DELIVERED)


def test_canceling_twice_or_too_late_changes_nothing(desk: Desk) -> None:
    request = desk.submit().request_id
    desk.done(desk.take())
    desk.cancel(request)
    assert (desk.request(request), desk.job()) == (DELIVERED, JobState.DONE)
    assert not any(desk.left)


def test_those_below_a_canceled_request_fail(desk: Desk) -> None:
    top = desk.submit("top", writes=("t",)).request_id
    below = desk.submit("down", after=(top,))
    desk.cancel(top)
    assert desk.request(below) is FAILED
    assert desk.error(below).endswith("which did not: canceled")


def test_a_running_job_that_is_canceled_cannot_publish(desk: Desk) -> None:
    request = desk.submit().request_id
    running = desk.take()
    desk.cancel(request)
    # The worker stays named until it has stopped: that tells its parent whom to stop.
    assert (desk.job(), desk.job_field("worker_id")) == (JobState.CANCELED, desk.worker)
    with pytest.raises(Fenced):
        desk.done(running)
    desk.stopped(running)
    assert (desk.job(), desk.job_field("worker_id")) == (JobState.CANCELED, None)
    assert [outcome for _, outcome, _ in desk.attempts()] == [Outcome.CANCELED]


def test_a_canceled_job_runs_again_only_when_its_worker_has_stopped(desk: Desk) -> None:
    request = desk.submit()
    running = desk.take()
    desk.cancel(request.request_id)
    again = desk.submit()
    assert (again.state, desk.job()) == (QUEUED, JobState.CANCELED)
    assert desk.claim(desk.new_worker()) == []
    desk.stopped(running)
    assert desk.job() is JobState.READY
    desk.done(desk.take())
    assert desk.request(again) is DELIVERED


def test_a_canceled_job_whose_worker_dies_runs_again_if_it_is_wanted(desk: Desk) -> None:
    request = desk.submit()
    desk.take()
    desk.cancel(request.request_id)
    again = desk.submit()
    desk.bury()
    assert desk.job() is JobState.READY
    desk.done(desk.take(other := desk.new_worker()), worker=other)
    assert desk.request(again) is DELIVERED


def test_a_job_given_up_by_its_runner_goes_on_for_others(desk: Desk) -> None:
    """Ctrl-C in a session that runs what a queued request wants as well: it is never lost."""
    session = desk.new_session(SessionKind.INLINE)
    worker = desk.new_worker(session)
    mine = desk.submit(lane=session)
    running = desk.take(worker, lane=session)
    other = desk.submit()
    with desk.store.database.transaction() as connection:
        progress.cancel_request(connection, mine.request_id)
    desk.stopped(running, worker)
    assert (desk.job(), desk.job_field("worker_id"), desk.job_field("deaths")) == (JobState.READY, None, 0)
    desk.done(desk.take())
    assert (desk.request(mine), desk.request(other)) == (CANCELED, DELIVERED)


def test_the_requests_of_a_session_end_with_it(desk: Desk) -> None:
    session = desk.new_session(SessionKind.PYTHON)
    worker = desk.new_worker(session)
    alone = desk.submit("alone", lane=session)
    shared = desk.submit("shared", lane=session)
    queued = desk.submit("shared")
    desk.take(worker, lane=session)
    with desk.store.database.transaction() as connection:
        sessions.end_session(connection, session, "its session died")
    assert (desk.request(alone), desk.error(alone)) == (CANCELED, "session ended")
    assert desk.request(shared) is CANCELED
    assert desk.job("alone") is JobState.CANCELED
    assert sessions.live_sessions(desk.store.database, SessionKind.PYTHON) == []
    # What the queue wants too moves there.
    assert desk.take().checksum == desk.checksum("shared")
    assert desk.request(queued) is QUEUED


def test_a_request_that_is_canceled_before_it_is_keyed_makes_no_job(desk: Desk) -> None:
    top = desk.submit("top", writes=("t",)).request_id
    below = desk.submit("down", after=(top,)).request_id
    desk.done(desk.take())
    desk.cancel(below)
    assert desk.key(below, "down") is None
    assert desk.request(below) is CANCELED
    assert desk.claim() == []


def test_a_watched_file_makes_its_request_keyable(desk: Desk) -> None:
    request = NewRequest("wait", b"/d", desk.checksum("s"), None, dependencies=(NewDependency(b"pin", b"/d/x", None),))
    with desk.store.database.transaction() as connection:
        submitted, _ = submissions.submit(connection, request)
    ((dependency, waits, path),) = reports.watched(desk.store.database)
    assert (submitted.state, waits, path) == (WAITING, submitted.request_id, b"/d/x")
    with desk.store.database.transaction() as connection:
        following = progress.resolve_watched(connection, [(dependency, waits)], desk.checksum("content"))
    assert following.key == (waits,)
    assert reports.watched(desk.store.database) == []


def test_the_writer_of_a_path_is_its_newest_live_request(desk: Desk) -> None:
    database = desk.store.database
    desk.submit("a", writes=("x",))
    newer = desk.submit("b", writes=("x",)).request_id
    path = b"/somewhere/x"
    found = submissions.writer_of(database, path)
    assert found is not None
    assert (found.request_id, found.name, found.command) == (newer, b"x", "make b")
    desk.cancel(newer)
    found = submissions.writer_of(database, path)
    assert found is not None
    assert found.request_id < newer
    assert submissions.writer_of(database, b"/somewhere/y") is None


def test_the_writers_below_a_directory(desk: Desk) -> None:
    inside = desk.submit("a", writes=("d/x", "d/sub/y")).request_id
    desk.submit("b", writes=("d2/x", "d", "e"))
    found = submissions.writers_below(desk.store.database, b"/somewhere/d")
    assert {(writer.request_id, writer.path) for writer in found} == {
        (inside, b"/somewhere/d/x"),
        (inside, b"/somewhere/d/sub/y"),
    }


def test_counts_and_failures_are_what_a_person_would_count(desk: Desk) -> None:
    top = desk.submit("top", writes=("t",)).request_id
    desk.submit("down", after=(top,))
    desk.submit("bad")
    desk.submit("elsewhere", lane=desk.new_session(SessionKind.INLINE))
    database = desk.store.database
    counts = reports.counts(database)
    assert (counts.waiting, counts.queued, counts.running, counts.delivering) == (1, 2, 0, 0)
    desk.done(desk.take())
    desk.fail(desk.take(), "exit code 1: bad")
    counts = reports.counts(database)
    assert (counts.waiting, counts.queued, counts.delivering, counts.live) == (1, 0, 1, 2)
    (failure,) = reports.failures_since(database, 0)
    assert (failure.command, failure.error) == ("make bad", "exit code 1: bad")
    assert not reports.is_idle(database)
    # Made good by a later request: no news any more.
    desk.submit("bad")
    desk.done(desk.take())
    assert reports.failures_since(database, 0) == []


def test_an_identity_that_is_told_twice_is_one_job(desk: Desk) -> None:
    with desk.store.database.transaction() as connection:
        requests = [
            NewRequest(f"{n}", b"/d", desk.checksum("s"), None, identity=Identity(desk.checksum("same")))
            for n in range(50)
        ]
        jobs = {submissions.submit(connection, request)[0].job_id for request in requests}
    assert len(jobs) == 1
    assert len(desk.claim(want=16)) == 1
