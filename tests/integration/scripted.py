"""Jobs that do what their own description says: the `functions` of the engine's tests, and who submits them.

A description is JSON: `do` names an action below, the rest are its arguments. Every execution writes a line into
the file `log`: what, in which process, and on its end how. So a test sees who ran what, and how often.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from desk import wait_until

from seamless_queue import private
from seamless_queue.broker.records import Identity, NewRequest
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished, Running
from seamless_queue.clerk import Host
from seamless_queue.lane import Lane, Ticket
from seamless_queue.pythonsession import PythonSession
from seamless_queue.settings import Settings
from seamless_queue.signals import interruptible
from seamless_queue.staged import Staged
from seamless_queue.store import Store

#: How a worker finds this module.
NAME = Path(__file__).stem
#: How long a job waits for the test to let it go.
PATIENCE_SECONDS = 30.0

Script = dict[str, Any]


# -- the four functions ------------------------------------------------------------------------
def execute(store: Store, running: Running, host: Host, staged: Staged) -> Finished:
    """Do what the description says; its value is the result, its error the failure."""
    with host.lane.lock:
        script = json.loads(store.buffers.read(running.checksum))
    _note(script, "begun")
    with _alone(script):
        return _execute(store, running, host, staged, script)


@contextmanager
def _alone(script: Script) -> Iterator[None]:
    """Two live executions of one job are noted: the kernel takes the lock back when the process is dead."""
    name = f"{script['log']}.{script['name'].replace('/', '-')}.lock"
    with open(name, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _note(script, "double")
        yield


def _execute(store: Store, running: Running, host: Host, staged: Staged, script: Script) -> Finished:
    command = script["do"] == "command"
    streams = host.streams if script.get("capture") else None
    with host.minding(python=not command):
        if streams is None:
            value = ACTIONS[script["do"]](store, running, host, script)
        else:
            with streams.capturing():
                value = ACTIONS[script["do"]](store, running, host, script)
    if isinstance(value, Finished):
        return value
    _note(script, "ended")
    with host.lane.lock:
        stdout = store.buffers.stage(streams.take()[0], staged) if streams is not None else None
        return Finished(Outcome.DONE, store.buffers.stage(str(value).encode(), staged), stdout, exit_code=0)


def _note(script: Script, what: str) -> None:
    # One write: lines of several processes do not mix.
    with open(script["log"], "ab", buffering=0) as file:
        file.write(f"{what} {script['name']} {os.getpid()}\n".encode())


# -- actions -----------------------------------------------------------------------------------
def _echo(store: Store, running: Running, host: Host, script: Script) -> str:
    return f"{script['name']} done"


def _fail(store: Store, running: Running, host: Host, script: Script) -> str:
    raise ValueError(script["name"])


def _raise(store: Store, running: Running, host: Host, script: Script) -> str:
    raise OSError(script["errno"], os.strerror(script["errno"]))


def _wait(store: Store, running: Running, host: Host, script: Script) -> str:
    """Until the file `go` is there, asleep."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not os.path.exists(script["go"]):
        if time.monotonic() > deadline:
            raise TimeoutError(script["go"])
        time.sleep(0.005)
    return f"{script['name']} done"


