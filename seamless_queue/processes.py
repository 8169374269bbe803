"""The one door to other processes: commands of jobs, workers, and what they leave behind.

Every command leads a process group of its own, so that all it started can be killed; what leaves the group is found by
its mark (marked.py).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from .broker.states import Outcome
from .broker.work import Usage
from .errors import SeamlessError
from .recorder import Recorder
from .signals import interruptible, uninterrupted

#: How often a wait looks around where nothing can wake it (no pidfd: not Linux).
POLL_SECONDS = 0.02
#: What a command finds as a shell would give it, whatever this process ignores or handles.
DEFAULT_SIGNALS = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGCHLD,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
#: How often it is looked whether killed orphans are dead, a millisecond apart.
REAP_TRIES = 20
#: Linux, prctl(2).
PR_SET_CHILD_SUBREAPER = 36
#: ru_maxrss counts kibibytes on Linux, bytes on macOS.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Watch(Protocol):
    """What a wait listens to beside the command."""

    #: how often to call `check` although nothing happened; None: never
    interval: float | None
    #: whether it wants to be told of standard output also where that is the result
    shows_result: bool

    def fileno(self) -> int:
        """A descriptor that wakes the wait."""

    def check(self) -> Outcome | None:
        """Called when woken: how the command is to be stopped, or None to go on."""

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Told before the command starts: the files it writes to; stdout only if it is not a result."""

    def see_out(self) -> None:
        """Told when the command has ended, before anything becomes of these files."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: `outcome` is DONE or FAILED by its exit code, or why it was stopped."""

    outcome: Outcome
    #: negative: minus the signal that killed it
    exit_code: int
    usage: Usage
    #: when it had written how much (recorder.py)
    marks: str | None = None


def run_command(
    arguments: Sequence[str | bytes],
    *,
    executable: str,
    directory: str,
    environment: dict[bytes, bytes],
    stdin: int,
    stdout: int,
    stderr: int,
    timeout: float | None,
    watch: Watch,
) -> Ended:
    """Run a command to its end, or until the time is over or `watch` wants it stopped.

    Whatever it has started in its process group is dead when this returns or raises.
    """
    others = _adopted_before()
    recorder = Recorder.of_descriptors(stdout, stderr)
    start = _start_quickly if threading.active_count() == 1 else _start_among_threads
    with uninterrupted():
        # Or Ctrl-C might come between the start of the command and the moment when we know its number.
        pid = start(arguments, executable, directory, environment, (stdin, stdout, stderr))
        return _see_to_its_end(pid, timeout, watch, others, recorder)


def _start_quickly(
    arguments: Sequence[str | bytes],
    executable: str,
    directory: str,
    environment: dict[bytes, bytes],
    streams: tuple[int, int, int],
) -> int:
    """Half the cost of subprocess.Popen, which matters where commands take a millisecond.

    The command inherits this process's working directory, which is `directory` for a moment.
    """
    _keep_descriptors_to_ourselves()
    with _working_directory(directory):
        return os.posix_spawn(
            executable,
            list(arguments),
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for target, source in enumerate(streams)],
            setpgroup=0,
            setsigmask=(),
            setsigdef=DEFAULT_SIGNALS,
        )


def _start_among_threads(
    arguments: Sequence[str | bytes],
    executable: str,
    directory: str,
    environment: dict[bytes, bytes],
    streams: tuple[int, int, int],
) -> int:
    """Other threads must not find themselves in another working directory."""
    stdin, stdout, stderr = streams
    process = subprocess.Popen(
        arguments,
        executable=executable,
        cwd=directory,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        process_group=0,
    )
    # We reap it ourselves: the object has nothing more to say.
    process.returncode = 0
    return process.pid


@cache
def _keep_descriptors_to_ourselves() -> None:
    """What was open when this process started is not for commands (what Python opens never is)."""
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):
            if int(name) > 2:
                os.set_inheritable(int(name), False)


@contextmanager
def _working_directory(path: str) -> Iterator[None]:
    try:
        previous = os.getcwd()
    except FileNotFoundError:
        previous = "/"
    os.chdir(path)
    try:
        yield
    finally:
        with suppress(OSError):
            os.chdir(previous)


def _adopted_before() -> Sequence[int] | None:
    """Children that are not the next command's; None: nobody's are to be killed after it.

    Orphans become the main thread's. What is started there must not fall to a command of another thread.
    """
    if not adopt_orphans.cache_info().currsize or threading.current_thread() is not threading.main_thread():
        return None
    return _children(of_all_threads=False)


