"""The session of a Python process: its lane, its pool of workers, and a thread that listens to them.

    caller ──submit──▶ lane ──wake──▶ workers
                        ▲               │
    caller ◀──tickets── listener ◀──────┘ events, rings of other sessions

Without a pool the caller's own threads run what they wait for; the listener (listener.py) is started when somebody
else runs it, or when there is a pool.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence

from . import owner, private, reclaim, scratch
from .broker import sessions
from .broker.records import QUEUE_LANE, NewRequest
from .broker.sessions import SessionKind
from .care import marker
from .clerk import functions_named
from .doorbell import Doorbell, ring
from .errors import SeamlessError
from .hosts import Here
from .lane import Lane, Ticket
from .listener import Listener
from .orders import Configuration
from .pool import WorkerPool
from .settings import Settings
from .staged import Staged
from .store import open_store


class PythonSession:
    """Opens the store, registers itself, and runs what is submitted. For several threads."""

    def __init__(
        self,
        settings: Settings,
        functions: str,
        on_ended: Callable[[Sequence[Ticket]], None],
        on_left: Callable[[Sequence[Ticket]], None],
    ) -> None:
        self._settings = settings
        self._functions = functions
        self.on_ended = on_ended
        self.on_left = on_left
        self.lock = threading.RLock()
        self.store = open_store(settings, shared=True)
        self._bell = Doorbell(self.store.runtime_name)
        me = owner.current()
        with self.store.database.transaction() as connection:
            self.id = sessions.open_session(connection, SessionKind.PYTHON, me, self._bell.address, 0)
            self.worker_id = sessions.open_worker(connection, self.id, me)
        given = functions_named(functions)
        self.lane = Lane(self.store, given, self.id, self.id, self.worker_id, self.lock)
        self.host = Here(self)
        self.process_id = os.getpid()
        self.listener = Listener(self, self._bell)
        self._closing = False
        #: why nothing can be run any more
        self.broken: str | None = None
        if not settings.private:
            self._sweep()

    def _sweep(self) -> None:
        """What the dead have left, in the store and elsewhere, goes: nobody else may ever come."""
        private.sweep()
        self.lane.clerk.handle(reclaim.reclaim_dead_sessions(self.store))
        reclaim.sweep(self.store, self.lane.clerk)

    # -- what callers do ----------------------------------------------------------------------
    def submit(self, requests: Sequence[NewRequest], staged: Staged) -> list[Ticket]:
        """Submit, and wake who is to run it."""
        with self.lock:
            self._refuse_if_broken()
            tickets = self.lane.submit(requests, staged)
            waiting = sum(not ticket.done for ticket in tickets)
            if waiting and requests[0].lane == QUEUE_LANE:
                ring(sessions.queue_addresses(self.store.database))
                self.watch_others()
            elif waiting and self.listener.pool is not None:
                self.listener.pool.wake(waiting)
            return tickets

    def spawn(self, workers: int) -> None:
        """Have so many workers from now on. They are started by the listener, so that it is their parent."""
        with self.lock:
            self._refuse_if_broken()
            if self.listener.pool is None:
                configuration = Configuration(
                    self._settings.store,
                    self._settings.durable,
                    self.id,
                    self.id,
                    self._functions,
                    -1,
                    self._settings.private,
                    tuple(_search_path()),
                    quiet=True,
                    sources=self._settings.sources,
                )
                self.listener.pool = WorkerPool(configuration, workers)
            self.listener.pool.size = workers
        self.listener.start()
        ring([self._bell.address])

    def _refuse_if_broken(self) -> None:
        if self.broken is not None:
            raise SeamlessError(self.broken)

    @property
    def workers(self) -> int:
        """How many workers are wanted; 0 without a pool."""
        return self.listener.pool.size if self.listener.pool is not None else 0

    def wake_workers(self) -> None:
        """There is a job to be claimed."""
        with self.lock:
            if self.listener.pool is not None:
                self.listener.pool.wake(1)

    def watch_others(self) -> None:
        """Some ticket's job is run by others: have the listener look after it."""
        self.listener.watch_others()

    def cancel(self, ticket: Ticket, why: str = "canceled") -> bool:
        """Take a wish back; a worker of ours that runs its job has to stop."""
        with self.lock:
            if not self.lane.withdraw(ticket, why):
                return False
            self.listener.stop(ticket.job_id)
        ring([self._bell.address])
        return True

    def close(self) -> int:
        """End the session: its workers leave, what has not ended is canceled; how many that were."""
        with self.lock:
            if self._closing or self.process_id != os.getpid():
                return 0
            self._closing = True
            self.broken = self.broken or "the session was closed"
        self.listener.finish()
        with self.lock:
            withdrawn = self.give_up("the session was closed")
            left = self.lane.abandon("the session was closed; the queue goes on without it")
            self._end()
        self.tell([*withdrawn, *left])
        return len(withdrawn)

    def let_go_in_child(self) -> None:
        """After a fork, in the child: the parent's death is to be seen by its workers, whoever lives on."""
        for member in self.listener.pool.members if self.listener.pool is not None else ():
            member.channel.close()

    # -- how it ends --------------------------------------------------------------------------
    def tell(self, ended: list[Ticket]) -> None:
        """Say that these have ended."""
        try:
            if ended:
                self.on_ended(ended)
        except Exception as exc:
            self.listener.pass_over_full_disk(exc)

    def give_up(self, why: str, *, failed: bool = False) -> list[Ticket]:
        """Take back what the session wants; what that was."""
        tickets = self.lane.own_tickets()
        try:
            for ticket in tickets:
                self.lane.withdraw(ticket, why, failed=failed)
        except Exception as exc:
            self.listener.pass_over_full_disk(exc)
            # They are canceled when the session's end is noted.
            tickets = list({*tickets, *self.lane.abandon(why)})
        return tickets

    def _end(self) -> None:
        try:
            with self.store.database.transaction() as connection:
                consequences = sessions.end_session(connection, self.id, "the session ended")
            self.lane.clerk.handle(consequences)
            if not self._settings.private:
                scratch.drop_unused(self.store, self.lane.functions)
                self._collect()
        finally:
            self.host.close()
            self._bell.close()
            self.listener.close()
            self.store.close()
            if self._settings.private:
                private.remove(self.store.path)

    def _collect(self) -> None:
        """See to it that the store stays below its cap; not when Ctrl-C has ended the program: it is to leave now."""
        if marker.is_due(self.store.path) and getattr(sys, "last_type", None) is not KeyboardInterrupt:
            from .care import collect

            collect.automatically(self.store, self.lane.functions, self._settings.max_size)


def _search_path() -> list[str]:
    """Where the caller's modules are found; the worker may be in another directory."""
    return [os.path.abspath(entry) for entry in sys.path]
