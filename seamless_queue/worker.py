"""A worker process: claims jobs of its lane, executes them one by one, publishes the outcomes.

    parent ◀──channel──▶ worker ──▶ command (own process group)
                           │
                           └── claims, publishes, delivers (database)

Started by `processes.start_worker` as `python -m seamless_queue.worker CONFIGURATION`. The end of the
channel means that the parent is dead: the worker stops its command and leaves.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum

import orjson

from . import attempt, crashpoints, owner, processes
from .broker import claims, sessions
from .broker.records import Consequences
from .broker.states import Outcome
from .broker.work import Finished, Running
from .buffers import Staged
from .channel import Channel, Message
from .clerk import Clerk, functions_named
from .filesystems import is_disk_full
from .settings import Settings
from .store import open_store
from .workdir import Workplace

#: An idle worker looks for work this often even if nobody wakes it.
SLOW_POLL_SECONDS = 5.0
#: A batch of reservations is meant to last this long.
BATCH_SECONDS = 0.05
#: At most so many reservations at once.
BATCH_LIMIT = 16
#: Weight of the newest duration in the running mean.
MEAN_WEIGHT = 0.2


class Mode(Enum):
    """What the parent wants of this worker."""

    #: claim and execute
    WORK = "work"
    #: claim nothing for now: the disk is full
    HOLD = "hold"
    #: finish the current job, then leave
    FINISH = "finish"
    #: give the current job back, then leave
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a worker is told when it starts."""

    store: str
    durable: bool
    lane: int
    session_id: int
    functions: str
    channel: int

    def encode(self) -> str:
        """As one command-line argument."""
        return orjson.dumps(asdict(self)).decode()


