"""The rows of the timeline: which worker an execution is drawn at, and what of it is time of its own.

Workers that follow each other in a session share a row, and so do inline commands of a host, of which there may be
thousands. An execution inside another one (a job that has others computed) is drawn on top of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.timeline import AttemptRow, SessionRow, WorkerRow

from .gathering import Gathered, Task


class Span(NamedTuple):
    """An execution as it is drawn; without an outcome it goes on."""

    task: int
    #: who ran it; workers that are not known any more have the negative number of their session
    worker: int
    session: int
    started: float
    finished: float
    outcome: Outcome | None
    attempt: AttemptRow | None
    #: how many executions it lies in
    depth: int = 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.finished - self.started


class Lane(NamedTuple):
    """A row of the timeline."""

    label: str
    #: what it belongs to: a server, a Python process, the inline commands of a host
    group: str
    #: from when to when there was a worker
    alive: tuple[tuple[float, float], ...]
    #: whether it was there to run whatever came, so that its idle time counts
    serves: bool


def spans(gathered: Gathered) -> list[Span]:
    """Every execution that overlaps the period, by worker and start, with the time that is its own."""
    found = [
        _ended(task, attempt)
        for task in gathered.tasks
        for attempt in task.attempts
        if attempt.finished >= gathered.since and attempt.started <= gathered.until
    ]
    found.extend(_going_on(gathered))
    found.sort(key=lambda span: (span.worker, span.started, -span.finished))
    return _apart(found)


def _ended(task: Task, attempt: AttemptRow) -> Span:
    worker = -attempt.session_id if attempt.worker_id is None else attempt.worker_id
    finished = max(attempt.started, attempt.finished)
    return Span(task.number, worker, attempt.session_id, attempt.started, finished, attempt.outcome, attempt)


def _going_on(gathered: Gathered) -> Iterable[Span]:
    for task in gathered.tasks:
        if task.job is None or not task.is_running or task.job.started is None or task.job.worker_id is None:
            continue
        worker = gathered.workers.get(task.job.worker_id)
        if worker is not None:
            until = max(gathered.until, task.job.started)
            yield Span(task.number, worker.id, worker.session_id, task.job.started, until, None, None)


def _apart(ordered: Sequence[Span]) -> list[Span]:
    """Jobs that were begun together were published together: each ended when the next one began.

    What began and ended inside another one lies in it.
    """
    placed: list[Span] = []
    around: list[Span] = []
    for place, span in enumerate(ordered):
        follower = ordered[place + 1] if place + 1 < len(ordered) else None
        if follower is not None and _are_together(span, follower):
            span = span._replace(finished=follower.started)
        around = [outer for outer in around if outer.worker == span.worker and outer.finished > span.started]
        span = span._replace(depth=len(around))
        around.append(span)
        placed.append(span)
    return placed


def _are_together(span: Span, follower: Span) -> bool:
    return span.worker == follower.worker and span.finished == follower.finished and span.outcome is not None


def lanes(gathered: Gathered, found: Sequence[Span]) -> tuple[list[Lane], dict[int, int]]:
    """The rows, and the row of each worker."""
    lives = _lives(gathered, found)
    rows: list[Lane] = []
    row_of: dict[int, int] = {}
    groups: dict[tuple[int, str, int], list[tuple[float, float, int]]] = {}
    for worker, (session, born, gone) in lives.items():
        alone = session.kind is not SessionKind.INLINE
        groups.setdefault((session.kind, session.host, session.id if alone else 0), []).append((born, gone, worker))
    for (kind, host, number), members in sorted(groups.items()):
        title = _title(SessionKind(kind), host, gathered.sessions.get(number))
        packed = _packed(members)
        for place, row in enumerate(packed, 1):
            label = f"worker {place}" if kind == SessionKind.QUEUE or len(packed) > 1 else "process"
            label = f"row {place}" if kind == SessionKind.INLINE else label
            row_of.update({worker: len(rows) for _, _, worker in row})
            alive = tuple((born, gone) for born, gone, _ in row)
            rows.append(Lane(label, title, alive, kind == SessionKind.QUEUE))
    return rows, row_of


def _lives(gathered: Gathered, found: Sequence[Span]) -> dict[int, tuple[SessionRow, float, float]]:
    """From when to when each worker was there, as far as the report tells of it."""
    busy: dict[int, tuple[float, float]] = {}
    session_of: dict[int, int] = {}
    for span in found:
        began, ended = busy.get(span.worker, (span.started, span.finished))
        busy[span.worker] = min(began, span.started), max(ended, span.finished)
        session_of[span.worker] = span.session
    lives = {}
    for number in {*busy, *(w.id for w in gathered.workers.values() if _serves(gathered, w))}:
        worker = gathered.workers.get(number)
        session = gathered.sessions.get(worker.session_id if worker else session_of[number])
        if session is None:
            continue
        born, gone = (worker.created, worker.ended or session.ended) if worker else busy[number]
        if number in busy:
            born, gone = min(born, busy[number][0]), max(gone, busy[number][1])
        if gone >= gathered.since and born <= gathered.until:
            lives[number] = session, max(born, gathered.since), min(gone, gathered.until)
    return lives


def _serves(gathered: Gathered, worker: WorkerRow) -> bool:
    """Whether it is there to run jobs; a server itself is a worker too, which only delivers."""
    session = gathered.sessions.get(worker.session_id)
    return session is not None and session.kind is SessionKind.QUEUE and worker.pid != session.pid


def _packed(members: Iterable[tuple[float, float, int]]) -> list[list[tuple[float, float, int]]]:
    """As few rows as the members can share without overlapping."""
    rows: list[list[tuple[float, float, int]]] = []
    free: list[tuple[float, int]] = []
    for member in sorted(members):
        if free and free[0][0] <= member[0]:
            place = heapq.heappop(free)[1]
        else:
            place = len(rows)
            rows.append([])
        rows[place].append(member)
        heapq.heappush(free, (member[1], place))
    return rows


def _title(kind: SessionKind, host: str, session: SessionRow | None) -> str:
    if kind is SessionKind.INLINE or session is None:
        return f"commands on {host}"
    what = "server" if kind is SessionKind.QUEUE else "Python"
    return f"{what} {session.pid} on {host}"
