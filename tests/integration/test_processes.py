"""Commands and what they leave behind: groups, orphans, streams, environments."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seamless_queue import owner, processes
from seamless_queue.broker.states import Outcome
from seamless_queue.marked import MARK, kill_marked
from seamless_queue.processes import Ended, run_command

ENVIRONMENT = {b"PATH": os.environb[b"PATH"]}


class Watching:
    """A watch (processes.Watch) that stops the command once a file has content, if one is given."""

    def __init__(self, until: Path | None = None) -> None:
        self.interval = 0.01 if until else None
        self._until = until
        self._ends = os.pipe()

    def fileno(self) -> int:
        return self._ends[0]

    def check(self) -> Outcome | None:
        if self._until is not None and self._until.exists() and self._until.stat().st_size:
            return Outcome.CANCELED
        return None

    def follow(self, stdout: str | None, stderr: str) -> None:
        raise AssertionError

    def wake(self) -> None:
        os.write(self._ends[1], b"!")

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


@pytest.fixture
def watch() -> Iterator[Watching]:
    watching = Watching()
    yield watching
    watching.close()


def run(
    directory: Path,
    watch: Watching,
    *arguments: str,
    environment: dict[bytes, bytes] = ENVIRONMENT,
    stdin: bytes = b"",
    timeout: float | None = None,
) -> Ended:
    """Run a command with its streams in files of the directory."""
    (directory / "stdin").write_bytes(stdin)
    with (
        (directory / "stdin").open("rb") as source,
        (directory / "stdout").open("wb") as out,
        (directory / "stderr").open("wb") as err,
    ):
        return run_command(
            arguments,
            executable=arguments[0],
            directory=str(directory),
            environment=environment,
            stdin=source.fileno(),
            stdout=out.fileno(),
            stderr=err.fileno(),
            timeout=timeout,
            watch=watch,
        )


def wait_until_gone(pids: list[str]) -> None:
    """Killed is killed, but the kernel may need a moment for what is not our own child."""
    deadline = time.monotonic() + 10
    while any(owner.start_time(int(pid)) is not None for pid in pids):
        assert time.monotonic() < deadline, f"of {pids} some still live"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("text", "outcome", "code"),
    [
        ("exit 0", Outcome.DONE, 0),
        ("exit 3", Outcome.FAILED, 3),
        ("kill -TERM $$", Outcome.FAILED, -15),
        ("exit 137", Outcome.FAILED, 137),
    ],
)
def test_how_a_command_ends(tmp_path: Path, watch: Watching, text: str, outcome: Outcome, code: int) -> None:
    ended = run(tmp_path, watch, "/bin/sh", "-c", text)
    assert (ended.outcome, ended.exit_code) == (outcome, code)


def test_a_command_gets_its_streams_its_directory_and_nothing_else(tmp_path: Path, watch: Watching) -> None:
    text = "cat; pwd; echo oops >&2; ls /proc/self/fd | wc -l"
    ended = run(tmp_path, watch, "/bin/sh", "-c", text, stdin=b"input\n")
    assert ended.outcome is Outcome.DONE
    # Three streams, and the directory that ls itself reads.
    assert (tmp_path / "stdout").read_text().split() == ["input", str(tmp_path), "4"]
    assert (tmp_path / "stderr").read_bytes() == b"oops\n"


def test_a_command_gets_exactly_the_environment_that_it_is_given(tmp_path: Path, watch: Watching) -> None:
    environment = {b"A": b"1", b"NAME": b"caf\xe9 \n x"}
    run(tmp_path, watch, "/usr/bin/env", "-0", environment=environment)
    found = (tmp_path / "stdout").read_bytes().split(b"\0")[:-1]
    assert sorted(found) == sorted(name + b"=" + value for name, value in environment.items())


def test_a_command_has_default_signals_and_a_group_of_its_own(tmp_path: Path, watch: Watching) -> None:
    # This very process ignores SIGPIPE, as every Python does.
    run(tmp_path, watch, "/bin/sh", "-c", "grep SigIgn /proc/self/status; ps -o pgid= -p $$; echo $$")
    word, ignored, group, pid = (tmp_path / "stdout").read_text().split()
    assert (word, int(ignored, 16) & (1 << 12)) == ("SigIgn:", 0)
    assert group == pid != str(os.getpgid(0))


def test_what_a_command_used_is_measured(tmp_path: Path, watch: Watching) -> None:
    program = "data = bytearray(60_000_000)\nwhile __import__('time').process_time() < 0.2: pass"
    used = run(tmp_path, watch, sys.executable, "-c", program).usage
    assert used.user_time + used.system_time >= 0.2
    assert 60_000_000 < used.peak_memory < 1_000_000_000


def test_a_timeout_kills_and_says_so(tmp_path: Path, watch: Watching) -> None:
    ended = run(tmp_path, watch, "/bin/sh", "-c", "trap '' TERM INT; while :; do sleep 100; done", timeout=0.2)
    assert (ended.outcome, ended.exit_code) == (Outcome.TIMED_OUT, -9)


@pytest.mark.parametrize("start", ["_start_quickly", "_start_among_threads"])
def test_ctrl_c_before_the_number_of_a_command_is_known_ends_it_too(
    tmp_path: Path, watch: Watching, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    start_really, started = getattr(processes, start), list[str]()

    def start_and_interrupt(*arguments: Any) -> int:
        started.append(str(start_really(*arguments)))
        signal.raise_signal(signal.SIGINT)
        return int(started[0])

    for name in ("_start_quickly", "_start_among_threads"):
        monkeypatch.setattr(processes, name, start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, watch, "/bin/sleep", "300")
    wait_until_gone(started)


def test_stopping_a_command_kills_what_it_started_in_the_background(tmp_path: Path) -> None:
    watching = Watching(until=tmp_path / "pids")
    text = "for n in 1 2 3; do sh -c 'sleep 300; true' & echo $! >> started; done; mv started pids; wait"
    ended = run(tmp_path, watching, "/bin/sh", "-c", text)
    watching.close()
    assert ended.outcome is Outcome.CANCELED
    wait_until_gone((tmp_path / "pids").read_text().split())


def test_a_background_process_does_not_outlive_a_command_that_ended_well(tmp_path: Path, watch: Watching) -> None:
    ended = run(tmp_path, watch, "/bin/sh", "-c", "sleep 300 & echo $!")
    assert ended.outcome is Outcome.DONE
    wait_until_gone((tmp_path / "stdout").read_text().split())


def test_a_ring_makes_the_watch_look(tmp_path: Path, watch: Watching) -> None:
    asked = []

    def check() -> Outcome:
        asked.append(True)
        return Outcome.RELEASED

    watch.check = check  # type: ignore[method-assign]
    watch.wake()
    assert run(tmp_path, watch, "/bin/sleep", "300").outcome is Outcome.RELEASED
    assert asked == [True]


#: Runs in a process of its own: who adopts orphans kills all of his children.
ADOPTING = """
import json, os, sys
from seamless_queue import owner, processes
from seamless_queue.processes import run_command

