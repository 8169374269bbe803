"""How jobs are claimed, begun and finished: order, lanes, fences, retries, deaths."""

import pytest
from desk import Desk

from seamless_queue import staged
from seamless_queue.broker import claims, submissions
from seamless_queue.broker.claims import MAX_DEATHS
from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.broker.work import Finished
from seamless_queue.errors import Fenced


def test_a_job_goes_from_submit_to_done(desk: Desk) -> None:
    submitted = desk.submit()
    assert (submitted.state, desk.job()) == (RequestState.QUEUED, JobState.READY)
    running = desk.take()
    assert desk.job() is JobState.RUNNING
    assert (running.checksum, running.command, running.request_id) == (
        desk.checksum("job"),
        "make job",
        submitted.request_id,
    )
    desk.done(running)
    assert (desk.job(), desk.request(submitted)) == (JobState.DONE, RequestState.DELIVERED)
    assert desk.result() == desk.checksum("result")
    assert desk.attempts() == [(1, Outcome.DONE, None)]
    assert submissions.known(desk.store.database, desk.checksum("job")) is not None


def test_an_answer_that_is_known_is_given_at_once(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit()
    assert (again.state, again.result) == (RequestState.DELIVERED, desk.checksum("result"))
    assert desk.claim() == []


def test_the_highest_priority_is_claimed_first_then_the_oldest(desk: Desk) -> None:
    for what, priority in (("a", 0), ("b", 5), ("c", -1), ("d", 5), ("e", 0)):
        desk.submit(what, priority=priority)
    order = [desk.take().checksum for _ in range(5)]
    assert order == [desk.checksum(what) for what in "bdaec"]


def test_a_batch_is_in_order_too(desk: Desk) -> None:
    jobs = [desk.submit(what, priority=priority).job_id for what, priority in (("a", 0), ("b", 7), ("c", 3))]
    assert desk.claim(want=10) == [jobs[1], jobs[2], jobs[0]]


def test_a_second_request_raises_what_the_job_may_use(desk: Desk) -> None:
    desk.submit("a", priority=1)
    desk.submit("b", timeout=5, retries=1)
    desk.submit("b", priority=2, timeout=9, retries=0)
    assert [desk.job_field(field, "b") for field in ("priority", "timeout", "retries")] == [2, 9, 1]
    desk.submit("b", timeout=None)
    assert desk.job_field("timeout", "b") is None
    assert desk.take().checksum == desk.checksum("b")


def test_lanes_are_apart(desk: Desk) -> None:
    session = desk.new_session(SessionKind.INLINE)
    worker = desk.new_worker(session)
    desk.submit("for the queue")
    desk.submit("for the session", lane=session)
    assert desk.take(worker, lane=session).checksum == desk.checksum("for the session")
    assert desk.claim(worker, lane=session) == []
    assert desk.take().checksum == desk.checksum("for the queue")
    assert desk.claim() == []


def test_whoever_waits_at_a_terminal_takes_over_what_the_queue_has_not_begun(desk: Desk) -> None:
    session = desk.new_session(SessionKind.INLINE)
    desk.submit()
    desk.submit(lane=session)
    assert desk.claim() == []
    assert desk.take(desk.new_worker(session), lane=session).checksum == desk.checksum("job")


def test_what_the_queue_has_begun_stays_there(desk: Desk) -> None:
    session = desk.new_session(SessionKind.INLINE)
    desk.submit()
    running = desk.take()
    waits = desk.submit(lane=session)
    assert desk.claim(desk.new_worker(session), lane=session) == []
    desk.done(running)
    assert desk.left.sessions == (session,)
    assert desk.request(waits) is RequestState.DELIVERED


def test_an_idle_worker_takes_back_what_another_has_only_reserved(desk: Desk) -> None:
    jobs = [desk.submit(what).job_id for what in "abc"]
    other = desk.new_worker()
    assert desk.claim(want=3) == jobs
    assert desk.begin(jobs[0]) is not None
    assert desk.claim(other, want=5) == [jobs[1]]
    assert desk.begin(jobs[1]) is None
    assert desk.begin(jobs[1], other) is not None
    assert desk.begin(jobs[2]) is None or desk.job("c") is JobState.RUNNING


def test_what_runs_is_never_taken_back(desk: Desk) -> None:
    desk.submit()
    desk.take()
    assert desk.claim(desk.new_worker()) == []


def test_nobody_begins_what_he_has_not_reserved(desk: Desk) -> None:
    job = desk.submit().job_id
    assert job is not None
    assert desk.begin(job) is None
    desk.claim()
    assert desk.begin(job, desk.new_worker()) is None
    assert desk.begin(job) is not None
    assert desk.begin(job) is None


def test_reservations_are_given_back_at_no_cost(desk: Desk) -> None:
    desk.submit("a")
    desk.submit("b")
    database = desk.store.database
    desk.claim(want=2)
    assert (claims.ready_count(database, 0, 10), claims.any_reserved(database, 0)) == (0, True)
    with database.transaction() as connection:
        assert claims.unreserve(connection, desk.worker) == 2
    assert (claims.ready_count(database, 0, 10), claims.any_reserved(database, 0)) == (2, False)
    assert claims.ready_count(database, 0, 1) == 1
    assert desk.attempts() == []


def test_a_worker_that_was_taken_over_cannot_publish(desk: Desk) -> None:
    """It was stopped (SIGSTOP), buried, and goes on when another runs its job."""
    waits = desk.submit()
    old = desk.take()
    desk.bury()
    other = desk.new_worker()
    new = desk.take(other)
    assert new.fence > old.fence
    with pytest.raises(Fenced):
        desk.done(old, "a late result")
    with pytest.raises(Fenced):
        desk.fail(old)
    assert (desk.job(), desk.result(), desk.request(waits)) == (JobState.RUNNING, None, RequestState.QUEUED)
    desk.stopped(old)
    assert desk.job_field("worker_id") == other
    desk.done(new, worker=other)
    assert desk.result() == desk.checksum("result")
    assert [outcome for _, outcome, _ in desk.attempts()] == [Outcome.DIED, Outcome.DONE]


def test_a_finished_attempt_cannot_be_finished_again(desk: Desk) -> None:
    desk.submit()
    running = desk.take()
    desk.done(running)
    with pytest.raises(Fenced):
        desk.done(running, "another result")
    assert desk.result() == desk.checksum("result")
    assert len(desk.attempts()) == 1


def test_nothing_of_a_fenced_attempt_is_kept(desk: Desk) -> None:
    """What it staged goes with the transaction that it is not allowed to make."""
    desk.submit()
    running = desk.take()
    desk.done(running)
    content = b"small buffer of a late attempt"
    checksum = desk.store.digest.of(content)

    def publish() -> None:
        with desk.store.database.transaction() as connection:
            connection.execute(staged.INSERT, (bytes.fromhex(checksum), content))
            claims.finish(connection, desk.session, desk.worker, running, Finished(Outcome.DONE, checksum))

    with pytest.raises(Fenced):
        publish()
    assert not desk.store.buffers.has(checksum)


def test_two_requests_share_one_execution_and_its_outcome(desk: Desk) -> None:
    one, two = desk.submit(), desk.submit()
    assert one.job_id == two.job_id
    running = desk.take()
    assert desk.claim() == []
    three = desk.submit()
    desk.done(running)
    assert {desk.request(request) for request in (one, two, three)} == {RequestState.DELIVERED}
    assert len(desk.attempts()) == 1


def test_those_who_wait_for_a_failing_attempt_share_its_failure(desk: Desk) -> None:
    one, two = desk.submit(), desk.submit()
    desk.fail(desk.take(), "exit code 3: no")
    assert (desk.job(), desk.request(one), desk.request(two)) == (
        JobState.FAILED,
        RequestState.FAILED,
        RequestState.FAILED,
    )
    assert desk.error(one) == desk.error(two) == "exit code 3: no"


def test_a_failed_job_runs_again_when_it_is_asked_for_again(desk: Desk) -> None:
    failed = desk.submit()
    desk.fail(desk.take())
    again = desk.submit()
    assert (again.state, desk.job()) == (RequestState.QUEUED, JobState.READY)
    desk.done(desk.take())
    assert (desk.request(again), desk.request(failed)) == (RequestState.DELIVERED, RequestState.FAILED)
    assert [(fence, outcome) for fence, outcome, _ in desk.attempts()] == [(1, Outcome.FAILED), (2, Outcome.DONE)]


def test_retries_are_used_up_and_each_is_recorded(desk: Desk) -> None:
    waits = desk.submit(retries=2)
    for number in range(2):
        desk.fail(desk.take(), f"try {number}")
        assert desk.left.again
        assert desk.request(waits) is RequestState.QUEUED
    desk.fail(desk.take(), "the last")
    assert (desk.request(waits), desk.error(waits)) == (RequestState.FAILED, "the last")
    assert [error for _, _, error in desk.attempts()] == ["try 0", "try 1", "the last"]


def test_a_job_that_is_given_back_costs_nothing(desk: Desk) -> None:
    waits = desk.submit()
    for _ in range(MAX_DEATHS + 1):
        desk.finish(desk.take(), Finished(Outcome.RELEASED))
    assert (desk.job(), desk.request(waits), desk.job_field("deaths")) == (JobState.READY, RequestState.QUEUED, 0)


def test_a_job_survives_some_deaths_of_its_worker_not_more(desk: Desk) -> None:
    waits = desk.submit(retries=5)
    for _ in range(MAX_DEATHS - 1):
        desk.take()
        desk.bury()
        assert (desk.job(), desk.left.again) == (JobState.READY, True)
    desk.take()
    desk.bury(why="worker killed by SIGSEGV")
    assert (desk.job(), desk.request(waits)) == (JobState.FAILED, RequestState.FAILED)
    assert desk.error(waits) == f"its worker died {MAX_DEATHS} times, last: worker killed by SIGSEGV"
    assert [outcome for _, outcome, _ in desk.attempts()] == [Outcome.DIED] * MAX_DEATHS


def test_what_a_dead_worker_had_only_reserved_is_not_charged(desk: Desk) -> None:
    desk.submit("a")
    desk.submit("b")
    first, _ = desk.claim(want=2)
    desk.begin(first)
    desk.bury()
    assert (desk.job_field("deaths", "a"), desk.job_field("deaths", "b")) == (1, 0)
    assert (desk.job("a"), desk.job("b")) == (JobState.READY, JobState.READY)
    assert len(desk.claim(desk.new_worker(), want=2)) == 2


def test_a_refresh_runs_again_and_the_same_result_says_nothing(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit(refresh=True)
    assert (again.state, desk.job()) == (RequestState.QUEUED, JobState.READY)
    desk.done(desk.take())
    assert not desk.left.differed
    assert desk.request(again) is RequestState.DELIVERED
    assert [outcome for _, outcome, _ in desk.attempts()] == [Outcome.DONE, Outcome.DONE]


def test_a_refresh_with_another_result_says_so_and_keeps_the_old_one(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit(refresh=True)
    desk.done(desk.take(), "another result")
    assert desk.left.differed
    assert (desk.result(), desk.request(again)) == (desk.checksum("result"), RequestState.DELIVERED)
    _, outcome, error = desk.attempts()[-1]
    assert outcome is Outcome.DIFFERED
    assert desk.checksum("result") in str(error)


def test_a_refresh_that_fails_leaves_what_was_known(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit(refresh=True)
    desk.fail(desk.take())
    assert (desk.job(), desk.request(again)) == (JobState.DONE, RequestState.FAILED)
    assert desk.submit().result == desk.checksum("result")


def test_a_refresh_whose_workers_die_leaves_what_was_known(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit(refresh=True)
    for _ in range(MAX_DEATHS):
        desk.take()
        desk.bury()
    assert (desk.job(), desk.request(again)) == (JobState.DONE, RequestState.FAILED)
    assert desk.submit().result == desk.checksum("result")


def test_a_result_whose_bytes_are_gone_is_computed_again(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit(gone="result")
    assert (again.state, desk.job(), again.result) == (RequestState.QUEUED, JobState.READY, None)
    desk.done(desk.take(), "a new result")
    assert (desk.result(), desk.request(again)) == (desk.checksum("a new result"), RequestState.DELIVERED)
    assert desk.left.differed
    assert desk.attempts()[-1][2] == f"result differs from {desk.checksum('result')}"


def test_a_result_whose_bytes_are_gone_is_not_kept_when_it_cannot_be_had_again(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit(gone="result")
    desk.fail(desk.take())
    assert (desk.job(), desk.request(again)) == (JobState.FAILED, RequestState.FAILED)
    desk.submit()
    desk.done(desk.take())
    assert (desk.result(), desk.left.differed) == (desk.checksum("result"), False)


def test_a_result_that_was_replaced_meanwhile_is_not_gone(desk: Desk) -> None:
    desk.submit()
    desk.done(desk.take())
    again = desk.submit(gone="an older result")
    assert again.result == desk.checksum("result")


def test_a_delivery_waits_for_the_result_that_was_found_gone(desk: Desk) -> None:
    waits = desk.submit(writes=("out",))
    desk.done(desk.take())
    assert desk.request(waits) is RequestState.DELIVERING
    desk.submit(gone="result")
    assert desk.claim_delivery(waits.request_id) is None
    desk.done(desk.take())
    delivery = desk.claim_delivery(waits.request_id)
    assert delivery is not None
    assert delivery.result == desk.checksum("result")
