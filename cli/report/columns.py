"""A report's facts as compact arrays, for the page's script: one array a column, texts once, times in milliseconds."""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from seamless_queue.broker.states import Outcome
from seamless_queue.store import Store

from . import figures, graph
from .gathering import MOST_FILES, File, Gathered, Task, state_of
from .kinds import kind_of
from .lanes import Lane, Span, lanes, spans
from .logs import Logs
from .texts import shown, shown_bytes

#: Longer commands are cut, and so are errors.
COMMAND_CHARACTERS, ERROR_CHARACTERS = 2000, 1000
#: So many digits of a checksum tell a job from all others.
DIGITS = 16
#: Of so many links between jobs the page is told.
MOST_EDGES = 100_000

STATES = ("running", "failed", "done", "reused", "ready", "waiting", "canceled")
OUTCOMES = tuple(outcome.name.lower().replace("_", " ") for outcome in Outcome)
RUNNING = len(OUTCOMES)

JOB_COLUMNS = (
    "command kind state id request created took error directory label asked again part inputs outputs moreIn moreOut"
)

K = TypeVar("K", bound=Hashable)


class Numbered(Generic[K]):
    """Things by the order in which they were first met."""

    def __init__(self) -> None:
        self.places: dict[K, int] = {}

    def __call__(self, thing: K) -> int:
        return self.places.setdefault(thing, len(self.places))


class Report(NamedTuple):
    """All that a page tells."""

    data: dict[str, Any]
    figures: figures.Figures
    #: how many tasks there are in each state
    counts: dict[str, int]
    #: kind and seconds of each task of the critical path
    critical: list[tuple[str, float]]


def report(store: Store, gathered: Gathered, title: str, about: str = "") -> Report:
    """Everything of a period."""
    found = spans(gathered)
    rows, row_of = lanes(gathered, found)
    found = [span for span in found if span.worker in row_of]
    found_figures = figures.figures(gathered, found, rows, row_of)
    links = graph.edges(gathered)
    seconds = _seconds(found)
    chain = graph.critical_path(len(gathered.tasks), seconds, links)
    counts = dict.fromkeys(STATES, 0)
    for task in gathered.tasks:
        counts[state_of(task, gathered.since)] += 1
    begin = _begin(gathered, found)
    table = _Table(begin, gathered)
    for task in gathered.tasks:
        table.add(task, seconds.get(task.number))
    logs = Logs(store, found)
    data = {
        "title": title,
        "store": shown(store.path),
        "host": shown(os.uname().nodename),
        "about": shown(about),
        "made": round(time.time() * 1000),
        "t0": round(begin * 1000),
        "until": _ms(gathered.until - begin),
        "ended": _ms(max((span.finished for span in found), default=gathered.until) - begin),
        "states": STATES,
        "outcomes": [*OUTCOMES, "running"],
        "jobs": table.columns,
        **table.names(),
        "lanes": [_lane(lane, begin) for lane in rows],
        "runs": _runs(found, row_of, begin, logs, table.errors),
        "errors": list(table.errors.places),
        "logs": {"text": [log.text for log in logs.texts], "cut": [int(log.is_cut) for log in logs.texts]},
        "logsLeftOut": logs.left_out,
        "links": _links(links, table),
        "linksLeftOut": max(0, len(links) - MOST_EDGES),
        "critical": chain,
        "requestsLeftOut": gathered.left_out,
        "figures": _rounded(found_figures),
    }
    data["fileNames"] = list(table.files.places)
    critical = [(kind_of(gathered.tasks[number].newest.command), seconds.get(number, 0.0)) for number in chain]
    return Report(data, found_figures, counts, critical)


def _rounded(found: figures.Figures) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in found._asdict().items()}


def _begin(gathered: Gathered, found: Sequence[Span]) -> float:
    """The zero of all times: whole seconds, so that they are small and nothing is lost."""
    first = min((span.started for span in found), default=gathered.until)
    return float(int(max(first, gathered.since)))


def _seconds(found: Sequence[Span]) -> dict[int, float]:
    """What each task took: its last good run, or its last one."""
    taken: dict[int, Span] = {}
    for span in found:
        last = taken.get(span.task)
        if last is None or (span.outcome is Outcome.DONE, span.started) > (last.outcome is Outcome.DONE, last.started):
            taken[span.task] = span
    return {task: span.seconds for task, span in taken.items()}


