"""Runs one request in the caller's own process: a session that is its own and only worker.

The job may be run by others (a queue server has begun it): then this waits and shares the outcome.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Protocol

from . import attempt, foreign, owner, processes, reclaim, sidecars
from .broker import claims, progress, reports, sessions, submissions
from .broker.sessions import RENEW_SECONDS, SessionKind
from .broker.states import LIVE, Outcome, RequestState
from .broker.work import Finished, Running
from .clerk import Clerk, Functions
from .doorbell import Doorbell
from .errors import DiskFull
from .hosts import Parentless
from .lane import Lane, Ticket
from .signals import Overdue, limited
from .staged import Staged
from .store import Store
from .workdir import Workplace

if TYPE_CHECKING:
    from .streams import CapturedStreams

#: How often a waiting session looks around although nobody rang.
LOOK_SECONDS = 0.5
#: How often the output of a running command is passed on.
FOLLOW_SECONDS = 0.1
#: How often a waiting session looks for owners that have died.
RECLAIM_SECONDS = 5.0


class Nobody:
    """Nobody watches (Audience)."""

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Nothing to do."""

    def look(self) -> None:
        """Nothing to do."""


class Audience(Protocol):
    """Who watches an inline run."""

    def follow(self, stdout: str | None, stderr: str) -> None:
        """The command is about to write to these files; stdout is None where it is the result."""

    def look(self) -> None:
        """Called a few times a second while the command runs or is waited for, and once after it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended, and whether its job was run here."""

    state: RequestState
    error: str | None
    ran_here: bool


@contextmanager
def inline_session(store: Store, functions: Functions, audience: Audience | None = None) -> Iterator[InlineSession]:
    """A session of this process, for a while; jobs that it leaves unfinished are canceled."""
    # What commands leave behind becomes ours to kill; this process has no other children.
    processes.adopt_orphans()
    with Doorbell(store.runtime_name) as bell:
        session = InlineSession(store, functions, bell, audience or Nobody())
        try:
            session.clerk.handle(reclaim.reclaim_dead_sessions(store))
            yield session
        finally:
            session.close()