class Worker:
    """One worker: its connection, its channel and its reservations."""

    interval: float | None = None

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        # Inherited, so that it came here; the commands of jobs are not to have it.
        os.set_inheritable(configuration.channel, False)
        self.channel = Channel(socket.socket(fileno=configuration.channel))
        settings = Settings(configuration.store, durable=configuration.durable)
        self.store = open_store(settings)
        with self.store.database.transaction() as connection:
            self.id = sessions.open_worker(connection, configuration.session_id, owner.current())
        self.functions = functions_named(configuration.functions)
        self.clerk = Clerk(self.store, self.id, self.functions)
        reuse = processes.adopt_orphans()
        self.workplace = Workplace(self.store.work, self.id, reuse=reuse)
        self.mode = Mode.WORK
        self.reserved: list[int] = []
        self.current: Running | None = None
        self.mean_seconds = 1.0

    # -- the main loop ----------------------------------------------------------------------
    def run(self) -> None:
        """Work until told to leave, or the parent is gone."""
        self.channel.send({"event": "hello", "worker": self.id})
        while self.mode not in (Mode.FINISH, Mode.STOP):
            self._listen(0)
            if self.current is None and self.mode is Mode.WORK:
                self._claim()
            if self.current is None:
                self._rest()
            else:
                self._work_on(self.current)
        self._leave()

    def _claim(self) -> None:
        with self.store.database.transaction() as connection:
            self.current = self._begin_next(connection)
        self.channel.send(*_started(self.current))

    def _work_on(self, running: Running) -> None:
        began, staged = time.monotonic(), Staged()
        finished = attempt.execute(self.store, self.functions, self.workplace, running, self, staged)
        self._learn(time.monotonic() - began)
        self._publish_patiently(running, finished, staged)

    def _rest(self) -> None:
        self.channel.send({"event": "idle"})
        self._listen(SLOW_POLL_SECONDS)

    def _leave(self) -> None:
        with self.store.database.transaction() as connection:
            sessions.bury_worker(connection, self.configuration.session_id, self.id, "stopped")
        self.workplace.close()
        self.channel.send({"event": "bye"})
        self.store.close()

    # -- one job ----------------------------------------------------------------------------
    def _publish_patiently(self, running: Running, finished: Finished, staged: Staged) -> None:
        """Publish; while the disk is full, keep the outcome and try again: nothing is lost or run twice."""
        if finished.outcome is Outcome.RELEASED and self.mode is Mode.WORK:
            self._report_full_disk()
        while True:
            try:
                consequences = self._publish(running, finished, staged)
                break
            except Exception as exc:
                if not is_disk_full(exc):
                    raise
                self._hold_for_disk()
        self._follow_up(consequences)

    def _publish(self, running: Running, finished: Finished, staged: Staged) -> Consequences:
        """One transaction: the outcome of this job, and the beginning of the next one."""
        crashpoints.reached("before-publish")
        following = None
        with self.store.database.transaction() as connection:
            finished, consequences = attempt.publish(
                connection, self.configuration.session_id, self.id, running, finished, staged
            )
            if self.mode is Mode.WORK:
                following = self._begin_next(connection)
        crashpoints.reached("published")
        self.current = following
        self.channel.send(_ended(running, finished, consequences), *_started(following))
        return consequences

    def _follow_up(self, consequences: Consequences) -> None:
        while True:
            try:
                if self.clerk.handle(consequences):
                    self.channel.send({"event": "ready"})
                return
            except Exception as exc:
                if not is_disk_full(exc):
                    raise
                self._hold_for_disk()
                consequences = self.clerk.leftovers()

    # -- reservations -----------------------------------------------------------------------
    def _begin_next(self, connection: object) -> Running | None:
        while True:
            if not self.reserved:
                lane = self.configuration.lane
                self.reserved = claims.claim(connection, self.id, lane, self._batch_size())
            if not self.reserved:
                return None
            running = claims.begin(connection, self.id, self.reserved.pop(0))
            if running is not None:
                return running

    def _batch_size(self) -> int:
        return max(1, min(BATCH_LIMIT, int(BATCH_SECONDS / max(self.mean_seconds, 1e-6))))

    def _learn(self, seconds: float) -> None:
        self.mean_seconds += MEAN_WEIGHT * (seconds - self.mean_seconds)

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Nobody looks over a worker's shoulder (processes.Watch)."""

    # -- the parent -------------------------------------------------------------------------
    def fileno(self) -> int:
        """What wakes a wait for a command (processes.Watch)."""
        return self.channel.fileno()

    def check(self) -> Outcome | None:
        """How the current command is to be stopped, or None (processes.Watch)."""
        asked = self._receive()
        if self.mode is Mode.STOP:
            return Outcome.RELEASED
        if asked and self.current is not None and not claims.holds(self.store.database, self.id, self.current):
            return Outcome.CANCELED
        return None

    def _listen(self, seconds: float) -> None:
        poller = select.poll()
        poller.register(self.channel.fileno(), select.POLLIN)
        if poller.poll(seconds * 1000):
            self._receive()

    def _receive(self) -> bool:
        """Take in what the parent says; whether the current job is to be looked after."""
        asked = False
        for message in self.channel.receive_nowait():
            if message["order"] == "check":
                asked = True
            elif message["order"] != "wake" and self.mode is not Mode.STOP:
                self.mode = Mode(message["order"])
        return asked

    def _report_full_disk(self) -> None:
        self.channel.send({"event": "full"})
        self.mode = Mode.HOLD if self.mode is Mode.WORK else self.mode

    def _hold_for_disk(self) -> None:
        self._report_full_disk()
        self._listen(1.0)


def _started(running: Running | None) -> list[Message]:
    return [] if running is None else [{"event": "started", **_about(running)}]


def _ended(running: Running, finished: Finished, consequences: Consequences) -> Message:
    return {
        "event": "ended",
        **_about(running),
        "outcome": finished.outcome.value,
        "error": finished.error,
        "exit_code": finished.exit_code,
        "again": consequences.again,
        "differed": consequences.differed,
        "failed": consequences.failed,
    }


def _about(running: Running) -> Message:
    return {"job": running.checksum, "request": running.request_id, "command": running.command}


def main() -> None:
    """Entry point of the process."""
    worker = Worker(Configuration(**orjson.loads(sys.argv[1])))
    # What was imported stays for good: the collector need not look at it after every few jobs.
    gc.freeze()
    # The parent is gone: it cannot be told, and its successor finds the job.
    with suppress(EOFError):
        worker.run()


if __name__ == "__main__":
    main()
