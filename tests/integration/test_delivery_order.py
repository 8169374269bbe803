"""Who may write a path, and when: one at a time, in the order of submission."""

import os
from pathlib import Path

from desk import Desk

from seamless_queue import reclaim
from seamless_queue.broker import deliveries
from seamless_queue.broker.states import RequestState

DELIVERING, DELIVERED, SUPERSEDED = RequestState.DELIVERING, RequestState.DELIVERED, RequestState.SUPERSEDED


def ready_to_deliver(desk: Desk, what: str, *writes: str) -> int:
    request = desk.submit(what, writes=writes).request_id
    desk.done(desk.take(), f"result of {what}")
    return request


def test_a_delivery_names_the_result_and_the_files(desk: Desk) -> None:
    request = ready_to_deliver(desk, "a", "x", "y")
    assert deliveries.open_deliveries(desk.store.database) == [request]
    delivery = desk.claim_delivery(request)
    assert delivery is not None
    assert delivery.result == desk.checksum("result of a")
    assert {output.path for output in delivery.outputs} == {b"/somewhere/x", b"/somewhere/y"}
    assert desk.claim_delivery(request, desk.new_worker()) is None
    assert desk.delivered(delivery) == ()
    assert desk.request(request) is DELIVERED
    assert deliveries.pending_paths(desk.store.database, request) == []


def test_two_requests_never_write_one_path_at_the_same_time(desk: Desk) -> None:
    one, two = ready_to_deliver(desk, "a", "x"), ready_to_deliver(desk, "b", "x", "y")
    first = desk.claim_delivery(two)
    assert first is not None
    assert desk.claim_delivery(one, desk.new_worker()) is None
    assert desk.delivered(first) == (one,)
    assert desk.claim_delivery(one) is not None


def test_an_older_request_does_not_overwrite_what_a_newer_one_has_written(desk: Desk) -> None:
    old = desk.submit("old", writes=("x",)).request_id
    new = desk.submit("new", writes=("x",)).request_id
    old_job, new_job = desk.take(), desk.take()
    desk.done(new_job)
    delivery = desk.claim_delivery(new)
    assert delivery is not None
    desk.delivered(delivery)
    desk.done(old_job)
    late = desk.claim_delivery(old)
    assert late is not None
    assert late.outputs == ()
    desk.delivered(late)
    assert (desk.request(new), desk.request(old)) == (DELIVERED, SUPERSEDED)


def test_an_older_request_still_writes_the_files_that_are_its_alone(desk: Desk) -> None:
    old = desk.submit("old", writes=("x", "mine")).request_id
    new = desk.submit("new", writes=("x",)).request_id
    desk.done(desk.take())
    desk.done(desk.take())
    newest = desk.claim_delivery(new)
    assert newest is not None
    desk.delivered(newest)
    delivery = desk.claim_delivery(old)
    assert delivery is not None
    assert [output.name for output in delivery.outputs] == [b"mine"]
    desk.delivered(delivery)
    assert desk.request(old) is DELIVERED
    assert desk.request(new) is DELIVERED


def test_an_older_request_does_not_rely_on_one_that_has_not_written_yet(desk: Desk) -> None:
    old = desk.submit("old", writes=("x",)).request_id
    new = desk.submit("new", writes=("x",)).request_id
    desk.done(desk.take())
    desk.done(desk.take())
    delivery = desk.claim_delivery(old)
    assert delivery is not None
    assert [output.name for output in delivery.outputs] == [b"x"]
    assert desk.claim_delivery(new) is None
    desk.delivered(delivery)
    assert desk.claim_delivery(new) is not None


def test_an_older_request_writes_if_the_newer_one_failed(desk: Desk) -> None:
    old = desk.submit("old", writes=("x",)).request_id
    desk.submit("new", writes=("x",))
    desk.done(desk.take())
    desk.fail(desk.take())
    delivery = desk.claim_delivery(old)
    assert delivery is not None
    assert [output.name for output in delivery.outputs] == [b"x"]


def test_a_dead_deliverer_leaves_its_delivery_to_others(desk: Desk) -> None:
    request = ready_to_deliver(desk, "a", "x")
    assert desk.claim_delivery(request) is not None
    assert deliveries.open_deliveries(desk.store.database) == []
    desk.bury()
    assert deliveries.open_deliveries(desk.store.database) == [request]
    other = desk.new_worker()
    delivery = desk.claim_delivery(request, other)
    assert delivery is not None
    # Whoever was taken for dead changes nothing any more.
    desk.delivered(delivery, desk.worker)
    assert desk.request(request) is DELIVERING
    desk.delivered(delivery, other)
    assert desk.request(request) is DELIVERED


def test_a_request_that_is_not_done_cannot_be_delivered(desk: Desk) -> None:
    request = desk.submit("a", writes=("x",)).request_id
    assert desk.claim_delivery(request) is None
    desk.fail(desk.take())
    assert desk.claim_delivery(request) is None


def test_half_written_files_of_a_dead_deliverer_are_removed(desk: Desk, tmp_path: Path) -> None:
    request = ready_to_deliver(desk, "a", "x")
    with desk.store.database.transaction() as connection:
        connection.execute("UPDATE outputs SET path = ?", (os.fsencode(tmp_path / "x"),))
    assert desk.claim_delivery(request) is not None
    (tmp_path / "x").mkdir()
    theirs = [tmp_path / ".seamless-4711-0.tmp", tmp_path / "x" / ".seamless-4711-12.tmp"]
    others = [tmp_path / ".seamless-4712-0.tmp", tmp_path / ".seamless-4711-notes"]
    for path in (*theirs, *others):
        path.touch()
    reclaim.remove_half_written(desk.store, desk.worker, 4711)
    assert [path.exists() for path in (*theirs, *others)] == [False, False, True, True]