def _spin(store: Store, running: Running, host: Host, script: Script) -> str:
    """Until the file `go` is there, in a loop that never sleeps."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not os.path.exists(script["go"]) and time.monotonic() < deadline:
        sum(range(1000))
    return f"{script['name']} done"


def _hold(store: Store, running: Running, host: Host, script: Script) -> str:
    """Foreign code that never gives the interpreter to another thread."""
    return str(sum(range(10**15)))


def _backtrack(store: Store, running: Running, host: Host, script: Script) -> str:
    import re

    return str(re.fullmatch("(a|aa)+", "a" * 100 + "b"))


def _nap(store: Store, running: Running, host: Host, script: Script) -> str:
    """For so many seconds."""
    end = time.monotonic() + script["seconds"]
    while time.monotonic() < end:
        time.sleep(0.001)
    return f"{script['name']} done"


def _die(store: Store, running: Running, host: Host, script: Script) -> str:
    """Until the directory `once` is there, if one is named; by a signal, or else with an exit code."""
    if "once" in script:
        try:
            os.mkdir(script["once"])
        except FileExistsError:
            return f"{script['name']} done"
    if "signal" in script:
        with interruptible():
            os.kill(os.getpid(), script["signal"])
            time.sleep(PATIENCE_SECONDS)
    os._exit(script.get("code", 3))


def _nest(store: Store, running: Running, host: Host, script: Script) -> str:
    """Submit the scripts of `children`, and wait for them unless told not to."""
    children = script.get("children")
    if children is None:
        # Two jobs that ask for each other cannot contain each other's descriptions.
        with open(script["children_in"]) as file:
            children = json.load(file)
    if "after" in script:
        wait_until(lambda: os.path.exists(script["after"]), script["after"], PATIENCE_SECONDS)
    tickets = submit_nested(store, running, host, children)
    if script.get("forget"):
        return f"{script['name']} done"
    try:
        return ",".join(bring_to_an_end(store, host, ticket, running.job_id) for ticket in tickets)
    except RuntimeError:
        if not script.get("catch"):
            raise
        return f"{script['name']} caught"


def _threads(store: Store, running: Running, host: Host, script: Script) -> str:
    """Wait for each of the scripts of `children` in a thread, which may not run any of them."""
    tickets = submit_nested(store, running, host, script["children"])
    idle: list[Ticket] = []
    threads = [threading.Thread(target=_wait_in_thread, args=(host, ticket, idle)) for ticket in tickets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if idle:
        raise RuntimeError("a thread does not wait, it asks again and again")
    return ",".join(bring_to_an_end(store, host, ticket, running.job_id) for ticket in tickets)


def _wait_in_thread(host: Host, ticket: Ticket, idle: list[Ticket]) -> None:
    waits = 0
    while not ticket.done:
        host.wait_for(ticket)
        waits += 1
        if waits == 100:
            idle.append(ticket)


def _withdraw(store: Store, running: Running, host: Host, script: Script) -> str:
    """Submit the scripts of `children`, and take them back once others run them."""
    tickets = submit_nested(store, running, host, script["children"])
    for child, ticket in zip(script["children"], tickets, strict=True):
        wait_until(lambda: f"begun {child['name']} " in Path(script["log"]).read_text(), child["name"])  # noqa: B023
        host.lane.withdraw(ticket, "not wanted after all")
    return _wait(store, running, host, script)


def _leave(store: Store, running: Running, host: Host, script: Script) -> str:
    """Leave a process, or a thread, behind."""
    if script["what"] == "thread":
        threading.Thread(target=time.sleep, args=(PATIENCE_SECONDS,)).start()
        return "thread"
    started: list[int] = []

    def start() -> None:
        started.append(subprocess.Popen(["sleep", "300"], start_new_session=True).pid)

    if script["what"] == "child of a thread":
        # As a thread of a library does it that stays.
        threading.Thread(target=lambda: (start(), time.sleep(PATIENCE_SECONDS)), daemon=True).start()
        wait_until(lambda: started, "the thread's child")
    else:
        start()
    return str(started[0])


def _print(store: Store, running: Running, host: Host, script: Script) -> str:
    for part in script["parts"]:
        if isinstance(part, str):
            print(part)
        else:
            _nest(store, running, host, {**script, "children": [part]})
    return f"{script['name']} done"


def _spoil(store: Store, running: Running, host: Host, script: Script) -> str:
    """What no code should do with standard output."""
    if script["how"] == "close":
        sys.stdout.close()
    elif script["how"] == "close the descriptor":
        os.close(1)
    else:
        sys.stdout = None  # type: ignore[assignment]
    return f"{script['name']} done"


def _command(store: Store, running: Running, host: Host, script: Script) -> Finished:
    """Run a shell command, as bash code is run."""
    from seamless_queue.processes import run_command

    null = os.open(os.devnull, os.O_RDWR)
    try:
        ended = run_command(
            ["sh", "-c", script["text"]],
            executable="/bin/sh",
            directory="/",
            environment=dict(os.environb),
            stdin=null,
            stdout=null,
            stderr=null,
            timeout=running.timeout,
            watch=host.watch,
        )
    finally:
        os.close(null)
    if ended.outcome is not Outcome.DONE:
        return Finished(ended.outcome, exit_code=ended.exit_code, error=f"exit code {ended.exit_code}")
    staged = Staged()
    with host.lane.lock:
        checksum = store.buffers.stage(script["name"].encode(), staged)
        with store.database.transaction() as connection:
            staged.write(connection)
    return Finished(Outcome.DONE, checksum, exit_code=0)


ACTIONS: dict[str, Callable[[Store, Running, Host, Script], Any]] = {
    "backtrack": _backtrack,
    "command": _command,
    "die": _die,
    "echo": _echo,
    "fail": _fail,
    "hold": _hold,
    "leave": _leave,
    "nap": _nap,
    "nest": _nest,
    "print": _print,
    "raise": _raise,
    "spin": _spin,
    "spoil": _spoil,
    "threads": _threads,
    "wait": _wait,
    "withdraw": _withdraw,
}


# -- as the scheduler does it ------------------------------------------------------------------
def request_for(
    store: Store, staged: Staged, lane: int, script: Script, *, parent: int | None = None, **wishes: Any
) -> NewRequest:
    """A wish for what a script says."""
    checksum = store.buffers.stage(json.dumps(script, sort_keys=True).encode(), staged)
    return NewRequest(script["name"], b"/", None, None, lane, Identity(checksum), parent=parent, **wishes)


def submit_nested(store: Store, running: Running, host: Host, scripts: list[Script]) -> list[Ticket]:
    """Submit in the name of a job."""
    host.before_nested()
    staged = Staged()
    with host.lane.lock:
        number = host.lane.number
        requests = [request_for(store, staged, number, script, parent=running.job_id) for script in scripts]
    tickets = host.lane.submit(requests, staged)
    if len(tickets) > 1:
        host.announce()
    return tickets


def bring_to_an_end(store: Store, host: Host, ticket: Ticket, parent: int | None) -> str:
    """Run a ticket's job, or wait for whoever runs it; its result."""
    see_to_its_end(host, ticket, parent)
    if ticket.result is None:
        raise RuntimeError(ticket.error)
    with host.lane.lock:
        return store.buffers.read(ticket.result).decode()


