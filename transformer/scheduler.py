"""What depends on what, of the transformations of this process, and when each can be submitted.

    start ──▶ upstream first ──▶ identity ──▶ known? ──▶ settled, what depends on it may go on
                                     └──▶ submitted ──▶ ended ──▶ settled, ...

Everything is a loop over lists, nothing recurses: a chain of ten thousand is an ordinary thing.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from seamless_queue.broker.records import Identity, NewRequest
from seamless_queue.errors import SeamlessError
from seamless_queue.signals import uninterrupted
from seamless_queue.staged import Staged

from .definition import Phase
from .errors import describe_failure
from .labels import label
from .queueing import submit_all, warn_without_server

if TYPE_CHECKING:
    from seamless_queue.lane import Ticket
    from seamless_queue.pythonsession import PythonSession
    from seamless_queue.segments import Part

    from .node import Node
    from .session import Session

#: So many checksums are remembered as being in the store.
STORED = 10_000


class Scheduler:
    """The graph of one session. For several threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.RLock()
        self._hands: Any = None
        self._stored: dict[str, None] = {}
        #: whether the session has ended: nothing is submitted any more
        self.is_closed = False

    # -- starting -----------------------------------------------------------------------------
    @uninterrupted()
    def start(self, wanted: Sequence[Node], *, background: bool) -> None:
        """Submit these, and what they depend on, as soon as their inputs are known; to the queue at once."""
        if self._session.runs_in_queue:
            submit_all(self._session, wanted, self)
            return
        with self._lock:
            ready = self._enter(wanted, background)
        self._advance(ready)

    def _enter(self, wanted: Sequence[Node], background: bool) -> list[Node]:
        """Take in what is new, upstream too; those whose inputs are known already."""
        ready, stack = [], list(reversed(wanted))
        while stack:
            one = stack.pop()
            one.in_background = one.in_background or background
            if one.phase is not Phase.NEW:
                continue
            one.phase = Phase.PENDING
            unknown = [up for up in one.upstream.values() if not up.is_settled]
            one.missing = len(unknown)
            for up in unknown:
                up.dependents.append(one)
                stack.append(up)
            if not unknown:
                ready.append(one)
        return ready

    def _advance(self, ready: Iterable[Node]) -> None:
        """Settle what is known, submit the rest, and go on with what depends on it."""
        queue = deque(ready)
        while queue:
            unknown: list[Node] = []
            while queue:
                one = queue.popleft()
                try:
                    queue.extend(self._settle_at_once(one, unknown))
                except SeamlessError as exc:
                    queue.extend(self._settle(one, error=str(exc), exception=exc))
            if unknown:
                queue.extend(self._submit_or_fail(unknown))

    def _settle_at_once(self, one: Node, unknown: list[Node]) -> list[Node]:
        if one.is_settled:
            return []
        error = one.error_of_upstream()
        if error is not None:
            return self._settle(one, error=error)
        if self.is_closed:
            return self._settle(one, error="the session was closed", canceled=True)
        result = one.look_up()
        if result is not None:
            return self._settle(one, result=result, was_known=True)
        unknown.append(one)
        return []

    def _submit_or_fail(self, batch: list[Node]) -> list[Node]:
        try:
            return self._submit(batch)
        except SeamlessError as exc:
            return [ready for one in batch for ready in self._settle(one, error=str(exc), exception=exc)]
        except BaseException:
            # Ctrl-C: whoever asks again starts them again.
            for one in batch:
                if one.ticket is None and one.phase is Phase.PENDING:
                    one.phase = Phase.NEW
            raise

    def _submit(self, batch: list[Node]) -> list[Node]:
        staged, directory = Staged(), os.fsencode(os.getcwd())
        engine = self._session.ready_engine()
        requests = [self._request(one, directory, staged) for one in batch]
        tickets = engine.submit(requests, staged)
        self.note_stored(staged)
        return self.note_tickets(batch, tickets)

    def note_tickets(self, batch: list[Node], tickets: list[Ticket]) -> list[Node]:
        """These have been submitted; what has all its inputs because some of them were done already."""
        session = self._session
        settled: list[Node] = []
        for one, ticket in zip(batch, tickets, strict=True):
            with self._lock:
                one.ticket = ticket
                ticket.owner = [*(ticket.owner or ()), one]
            if one.cancel_wanted:
                self._take_back(ticket)
            if ticket.done:
                settled += self._settle_by(ticket)
        if session.runs_here:
            self._give_away([one for one in batch if not one.is_settled])
        return settled

    def _request(self, one: Node, directory: bytes, staged: Staged) -> NewRequest:
        session = self._session
        settings = session.settings
        self.stage(one.buffers(), staged)
        frame = session.frame
        running = session.engine.lane.executing.get(frame.job_id) if frame is not None else None
        return NewRequest(
            command=one.command,
            directory=directory,
            specification=None,
            # Whichever worker of the queue runs it, it is where its submitter is.
            context=running.context if running is not None else None,
            lane=session.engine.lane.number,
            identity=Identity(one.identity, one.gone_result),
            project=label(settings.project, settings.subproject),
            stage=one.stage or label(settings.stage, settings.substage),
            parent=frame.job_id if frame is not None else None,
            scratch=one.options.scratch,
        )

    def stage(self, buffers: Iterable[tuple[str, Sequence[Part]]], staged: Staged) -> None:
        """Have buffers written with the next transaction, unless we know that they are in the store."""
        store = self._session.engine.store
        for checksum, parts in buffers:
            if checksum not in self._stored and checksum not in staged.small:
                store.buffers.keep(checksum, parts, staged)

    def note_stored(self, staged: Staged) -> None:
        """The transaction is done. Not before: other threads would submit what needs these buffers without them."""
        for checksum in staged.small:
            self._stored[checksum] = None
            if len(self._stored) > STORED:
                self._stored.pop(next(iter(self._stored)), None)

    @uninterrupted()
    def settle_known(self, one: Node, result: str) -> None:
        """Its result is in the store."""
        self._advance(self._settle(one, result, was_known=True))

    # -- ends ---------------------------------------------------------------------------------
    @uninterrupted()
    def on_ended(self, tickets: Sequence[Ticket]) -> None:
        """Tickets have ended: so have their transformations, and what depends on them may go on."""
        ready = [one for ticket in tickets for one in self._settle_by(ticket)]
        self._advance(ready)

    def on_left(self, tickets: Sequence[Ticket]) -> None:
        """Who ran their jobs has given them back, or is dead: they are run here, whoever waits for them."""
        self._give_to_hands(tickets)

    def _settle_by(self, ticket: Ticket) -> list[Node]:
        with self._lock:
            owners = list(ticket.owner or ())
        if ticket.content is not None and ticket.result is not None:
            self._session.buffers.put(ticket.result, ticket.content)
        exception = self._session.errors.take(ticket.checksum or "") if ticket.error else None
        settled: list[Node] = []
        again: list[Node] = []
        for one in owners:
            if ticket.withdrawn and not one.cancel_wanted and not self.is_closed:
                again.append(one)
                continue
            settled += self._settle(
                one, ticket.result, error=ticket.error, exception=exception, canceled=ticket.canceled
            )
        self._start_again(again, ticket)
        return settled

    def _start_again(self, shared: list[Node], ticket: Ticket) -> None:
        """These came to share a ticket while another thread took it back."""
        with self._lock:
            again = [one for one in shared if one.ticket is ticket and one.phase is Phase.PENDING]
            for one in again:
                one.phase, one.ticket = Phase.NEW, None
        if again:
            self.start(again, background=False)

    def _settle(
        self,
        one: Node,
        result: str | None = None,
        *,
        error: str | None = None,
        exception: BaseException | None = None,
        canceled: bool = False,
        was_known: bool = False,
    ) -> list[Node]:
        """Note an outcome, once; what has all its inputs by that."""
        if result is not None and one.is_identifiable:
            self._session.results.put(one.identity, result)
        with self._lock:
            if one.is_settled:
                return []
            one.settle(result, error, exception, canceled, was_known)
            dependents, one.dependents = one.dependents, []
            for dependent in dependents:
                dependent.missing -= 1
            ready = [dependent for dependent in dependents if dependent.missing == 0]
        one.announce()
        return ready

    # -- waiting ------------------------------------------------------------------------------
    @uninterrupted()
    def wait(self, wanted: Node) -> None:
        """Wait until it has ended. Where nobody else runs what it needs, this thread does."""
        if not self._session.runs_here:
            warn_without_server(self._session)
            wanted.wait()
            return
        path = [wanted]
        while path:
            one = path[-1]
            if one.is_settled:
                path.pop()
                continue
            unknown = next((up for up in one.upstream.values() if not up.is_settled), None)
            if unknown is not None:
                path.append(unknown)
            elif one.phase is Phase.NEW:
                if self.is_closed:
                    return
                # Whoever had begun it was interrupted.
                self.start([one], background=False)
            elif one.ticket is None:
                # Another thread is about to submit it.
                one.wait(0.001)
            else:
                self._bring_to_an_end(one, one.ticket)

    def _bring_to_an_end(self, one: Node, ticket: Ticket) -> None:
        session = self._session
        host, lane = session.host, session.engine.lane
        frame = session.frame
        ran = session.is_main_of_job and not ticket.done and lane.run_here(ticket, host)
        if not ran and not ticket.done:
            if lane.waits_for_itself(ticket, frame.job_id if frame is not None else None):
                error = "it waits for itself: the code of a transformation, or of one that it runs, asks for its result"
                # Not whoever else wants it: the code may know what to do about this, and go on.
                self._advance(self._settle(one, error=error))
                return
            host.wait_for(ticket)
        if ticket.done:
            self.on_ended([ticket])

    # -- the background -----------------------------------------------------------------------
    def _give_away(self, submitted: list[Node]) -> None:
        """What nobody waits for is run by threads of this process; what a job has started, by other workers."""
        frame = self._session.frame
        aside = [one for one in submitted if one.in_background]
        if frame is None:
            self._give_to_hands([one.ticket for one in aside if one.ticket is not None])
        elif aside or len(submitted) > 1:
            # The job itself takes what is left once it waits for it.
            frame.host.announce()

    def _give_to_hands(self, tickets: Sequence[Ticket]) -> None:
        if tickets and self._hands is None:
            from .hands import Hands

            # This engine's: when they come to a ticket, the session may be another's.
            engine: PythonSession = self._session.engine  # type: ignore[assignment]
            self._hands = Hands(partial(self._run_by_hand, engine))
        for ticket in tickets:
            self._hands.give(ticket)

    def _run_by_hand(self, engine: PythonSession, ticket: Ticket) -> None:
        try:
            ran = ticket.done or engine.lane.run_here(ticket, engine.host)
        except BaseException as exc:
            if self.is_closed:
                return
            engine.cancel(ticket, describe_failure(exc))
            ran = True
        if self.is_closed:
            return
        if not ran:
            engine.watch_others()
        elif ticket.done:
            self.on_ended([ticket])

    # -- canceling ----------------------------------------------------------------------------
    @uninterrupted()
    def cancel(self, one: Node) -> bool:
        """Take it back, and fail what depends on it; False if it has ended already."""
        with self._lock:
            if one.is_settled:
                return False
            one.cancel_wanted = True
            ticket = one.ticket
        ready = self._settle(one, error="canceled", canceled=True)
        if ticket is not None:
            self._take_back(ticket)
        self._advance(ready)
        return True

    def _take_back(self, ticket: Ticket) -> None:
        """Unless others want the same."""
        with self._lock:
            wanted = any(not one.is_settled for one in ticket.owner or ())
        if not wanted and self._session.is_open and self._session.engine.cancel(ticket):
            # Others may have come since.
            self.on_ended([ticket])
