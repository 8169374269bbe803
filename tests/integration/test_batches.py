"""Short jobs that are begun and published together: no innocent is charged, nobody waits for a long one."""

import errno
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from desk import Desk, wait_until

from seamless_queue import processes
from seamless_queue.broker import claims
from seamless_queue.broker.claims import DIED_TOGETHER, MAX_DEATHS
from seamless_queue.broker.states import JobState, RequestState
from seamless_queue.broker.work import Running
from seamless_queue.orders import Configuration
from seamless_queue.settings import Settings
from seamless_queue.store import Store
from seamless_queue.worker import Worker


def begin_together(desk: Desk, count: int) -> list[Running]:
    reserved = desk.claim(want=count)
    with desk.store.database.transaction() as connection:
        begun = [claims.begin(connection, desk.worker, job, together=place > 0) for place, job in enumerate(reserved)]
    return [running for running in begun if running is not None]


def test_a_death_among_several_charges_none_of_them(desk: Desk) -> None:
    for name in "abc":
        desk.submit(name)
    assert len(begin_together(desk, 3)) == 3
    desk.bury()
    assert [desk.job_field("deaths", name) for name in "abc"] == [DIED_TOGETHER] * 3
    assert [desk.job(name) for name in "abc"] == [JobState.READY] * 3


def test_after_a_death_among_several_each_runs_alone(desk: Desk) -> None:
    for name in "ab":
        desk.submit(name)
    begin_together(desk, 2)
    desk.bury()
    first, second = desk.claim(want=2)
    with desk.store.database.transaction() as connection:
        alone = claims.begin(connection, desk.worker, first)
        refused = claims.begin(connection, desk.worker, second, together=True)
        later = claims.begin(connection, desk.worker, second)
    assert refused is None
    assert alone is not None
    assert later is not None
    assert alone.alone
    assert later.alone


def test_the_guilty_one_fails_after_its_own_deaths(desk: Desk) -> None:
    guilty = desk.submit("guilty").request_id
    desk.submit("innocent")
    begin_together(desk, 2)
    desk.bury()
    for _ in range(MAX_DEATHS):
        assert desk.request(guilty) is RequestState.QUEUED
        begin_together(desk, 1)
        desk.bury()
    assert desk.request(guilty) is RequestState.FAILED
    assert desk.job("innocent") is JobState.READY


def test_what_was_begun_and_not_touched_goes_back_at_no_cost(desk: Desk) -> None:
    desk.submit("a")
    (running,) = begin_together(desk, 1)
    with desk.store.database.transaction() as connection:
        claims.give_back(connection, desk.worker, running)
    assert (desk.job("a"), desk.job_field("deaths", "a")) == (JobState.READY, 0)
    assert desk.store.database.rows("SELECT 1 FROM attempts") == []


@pytest.mark.parametrize("workers", [1, 2])
def test_short_jobs_do_not_wait_for_a_long_one(tmp_path: Path, settings: Settings, store: Store, workers: int) -> None:
    """With one worker: those that were done before it. With two: those that were begun behind it, too."""
    gate, batch = tmp_path / "gate", tmp_path / "batch"
    short = [f"echo {number}" for number in range(60)]
    behind = [f"echo behind {number}" for number in range(6)]
    long = f"until [ -e {gate} ]; do sleep 0.02; done"
    batch.write_text("\n".join([*short, long, *behind]) + "\n")
    run = [sys.executable, "-m", "seamless.cli.run", "--store", settings.store, "--qsubmit", "--batch", str(batch)]
    subprocess.run(run, cwd=tmp_path, stdin=subprocess.DEVNULL, check=True)
    serve = [sys.executable, "-m", "seamless.cli.queue", "--store", settings.store, "--quiet"]
    server = subprocess.Popen([*serve, "--workers", str(workers), "--exit-when-idle", "0"])
    try:
        expected = len(short) + (len(behind) if workers > 1 else 0)
        wait_until(lambda: delivered(store) == expected, "the short jobs")
        gate.touch()
        assert server.wait() == 0
    finally:
        server.kill()
        server.wait()
    assert delivered(store) == len(short) + 1 + len(behind)
    assert store.database.row("SELECT COUNT(*), COUNT(DISTINCT job_id) FROM attempts WHERE outcome = 0") == (67, 67)


def test_a_full_disk_forgets_no_reservation(desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction that would have begun the job is rolled back: the job is still reserved for this worker."""
    # A process that adopts orphans kills all its children: not this one.
    monkeypatch.setattr(processes, "adopt_orphans", lambda: False)
    ours, theirs = socket.socketpair()
    configuration = Configuration(
        settings.store, False, 0, desk.session, "seamless.transformer.functions", theirs.detach()
    )
    worker = Worker(configuration)
    for name in "ab":
        desk.submit(name)
    for _ in range(50):
        worker.reservations.note_duration(0.001)
    worker.reservations.job_ids = desk.claim(worker.id, want=2)
    before, begin = list(worker.reservations.job_ids), claims.begin_all

    def begin_on_a_full_disk(connection: object, worker_id: int, jobs: list[int]) -> list[Running]:
        assert len(begin(connection, worker_id, jobs)) == 2
        raise OSError(errno.ENOSPC, "No space left on device")

    with ours, monkeypatch.context() as patch:
        patch.setattr(claims, "begin_all", begin_on_a_full_disk)
        with pytest.raises(OSError, match="No space"):
            worker._publish()
    assert len(before) == 2
    assert worker.reservations.job_ids == before
    assert [desk.job(name) for name in "ab"] == [JobState.READY] * 2
    worker.parent.close()
    worker.store.close()


def delivered(store: Store) -> int:
    statement = f"SELECT COUNT(*) FROM requests WHERE state = {RequestState.DELIVERED.value}"
    return int(store.database.row(statement)[0])
