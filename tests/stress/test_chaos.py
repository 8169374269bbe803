"""Workers and servers die at random and at the worst moments; the result is that of a quiet day."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from acceptance.shop import Server, Shop, opened, until

from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.driver import Database

from .workload import commands, contents

KILLS = 30
#: Deaths of workers that a job survives; the third is its end, by design.
DEATHS = 2
#: For all 300 commands, on any machine.
PATIENCE_SECONDS = 600.0

BUSY = f"""SELECT workers.pid, jobs.deaths FROM jobs JOIN workers ON workers.id = jobs.worker_id
    WHERE jobs.state = {JobState.RUNNING.value}"""
ENDED = f"SELECT COUNT(*) FROM requests WHERE state NOT IN ({', '.join(str(s.value) for s in list(RequestState)[:4])})"


def submit(shop: Shop, lines: list[str]) -> None:
    for n in range(10):
        (shop.dir / "deep" / str(n)).mkdir(parents=True, exist_ok=True)
    shop.submit("--batch", "-", input="\n".join(lines).encode())


@pytest.fixture(scope="module")
def seed() -> int:
    seed = int(os.environ.get("SEAMLESS_STRESS_SEED", random.randrange(1 << 32)))
    print(f"\nSEAMLESS_STRESS_SEED={seed}")
    return seed


@pytest.fixture(scope="module")
def lines(seed: int) -> list[str]:
    return commands(seed)


@pytest.fixture(scope="module")
def expected(lines: list[str], template: Path) -> dict[str, bytes]:
    """What is written when nobody is killed."""
    with opened(template) as shop:
        submit(shop, lines)
        server = shop.server("--workers", "4")
        shop.finish(timeout=PATIENCE_SECONDS)
        assert server.wait().status == 0
        return contents(shop.dir)


@pytest.fixture
def shop(template: Path) -> Iterator[Shop]:
    with opened(template) as shop:
        yield shop


def send(pid: int, number: signal.Signals) -> None:
    """To a process that may be gone by now."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Chaos:
    """Kills, and starts again what it has killed."""

    def __init__(self, shop: Shop, chance: random.Random, *words: str) -> None:
        self.shop, self.chance, self.words = shop, chance, ("--workers", "3", *words)
        self.server: Server = shop.server(*self.words)
        self.database = Database(str(shop.store / "seamless.db"))
        self.timers: list[threading.Timer] = []

    def ended(self) -> int:
        return int(self.database.row(ENDED)[0])

    def run(self, kills: int, total: int) -> None:
        """After every kill some requests end before the next one."""
        for number in range(kills):
            goal = min(total * (number + 1) // (kills + 1), total - 1)
            until(lambda goal=goal: self.ended() >= goal, f"{goal} of {total} requests", PATIENCE_SECONDS)
            self.chance.choice((self.worker, self.worker, self.worker, self.everything, self.interrupted))()
        self.go_on()

    def stop_for_a_while(self, pid: int) -> None:
        """Stopped, it may hold the database's lock; continued, it must not publish what was taken from it."""
        send(pid, signal.SIGSTOP)
        self.timers.append(threading.Timer(self.chance.uniform(0.1, 2.0), send, [pid, signal.SIGCONT]))
        self.timers[-1].start()

    def go_on(self) -> None:
        """Wait until nobody is stopped any more."""
        while self.timers:
            self.timers.pop().join()

    # -- what can happen --------------------------------------------------------------------
    def worker(self) -> None:
        """One worker is killed, and now and then another one stopped."""
        spared = self.spared()
        victims = [pid for pid in self.server.workers() if pid not in spared]
        if victims:
            victim = self.chance.choice(victims)
            send(victim, signal.SIGKILL)
            others = [pid for pid in self.server.workers() if pid != victim]
            if others and self.chance.random() < 0.5:
                self.stop_for_a_while(self.chance.choice(others))

    def everything(self) -> None:
        """The server is killed, now and then with a stopped worker."""
        until(lambda: not self.spared(), "jobs that survive another death", PATIENCE_SECONDS)
        for pid in self.server.workers():
            if self.chance.random() < 0.3:
                self.stop_for_a_while(pid)
        self.server.kill()
        self.server = self.shop.server(*self.words)

    def interrupted(self) -> None:
        """Two signals: stop at once; that costs nobody an attempt."""
        self.go_on()
        # A signal that comes after its work is done ends it as signals end processes.
        assert self.server.stop_now().status in (0, -signal.SIGINT)
        self.server = self.shop.server(*self.words)

    def spared(self) -> set[int]:
        """Whoever runs what has lost two workers already."""
        return {pid for pid, deaths in self.database.rows(BUSY) if deaths >= DEATHS}


def check(shop: Shop, expected: dict[str, bytes]) -> None:
    """As on a quiet day, and nothing left behind."""
    # Whatever the dead have left is swept by a server that starts.
    shop.server().stop()
    shop.everyone_gone()
    assert shop.rows(f"SELECT id, error FROM requests WHERE state = {RequestState.FAILED.value}") == []
    got = contents(shop.dir)
    assert sorted(got) == sorted(expected)
    assert [name for name in got if got[name] != expected[name]] == []
    assert shop.store_leftovers() == []
    good = {"delivered", "superseded"}
    assert set(shop.request_states()) <= good
    assert shop.rows("SELECT COUNT(*) FROM jobs WHERE worker_id IS NOT NULL OR deaths > 2") == [(0,)]
    lost = f"SELECT COUNT(*) FROM attempts WHERE outcome = {Outcome.DIED.value} GROUP BY job_id"
    assert all(count <= DEATHS for (count,) in shop.rows(lost))
    done = f"SELECT COUNT(*) FROM attempts WHERE outcome = {Outcome.DONE.value} GROUP BY job_id"
    assert all(count == 1 for (count,) in shop.rows(done))
    assert shop.rows("PRAGMA integrity_check") == [("ok",)]
    assert shop.rows("PRAGMA foreign_key_check") == []


def test_kills(shop: Shop, lines: list[str], expected: dict[str, bytes], seed: int) -> None:
    submit(shop, lines)
    chaos = Chaos(shop, random.Random(seed))
    chaos.run(KILLS, len(lines))
    shop.finish(timeout=PATIENCE_SECONDS)
    chaos.server.wait()
    chaos.database.close()
    check(shop, expected)


def test_submitted_while_everything_is_killed(
    shop: Shop, lines: list[str], expected: dict[str, bytes], seed: int
) -> None:
    """Requests come one by one, some of their submitters die too; what was acknowledged is done."""
    chance = random.Random(seed + 1)
    chaos = Chaos(shop, chance)
    for n in range(10):
        (shop.dir / "deep" / str(n)).mkdir(parents=True)
    # A link of a chain that is submitted twice would be there twice: only what is repeatable is killed.
    for number, line in enumerate(lines):
        if chance.random() < 0.1 and ">>" not in line:
            where = chance.choice(("submitted", "promised"))
            ended = shop.run("--qsubmit", "-c", line, env={"SEAMLESS_CRASH_AT": where})
            assert ended.status == -signal.SIGKILL
        shop.submit("-c", line)
        if number % 15 == 7:
            chance.choice((chaos.worker, chaos.everything))()
    chaos.go_on()
    shop.finish(timeout=PATIENCE_SECONDS)
    chaos.server.wait()
    chaos.database.close()
    check(shop, expected)


POINTS = ("begun", "before-publish", "published", "delivery-claimed", "delivered")
#: Of submitters, of who makes again what is gone, of who gives bytes up, and of who imports: the acceptance tests
#: have them.
OTHERS = ("submitted", "promised", "retried", "made-again", "evicted", "set-aside", "removed", "bytes-imported")


def test_all_points_are_known() -> None:
    root = Path(__file__).parent.parent.parent
    found = set()
    for folder in ("seamless_queue", "transformer", "cli"):
        for path in (root / folder).rglob("*.py"):
            found.update(part.split('"')[0] for part in path.read_text().split('crashpoints.reached("')[1:])
    assert found == {*POINTS, *OTHERS}


@pytest.mark.parametrize("point", POINTS)
def test_everybody_dies_at_a_point(shop: Shop, lines: list[str], expected: dict[str, bytes], point: str) -> None:
    """Every worker, and every server that does a worker's work, dies when it gets there for the 12th time.

    So often that no job meets three in a row: the next worker is a fresh one.
    """
    submit(shop, lines)
    dead = 0
    while True:
        server = shop.server("--workers", "2", "--exit-when-idle", "0.5", env={"SEAMLESS_CRASH_AT": f"{point}:12"})
        status = server.wait(PATIENCE_SECONDS).status
        if status == 0:
            break
        assert status == -signal.SIGKILL, server.err
        dead += 1
        assert dead < len(lines)
    check(shop, expected)
