"""A parent's workers: started, woken, seen dead, replaced and stopped."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from . import marked, processes
from .attempt import Death
from .broker.states import Outcome
from .broker.work import Finished, Running
from .channel import Channel, Message
from .errors import SeamlessError
from .orders import Configuration, Mode

if TYPE_CHECKING:
    import subprocess

#: A pool whose workers die so often before they say hello does not try again.
BROKEN_STARTS = 3


@dataclass(slots=True, eq=False)
class Member:
    """One worker process, as its parent sees it."""

    process: subprocess.Popen[bytes]
    channel: Channel
    #: the row in the table, once the worker has said hello
    id: int | None = None
    idle: bool = False
    idle_since: float = 0.0
    #: its job waits for another worker's
    blocked: bool = False
    #: told to rest after its current job
    held: bool = False
    left: bool = False
    #: what it says of the jobs in the middle of which it leaves
    leaving: list[Message] = field(default_factory=list, repr=False)
    #: jobs that it has to stop, and until when
    doomed: dict[int, float] = field(default_factory=dict)
    #: by its parent, who could not make it stop otherwise
    killed: bool = False
    #: what it runs, for people
    current: Message | None = field(default=None, repr=False)

    def kill(self) -> None:
        """End it at once; its parent buries it."""
        self.killed = True
        with suppress(ProcessLookupError):
            self.process.kill()


class WorkerPool:
    """The workers of one session."""

    def __init__(self, configuration: Configuration, size: int) -> None:
        self._configuration = configuration
        self.size = size
        self.members: list[Member] = []
        self._broken_starts = 0
        #: jobs that workers have to stop who have not said hello yet, and in how many seconds
        self._stops: dict[int, list[tuple[int, float]]] = {}

    def start_missing(self, size: int | None = None) -> list[Member]:
        """Start as many workers as are missing to the pool's size, or this one; those that were started."""
        return [self._start() for _ in range((size or self.size) - len(self.members))]

    def _start(self) -> Member:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = replace(self._configuration, channel=theirs.fileno())
            process = processes.start_worker(arguments.encode(), theirs.fileno())
        member = Member(process, Channel(ours))
        self.members.append(member)
        return member

    def receive(self, member: Member) -> list[Message]:
        """What a worker says. EOFError: it has died or left."""
        messages = member.channel.receive_nowait()
        for message in messages:
            self._note(member, message)
        return messages

    def _note(self, member: Member, message: Message) -> None:
        event = message["event"]
        if event == "hello":
            member.id, self._broken_starts = message["worker"], 0
            for job_id, seconds in self._stops.pop(message["worker"], ()):
                self.stop(message["worker"], job_id, seconds)
        elif event == "bye":
            member.left = True
        elif event == "leaving":
            member.leaving = message["jobs"]
        elif event == "started":
            member.current = message
        elif event == "ended" and member.current is not None and member.current["job"] == message["job"]:
            member.current = None
        if event in ("blocked", "unblocked"):
            member.blocked = event == "blocked"
        else:
            member.idle = event == "idle"
            member.idle_since = time.monotonic()

    def wake(self, at_most: int) -> int:
        """Wake so many idle workers, as long as no more than the pool's size are busy; how many were woken."""
        # The latest to fall idle first: it is still in the processor's caches.
        idle = sorted((member for member in self.members if member.idle), key=_idle_since, reverse=True)
        idle = idle[: max(0, min(at_most, self.size - self.busy_count))]
        for member in idle:
            member.idle = False
            member.channel.send({"order": Mode.WORK.value if member.held else "wake"})
            member.held = False
        return len(idle)

    def hold_excess(self) -> None:
        """Workers that were lent are not needed any more: the youngest rest until they are woken."""
        busy = [member for member in self.members if not member.idle and not member.blocked and not member.held]
        for member in busy[self.size :]:
            member.held = True
            member.channel.send({"order": Mode.HOLD.value})

    @property
    def busy_count(self) -> int:
        """Workers that need a processor."""
        return sum(not member.idle and not member.blocked for member in self.members)

    @property
    def idle_count(self) -> int:
        """Workers that wait to be woken."""
        return sum(member.idle for member in self.members)

    @property
    def blocked_count(self) -> int:
        """Workers whose jobs only wait."""
        return sum(member.blocked for member in self.members)

    @property
    def is_idle(self) -> bool:
        """Whether no worker has anything to do."""
        return all(member.idle for member in self.members)

    def check_busy(self) -> None:
        """Have every busy worker look whether its job is still its own."""
        for member in self.members:
            if member.current is not None:
                member.channel.send({"order": "check"})

    def stop(self, worker_id: int, job_id: int, seconds: float) -> None:
        """Have a worker stop a job, or be killed after so many seconds."""
        for member in self.members:
            if member.id == worker_id:
                member.channel.send({"order": "check"})
                member.doomed[job_id] = time.monotonic() + seconds
                return
        # The table knows it already, but we have not heard of it.
        self._stops.setdefault(worker_id, []).append((job_id, seconds))

    def stop_canceled(self, jobs: Iterable[tuple[int, int]], seconds: float) -> None:
        """Have those of these jobs (job and worker) stopped that are run here; once each."""
        for job_id, worker_id in jobs:
            if any(member.id == worker_id and job_id not in member.doomed for member in self.members):
                self.stop(worker_id, job_id, seconds)

    def kill_late(self) -> None:
        """Kill those that did not stop: they hold the interpreter in foreign code and cannot even hear us."""
        now = time.monotonic()
        for member in self.members:
            if not member.killed and any(until <= now for until in member.doomed.values()):
                member.kill()

    @property
    def deadlines(self) -> list[float]:
        """When workers are to be killed."""
        return [until for member in self.members if not member.killed for until in member.doomed.values()]

    def spread_news(self) -> None:
        """Have the blocked workers look whether what they wait for has ended."""
        for member in self.members:
            if member.blocked:
                member.channel.send({"order": "look"})

    def order(self, mode: Mode) -> None:
        """Tell all workers what is wanted of them."""
        for member in self.members:
            member.channel.send({"order": mode.value})
            member.idle = False
            # Whoever rested may work again.
            member.held = member.held and mode is not Mode.WORK

    def bury(self, member: Member, mark_of_store: str) -> Death | None:
        """A worker has gone: make sure of it, and of all that it started. None if it held nothing any more."""
        member.channel.close()
        self.members.remove(member)
        with suppress(ProcessLookupError):
            member.process.kill()
        status = member.process.wait()
        processes.kill_adopted([other.process.pid for other in self.members])
        if member.id is None:
            if not member.left:
                self._count_broken_start(status)
            return None
        if member.left:
            return None
        if member.leaving:
            return Death(member.id, "left", False, [_ended(message) for message in member.leaving])
        marked.kill_marked({f"{mark_of_store}:{member.id}"})
        # One that we have killed for the sake of one job had maybe begun others, which are not to blame.
        return Death(member.id, _how(status), not member.killed, [])

    def _count_broken_start(self, status: int) -> None:
        if status == -signal.SIGKILL:
            # Somebody else's doing, not a worker that cannot start.
            return
        self._broken_starts += 1
        if self._broken_starts >= BROKEN_STARTS:
            raise SeamlessError(f"workers cannot start ({_how(status)}); run: {self._by_hand()}")

    def _by_hand(self) -> str:
        return "python -c 'import seamless_queue.worker' to see why"

    def kill(self) -> None:
        """End all workers at once; the caller buries them."""
        for member in self.members:
            member.kill()

    def end(self) -> None:
        """End all workers at once, and see them dead; there will be no others."""
        self.kill()
        for member in self.members:
            member.process.wait()
            member.channel.close()
        self.members.clear()


def _ended(message: Message) -> tuple[Running, Finished]:
    running = Running(
        message["id"], message["job"], message["fence"], None, message["request"], message["command"], None
    )
    outcome, streams = Outcome(message["outcome"]), (message["stdout"], message["stderr"])
    return running, Finished(outcome, None, *streams, message["exit_code"], message["error"])


def _idle_since(member: Member) -> float:
    return member.idle_since


def _how(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"
