"""One lane of the job table, as the process that owns it uses it: submit, run here, learn how it ended.

    caller ──submit──▶ tickets ◀──settle── whoever runs the job: a worker of ours, this process, others
                          │
                          └── run_here: who waits for a job that nobody has begun runs it itself

A Python session has one, with its pool; a worker has one for what its jobs submit in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import attempt
from .broker import claims, progress, reports, submissions
from .broker.records import Consequences, NewRequest, Submitted, merged
from .broker.states import Outcome, RequestState
from .broker.work import End, Finished, Running
from .clerk import Clerk, Functions, Host
from .errors import DiskFull
from .gate import Gate
from .signals import uninterrupted
from .staged import Staged
from .store import Store

#: Why a wish is taken back, if there is no other reason.
CANCELED = "canceled"


class Ticket:
    """A wish of this process for one job, and how it ended."""

    __slots__ = (
        "_gate",
        "also",
        "canceled",
        "checksum",
        "content",
        "done",
        "error",
        "job_id",
        "lane",
        "owner",
        "request_id",
        "result",
        "withdrawn",
    )

    def __init__(self, checksum: str | None) -> None:
        #: the identity; None until the inputs are known
        self.checksum = checksum
        self.request_id = 0
        #: requests for the same job that the code of other jobs has made since
        self.also: list[int] = []
        #: who may run it
        self.lane = 0
        self.job_id: int | None = None
        self.result: str | None = None
        #: the result's bytes, if they came along
        self.content: bytes | None = None
        self.error: str | None = None
        self.canceled = False
        #: it ended because one of those whom it concerned did not want it any more
        self.withdrawn = False
        self.done = False
        #: whom it concerns; the lane does not look into it
        self.owner: Any = None
        self._gate = Gate()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended; whether it has."""
        return self._gate.wait(lambda: self.done, seconds)

    def end(self, *, result: str | None = None, error: str | None = None, canceled: bool = False) -> None:
        """How it ended; only the lane says so."""
        self.result, self.error, self.canceled = result, error, canceled
        self.done = True
        self._gate.open()


def _submit(connection: Any, requests: list[NewRequest]) -> list[tuple[Submitted, Consequences]]:
    simple = all(request.identity is not None and not request.outputs for request in requests)
    if len(requests) > 1 and simple:
        done = submissions.submit_new(connection, requests)
        if done is not None:
            return [(one, Consequences()) for one in done]
    return [submissions.submit(connection, request) for request in requests]


