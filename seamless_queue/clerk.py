"""What follows from an outcome, done by whoever caused it: keying, delivering, tidying, waking.

    Consequences ──▶ key     compute the identity of requests whose last input came, give them a job
                 ──▶ deliver write the files of requests whose job is done
                 ──▶ ended   remove the .FUTUREs of requests that failed or were canceled
                 ──▶ ring    wake the sessions that wait for one of them

Each step may have consequences of its own; a clerk goes on until there are none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from . import crashpoints, doorbell, sidecars
from .broker import deliveries, progress, sessions, submissions
from .broker.records import Consequences, Identity, merged
from .broker.work import Delivery, Finished, Keyable, Running
from .errors import SeamlessError
from .filesystems import has_no_room, is_disk_full
from .processes import Watch
from .staged import Staged
from .store import Store
from .workdir import Workplace

if TYPE_CHECKING:
    from .lane import Lane, Ticket
    from .streams import CapturedStreams


class Host(Protocol):
    """The worker that a job runs in, as the executor of its language sees it."""

    @property
    def workplace(self) -> Workplace:
        """Where commands run."""

    @property
    def watch(self) -> Watch:
        """What a wait for a command listens to."""

    @property
    def lane(self) -> Lane:
        """Where the job's own code submits others."""

    @property
    def streams(self) -> CapturedStreams | None:
        """Where the output of Python code goes; None: where it would go anyway."""

    def minding(self, *, python: bool) -> AbstractContextManager[None]:
        """While Python code of the job runs, somebody else has to mind the channel; not while a command runs."""

    def before_nested(self) -> None:
        """The job's code is about to submit others: nobody is to wait for it who does not have to."""

    def recomputing(self) -> AbstractContextManager[None]:
        """While what the job lacks is made again: that is nobody's output, and takes nothing of the job's time."""

    def begin_afresh(self) -> None:
        """The current job needs a process in which no other has run: a worker does not return from this."""

    def announce(self) -> None:
        """There are jobs to be claimed by others."""

    def wait_for(self, ticket: Ticket) -> None:
        """Wait for a job that somebody else runs."""


class Functions(Protocol):
    """What gives bytes meaning: a module (or object) with these functions."""

    def execute(self, store: Store, running: Running, host: Host, staged: Staged) -> Finished:
        """Run a job; outputs that are kept go to `staged` or the store.

        In the main thread Ctrl-C is put off meanwhile: let it through where the user's code runs (`interruptible`).
        """

    def key(self, store: Store, keyable: Keyable, staged: Staged) -> Identity:
        """The identity of a request whose inputs are known."""

    def deliver(self, store: Store, delivery: Delivery) -> None:
        """Write a request's files."""

    def needs(self, store: Store, checksum: str) -> Iterable[str]:
        """All buffers that a job needs to be run, by its identity. A SeamlessError if that cannot be told."""

    def mentions(self, store: Store, content: bytes) -> Iterable[bytes]:
        """The same, and maybe more, quickly, from the content of an identity or specification."""

    def spare(self, store: Store, checksum: str, result: str) -> Iterable[str]:
        """What of a job's result can be given up: the files that it names, or itself. SeamlessError as above."""

    def intake(self, store: Store, path: str, staged: Staged) -> str:
        """Keep a user's file or directory as it is now; its checksum."""


def functions_named(name: str) -> Functions:
    """The module of this name, as the four functions."""
    return import_module(name)


@dataclass(frozen=True, slots=True)
class Clerk:
    """Does what follows, in the name of one worker."""

    store: Store
    worker_id: int
    functions: Functions
    #: told of every request that fails here: its number and why
    report: Callable[[int, str], None] | None = None
    #: the worker's own session, which needs no ring to know what happens here
    session_id: int | None = None

    def handle(self, consequences: Consequences) -> bool:
        """Do all that follows; whether jobs may have become ready for other workers."""
        ready = consequences.again
        ring: set[int] = set(consequences.sessions)
        while consequences.key or consequences.deliver or consequences.ended:
            ready = ready or bool(consequences.key)
            following = [self._key(request_id) for request_id in consequences.key]
            following += [self._deliver(request_id) for request_id in consequences.deliver]
            for request_id in consequences.ended:
                self.remove_futures(request_id)
            consequences = merged(following)
            ring.update(consequences.sessions)
            ready = ready or consequences.again
        self._ring(ring - {self.session_id})
        return ready

    def leftovers(self) -> Consequences:
        """Work that somebody began and did not end, or that had to wait for another's."""
        database = self.store.database
        return Consequences(
            deliver=tuple(deliveries.open_deliveries(database)),
            key=tuple(deliveries.keyable_requests(database)),
        )

    def remove_futures(self, request_id: int) -> None:
        """Remove the .FUTUREs of a request that has ended."""
        database = self.store.database
        for path in deliveries.pending_paths(database, request_id):
            sidecars.remove_future(os.fsdecode(path), self.store.id, request_id)
        with database.transaction() as connection:
            deliveries.clear_pending(connection, request_id)

    def _key(self, request_id: int) -> Consequences:
        keyable = deliveries.keyable(self.store.database, request_id)
        if keyable is None:
            return Consequences()
        staged = Staged()
        try:
            identity = self.functions.key(self.store, keyable, staged)
        except (SeamlessError, OSError) as exc:
            if is_disk_full(exc):
                raise
            return self._fail(request_id, str(exc))
        with self.store.database.transaction() as connection:
            staged.write(connection)
            wish = submissions.wish_of(connection, request_id)
            if wish is None:
                return Consequences()
            _, consequences = submissions.attach(connection, request_id, identity, wish)
        return consequences

    def _deliver(self, request_id: int) -> Consequences:
        database = self.store.database
        with database.transaction() as connection:
            delivery = deliveries.claim_delivery(connection, self.worker_id, request_id)
        if delivery is None:
            return Consequences()
        crashpoints.reached("delivery-claimed")
        try:
            self.functions.deliver(self.store, delivery)
        except (SeamlessError, OSError) as exc:
            # A full disk of the store passes; one of the user's own is for the user to see.
            if is_disk_full(exc) and has_no_room(self.store.path):
                self._give_up_claim()
                raise
            return self._fail(request_id, f"its files could not be written: {exc}")
        crashpoints.reached("delivered")
        for path in deliveries.pending_paths(database, request_id):
            sidecars.remove_future(os.fsdecode(path), self.store.id, request_id)
        with database.transaction() as connection:
            deliveries.finish_delivery(connection, self.worker_id, delivery)
            blocked = deliveries.blocked_by(connection, request_id)
        return Consequences(deliver=blocked, sessions=self._lane_of(request_id))

    def _give_up_claim(self) -> None:
        with suppress(Exception), self.store.database.transaction() as connection:
            deliveries.release(connection, self.worker_id)

    def _lane_of(self, request_id: int) -> tuple[int, ...]:
        lane = deliveries.lane_of(self.store.database, request_id)
        return (lane,) if lane else ()

    def _fail(self, request_id: int, error: str) -> Consequences:
        if self.report is not None:
            self.report(request_id, error)
        with self.store.database.transaction() as connection:
            return progress.fail_request(connection, request_id, error)

    def _ring(self, session_ids: set[int]) -> None:
        addresses = [sessions.address_of(self.store.database, session_id) for session_id in session_ids]
        if addresses:
            doorbell.ring(address for address in addresses if address)