class InlineSession(Parentless):
    """A session for one request; use `run`."""

    interval: float | None = FOLLOW_SECONDS

    def __init__(self, store: Store, functions: Functions, bell: Doorbell, audience: Audience) -> None:
        self.store = store
        self.functions = functions
        self._bell = bell
        self._audience = audience
        me = owner.current()
        with store.database.transaction() as connection:
            self.id = sessions.open_session(connection, SessionKind.INLINE, me, bell.address, 1)
            self.worker_id = sessions.open_worker(connection, self.id, me)
        self.clerk = Clerk(store, self.worker_id, functions)
        self.watch = self
        self.workplace = Workplace(store.work, self.worker_id, reuse=False)
        self.lane = Lane(store, functions, self.id, self.id, self.worker_id, RLock())
        self._foreign = foreign.ForeignFutures()
        self._current: Running | None = None
        self._renewed = self._reclaimed = time.monotonic()
        self._ran = False
        self._streams: CapturedStreams | None = None
        #: whether standard output is shown while the command runs although it is the result
        self.shows_result = False

    def run(self, request_id: int, waiting: Callable[[], None]) -> Ending:
        """Bring the request to its end; `waiting` is called if that is up to others."""
        told = False
        while True:
            state, error = reports.request_state(self.store.database, request_id)
            if state not in LIVE:
                return Ending(state, error, self._ran)
            if self._work():
                continue
            if not told:
                told = True
                waiting()
            self._wait(request_id)

    def cancel(self, request_id: int) -> None:
        """Give up: the command is dead already, the request is taken back and its .FUTUREs go."""
        with self.store.database.transaction() as connection:
            consequences = progress.cancel_request(connection, request_id)
            if self._current is not None:
                claims.acknowledge_stop(connection, self.id, self.worker_id, self._current)
        self.clerk.handle(consequences)

    def close(self) -> None:
        """End the session."""
        with self.store.database.transaction() as connection:
            consequences = sessions.end_session(connection, self.id, "the session ended")
            # The next server may be long in coming, and an environment holds secrets.
            connection.execute(reports.FORGET_CONTEXTS)
        self.clerk.handle(consequences)

    # -- working ----------------------------------------------------------------------------
    def _work(self) -> bool:
        """Run a job of our lane, if there is one to be claimed."""
        with self.store.database.transaction() as connection:
            reserved = claims.claim(connection, self.worker_id, self.id, 1)
            self._current = claims.begin(connection, self.worker_id, reserved[0]) if reserved else None
        if self._current is None:
            return False
        running, staged = self._current, Staged()
        try:
            finished = attempt.execute(self.store, self.functions, running, self, staged)
        except Overdue:
            finished = Finished(Outcome.TIMED_OUT, error=f"timed out after {running.timeout:g} s")
        self._audience.look()
        with self.store.database.transaction() as connection:
            finished, consequences = attempt.publish(connection, self.id, self.worker_id, running, finished, staged)
        self._current, self._ran = None, True
        self.clerk.handle(consequences)
        if finished.outcome is Outcome.RELEASED:
            raise DiskFull(f"the disk of the store {self.store.path} is full; free some space and run again")
        return True

    # -- waiting ----------------------------------------------------------------------------
    def _wait(self, request_id: int) -> None:
        poller = select.poll()
        poller.register(self._bell.fileno(), select.POLLIN)
        if poller.poll(LOOK_SECONDS * 1000):
            self._bell.clear()
        self._audience.look()
        self._keep_lease()
        if self._is_reclaim_due():
            self.clerk.handle(reclaim.reclaim_dead_sessions(self.store))
            with self.store.database.transaction() as connection:
                submissions.take_over(connection, request_id, self.id)
        # Who was to key or deliver may have died between two transactions, or have left it to us.
        self.clerk.handle(self.clerk.leftovers())
        self._look_at_foreign_futures(request_id)

    def _look_at_foreign_futures(self, request_id: int) -> None:
        watched = reports.watched(self.store.database)
        self._foreign.look(self.clerk, (one for one in watched if one[1] == request_id))

    def _is_reclaim_due(self) -> bool:
        now = time.monotonic()
        if now - self._reclaimed < RECLAIM_SECONDS:
            return False
        self._reclaimed = now
        return True

    def _keep_lease(self) -> None:
        if time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        self._renewed = time.monotonic()
        with self.store.database.transaction() as connection:
            sessions.renew(connection, self.id)
        for _, path in reports.live_outputs_of(self.store.database, self.id):
            sidecars.touch_future(os.fsdecode(path))

    def wait_for(self, ticket: Ticket) -> None:
        """Wait for a job that another process runs, until it is left to us, or ours is not wanted any more."""
        while not ticket.done and not self.lane.look([ticket]):
            if self.lane.is_left_to_us(ticket) or not self._holds_all():
                return
            time.sleep(FOLLOW_SECONDS)
            self._keep_lease()
            if self._is_reclaim_due():
                self.clerk.handle(reclaim.reclaim_dead_sessions(self.store))
                self.lane.take_over()

    @contextmanager
    def minding(self, *, python: bool) -> Iterator[None]:
        """Python code has its time, which a command's own wait minds by itself."""
        running = self._current
        if not python or running is None or running.timeout is None or len(self.lane.executing) > 0:
            yield
            return
        with limited(running.timeout):
            yield

    @property
    def streams(self) -> CapturedStreams:
        """Made when Python code runs here for the first time: what it prints is kept, as a command's output is."""
        if self._streams is None:
            from .streams import CapturedStreams

            self._streams = CapturedStreams(self.store.work)
        return self._streams

    @contextmanager
    def recomputing(self) -> Iterator[None]:
        """Nobody is shown what other jobs write."""
        before = self._audience, self.shows_result
        self._audience, self.shows_result = Nobody(), False
        try:
            yield
        finally:
            self._audience, self.shows_result = before

    # -- processes.Watch ----------------------------------------------------------------------
    def fileno(self) -> int:
        """Rings wake the wait for the command: somebody may have canceled it."""
        return self._bell.fileno()

    def check(self) -> Outcome | None:
        """Look around while the command runs."""
        self._audience.look()
        self._keep_lease()
        if not self._bell.clear():
            return None
        return None if self._holds_all() else Outcome.CANCELED

    def _holds_all(self) -> bool:
        """Whether all that runs here may go on: a job, and those that it has asked for."""
        running = [*self.lane.executing.values(), *((self._current,) if self._current is not None else ())]
        return all(claims.holds(self.store.database, self.worker_id, one) for one in running)

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Pass on what the command is going to write."""
        self._audience.follow(stdout, stderr)

    def see_out(self) -> None:
        """All that it has written, before the middle of what is too long goes."""
        self._audience.look()
