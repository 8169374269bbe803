"""What happens while bytes that are gone are made again: deaths, stops, cancellations, others who want the same."""

from __future__ import annotations

import os
import signal

import pytest

from seamless_queue.broker.states import Outcome
from seamless_queue.driver import Database

from .shop import COUNTED, Server, Shop, children, state_of, until
from .test_fingertip import LARGE

NEEDS = ("-cp", "b.txt", "-c", "tac a.txt > b.txt")


@pytest.fixture
def held(shop: Shop) -> Shop:
    """The bytes of a.txt are gone; to make them again waits for the gate."""
    shop.let("maker")
    say, wait = shop.held("maker")
    shop.good(say, f"{COUNTED[1]}; {wait}", "--scratch", "-cp", "a.txt", "-c", LARGE)
    for name in ("maker", "maker.runs"):
        (shop.gates / name).unlink()
    assert shop.buffer_files() == []
    return shop


def is_made(shop: Shop, *, executions: int) -> None:
    """All is well now."""
    assert shop.read("b.txt").startswith("20000\n19999\n")
    assert shop.executions == executions
    ended = shop.call("seamless-store", "verify")
    assert ended.status == 0, ended
    assert shop.rows("SELECT COUNT(*) FROM jobs WHERE worker_id IS NOT NULL") == [(0,)]
    assert shop.store_leftovers() == []


@pytest.mark.parametrize(("place", "executions"), [("begun:2", 2), ("made-again", 2), ("delivery-claimed", 2)])
def test_a_command_that_is_killed_in_the_middle(held: Shop, place: str, executions: int) -> None:
    held.let("maker")
    assert held.run(*NEEDS, env={"SEAMLESS_CRASH_AT": place}).status == -signal.SIGKILL
    held.good(*NEEDS)
    is_made(held, executions=executions)


@pytest.mark.parametrize("place", ["begun:2", "before-publish", "made-again"])
def test_workers_that_are_killed_in_the_middle(held: Shop, place: str) -> None:
    """Neither job is lost, or has failed for it."""
    held.let("maker")
    held.submit(*NEEDS)
    server = held.server("--workers", "1", env={"SEAMLESS_CRASH_AT": place})
    server.says("died")
    server.stop_now()
    held.work_off()
    held.everyone_gone()
    assert held.request_states()[1] == "delivered"
    is_made(held, executions=held.executions)
    assert held.executions <= 3


def test_two_commands_that_lack_the_same_run_it_once(held: Shop) -> None:
    runs = []
    for number in (1, 2):
        words = ("-cp", f"b{number}.txt", "-c", f"head -n {number} a.txt > b{number}.txt")
        runs.append(held.start("seamless-run", *words))
        held.runs("maker")
    until(lambda: held.rows("SELECT COUNT(*) FROM requests WHERE parent IS NOT NULL") == [(2,)], "both to ask for it")
    held.let("maker")
    assert [run.wait().status for run in runs] == [0, 0]
    assert held.executions == 2
    assert (held.read("b1.txt"), held.read("b2.txt")) == ("1\n", "1\n2\n")


@pytest.mark.parametrize("command", [("seamless-cancel",), ("seamless-queue", "cancel")])
def test_a_job_is_canceled_in_the_middle(held: Shop, command: tuple[str, ...]) -> None:
    """What was made again for it alone is not wanted either; nothing runs on."""
    held.submit(*NEEDS)
    server = held.server()
    held.runs("maker")
    assert held.call(*command, "b.txt").status == 0
    held.everyone_but(server)
    assert set(held.request_states()[1:]) == {"canceled"}
    held.let("maker")
    held.submit(*NEEDS)
    held.finish()
    server.wait()
    is_made(held, executions=3)


def worker_that_runs(server: Server) -> int:
    return until(lambda: next((pid for pid in server.workers() if children(pid)), None), "a worker to run something")  # type: ignore[no-any-return]


def test_a_worker_that_was_stopped_for_longer_than_its_lease(held: Shop) -> None:
    """As if it were in another container: what it was making for its job has been taken over with the job."""
    held.submit(*NEEDS)
    first = held.server("--workers", "1")
    held.runs("maker")
    worker = worker_that_runs(first)
    for pid in (first.pid, worker):
        os.kill(pid, signal.SIGSTOP)
    database = Database(str(held.store / "seamless.db"))
    with database.transaction() as connection:
        connection.execute("UPDATE sessions SET pid_namespace = 'elsewhere', lease_until = 0 WHERE ended IS NULL")
    database.close()
    (held.gates / "maker.runs").unlink()
    second = held.server("--workers", "1")
    held.runs("maker")
    held.let("maker")
    until(lambda: held.has("b.txt"), "the second server to make it")
    os.kill(worker, signal.SIGCONT)
    until(lambda: not children(worker), "the command of the first one to end")
    until(lambda: state_of(worker) == "S", "it to publish, in vain")
    first.kill()
    held.finish()
    second.wait()
    done = held.rows(
        f"SELECT COUNT(*) FROM attempts WHERE outcome = {Outcome.DONE.value} GROUP BY job_id ORDER BY job_id"
    )
    assert done == [(2,), (1,)]
    is_made(held, executions=3)
