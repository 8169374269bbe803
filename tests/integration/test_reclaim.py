"""What the dead leave: given back once they are seen dead, and never before."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from seamless.transformer import functions
from seamless_queue import doorbell, owner, reclaim, sidecars
from seamless_queue.broker import sessions
from seamless_queue.broker.records import QUEUE_LANE
from seamless_queue.broker.resources import Offer
from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.clerk import Clerk
from seamless_queue.reservations import Reservations
from seamless_queue.store import Store

CRASHING = """
import os, signal, sys
from seamless_queue import owner
from seamless_queue.broker import claims, sessions
from seamless_queue.doorbell import Doorbell
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
store = open_store(Settings(sys.argv[1]))
bell = Doorbell(store.runtime_name)
with store.database.transaction() as connection:
    me = owner.current()
    session = sessions.open_session(connection, sessions.SessionKind(int(sys.argv[2])), me, bell.address, 1)
    worker = sessions.open_worker(connection, session, me)
    (job,) = claims.claim(connection, worker, 0, 1)
    claims.begin(connection, worker, job)
os.mkdir(f"{store.work}/{worker}-0")
open(f"{store.buffers.directory}/.new/{os.getpid()}-0", "w").close()
print(bell.address, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def start(store: Store) -> "subprocess.Popen[str]":
    """A session that runs a job; it kills itself when it is told something."""
    return subprocess.Popen(
        [sys.executable, "-c", CRASHING, store.path, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def reclaimed(store: Store) -> Any:
    return reclaim.reclaim_dead_sessions(store)


def test_a_dead_session_gives_its_job_back_and_its_traces_go(desk: Desk) -> None:
    store = desk.store
    waits = desk.submit()
    with start(store) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        # Alive: nothing is taken from it.
        assert not any(reclaimed(store))
        reclaim.sweep(store, Clerk(store, desk.worker, functions))
        assert (desk.job(), len(os.listdir(store.work)), os.path.exists(address)) == (JobState.RUNNING, 1, True)
        assert len(os.listdir(f"{store.buffers.directory}/.new")) == 1
        process.communicate("die\n")
    assert process.returncode == -signal.SIGKILL
    assert reclaimed(store).again
    assert (desk.job(), desk.request(waits)) == (JobState.READY, RequestState.QUEUED)
    assert [(outcome, error) for _, outcome, error in desk.attempts()] == [(Outcome.DIED, "its session died")]
    reclaim.sweep(store, Clerk(store, desk.worker, functions))
    assert os.listdir(store.work) == []
    assert os.listdir(f"{store.buffers.directory}/.new") == []
    assert not os.path.exists(address)


def test_a_session_that_is_stopped_is_not_dead(desk: Desk) -> None:
    desk.submit()
    with start(desk.store) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        with desk.store.database.transaction() as connection:
            connection.execute("UPDATE sessions SET lease_until = 0")
        assert not any(reclaimed(desk.store))
        assert desk.job() is JobState.RUNNING
        process.kill()
    assert reclaimed(desk.store).again


def test_a_worker_that_others_have_buried_claims_nothing(desk: Desk) -> None:
    """If it died now, nobody would look for what it holds."""
    desk.submit("job")
    workers = [desk.new_worker(), desk.new_worker()]
    buried, alive = (Reservations(worker, QUEUE_LANE, Offer(desk.session, {"cpus": 1})) for worker in workers)
    desk.bury(workers[0])
    with desk.store.database.transaction() as connection:
        assert buried.begin_batch(connection) == []
        assert [running.job_id for running in alive.begin_batch(connection)] == [1]


@pytest.mark.parametrize(("lease", "dead"), [(60.0, False), (-1.0, True)])
def test_a_session_of_another_host_lives_as_long_as_its_lease(desk: Desk, lease: float, dead: bool) -> None:
    elsewhere = owner.current()._replace(host="elsewhere", boot="its boot")
    with desk.store.database.transaction() as connection:
        session = sessions.open_session(connection, SessionKind.QUEUE, elsewhere, "/nowhere/else", 1)
        worker = sessions.open_worker(connection, session, elsewhere)
        until = (time.time() + lease, session)
        connection.execute("UPDATE sessions SET lease_until = ? WHERE id = ?", until)
    desk.submit()
    desk.take(worker)
    assert reclaimed(desk.store).again is dead
    assert desk.job() is (JobState.READY if dead else JobState.RUNNING)


def test_a_renewed_lease_lasts_and_an_ended_one_cannot_be_renewed(desk: Desk) -> None:
    with desk.store.database.transaction() as connection:
        connection.execute("UPDATE sessions SET lease_until = 0")
        assert sessions.renew(connection, desk.session)
    (session,) = sessions.live_sessions(desk.store.database)
    assert session.lease_until > time.time() + sessions.RENEW_SECONDS
    with desk.store.database.transaction() as connection:
        sessions.end_session(connection, desk.session, "over")
        assert not sessions.renew(connection, desk.session)


def test_futures_of_requests_that_ended_are_swept(desk: Desk, tmp_path: Path) -> None:
    store = desk.store
    submitted = desk.submit(writes=("x",))
    path = str(tmp_path / "x")
    with store.database.transaction() as connection:
        connection.execute("UPDATE outputs SET path = ?", (os.fsencode(path),))
    sidecars.write_future(path, sidecars.future_content(store.id, submitted.request_id))
    clerk = Clerk(store, desk.worker, functions)
    reclaim.sweep(store, clerk)
    assert os.path.exists(path + ".FUTURE")
    desk.cancel(submitted.request_id)
    reclaim.sweep(store, clerk)
    assert not os.path.exists(path + ".FUTURE")


# -- bells -------------------------------------------------------------------------------------
def test_a_bell_wakes_whoever_listens_and_goes_away(store: Store) -> None:
    with doorbell.Doorbell(store.runtime_name) as bell:
        assert len(os.fsencode(bell.address)) < doorbell.ADDRESS_BYTES
        assert stat_mode(os.path.dirname(bell.address)) == 0o700
        for _ in range(3):
            doorbell.ring([bell.address, "/nobody/there"])
        receiver = socket.socket(fileno=os.dup(bell.fileno()))
        assert receiver.recv(16) == b"!"
        bell.clear()
        with pytest.raises(BlockingIOError):
            receiver.recv(16)
        receiver.close()
    assert not os.path.exists(bell.address)
    bell.close()


def test_a_full_bell_does_not_block_the_caller(store: Store) -> None:
    with doorbell.Doorbell(store.runtime_name) as bell:
        for _ in range(2000):
            doorbell.ring([bell.address])
        bell.clear()


def test_a_long_runtime_directory_is_not_used(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with doorbell.Doorbell(store.runtime_name) as bell:
        assert not bell.address.startswith(str(deep))
    assert not os.path.exists(os.path.dirname(bell.address))


def test_a_runtime_directory_that_others_can_write_to_is_refused(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / f"seamless-{os.geteuid()}").mkdir(mode=0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    with pytest.raises(Exception, match="is not a private directory of yours"):
        doorbell.Doorbell(store.runtime_name)


def stat_mode(path: str) -> int:
    return os.stat(path).st_mode & 0o777