class Watch:
    interval = None
    def __init__(self): self.ends = os.pipe()
    def fileno(self): return self.ends[0]
    def check(self): return None
    def follow(self, stdout, stderr): pass

adopted = processes.adopt_orphans()
null, out = os.open(os.devnull, os.O_RDWR), os.open("out", os.O_WRONLY | os.O_CREAT)
timeout = float(sys.argv[2]) or None
ended = run_command(["bash", "-c", sys.argv[1]], executable="/bin/bash", directory=".", environment=dict(os.environb),
                    stdin=null, stdout=out, stderr=null, timeout=timeout, watch=Watch())
pids = [int(pid) for pid in open("pids").read().split()]
living = [pid for pid in pids if owner.start_time(pid) is not None]
unreaped = open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split()
print(json.dumps({"adopted": adopted, "outcome": ended.outcome.name, "pids": len(pids), "living": living,
                  "unreaped": unreaped}))
"""
#: A daemon as daemons make themselves: a session of its own, its parents gone.
DAEMONS = (
    "setsid bash -c 'setsid bash -c \"echo \\$\\$ >> pids; sleep 300\" & echo $$ >> pids; sleep 301' & "
    "until [ $(wc -l < pids) = 2 ]; do sleep 0.01; done 2> /dev/null; "
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets a process adopt orphans")
@pytest.mark.parametrize(("end", "timeout", "outcome"), [("exit 0", 0, "DONE"), ("sleep 302", 1.5, "TIMED_OUT")])
def test_daemons_of_a_command_are_adopted_and_killed(tmp_path: Path, end: str, timeout: float, outcome: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ADOPTING, "touch pids; " + DAEMONS + end, str(timeout)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {"adopted": True, "outcome": outcome, "pids": 2, "living": [], "unreaped": []}
    assert json.loads(done.stdout) == expected


#: In a process of its own as well. Commands run in the main thread and in others at the same time.
AMONG_THREADS = (
    ADOPTING.partition("adopted =")[0]
    + """
import subprocess, threading
processes.adopt_orphans()
null, here, done = os.open(os.devnull, os.O_RDWR), os.getcwd(), {}

def run(name, text):
    # Every one waits for the others to have begun.
    words = ["bash", "-c", f"touch begun.{name}; until [ $(ls begun.* | wc -l) = 3 ]; do sleep 0.01; done; {text}"]
    ended = run_command(words, executable="/bin/bash", directory=here, environment=dict(os.environb), stdin=null,
                        stdout=null, stderr=null, timeout=20, watch=Watch())
    done[name] = (ended.outcome.name, ended.exit_code)

mine = subprocess.Popen(["sleep", "300"])
theirs = []
def start():
    theirs.append(subprocess.Popen(["sleep", "300"]))
    stay.wait()