def see_to_its_end(host: Host, ticket: Ticket, parent: int | None) -> None:
    """The same without its result: that may be of a session that was closed since."""
    while not ticket.done:
        if host.lane.run_here(ticket, host) or ticket.done:
            continue
        if host.lane.waits_for_itself(ticket, parent):
            raise RuntimeError("it waits for itself")
        host.wait_for(ticket)


# -- who submits ---------------------------------------------------------------------------------
class Caller:
    """A Python process that submits scripts; `log` is common to all that it runs."""

    def __init__(self, settings: Settings, place: Path) -> None:
        self.place = place
        #: all tickets of which the session has said that they ended
        self.told: list[Ticket] = []
        self.session = PythonSession(settings, NAME, self.told.extend, self._run_left)

    def _run_left(self, tickets: Sequence[Ticket]) -> None:
        """Others have left these to us: a thread runs them, whoever waits for them."""
        for ticket in tickets:
            threading.Thread(target=see_to_its_end, args=(self.session.host, ticket, None), daemon=True).start()

    @property
    def lane(self) -> Lane:
        return self.session.lane

    @property
    def store(self) -> Store:
        return self.session.store

    def script(self, do: str, name: str | None = None, **arguments: Any) -> Script:
        """A description; the file that lets it go on is called NAME.go."""
        name = name or do
        given = {"go": str(self.place / f"{name}.go"), **arguments} if do in ("wait", "spin", "withdraw") else arguments
        return {"do": do, "name": name, "log": str(self.place / "log"), **given}

    def submit(self, *scripts: Script, lane: int | None = None, **wishes: Any) -> list[Ticket]:
        staged = Staged()
        with self.session.lock:
            number = self.lane.number if lane is None else lane
            requests = [request_for(self.store, staged, number, script, **wishes) for script in scripts]
        return self.session.submit(requests, staged)

    def start(self, do: str, name: str | None = None, **arguments: Any) -> Ticket:
        """Submit one."""
        (ticket,) = self.submit(self.script(do, name, **arguments))
        return ticket

    def run(self, ticket: Ticket) -> str:
        """Bring it to an end with this very thread, as a process without workers does."""
        return bring_to_an_end(self.store, self.session.host, ticket, None)

    def result(self, ticket: Ticket, seconds: float = 20.0) -> str:
        """Wait for it; what came of it, an error as it is."""
        assert ticket.wait(seconds), f"job {ticket.job_id} has not ended: {self.state_of(ticket)}"
        if ticket.result is None:
            return str(ticket.error)
        with self.session.lock:
            return self.store.buffers.read(ticket.result).decode()

    def go(self, name: str) -> None:
        """Let a job go on."""
        (self.place / f"{name}.go").touch()

    # -- looking --------------------------------------------------------------------------------
    def lines(self, what: str, name: str | None = None) -> list[list[str]]:
        """What has been logged: word, name, process."""
        try:
            found = [line.split() for line in (self.place / "log").read_text().splitlines()]
        except FileNotFoundError:
            return []
        return [line for line in found if line[0] == what and name in (None, line[1])]

    def runs(self, name: str) -> int:
        """How often a job has been begun."""
        return len(self.lines("begun", name))

    def begun(self, name: str, times: int = 1) -> int:
        """Wait for a job to be begun so often; the last process that did."""
        wait_until(lambda: self.runs(name) >= times, f"{name} to begin")
        return int(self.lines("begun", name)[-1][2])

    def rows(self, statement: str, *parameters: object) -> list[Any]:
        with self.session.lock:
            return self.store.database.rows(statement, parameters)

    def state_of(self, ticket: Ticket) -> Any:
        return self.rows("SELECT state, lane, worker_id, deaths FROM jobs WHERE id = ?", ticket.job_id)

    def attempts(self, ticket: Ticket) -> list[Outcome]:
        """How the attempts at a job ended."""
        rows = self.rows("SELECT outcome FROM attempts WHERE job_id = ? ORDER BY id", ticket.job_id)
        return [Outcome(row[0]) for row in rows]

    def workers(self) -> set[int]:
        """The processes of the pool."""
        pool = self.session.listener.pool
        return {member.process.pid for member in pool.members} if pool is not None else set()