class Lane:
    """What a session has submitted, and a hand that can run it. For several threads."""

    def __init__(
        self, store: Store, functions: Functions, session_id: int, number: int, worker_id: int, lock: Any
    ) -> None:
        self.store = store
        self.functions = functions
        self.session_id = session_id
        #: who may claim: the session itself, or the queue
        self.number = number
        self.worker_id = worker_id
        self.lock = lock
        self.clerk = Clerk(store, worker_id, functions, session_id=session_id)
        self.executing: dict[int, Running] = {}
        #: whether `run_here` takes jobs of which a worker has died: not inside of another, whose worker would die too
        self.runs_deadly = True
        #: told of every attempt that was made here, once it is published: for a worker, whose parent waits for news
        self.on_published: Callable[[Running, Finished, Consequences], None] | None = None
        #: told of every wish that is taken back here
        self.on_withdrawn: Callable[[Ticket], None] | None = None
        self._unpublished: list[Running] = []
        self._open: dict[int, Ticket] = {}
        self._by_checksum: dict[str, Ticket] = {}
        self._strangers: set[int] = set()

    # -- submitting ---------------------------------------------------------------------------
    @uninterrupted()
    def submit(self, requests: Sequence[NewRequest], staged: Staged) -> list[Ticket]:
        """Submit all in one transaction; one that is on its way already is shared."""
        with self.lock:
            tickets, fresh = self._tickets(requests)
            try:
                with self.store.database.transaction() as connection:
                    staged.write(connection)
                    submitted = _submit(connection, [request for request, _ in fresh])
            except BaseException:
                # Nobody is to share a ticket that stands for nothing.
                self._by_checksum = {key: ticket for key, ticket in self._by_checksum.items() if ticket.request_id}
                raise
            for (request, ticket), (done, _) in zip(fresh, submitted, strict=True):
                if ticket.request_id:
                    ticket.also.append(done.request_id)
                else:
                    self._note(ticket, done, done.elsewhere or request.lane != self.number)
            self.clerk.handle(merged([following for _, following in submitted]))
        return tickets

    def _tickets(self, requests: Sequence[NewRequest]) -> tuple[list[Ticket], list[tuple[NewRequest, Ticket]]]:
        tickets, fresh = [], []
        for request in requests:
            checksum = request.identity.checksum if request.identity is not None else None
            ticket = self._by_checksum.get(checksum) if checksum else None
            if ticket is None:
                ticket = Ticket(checksum)
                ticket.lane = request.lane
                fresh.append((request, ticket))
                if checksum:
                    self._by_checksum[checksum] = ticket
            elif request.parent is not None:
                # On record, because who waits for whom is found out from the requests.
                fresh.append((request, ticket))
            tickets.append(ticket)
        return tickets, fresh

    def _note(self, ticket: Ticket, done: Submitted, elsewhere: bool) -> None:
        ticket.request_id, ticket.job_id = done.request_id, done.job_id
        self._open[ticket.request_id] = ticket
        if elsewhere:
            self._strangers.add(ticket.request_id)
        if done.result is not None:
            self._settle(ticket, result=done.result)
        elif done.state in (RequestState.FAILED, RequestState.CANCELED):
            self.look([ticket])

    # -- learning -----------------------------------------------------------------------------
    @property
    def open_count(self) -> int:
        """How many have not ended."""
        return len(self._open)

    def own_tickets(self) -> list[Ticket]:
        """Those that have not ended and cannot without this session: the queue goes on without it."""
        with self.lock:
            return [ticket for ticket in self._open.values() if ticket.lane == self.number]

    def open_tickets(self) -> list[Ticket]:
        """Those that have not ended."""
        return list(self._open.values())

    @property
    def has_strangers(self) -> bool:
        """Whether the job of an open ticket may be run by another session."""
        return bool(self._strangers)

    def on_ended(self, checksum: str, outcome: Outcome, result: str | None, error: str | None) -> Ticket | None:
        """A worker of ours says how an attempt ended, which is not to be repeated; the ticket that ends with it."""
        ticket = self._by_checksum.get(checksum)
        if ticket is None:
            return None
        if outcome is Outcome.DONE:
            return self._settle(ticket, result=result)
        if outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
            return self._settle(ticket, error=error or "failed")
        return next(iter(self.look([ticket])), None)

    def left_to_us(self) -> list[Ticket]:
        """Tickets whose job was run by others, who gave it back or died: it is for this session to run now."""
        with self.lock:
            others = {ticket.job_id: ticket for ticket in map(self._open.get, self._strangers) if ticket is not None}
            left = claims.free_among(self.store.database, self.number, [job_id for job_id in others if job_id])
            self._strangers.difference_update(others[job_id].request_id for job_id in left)
            return [others[job_id] for job_id in left]

    def take_over(self) -> None:
        """What the queue was running for us too, and has given back, is ours now: no server may be left."""
        with self.lock:
            others = [ticket for ticket in map(self._open.get, self._strangers) if ticket is not None]
            ours = [ticket.request_id for ticket in others if ticket.lane == self.number]
            if ours:
                with self.store.database.transaction() as connection:
                    for request_id in ours:
                        submissions.take_over(connection, request_id, self.number)

    def is_left_to_us(self, ticket: Ticket) -> bool:
        """Whether nobody runs a ticket's job, so that it can be run here."""
        with self.lock:
            job_id, deadly = ticket.job_id, self.runs_deadly
            return bool(job_id and claims.is_ready(self.store.database, self.number, job_id, deadly=deadly))

    def look(self, tickets: Iterable[Ticket] | None = None) -> list[Ticket]:
        """Ask the database what has become of these, or all; those that have ended."""
        with self.lock:
            ids = [ticket.request_id for ticket in (self._open.values() if tickets is None else tickets)]
            found = reports.ends(self.store.database, ids) if ids else []
            return [self._end(end) for end in found if end.request_id in self._open]

    def _end(self, end: End) -> Ticket:
        ticket = self._open[end.request_id]
        if end.job is not None:
            ticket.checksum = end.job
        if end.state in (RequestState.DELIVERED, RequestState.SUPERSEDED):
            return self._settle(ticket, result=end.result)
        if end.state is RequestState.CANCELED:
            return self._settle(ticket, error=end.error or "canceled", canceled=True)
        return self._settle(ticket, error=end.error or "failed")

    def _settle(
        self, ticket: Ticket, *, result: str | None = None, error: str | None = None, canceled: bool = False
    ) -> Ticket:
        self._open.pop(ticket.request_id, None)
        self._strangers.discard(ticket.request_id)
        if ticket.checksum is not None and self._by_checksum.get(ticket.checksum) is ticket:
            del self._by_checksum[ticket.checksum]
        ticket.end(result=result, error=error, canceled=canceled)
        return ticket

    @uninterrupted()
    def withdraw(self, ticket: Ticket, why: str, *, failed: bool = False) -> bool:
        """Take a wish back, because nobody has it any more, or it cannot be had; False if it has ended already."""
        with self.lock:
            if self._open.get(ticket.request_id) is not ticket:
                return False
            with self.store.database.transaction() as connection:
                ids = (ticket.request_id, *ticket.also)
                consequences = merged([progress.cancel_request(connection, id_, why) for id_ in ids])
            ticket.withdrawn = why == CANCELED
            self._settle(ticket, error=why, canceled=not failed)
            if self.on_withdrawn is not None:
                self.on_withdrawn(ticket)
            self.clerk.handle(consequences)
        return True

    def forget(self, ticket: Ticket) -> None:
        """Nobody waits for a ticket any more that has not ended: the next who wants its job gets one of his own."""
        with self.lock:
            if ticket.owner is None and not ticket.also and self._by_checksum.get(ticket.checksum or "") is ticket:
                self._open.pop(ticket.request_id, None)
                self._strangers.discard(ticket.request_id)
                del self._by_checksum[ticket.checksum or ""]

    def abandon(self, why: str) -> list[Ticket]:
        """Nobody looks after the tickets that are left any more, though their jobs may go on; they end here."""
        with self.lock:
            return [self._settle(ticket, error=why) for ticket in list(self._open.values())]

    # -- running ------------------------------------------------------------------------------
    @uninterrupted()
    def run_here(self, ticket: Ticket, host: Host) -> bool:
        """Run a ticket's job in this thread, if nobody has begun it; whether it was run."""
        running = self._begin(ticket)
        if running is None:
            return False
        staged = Staged()
        try:
            finished = attempt.execute(self.store, self.functions, running, host, staged)
        except BaseException:
            # Ctrl-C in user code: the job goes back, as if it had not been begun.
            self._publish(running, Finished(Outcome.RELEASED, error="interrupted"), staged)
            raise
        finished, consequences = self._publish(running, finished, staged)
        self._learn(ticket, finished, consequences)
        return True

    def _begin(self, ticket: Ticket) -> Running | None:
        if ticket.job_id is None:
            return None
        with self.lock:
            if self._open.get(ticket.request_id) is not ticket:
                # It has ended, or is of another store, with other numbers: its session was closed.
                return None
            self.give_back_unpublished()
            with self.store.database.transaction() as connection:
                job_id, deadly = ticket.job_id, self.runs_deadly
                if not claims.claim_this(connection, self.worker_id, self.number, job_id, deadly=deadly):
                    self._strangers.add(ticket.request_id)
                    return None
                running = claims.begin(connection, self.worker_id, ticket.job_id)
            if running is not None:
                self.executing[running.job_id] = running
        return running

    def _publish(self, running: Running, finished: Finished, staged: Staged) -> tuple[Finished, Consequences]:
        with self.lock:
            self.executing.pop(running.job_id, None)
            self._unpublished.append(running)
            with self.store.database.transaction() as connection:
                finished, consequences = attempt.publish(
                    connection, self.session_id, self.worker_id, running, finished, staged
                )
            self._unpublished.remove(running)
            if self.on_published is not None:
                self.on_published(running, finished, consequences)
            self.clerk.handle(consequences)
        return finished, consequences

    def give_back_unpublished(self) -> None:
        """What a full disk kept from being published: nobody else would ever take it from a session that lives."""
        with self.lock:
            if not self._unpublished:
                return
            with self.store.database.transaction() as connection:
                for running in self._unpublished:
                    claims.give_back(connection, self.worker_id, running)
            self._unpublished = []

    def _learn(self, ticket: Ticket, finished: Finished, consequences: Consequences) -> None:
        if finished.outcome is Outcome.RELEASED:
            raise DiskFull(f"the disk of the store {self.store.path} is full; free some space and run again")
        if not consequences.again:
            with self.lock:
                self.on_ended(ticket.checksum or "", finished.outcome, finished.result, finished.error)

    def waits_for_itself(self, ticket: Ticket, parent: int | None) -> bool:
        """Whether the job of `parent` would wait for a job that runs on its own behalf."""
        if parent is None or ticket.job_id is None:
            return False
        with self.lock:
            return reports.is_ancestor(self.store.database, ticket.job_id, parent)
