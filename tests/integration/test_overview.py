"""What the reads of the overview say of a queue in every state."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from desk import Desk

from seamless_queue.broker import finding, forecast, jobdetails, overview
from seamless_queue.broker.overview import Counted, Filter
from seamless_queue.broker.states import RequestState
from seamless_queue.survey import Estimator, Survey, hosts_of, survey, workers_of

ALL = Filter()


def looked(desk: Desk) -> Survey:
    return survey(desk.store, limit=100)


def words(desk: Desk) -> dict[str, int]:
    """How many requests stand where, those that are nowhere left out."""
    return {word: count for word, count in looked(desk).counts().items() if count}


def test_the_states_of_a_request(desk: Desk) -> None:
    assert words(desk) == {}
    first = desk.submit("a", writes=("a",))
    waiting = desk.submit("b", after=(first.request_id,))
    assert words(desk) == {"ready": 1, "waiting": 1}
    running = desk.take()
    with desk.store.database.transaction() as connection:
        # A server's own process is no worker of its.
        connection.execute("UPDATE workers SET pid = pid + 1")
    found = looked(desk)
    assert {word: count for word, count in found.counts().items() if count} == {"running": 1, "waiting": 1}
    assert [row.word for row in found.lists.running] == ["running"]
    assert (found.busy, found.lists.lost) == (1, frozenset())
    assert found.lists.inputs[waiting.request_id][0].upstream_id == first.request_id
    desk.done(running)
    assert words(desk) == {"delivering": 1, "waiting": 1}
    delivery = desk.claim_delivery(first.request_id)
    assert delivery is not None
    desk.delivered(delivery)
    assert words(desk)["done"] == 1


def test_what_is_canceled_while_it_runs_is_stopping(desk: Desk) -> None:
    request = desk.submit("a")
    running = desk.take()
    desk.cancel(request.request_id)
    assert [row.word for row in looked(desk).lists.running] == ["stopping"]
    assert looked(desk).running == 0
    desk.stopped(running)
    assert looked(desk).lists.running == ()


def test_the_next_ones_in_the_order_of_claiming(desk: Desk) -> None:
    for priority in (0, 5, -1, 5):
        desk.submit(f"p{desk.store.database.row(overview.LAST_REQUEST)[0]}", priority=priority)
    listed = [row.request_id for row in looked(desk).lists.ready]
    assert listed == [2, 4, 1, 3]
    for request in listed:
        job = desk.take()
        assert job.request_id == request
        desk.done(job, f"result {request}")


def test_a_hit_is_an_answer_without_an_attempt_of_its_own(desk: Desk) -> None:
    desk.submit("a")
    # Shares the attempt that the first one has asked for.
    desk.submit("a")
    desk.done(desk.take())
    assert looked(desk).counted.hits == 1
    # Was known.
    desk.submit("a")
    assert looked(desk).counted.hits == 2
    # Is to run again, and does.
    desk.submit("a", refresh=True)
    desk.done(desk.take())
    assert looked(desk).counted.hits == 2
    desk.submit("a")
    found = looked(desk).counted
    assert found.hits == 3
    assert found.saved > 0


def test_a_retry_of_a_failure_is_no_hit(desk: Desk) -> None:
    desk.submit("a")
    desk.fail(desk.take())
    assert [row.request_id for row in looked(desk).lists.failed] == [1]
    desk.submit("a")
    desk.done(desk.take())
    found = looked(desk)
    assert found.counted.hits == 0
    # And the failure is no news any more.
    assert found.lists.failed == ()


def test_only_roots_of_failures_are_listed(desk: Desk) -> None:
    first = desk.submit("a", writes=("a",))
    second = desk.submit("b", after=(first.request_id,), writes=("b",))
    desk.submit("c", after=(second.request_id,))
    desk.fail(desk.take())
    assert words(desk) == {"failed": 3}
    assert [row.request_id for row in looked(desk).lists.failed] == [first.request_id]
    assert looked(desk).lists.failed[0].error == "exit code 1"


@pytest.mark.parametrize("seed", range(5))
def test_counting_on_is_as_good_as_counting_all(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    known, running = Counted(), []
    for number in range(60):
        draw = chance.random()
        if draw < 0.4:
            desk.submit(f"job {chance.randrange(20)}", refresh=chance.random() < 0.2)
        elif draw < 0.6 and desk.claim(want=1):
            held = desk.store.database.rows("SELECT id FROM jobs WHERE worker_id IS NOT NULL AND state = 0")
            running += [one for (job,) in held if (one := desk.begin(job)) is not None]
        elif draw < 0.9 and running:
            job = running.pop(chance.randrange(len(running)))
            desk.done(job, f"result {number}") if chance.random() < 0.7 else desk.fail(job)
        known = overview.counted(desk.store.database, ALL, known)
        whole = overview.counted(desk.store.database)
        assert Counter(dict(known.states)) == Counter(dict(whole.states))
        assert (known.hits, known.saved) == (whole.hits, pytest.approx(whole.saved))


def test_throughput(desk: Desk) -> None:
    now = time.time()
    assert forecast.throughput(desk.store.database, now) == (0, 0)
    ends = [now - 1000 + 10 * number for number in range(100)]
    with desk.store.database.transaction() as connection:
        for moment in ends:
            connection.execute(
                "INSERT INTO attempts (job_id, fence, session_id, outcome, finished) VALUES (1, 1, 1, 0, ?)", (moment,)
            )
    found = forecast.throughput(desk.store.database, now)
    assert found == (sum(one >= now - 60 for one in ends), sum(one >= now - 600 for one in ends))


def test_filters(desk: Desk) -> None:
    desk.submit("apple")
    desk.submit("pear")
    database = desk.store.database
    with database.transaction() as connection:
        connection.execute("UPDATE requests SET project = 'fruit:red', stage = 'one' WHERE id = 1")
        connection.execute("UPDATE requests SET project = 'fruitless', finished = 5 WHERE id = 2")
    for wanted, expected in (
        (Filter(project="fruit"), [1]),
        (Filter(project="fruit:red"), [1]),
        (Filter(project="fruit:blue"), []),
        (Filter(stage="one"), [1]),
        (Filter(text="PEAR"), [2]),
        (Filter(text="%"), []),
        (Filter(since=6.0), [1]),
        (ALL, [1, 2]),
    ):
        assert [row.request_id for row in overview.ready(database, wanted, [0], 10)] == expected, wanted
        assert overview.counted(database, wanted).total == len(expected)


def test_details_of_a_request(desk: Desk) -> None:
    first = desk.submit("a", writes=("a",))
    second = desk.submit("b", after=(first.request_id,))
    desk.fail(desk.take())
    database = desk.store.database
    found = jobdetails.details(database, finding.the_one(database, "somewhere/a", "/"))
    assert (found.row.request_id, found.row.word) == (first.request_id, "failed")
    assert [one.error for one in found.attempts] == ["exit code 1"]
    assert [row.request_id for row in found.needed_by] == [second.request_id]
    later = jobdetails.details(database, finding.the_one(database, f"#{second.request_id}", "/"))
    assert [one.upstream_id for one in later.inputs] == [first.request_id]
    graph = jobdetails.graph_of(database, second.request_id, 10)
    assert (sorted(graph.rows), graph.more) == ([1, 2], False)
    assert jobdetails.graph_of(database, second.request_id, 1).more


def test_a_chain_of_thousands_is_no_matter(desk: Desk) -> None:
    upstream = desk.submit("0", writes=("0",))
    for number in range(1, 1500):
        upstream = desk.submit(str(number), after=(upstream.request_id,), writes=(str(number),))
    graph = jobdetails.graph_of(desk.store.database, upstream.request_id, 2000)
    assert len(graph.edges) == 1499
    found = Estimator(desk.store.database).estimate(hosts_of(desk.store.database), time.time())
    assert found.why == "nothing like it has ended yet"
    desk.done(desk.take())
    with desk.store.database.transaction() as connection:
        connection.execute("UPDATE attempts SET started = finished - 2")
    found = Estimator(desk.store.database).estimate(hosts_of(desk.store.database), time.time())
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 2 * 1499 <= found.high
    assert found.low == pytest.approx(2 * 1499, rel=0.05)


def test_a_dead_session_has_no_workers(desk: Desk) -> None:
    database = desk.store.database
    hosts = hosts_of(database)
    assert [host.works for host in hosts] == [True]
    gone = [host._replace(alive=False) for host in hosts]
    assert workers_of(database, gone) == ()


def test_a_request_is_found_by_number_only_if_it_is_there(desk: Desk) -> None:
    desk.submit("a")
    found = overview.rows_of(desk.store.database, [7, 1])
    assert [(row.request_id, row.state) for row in found] == [(1, RequestState.QUEUED)]
