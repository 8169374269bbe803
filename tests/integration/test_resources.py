"""What jobs demand and servers offer: who starts, who waits, who is never overtaken for ever."""

from __future__ import annotations

import json

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st
from racing import let_go, racing

from seamless_queue.broker import claims, control, resources, submissions
from seamless_queue.broker.records import Identity, NewRequest
from seamless_queue.broker.resources import Offer
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished, Running
from seamless_queue.settings import Settings

PROCESSES = 8


def submit(desk: Desk, what: str, priority: int = 0, **demands: int) -> int:
    """A request of the queue with these demands; the number of its job."""
    request = NewRequest(
        what,
        b"/d",
        None,
        None,
        identity=Identity(desk.checksum(what)),
        priority=priority,
        resources=resources.encode(demands),
    )
    with desk.store.database.transaction() as connection:
        job_id = submissions.submit(connection, request)[0].job_id
    assert job_id is not None
    return job_id


def start(desk: Desk, offer: Offer, worker: int | None = None) -> Running | None:
    worker = worker or desk.new_worker()
    with desk.store.database.transaction() as connection:
        reserved = resources.claim(connection, worker, offer, 1)
        return claims.begin(connection, worker, reserved[0]) if reserved else None


def offer_of(desk: Desk, tight: bool = False, **amounts: int) -> Offer:
    with desk.store.database.transaction() as connection:
        connection.execute("UPDATE sessions SET resources = ? WHERE id = ?", (json.dumps(amounts), desk.session))
    return Offer(desk.session, amounts, tight)


def test_a_job_starts_only_where_it_fits(desk: Desk) -> None:
    offer = offer_of(desk, cpus=4)
    large, small = submit(desk, "large", cpus=3), submit(desk, "small", cpus=2)
    worker = desk.new_worker()
    first = start(desk, offer, worker)
    assert first is not None
    assert first.job_id == large
    assert resources.startable(desk.store.database, offer, 5) == 0
    assert start(desk, offer) is None
    assert resources.waiting_reason(desk.store.database, small) == "needs 2 cpus: running jobs have it"
    with desk.store.database.transaction() as connection:
        claims.finish(connection, desk.session, worker, first, Finished(Outcome.DONE, first.checksum))
    assert resources.startable(desk.store.database, offer, 5) == 1
    second = start(desk, offer)
    assert second is not None
    assert second.job_id == small


def test_plain_jobs_take_a_processor_each(desk: Desk) -> None:
    offer = offer_of(desk, cpus=4)
    submit(desk, "large", cpus=3)
    for number in range(3):
        submit(desk, f"plain {number}")
    assert [start(desk, offer) is not None for _ in range(4)] == [True, True, False, False]


def test_fewer_processors_than_workers(desk: Desk) -> None:
    offer = offer_of(desk, tight=True, cpus=2)
    for number in range(4):
        submit(desk, f"plain {number}")
    assert resources.startable(desk.store.database, offer, 4) == 2
    assert [start(desk, offer) is not None for _ in range(3)] == [True, True, False]


def test_small_jobs_overtake_a_large_one_for_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = offer_of(desk, cpus=2)
    submit(desk, "one")
    assert start(desk, offer) is not None
    large = submit(desk, "large", priority=1, cpus=2)
    for number in range(3):
        submit(desk, f"small {number}", memory=0, cpus=1)
    worker = desk.new_worker()
    small = start(desk, offer, worker)
    assert small is not None
    assert small.job_id != large
    with desk.store.database.transaction() as connection:
        claims.finish(connection, desk.session, worker, small, Finished(Outcome.DONE, small.checksum))
    monkeypatch.setattr(resources, "PATIENCE_SECONDS", 0.0)
    assert start(desk, offer) is None, "what it needs is kept for it"
    assert resources.startable(desk.store.database, offer, 5) == 0


def test_what_can_never_start_holds_nobody_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PATIENCE_SECONDS", 0.0)
    offer = offer_of(desk, cpus=2, memory=10**9)
    never, other = submit(desk, "never", priority=5, cpus=64), submit(desk, "other", memory=10**9)
    for _ in range(2):
        started = start(desk, offer)
    assert started is None
    assert desk.store.database.row("SELECT state FROM jobs WHERE id = ?", (other,)) == (1,)
    reason = resources.waiting_reason(desk.store.database, never)
    assert reason == "needs 64 cpus, but no running server offers more than 2 cpus"
    assert resources.lacking(desk.store.database, resources.encode({"licence": 1})) is not None
    with desk.store.database.transaction() as connection:
        assert control.pause(connection)
    assert resources.waiting_reasons(desk.store.database, never) == [
        "the queue is paused (seamless-queue resume)",
        reason,
    ]


def test_slots_are_the_stores_and_gpus_the_servers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(resources.VISIBLE_DEVICES, "5,7")
    one = offer_of(desk, cpus=4, gpus=2, license=1)
    other = Offer(desk.new_session(), one.amounts)
    for number in range(2):
        submit(desk, f"licensed {number}", license=1)
    assert start(desk, one) is not None
    assert start(desk, other) is None
    for number in range(3):
        submit(desk, f"graphics {number}", gpus=1)
    found = [start(desk, one) for _ in range(3)]
    assert [running.devices if running else None for running in found] == ["5", "7", None]
    assert start(desk, other, desk.new_worker(other.session_id)) is not None


def test_a_paused_queue_begins_nothing(desk: Desk) -> None:
    offer = offer_of(desk, cpus=2)
    job = submit(desk, "job")
    with desk.store.database.transaction() as connection:
        assert control.pause(connection)
        assert not control.pause(connection)
    assert start(desk, offer) is None
    assert resources.startable(desk.store.database, offer, 2) == 0
    assert "paused" in (resources.waiting_reason(desk.store.database, job) or "")
    with desk.store.database.transaction() as connection:
        assert control.resume(connection)
    assert start(desk, offer) is not None


@given(
    st.dictionaries(st.sampled_from(["cpus", "memory", "gpus", "license", "tape"]), st.integers(0, 10**12)),
)
def test_demands_come_back_as_they_were_or_a_little_more(amounts: dict[str, int]) -> None:
    found = resources.demand_of(resources.encode(amounts))
    for name, amount in amounts.items():
        assert amount <= found.get(name, 0) <= amount * 1.1
    assert set(found) <= set(amounts) | {"cpus"}


def test_eight_processes_never_hold_more_than_is_offered(desk: Desk, settings: Settings) -> None:
    kinds: list[dict[str, int]] = [
        {},
        {"cpus": 2},
        {"cpus": 5},
        {"memory": 3 * 10**9},
        {"memory": 7 * 10**9, "cpus": 2},
        {"gpus": 1},
        {"license": 1},
        {"license": 2, "gpus": 2},
    ]
    for number in range(320):
        submit(desk, str(number), number % 3, **kinds[number % len(kinds)])
    with racing("demanding.py", PROCESSES, settings.store, str(desk.session)) as processes:
        let_go(processes)
        said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sum(int(began) for began, _ in said) == 320
    assert [excess for _, excess in said] == ["0"] * PROCESSES
