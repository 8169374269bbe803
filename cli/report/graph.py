"""Which task read what another one made, and the longest chain of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .gathering import File, Gathered, Task

#: Fewer bytes may well be the same by accident: empty files, small numbers.
TELLING_BYTES = 16


class Edge(NamedTuple):
    """One task reads a file that another one has made, or was to make."""

    source: int
    target: int
    #: what the source calls it, or the target if it came from elsewhere
    name: str


def edges(gathered: Gathered) -> list[Edge]:
    """All of them; each goes from a smaller to a larger number, so that there is no circle.

    What a request waited for is recorded. What was there when it was submitted is recognised by its bytes.
    """
    found = dict.fromkeys(_recorded(gathered))
    told = {(edge.target, edge.name) for edge in found}
    makers = _Makers(gathered.sizes)
    for task in gathered.tasks:
        for file in task.inputs:
            source = None if (task.number, file.name) in told else makers.of(file)
            if source is not None:
                found[Edge(source, task.number, file.name)] = None
        makers.add(task)
    return list(found)


def _recorded(gathered: Gathered) -> Iterable[Edge]:
    by_request = {request.id: task.number for task in gathered.tasks for request in task.requests}
    by_job = {task.job.id: task.number for task in gathered.tasks if task.job is not None}
    for row in gathered.dependencies:
        source = by_request.get(row.upstream or 0, by_job.get(row.upstream_job or 0))
        target = by_request.get(row.request_id)
        if source is not None and target is not None and source < target:
            yield Edge(source, target, _text(row.pin))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


class _Makers:
    """Who made which bytes, among the tasks so far."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._by_bytes: dict[str, dict[int, None]] = defaultdict(dict)
        self._by_path: dict[tuple[bytes, str], int] = {}

    def add(self, task: Task) -> None:
        for file in task.outputs:
            if file.checksum is not None:
                self._by_bytes[file.checksum][task.number] = None
                if file.path is not None:
                    self._by_path[file.path, file.checksum] = task.number

    def of(self, file: File) -> int | None:
        """Who made a file: who wrote it there, or the only one who made these bytes, if they are telling."""
        if file.checksum is None:
            return None
        if file.path is not None and (file.path, file.checksum) in self._by_path:
            return self._by_path[file.path, file.checksum]
        if self._sizes.get(file.checksum, 0) < TELLING_BYTES:
            return None
        candidates = self._by_bytes.get(file.checksum, {})
        return next(iter(candidates)) if len(candidates) == 1 else None


def critical_path(tasks: int, seconds: Mapping[int, float], among: Sequence[Edge]) -> list[int]:
    """The chain of tasks, each of which reads what the one before has made, that takes longest.

    With any number of workers the work takes at least so long. Of equally long chains the first.
    """
    before: dict[int, list[int]] = defaultdict(list)
    for edge in among:
        before[edge.target].append(edge.source)
    length = [0.0] * tasks
    previous: list[int | None] = [None] * tasks
    for number in range(tasks):
        best = max(before[number], key=lambda source: length[source], default=None)
        if best is not None and length[best] > 0:
            previous[number] = best
            length[number] = length[best]
        length[number] += seconds.get(number, 0.0)
    if not tasks or not max(length) > 0:
        return []
    chain: list[int] = []
    place: int | None = length.index(max(length))
    while place is not None:
        chain.append(place)
        place = previous[place]
    return chain[::-1]