class _Table:
    """The columns of the jobs."""

    def __init__(self, begin: float, gathered: Gathered) -> None:
        self.kinds: Numbered[str] = Numbered()
        self.directories: Numbered[str] = Numbered()
        self.labels: Numbered[str] = Numbered()
        self.errors: Numbered[str] = Numbered()
        self.files: Numbered[str] = Numbered()
        self._file: Numbered[tuple[int, str]] = Numbered()
        self._file_rows: list[tuple[int, str, int | None]] = []
        self._begin = begin
        self._by_job = {task.job.id: task.number for task in gathered.tasks if task.job is not None}
        self._gathered = gathered
        self.columns: dict[str, list[Any]] = {name: [] for name in JOB_COLUMNS.split()}

    def add(self, task: Task, seconds: float | None) -> None:
        newest, first = task.newest, task.requests[0]
        error = None if state_of(task, self._gathered.since) != "failed" else newest.error or _last_error(task)
        label = "/".join(part for part in (newest.project, newest.stage) if part)
        row = {
            "command": shown(newest.command[:COMMAND_CHARACTERS]),
            "kind": self.kinds(shown(kind_of(newest.command))),
            "state": STATES.index(state_of(task, self._gathered.since)),
            "id": task.job.checksum[:DIGITS] if task.job else "",
            "request": newest.id,
            "created": _ms(first.created - self._begin),
            "took": None if seconds is None else _ms(seconds),
            "error": None if error is None else self.errors(shown(error[:ERROR_CHARACTERS])),
            "directory": self.directories(shown_bytes(newest.directory)),
            "label": self.labels(shown(label)),
            "asked": len(task.requests),
            # Made by the code of another job.
            "part": self._by_job.get(newest.parent or 0),
            "again": sum(1 for _ in figures.served_again(task)),
            "inputs": [self._numbered(file) for file in task.inputs[:MOST_FILES]],
            "outputs": [self._numbered(file) for file in task.outputs[:MOST_FILES]],
            "moreIn": max(0, len(task.inputs) - MOST_FILES),
            "moreOut": max(0, len(task.outputs) - MOST_FILES),
        }
        for name, value in row.items():
            self.columns[name].append(value)

    def names(self) -> dict[str, Any]:
        """What the columns refer to by number."""
        return {
            "kinds": list(self.kinds.places),
            "directories": list(self.directories.places),
            "labels": list(self.labels.places),
            "files": {
                "name": [row[0] for row in self._file_rows],
                "id": [row[1] for row in self._file_rows],
                "size": [row[2] for row in self._file_rows],
            },
        }

    def _numbered(self, file: File) -> int:
        name, checksum = self.files(shown(file.name)), file.checksum or ""
        place = self._file((name, checksum))
        if place == len(self._file_rows):
            self._file_rows.append((name, checksum[:DIGITS], self._gathered.sizes.get(checksum)))
        return place


def _last_error(task: Task) -> str | None:
    return task.attempts[-1].error if task.attempts else None


def _lane(lane: Lane, begin: float) -> dict[str, Any]:
    alive = [[_ms(born - begin), _ms(gone - begin)] for born, gone in lane.alive] if lane.serves else []
    return {"label": lane.label, "group": shown(lane.group), "alive": alive}


def _runs(
    found: Sequence[Span], row_of: dict[int, int], begin: float, logs: Logs, errors: Numbered[str]
) -> dict[str, list[Any]]:
    names = "job lane start took outcome depth exit cpu memory error out err"
    columns: dict[str, list[Any]] = {name: [] for name in names.split()}
    for span in sorted(found, key=lambda span: (span.started, span.task)):
        attempt = span.attempt
        out, err = logs.of(attempt) if attempt else (None, None)
        row = {
            "job": span.task,
            "lane": row_of[span.worker],
            "start": _ms(span.started - begin),
            "took": _ms(span.seconds),
            "outcome": RUNNING if span.outcome is None else int(span.outcome),
            "depth": span.depth,
            "exit": attempt.exit_code if attempt else None,
            "cpu": _ms(attempt.cpu) if attempt and attempt.cpu is not None else None,
            "memory": attempt.peak_memory if attempt else None,
            "error": errors(shown(attempt.error[:ERROR_CHARACTERS])) if attempt and attempt.error else None,
            "out": out,
            "err": err,
        }
        for name, value in row.items():
            columns[name].append(value)
    return columns


def _links(links: Sequence[graph.Edge], table: _Table) -> dict[str, list[int]]:
    told = links[-MOST_EDGES:]
    return {
        "from": [edge.source for edge in told],
        "to": [edge.target for edge in told],
        "file": [table.files(shown(edge.name)) for edge in told],
    }


def _ms(seconds: float) -> float | int:
    """Milliseconds, with a tenth where they are few."""
    value = seconds * 1000
    return round(value, 1) if abs(value) < 1000 else round(value)