def _see_to_its_end(
    pid: int, timeout: float | None, watch: Watch, others: Sequence[int] | None, recorder: Recorder
) -> Ended:
    try:
        with interruptible():
            stopped = _wait(pid, timeout, watch, recorder)
    finally:
        # The leader is not reaped yet: its number, and so the group's, cannot belong to others.
        kill_group(pid)
        _, status, used = os.wait4(pid, 0)
        if others is not None:
            kill_adopted(others)
        else:
            _reap_group(pid)
    exit_code = os.waitstatus_to_exitcode(status)
    outcome = stopped or (Outcome.FAILED if exit_code else Outcome.DONE)
    usage = Usage(used.ru_utime, used.ru_stime, used.ru_maxrss * MAXRSS_UNIT)
    return Ended(outcome, exit_code, usage, recorder.encoded())


def _wait(pid: int, timeout: float | None, watch: Watch, recorder: Recorder) -> Outcome | None:
    """Wait until the process can be reaped (None), or is to be stopped."""
    deadline = None if timeout is None else time.monotonic() + timeout
    descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    poller = select.poll()
    poller.register(watch.fileno(), select.POLLIN)
    if descriptor is not None:
        poller.register(descriptor, select.POLLIN)
    try:
        while True:
            ready = poller.poll(_pause_milliseconds(deadline, watch.interval, descriptor is None, recorder))
            recorder.look()
            if _has_ended(pid, descriptor, ready):
                return None
            if deadline is not None and time.monotonic() >= deadline:
                return Outcome.TIMED_OUT
            stop = watch.check()
            if stop is not None:
                return stop
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _pause_milliseconds(deadline: float | None, interval: float | None, polling: bool, recorder: Recorder) -> float:
    pauses = [recorder.wait + 0.001]
    if interval is not None:
        pauses.append(interval)
    if deadline is not None:
        pauses.append(max(0.0, deadline - time.monotonic()) + 0.001)
    if polling:
        pauses.append(POLL_SECONDS)
    return min(pauses) * 1000


def _has_ended(pid: int, descriptor: int | None, ready: list[tuple[int, int]]) -> bool:
    if descriptor is not None:
        return any(number == descriptor for number, _ in ready)
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def kill_group(group: int) -> None:
    """Kill a whole process group; one that is gone already is no error."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _reap_group(group: int) -> None:
    """What a command of another thread has left behind was killed with it; maybe it became ours."""
    if not adopt_orphans.cache_info().currsize:
        return
    with suppress(ChildProcessError):
        for _ in range(REAP_TRIES):
            if os.waitpid(-group, os.WNOHANG)[0] == 0:
                time.sleep(0.001)


@cache
def adopt_orphans() -> bool:
    """Become the parent of what descendants leave behind; whether this system can (Linux)."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def kill_adopted(keep: Sequence[int] | None = None) -> None:
    """Kill and reap what became ours by `adopt_orphans`, but for `keep`; without `keep` all of our children.

    Orphans become the main thread's: what other threads have started themselves is theirs, and left to them.
    """
    if not adopt_orphans.cache_info().currsize:
        return
    kept = keep or ()
    while strays := [pid for pid in _children(of_all_threads=keep is None) if pid not in kept]:
        for pid in strays:
            kill_group(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children(*, of_all_threads: bool) -> list[int]:
    try:
        # One cheap call in the usual case: there are none.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    pid, found = os.getpid(), list[int]()
    for thread in os.listdir(f"/proc/{pid}/task") if of_all_threads else (pid,):
        with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            found.extend(int(child) for child in file.read().split())
    return found


def exit_status(arguments: Sequence[str]) -> int:
    """Run a short helper that reads and prints nothing."""
    null = subprocess.DEVNULL
    return subprocess.run(arguments, stdin=null, stdout=null, stderr=null, check=False).returncode


def output_of(arguments: Sequence[str], seconds: float) -> bytes:
    """What a helper prints; SeamlessError if it cannot be run, fails, or takes longer."""
    try:
        run = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise SeamlessError(f"{' '.join(arguments)} cannot be run: {exc}") from exc
    if run.returncode:
        said = run.stderr.decode(errors="replace").strip().splitlines()
        raise SeamlessError(f"{' '.join(arguments)} failed: {said[-1] if said else f'exit code {run.returncode}'}")
    return run.stdout


def start_helper(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a program of ours that needs nothing but the standard library and what it finds itself; it is piped to."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def start_and_forget(arguments: Sequence[str]) -> None:
    """Start a helper that nobody waits for, out of reach of the terminal's signals."""
    null = subprocess.DEVNULL
    process = subprocess.Popen(arguments, stdin=null, stdout=null, stderr=null, start_new_session=True)
    # Else Python would complain that it still runs.
    process.returncode = 0


def start_worker(configuration: str, channel: int) -> subprocess.Popen[bytes]:
    """Start a worker process in a group of its own; `channel` is inherited under the same number.

    -P: a `json.py` in the user's directory is not to be taken for the standard library's.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "seamless_queue.worker", configuration],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(channel,),
        process_group=0,
    )
