"""Makes a buffer again that is gone, by running the job that has made it, while another job needs it.

    execute ──BufferMissing──▶ maker of the buffer ──run here, or waited for──▶ execute again
                                  └── lacks an input itself: the same, one level deeper

What is made again is told by its checksum: other bytes are no substitute, and the job fails saying so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from . import crashpoints
from .broker import claims, evictions, reports, submissions
from .broker.evictions import Maker
from .broker.records import Identity, NewRequest
from .broker.states import Outcome
from .broker.work import Finished, Running
from .clerk import Functions, Host
from .errors import BufferCorrupt, BufferMissing, DiskFull, NotReproducible, SeamlessError
from .staged import Staged
from .store import Store

if TYPE_CHECKING:
    from .lane import Lane, Ticket


class Unwanted(Exception):
    """Nobody wants the job any more that needs the buffer."""


def execute(store: Store, functions: Functions, running: Running, host: Host, staged: Staged) -> Finished:
    """Run a job; inputs that are gone are made again first, each once."""
    made: set[str] = set()
    while True:
        try:
            return functions.execute(store, running, host, staged)
        except (BufferMissing, BufferCorrupt) as exc:
            if exc.checksum in made:
                raise
            # All at once: to prepare the job anew for each of a thousand files would take long.
            missing = {exc.checksum: None, **_missing(store, functions, running, host)}
            try:
                for checksum in missing:
                    make(host, checksum, running)
            except Unwanted:
                return Finished(Outcome.CANCELED, error="canceled")
            crashpoints.reached("made-again")
            made.update(missing)


def _missing(store: Store, functions: Functions, running: Running, host: Host) -> dict[str, None]:
    with host.lane.lock, suppress(SeamlessError):
        return {one: None for one in functions.needs(store, running.checksum) if not store.buffers.has(one)}
    return {}


class Errand(NamedTuple):
    """A buffer that is wanted, where and by whom."""

    host: Host
    checksum: str
    #: the job that needs it; None: this process
    running: Running | None
    #: whether this thread may run jobs; else others of the lane are to
    here: bool

    @property
    def parent(self) -> int | None:
        """In whose name others are asked for."""
        return self.running.job_id if self.running is not None else None


def make(host: Host, checksum: str, running: Running | None = None, *, here: bool = True) -> None:
    """Have a buffer made again, in the name of a job that needs it (None: of this process).

    BufferMissing if no recorded job has made it, NotReproducible if it gives something else now, SeamlessError if
    it fails; Unwanted if the job was canceled meanwhile.
    """
    with host.lane.lock:
        if host.lane.store.buffers.has(checksum):
            # By the same job as one before it.
            return
    host.before_nested()
    with host.recomputing():
        _make(Errand(host, checksum, running, here))


def _make(errand: Errand) -> None:
    failures: list[SeamlessError] = []
    for maker in _makers(errand):
        try:
            _run(errand, maker)
        except DiskFull:
            raise
        except SeamlessError as exc:
            failures.append(exc)
        else:
            return
    if not failures:
        with errand.host.lane.lock:
            raise _nobody(errand.host.lane.store, errand.checksum)
    raise next((one for one in failures if isinstance(one, NotReproducible)), failures[0])


def _nobody(store: Store, checksum: str) -> SeamlessError:
    former = evictions.former_maker(store.database, checksum)
    if former is not None:
        job, result = former
        return NotReproducible(f"{checksum} was made by job {job}, which has given {result} since: not reproducible")
    return BufferMissing(
        checksum,
        f"no buffer {checksum}: the store {store.path} (digest {store.digest.name}) does not have it, and no job that "
        "is recorded there can make it; give the file again that it was, or make it anew",
    )


def _makers(errand: Errand) -> list[Maker]:
    """Who can make it: not the job that needs it, nor one on whose behalf that runs."""
    lane, parent = errand.host.lane, errand.parent
    with lane.lock:
        database = lane.store.database
        makers = evictions.makers_of(database, errand.checksum)
        if parent is None:
            return makers
        return [maker for maker in makers if not reports.is_ancestor(database, maker.job_id, parent)]


def _run(errand: Errand, maker: Maker) -> None:
    """Bring one maker to its end, and see whether it gave what it gave before."""
    lane, checksum = errand.host.lane, errand.checksum
    ticket = _submit(lane, maker, errand.parent)
    try:
        _see_to_its_end(errand, ticket, maker)
    except BaseException:
        lane.forget(ticket)
        raise
    if ticket.result is None:
        raise SeamlessError(f"{checksum} was to be made again by job {maker.checksum}, which failed: {_why(ticket)}")
    with lane.lock:
        is_there = lane.store.buffers.has(checksum)
    if is_there:
        return
    if ticket.result != maker.result:
        raise NotReproducible(
            f"{checksum} was to be made again by job {maker.checksum}, which gave "
            f"{_instead(errand, maker, ticket.result)} this time: not reproducible"
        )
    raise BufferMissing(checksum, f"{checksum} was made again by job {maker.checksum}, and is gone again; try again")


def _instead(errand: Errand, maker: Maker, result: str) -> str:
    """What came in the place of the buffer: of an index the file that stands there now."""
    lane = errand.host.lane
    with lane.lock, suppress(SeamlessError):
        before, now = (list(lane.functions.spare(lane.store, maker.checksum, one)) for one in (maker.result, result))
        if errand.checksum in before and len(before) == len(now):
            return now[before.index(errand.checksum)]
    return result


def _why(ticket: Ticket) -> str:
    return (ticket.error or "failed").partition("\n")[0]


def _submit(lane: Lane, maker: Maker, parent: int | None) -> Ticket:
    """Ask for the maker as it was asked for last; what it gave is gone, and so is not to be answered from the table."""
    with lane.lock:
        last = submissions.last_request(lane.store.database, maker.job_id)
        request = NewRequest(
            command=last.command if last is not None else maker.checksum,
            directory=last.directory if last is not None else os.fsencode(os.getcwd()),
            specification=None,
            context=None,
            lane=lane.number,
            identity=Identity(maker.checksum, gone_result=maker.result),
            parent=parent,
            scratch=maker.scratch,
            metavariables=last.metavariables if last is not None else None,
        )
        return lane.submit([request], Staged())[0]


def _see_to_its_end(errand: Errand, ticket: Ticket, maker: Maker) -> None:
    host, lane = errand.host, errand.host.lane
    if not errand.here:
        host.announce()
    while not ticket.done:
        if not (errand.here and lane.run_here(ticket, host)) and not ticket.done:
            if lane.waits_for_itself(ticket, errand.parent):
                raise SeamlessError(f"job {maker.checksum} needs what it would have to make")
            host.wait_for(ticket)
        if not ticket.done and not _is_wanted(errand):
            raise Unwanted


def _is_wanted(errand: Errand) -> bool:
    lane = errand.host.lane
    if errand.running is None:
        return True
    with lane.lock:
        return claims.holds(lane.store.database, lane.worker_id, errand.running)
