"""Bytes come and go while everything is killed: scratch results, a store that collects all the time, pauses, slots."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from acceptance.shop import Shop, opened

from seamless_queue.broker.states import Outcome, RequestState

from .test_chaos import PATIENCE_SECONDS, Chaos
from .workload import contents

CHAINS, KILLS = 25, 12
#: A buffer that nobody has touched for so long may be given up by the collector.
IDLE_SECONDS = 3.0
#: Fails if another one has it: there is one license.
LICENSED = 'mkdir "$GATES/licensed" 2> /dev/null || touch "$GATES/twice"; sleep 0.02; rmdir "$GATES/licensed"'


def scratch(seed: int) -> list[list[str]]:
    """The links of chains; the bytes of a link are needed by the next one, and gone by then."""
    links = ["{ seq %d 5000; } > one%d.txt", "{ sort one%d.txt; } > two%d.txt", "{ rev two%d.txt; } > three%d.txt"]
    first = [links[0] % (n + seed % 1000, n) for n in range(CHAINS)]
    return [first, *([link % (n, n) for n in range(CHAINS)] for link in links[1:])]


def wanted() -> list[str]:
    """What people want: all of it goes back to the first links."""
    return [
        *(f"{{ cksum three{n}.txt; }} > sum{n}.txt" for n in range(CHAINS)),
        *(f"{{ paste one{n}.txt three{n}.txt; }} > both{n}.txt" for n in range(CHAINS)),
    ]


def batch(shop: Shop, lines: list[str], *words: str) -> None:
    shop.submit(*words, "--batch", "-", input="\n".join(lines).encode(), timeout=PATIENCE_SECONDS)


@pytest.fixture
def shop(template: Path) -> Iterator[Shop]:
    with opened(template) as shop:
        yield shop


@contextmanager
def meanwhile(*actions: Callable[[], None]) -> Iterator[None]:
    """Do these over and over."""
    over = threading.Event()

    def run(action: Callable[[], None]) -> None:
        while not over.wait(0.1):
            action()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def collect(shop: Shop) -> None:
    """Give up all that was not used for some seconds."""
    now = time.time()
    for path in shop.buffer_files():
        with suppress(FileNotFoundError):
            status = path.stat()
            if now - max(status.st_atime, status.st_ctime) > IDLE_SECONDS:
                os.utime(path, (now - 7200, status.st_mtime))
    ended = shop.call("seamless-store", "gc", "--max-size", "0", timeout=PATIENCE_SECONDS)
    assert (ended.status, "Traceback" in ended.err) == (0, False), ended


def pause(shop: Shop) -> None:
    for word in ("pause", "resume"):
        ended = shop.call("seamless-queue", word, timeout=PATIENCE_SECONDS)
        assert ended.status == 0, ended


class Caller:
    """Asks at a terminal for what has been answered before, or is in the queue."""

    def __init__(self, shop: Shop, chance: random.Random) -> None:
        self.shop, self.chance = shop, chance
        self.place = shop.dir / "asked"
        self.place.mkdir()
        self.bad: list[object] = []

    def __call__(self) -> None:
        number = self.chance.randrange(CHAINS)
        for name in (f"{name}{number}.txt.CHECKSUM" for name in ("one", "three")):
            (self.place / name).write_bytes((self.shop.dir / name).read_bytes())
        line = f"{{ paste one{number}.txt three{number}.txt; }} > both{number}.txt"
        ended = self.shop.run("-c", line, cwd=self.place, timeout=PATIENCE_SECONDS)
        if ended.status != 0:
            self.bad.append(ended)


def test_bytes_come_and_go_while_everything_is_killed(shop: Shop) -> None:
    seed = int(os.environ.get("SEAMLESS_STRESS_SEED", random.randrange(1 << 32)))
    print(f"\nSEAMLESS_STRESS_SEED={seed}")
    chance = random.Random(seed)
    for lines in scratch(seed):
        batch(shop, lines, "--scratch")
    shop.work_off(workers=3)
    assert list(shop.dir.glob("*.txt")) == []
    expected = by_bash(shop, [line for lines in scratch(seed) for line in lines] + wanted())
    batch(shop, wanted())
    for n in range(10):
        shop.submit("--slot", "license", "-c", f"{LICENSED}; echo {n} > licensed{n}.txt")
    chaos, caller = Chaos(shop, chance, "--slot", "license=1"), Caller(shop, chance)
    with meanwhile(lambda: collect(shop), lambda: pause(shop), caller):
        chaos.run(KILLS, len(wanted()) + 10)
        shop.finish(timeout=PATIENCE_SECONDS)
        chaos.server.wait()
    chaos.database.close()
    shop.server().stop()
    shop.everyone_gone()
    assert caller.bad == []
    assert shop.rows(f"SELECT id, error FROM requests WHERE state = {RequestState.FAILED.value}") == []
    got = contents(shop.dir)
    assert {name: got.get(name) for name in expected} == expected
    assert not (shop.gates / "twice").exists()
    (again,) = shop.rows(f"SELECT COUNT(*) - COUNT(DISTINCT job_id) FROM attempts WHERE outcome = {Outcome.DONE.value}")
    print(f"{again[0]} results were made again")
    assert again[0] > CHAINS
    assert shop.rows("SELECT COUNT(*) FROM jobs WHERE worker_id IS NOT NULL") == [(0,)]
    assert shop.store_leftovers() == []
    ended = shop.call("seamless-store", "verify", timeout=PATIENCE_SECONDS)
    assert ended.status == 0, ended
    assert shop.rows("PRAGMA integrity_check") == [("ok",)]


def by_bash(shop: Shop, lines: list[str]) -> dict[str, bytes]:
    """What bash writes; of the last links only."""
    place = shop.top / "by-bash"
    place.mkdir()
    assert shop.bash("\n".join(lines), cwd=place, timeout=PATIENCE_SECONDS).status == 0
    return {name: content for name, content in contents(place).items() if name.startswith(("sum", "both"))}