stay = threading.Event()
starter = threading.Thread(target=start)
starter.start()
threads = [threading.Thread(target=run, args=(name, text)) for name, text in (("a", "exit 3"), ("b", "sleep 0.3"))]
for thread in threads:
    thread.start()
run("c", "sleep 0.15; exit 5")
for thread in threads:
    thread.join()
living = [process.poll() is None for process in (mine, *theirs)]
stay.set()
starter.join()
processes.kill_adopted()
left = [owner.start_time(process.pid) for process in (mine, *theirs)]
for process in (mine, *theirs):
    process.returncode = 0
print(json.dumps({"done": done, "living": living, "left": left, "moved": os.getcwd() != here}))
"""
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets a process adopt orphans")
def test_commands_of_several_threads_and_the_callers_children_leave_each_other_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AMONG_THREADS], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == {
        "done": {"a": ["FAILED", 3], "b": ["DONE", 0], "c": ["FAILED", 5]},
        "living": [True, True],
        # But for the end: then all have to go, whoever's they are.
        "left": [None, None],
        "moved": False,
    }


def test_a_command_among_threads_is_a_command_like_others(tmp_path: Path, watch: Watching) -> None:
    """Started another way, because the working directory is that of all threads."""
    stay = threading.Event()
    threads = [threading.Thread(target=stay.wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        before = os.getcwd()
        text = "cat; pwd; ls /proc/self/fd | wc -l; ps -o pgid= -p $$; echo $$; grep SigIgn /proc/self/status; exit 4"
        environment = {b"PATH": os.environb[b"PATH"], b"NAME": b"caf\xe9 \n x"}
        ended = run(tmp_path, watch, "/bin/sh", "-c", text, stdin=b"input\n", environment=environment)
        words = (tmp_path / "stdout").read_text().split()
        assert words[:3] == ["input", str(tmp_path), "4"]
        assert words[3] == words[4] != str(os.getpgid(0))
        assert int(words[6], 16) & (1 << 12) == 0
        assert (ended.outcome, ended.exit_code) == (Outcome.FAILED, 4)
        ended = run(tmp_path, watch, "/usr/bin/env", "-0", environment=environment)
        assert sorted((tmp_path / "stdout").read_bytes().split(b"\0")[:-1]) == sorted(
            name + b"=" + value for name, value in environment.items()
        )
        ended = run(tmp_path, watch, "/bin/sh", "-c", "sleep 300 & echo $!; sleep 300", timeout=0.2)
        assert (ended.outcome, ended.exit_code) == (Outcome.TIMED_OUT, -9)
        wait_until_gone((tmp_path / "stdout").read_text().split())
        assert os.getcwd() == before
    finally:
        stay.set()
        for thread in threads:
            thread.join()


def test_a_program_that_is_not_there_is_an_error_and_moves_nobody(tmp_path: Path, watch: Watching) -> None:
    before = os.getcwd()
    with pytest.raises(FileNotFoundError):
        run(tmp_path, watch, str(tmp_path / "nothing"))
    assert os.getcwd() == before


def test_marked_processes_are_found_wherever_they_are(tmp_path: Path) -> None:
    environment = {**os.environ, MARK: "a-store:7"}
    marked = subprocess.Popen(["sleep", "300"], env=environment, start_new_session=True)
    other = subprocess.Popen(["sleep", "300"], env={**environment, MARK: "a-store:70"})
    try:
        # Popen returns once the command is executed, and so its environment is to be seen.
        assert kill_marked({"a-store:7", "a-store:8"}) >= 1
        assert owner.start_time(marked.pid) is None
        assert other.poll() is None
    finally:
        for process in (marked, other):
            process.kill()
            process.wait()


LIMITED = """
import resource, sys
# Memory of its own, not pages of mapped files: what would grow if a stream were collected.
resource.setrlimit(resource.RLIMIT_DATA, (150_000_000, 150_000_000))
from seamless.cli.run import main
sys.argv = ["seamless-run", *sys.argv[1:]]
main()
"""


def test_a_large_standard_output_needs_little_memory(tmp_path: Path, store: object, settings: object) -> None:
    size = 200_000_000
    place = settings.store  # type: ignore[attr-defined]
    with (tmp_path / "stdout").open("wb") as out:
        subprocess.run(
            [sys.executable, "-c", LIMITED, "--store", place, "-c", f"yes | head -c {size}"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=out,
            check=True,
        )
    assert (tmp_path / "stdout").stat().st_size == size
    (result,) = store.database.row("SELECT result FROM jobs")  # type: ignore[attr-defined]
    assert store.buffers.size(result.hex()) == size  # type: ignore[attr-defined]
    # Not to be kept with the directories of the last runs.
    os.truncate(tmp_path / "stdout", 0)
    os.unlink(store.buffers.path(result.hex()))  # type: ignore[attr-defined]
