"""The numbers at the top of a report, each with what it means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seamless_queue.broker.states import Outcome, RequestState
from seamless_queue.broker.timeline import AttemptRow, RequestRow

from .gathering import Gathered, Task
from .lanes import Lane, Span

Interval = tuple[float, float]


class Figures(NamedTuple):
    """What came of the period. Times in seconds."""

    #: from the first execution's beginning to the last one's end
    span: float
    #: the time in which at least one job ran
    active: float
    #: the executions' times together; one inside another counts once
    compute: float
    #: compute / active: how many workers were busy on average
    parallel: float
    #: of the time that workers of servers were there while anything ran, the part in which they worked
    efficiency: float | None
    #: delivered requests for which nothing had to be run
    hits: int
    delivered: int
    #: what the runs took whose results were used again
    saved: float


def figures(gathered: Gathered, spans: Sequence[Span], lanes: Sequence[Lane], row_of: dict[int, int]) -> Figures:
    """All of them."""
    outer = [(span.started, span.finished) for span in spans if span.depth == 0]
    active = union(outer)
    seconds = sum(ended - began for began, ended in active)
    compute = sum(ended - began for began, ended in outer)
    hits, saved = 0, 0.0
    for task in gathered.tasks:
        served = [attempt for _, attempt in served_again(task)]
        hits += len(served)
        saved += sum(attempt.finished - attempt.started for attempt in served)
    delivered = sum(_is_delivered(request) for task in gathered.tasks for request in task.requests)
    return Figures(
        active[-1][1] - active[0][0] if active else 0.0,
        seconds,
        compute,
        compute / seconds if seconds else 0.0,
        _efficiency(spans, lanes, row_of, active),
        hits,
        delivered,
        saved,
    )


def served_again(task: Task) -> Iterable[tuple[RequestRow, AttemptRow]]:
    """The delivered requests of a task that cost no run, each with the run that served it.

    A run is paid for by the first request that it served if it ended after that was made; all others are hits.
    """
    good = [attempt for attempt in task.attempts if attempt.outcome in (Outcome.DONE, Outcome.DIFFERED)]
    paid: set[int] = set()
    for request in task.requests:
        if not good or not _is_delivered(request):
            continue
        until = request.finished or request.created
        run = next((attempt for attempt in reversed(good) if attempt.finished <= until), good[0])
        if run.finished >= request.created and run.id not in paid:
            paid.add(run.id)
        else:
            yield request, run


def _is_delivered(request: RequestRow) -> bool:
    return request.state is RequestState.DELIVERED


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The time that is covered, in order."""
    covered: list[Interval] = []
    for began, ended in sorted(intervals):
        if covered and began <= covered[-1][1]:
            covered[-1] = covered[-1][0], max(ended, covered[-1][1])
        else:
            covered.append((began, ended))
    return covered


def common(one: Iterable[Interval], other: Sequence[Interval]) -> float:
    """How long both last; `other` is in order and does not overlap itself."""
    return sum(max(0.0, min(b, d) - max(a, c)) for a, b in one for c, d in other)


def _efficiency(
    spans: Sequence[Span], lanes: Sequence[Lane], row_of: dict[int, int], active: Sequence[Interval]
) -> float | None:
    there = sum(common(lane.alive, active) for lane in lanes if lane.serves)
    busy = sum(span.seconds for span in spans if not span.depth and lanes[row_of[span.worker]].serves)
    return min(1.0, busy / there) if there else None
