"""Real servers with real workers that die in the middle of a job."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import wait_until

from seamless_queue import owner
from seamless_queue.broker.claims import MAX_DEATHS
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.settings import Settings
from seamless_queue.store import Store

Serve = Callable[[], "subprocess.Popen[bytes]"]
#: Whose parent is the worker.
SUICIDE = "kill -9 $PPID; sleep 300"


def submit(directory: Path, settings: Settings, text: str, *options: str) -> None:
    arguments = [sys.executable, "-m", "seamless.cli.run", "--store", settings.store, "--qsubmit", *options, "-c", text]
    subprocess.run(arguments, cwd=directory, stdin=subprocess.DEVNULL, check=True)


@pytest.fixture
def log(home: Path) -> Path:
    """What the servers of this test say."""
    return home / "server.log"


@pytest.fixture
def serve(settings: Settings, log: Path) -> Iterator[Serve]:
    """Start servers that end when nothing is left to do; what a failed test leaves is killed."""
    started = []

    def start() -> "subprocess.Popen[bytes]":
        arguments = [sys.executable, "-m", "seamless.cli.queue", "--store", settings.store, "--quiet"]
        started.append(
            subprocess.Popen([*arguments, "--workers", "1", "--exit-when-idle", "0", "--log-file", str(log)])
        )
        return started[-1]

    yield start
    for server in started:
        server.kill()
        server.wait()


def attempts(store: Store) -> list[tuple[Outcome, str | None]]:
    rows = store.database.rows("SELECT outcome, error FROM attempts ORDER BY id")
    return [(Outcome(outcome), error) for outcome, error in rows]


def test_a_worker_that_is_killed_is_replaced_and_its_job_done(
    tmp_path: Path, settings: Settings, store: Store, serve: Serve
) -> None:
    once = f"if mkdir {tmp_path}/once 2> /dev/null; then {SUICIDE}; fi; echo done > out.txt"
    submit(tmp_path, settings, once)
    assert serve().wait(60) == 0
    assert (tmp_path / "out.txt").read_bytes() == b"done\n"
    assert not (tmp_path / "out.txt.FUTURE").exists()
    assert attempts(store) == [(Outcome.DIED, "worker killed by SIGKILL"), (Outcome.DONE, None)]
    # What it left in the store is swept by the next start.
    assert serve().wait(60) == 0
    assert os.listdir(store.work) == []
    assert os.listdir(f"{store.buffers.directory}/.new") == []


def test_a_job_that_kills_its_workers_fails_and_says_so_others_go_on(
    tmp_path: Path, settings: Settings, store: Store, serve: Serve
) -> None:
    submit(tmp_path, settings, SUICIDE + " > poison.txt")
    submit(tmp_path, settings, "echo fine > fine.txt")
    assert serve().wait(60) == 0
    assert (tmp_path / "fine.txt").read_bytes() == b"fine\n"
    assert sorted(os.listdir(tmp_path)) == ["fine.txt", "fine.txt.CHECKSUM", Path(settings.store).name]
    state, error = store.database.row("SELECT state, error FROM requests ORDER BY id")
    assert RequestState(state) is RequestState.FAILED
    assert error == f"its worker died {MAX_DEATHS} times, last: worker killed by SIGKILL"
    assert [outcome for outcome, _ in attempts(store)].count(Outcome.DIED) == MAX_DEATHS


def test_what_a_killed_worker_was_running_is_killed_too(
    tmp_path: Path, settings: Settings, store: Store, serve: Serve
) -> None:
    """Two executions of one job never live at the same time."""
    pids = tmp_path / "pids"
    text = (
        f"if mkdir {tmp_path}/once 2> /dev/null; then setsid sleep 301 & echo $! $$ > {pids}; {SUICIDE}; fi; "
        f"for pid in $(cat {pids}); do if kill -0 $pid 2> /dev/null; then echo $pid lives; fi; done"
    )
    submit(tmp_path, settings, f"({text}) > out.txt")
    assert serve().wait(60) == 0
    assert (tmp_path / "out.txt").read_bytes() == b""
    assert [owner.start_time(int(pid)) for pid in pids.read_text().split()] == [None, None]
    assert JobState(store.database.row("SELECT state FROM jobs")[0]) is JobState.DONE


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_goes_leaves_the_job_to_the_next_one(
    tmp_path: Path, settings: Settings, store: Store, serve: Serve, log: Path, number: signal.Signals
) -> None:
    """However the server went, its job is charged with nothing."""
    begun = tmp_path / "begun"
    submit(tmp_path, settings, f"if [ ! -e {begun} ]; then echo $$ > {begun}; sleep 302; fi; echo done > out.txt")
    server = serve()
    wait_until(lambda: begun.exists() and begun.read_text().strip(), what="the command to begin")
    command = owner.of_process(int(begun.read_text()))
    server.send_signal(number)
    if number == signal.SIGTERM:
        wait_until(lambda: "finishing what runs" in log.read_text(), what="the server to obey")
        # One that comes right after the first counts as the same wish.
        wait_until(
            lambda: "stopping at once" in log.read_text() or server.send_signal(number), what="the server to stop"
        )
    server.wait(30)
    assert serve().wait(60) == 0
    assert (tmp_path / "out.txt").read_bytes() == b"done\n"
    assert owner.is_alive(command) is False
    first, last = attempts(store)[0], attempts(store)[-1]
    assert first[0] is (Outcome.DIED if number == signal.SIGKILL else Outcome.RELEASED)
    assert last == (Outcome.DONE, None)
    # The job is not to blame for what happened to its server.
    assert store.database.row("SELECT deaths FROM jobs")[0] == 0


def test_a_timeout_is_recorded_as_one(tmp_path: Path, settings: Settings, store: Store, serve: Serve) -> None:
    submit(tmp_path, settings, "sleep 303 > out.txt", "--timeout", "0.3")
    assert serve().wait(60) == 0
    assert attempts(store) == [(Outcome.TIMED_OUT, "timed out after 0.3 s")]
    assert os.listdir(tmp_path) == [Path(settings.store).name]


def test_a_server_whose_workers_cannot_start_says_why(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "orjson.py").write_text("raise SystemExit(9)")
    program = (
        "import os, sys\nfrom seamless_queue.server import Server\nfrom seamless_queue.settings import Settings\n"
        f"os.environ['PYTHONPATH'] = {str(tmp_path)!r}\n"
        f"Server(Settings({settings.store!r}), 'seamless.transformer.functions', 1, print, 0).run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "workers cannot start (exit code 9)" in done.stderr
