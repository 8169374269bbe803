"""Hands transformations to the queue: they are run by `seamless-queue`, also after this process has ended.

What depends on the result of another one waits in the job table, not here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from seamless_queue.broker import sessions
from seamless_queue.broker.records import QUEUE_LANE, Identity, NewDependency, NewRequest
from seamless_queue.staged import Staged

from . import plain
from .context import Context, submitters_environment
from .definition import Phase, description
from .labels import label

if TYPE_CHECKING:
    from .node import Node
    from .scheduler import Scheduler
    from .session import Session


def submit_all(session: Session, wanted: Sequence[Node], scheduler: Scheduler) -> None:
    """Submit these and what they depend on, upstream first, all whose upstream is submitted in one transaction."""
    for level in _levels(wanted):
        fresh = []
        for one in level:
            one.phase = Phase.PENDING
            result = one.look_up() if one.is_identifiable else None
            if result is not None:
                scheduler.settle_known(one, result)
            else:
                fresh.append(one)
        if fresh:
            staged = Staged()
            requests = [_request(session, one, scheduler, staged) for one in fresh]
            tickets = session.engine.submit(requests, staged)
            scheduler.note_stored(staged)
            scheduler.note_tickets(fresh, tickets)


def warn_without_server(session: Session) -> None:
    """Somebody waits for the queue, maybe for ever: that is said once."""
    if not session.runs_in_queue:
        return
    with session.engine.lock:
        addresses = sessions.queue_addresses(session.engine.store.database)
    if not addresses and not session.has_warned:
        session.has_warned = True
        path = session.engine.store.path
        print(f"seamless: no queue server is running; start one with: seamless-queue --store {path}", file=sys.stderr)


def _levels(wanted: Sequence[Node]) -> Iterator[list[Node]]:
    """All that is new, in groups that depend on earlier groups only."""
    sorter: TopologicalSorter[Node] = TopologicalSorter()
    stack = [one for one in wanted if one.phase is Phase.NEW]
    seen = set(stack)
    while stack:
        one = stack.pop()
        new = [up for up in one.upstream.values() if up.phase is Phase.NEW]
        sorter.add(one, *new)
        stack.extend(up for up in new if up not in seen)
        seen.update(new)
    sorter.prepare()
    while sorter.is_active():
        ready = list(sorter.get_ready())
        yield ready
        sorter.done(*ready)


def _request(session: Session, one: Node, scheduler: Scheduler, staged: Staged) -> NewRequest:
    identity, specification, settings = None, None, session.settings
    if one.is_identifiable:
        scheduler.stage(one.buffers(), staged)
        identity = Identity(one.identity, one.gone_result)
    else:
        scheduler.stage(one.contents.items(), staged)
        results = {name: up.result for name, up in one.upstream.items()}
        specification = session.engine.store.buffers.stage(plain.dump(description(one.definition, results)), staged)
    return NewRequest(
        command=one.command,
        directory=os.fsencode(os.getcwd()),
        specification=specification,
        context=_context(session, staged),
        lane=QUEUE_LANE,
        identity=identity,
        dependencies=() if identity is not None else tuple(_dependencies(one)),
        project=label(settings.project, settings.subproject),
        stage=one.stage or label(settings.stage, settings.substage),
        scratch=one.options.scratch,
    )


def _dependencies(one: Node) -> Iterator[NewDependency]:
    for name, up in one.upstream.items():
        if up.result is None and up.ticket is not None:
            yield NewDependency(name.encode(), b"", up.ticket.request_id)


def _context(session: Session, staged: Staged) -> str:
    """The submitter's environment and search path: the queue's workers have been started elsewhere."""
    context = plain.load(Context(submitters_environment(), {}, ()).encode())
    content = plain.dump({**context, "path": [os.path.abspath(entry) for entry in sys.path]})
    checksum = session.engine.store.digest.of(content)
    staged.contexts[checksum] = content
    return checksum