@contextmanager
def calling(settings: Settings, place: Path) -> Iterator[Caller]:
    """A caller whose session is closed in any case."""
    caller = Caller(settings, place)
    try:
        yield caller
        assert caller.lines("double") == []
    finally:
        # What still runs must not keep the end waiting.
        for process in place.glob("*.wait"):
            process.touch()
        caller.session.close()


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)


# -- as another process --------------------------------------------------------------------------
def main(directory: str, place: str, script: str, workers: str, is_private: str) -> None:
    """Submit one script to a store, and run it in this process or by workers."""
    sys.modules[Path(__file__).stem] = sys.modules[__name__]
    settings = Settings(directory)
    if is_private == "True":
        settings = Settings(private.new_path(), private=True)
    caller = Caller(settings, Path(place))
    if int(workers):
        caller.session.spawn(int(workers))
    (ticket,) = caller.submit(json.loads(script))
    print(caller.result(ticket) if int(workers) else caller.run(ticket), flush=True)
    caller.session.close()


def other_process(settings: Settings, place: Path, script: Script, workers: int = 0) -> subprocess.Popen[bytes]:
    """Another Python process that runs a script, on the same store if that is not private."""
    words = [settings.store, str(place), json.dumps(script), str(workers), str(settings.private)]
    return subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
