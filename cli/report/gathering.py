"""Reads what a report tells: every job of the period with its requests, executions and files."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from seamless.transformer import plain, provenance
from seamless_queue.broker import timeline
from seamless_queue.broker.states import JobState, RequestState
from seamless_queue.broker.timeline import (
    AttemptRow,
    DependencyRow,
    JobRow,
    OutputRow,
    RequestRow,
    SessionRow,
    Wanted,
    WorkerRow,
)
from seamless_queue.digest import is_checksum
from seamless_queue.errors import SeamlessError
from seamless_queue.store import Store

#: A page with more requests than these would be slow: the oldest are left out.
MOST_REQUESTS = 20_000
#: So many files of a job are told at most, of its inputs and of its outputs.
MOST_FILES = 40
#: Larger descriptions are not read: a job with so many inputs is told without them.
MOST_DESCRIPTION_BYTES = 1 << 20


class File(NamedTuple):
    """A file or value that a job reads or makes; without a checksum it is not there yet."""

    name: str
    checksum: str | None
    path: bytes | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A job with all that belongs to it, or a request that has none because its inputs never came."""

    number: int
    job: JobRow | None
    #: those of the period, oldest first
    requests: tuple[RequestRow, ...]
    #: all of them, oldest first
    attempts: tuple[AttemptRow, ...]
    inputs: tuple[File, ...]
    outputs: tuple[File, ...]

    @property
    def newest(self) -> RequestRow:
        """The request that tells most of the present."""
        return self.requests[-1]

    @property
    def is_running(self) -> bool:
        """Whether a worker is at it just now."""
        return self.job is not None and self.job.state is JobState.RUNNING


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a report is made of."""

    since: float
    until: float
    tasks: tuple[Task, ...]
    dependencies: tuple[DependencyRow, ...]
    sessions: Mapping[int, SessionRow]
    workers: Mapping[int, WorkerRow]
    sizes: Mapping[str, int]
    #: how many requests of the period are not told of, because there are too many
    left_out: int


def gather(store: Store, wanted: Wanted, until: float, at_most: int = MOST_REQUESTS) -> Gathered:
    """Read everything, in short reads."""
    database = store.database
    requests = timeline.requests(database, wanted, at_most)
    left_out = timeline.how_many(database, wanted) - len(requests) if len(requests) == at_most else 0
    numbers = [request.id for request in requests]
    jobs = timeline.jobs(database, {request.job_id for request in requests if request.job_id is not None})
    attempts = timeline.attempts(database, jobs)
    dependencies = timeline.dependencies(database, numbers)
    sessions = timeline.sessions(database, {attempt.session_id for attempt in attempts}, wanted.since, until)
    workers = timeline.workers(database, sessions)
    files = Files(store, jobs.values(), requests, timeline.outputs(database, numbers), dependencies)
    tasks = tuple(_tasks(requests, jobs, attempts, files))
    sizes = _sizes(store, tasks)
    return Gathered(wanted.since, until, tasks, tuple(dependencies), sessions, workers, sizes, max(0, left_out))


def _tasks(
    requests: list[RequestRow], jobs: Mapping[int, JobRow], attempts: list[AttemptRow], files: Files
) -> Iterable[Task]:
    """By the first request for it: what a task reads was made by one with a smaller number."""
    asked: dict[int, list[RequestRow]] = {}
    for request in requests:
        # A request without a job is told by itself, under a number that no job has.
        known = request.job_id in jobs if request.job_id is not None else False
        asked.setdefault(request.job_id if known and request.job_id is not None else -request.id, []).append(request)
    ran = defaultdict(list)
    for attempt in attempts:
        ran[attempt.job_id].append(attempt)
    for number, (key, wishes) in enumerate(asked.items()):
        job = jobs.get(key)
        inputs, outputs = files.of(job, wishes[-1])
        yield Task(number, job, tuple(wishes), tuple(ran[key]), inputs, outputs)


class Files:
    """What jobs read and make, by their identities, their results and their requests."""

    def __init__(
        self,
        store: Store,
        jobs: Iterable[JobRow],
        requests: Iterable[RequestRow],
        outputs: Iterable[OutputRow],
        dependencies: Iterable[DependencyRow],
    ) -> None:
        self._store = store
        self._jobs = list(jobs)
        self._outputs: dict[int, list[OutputRow]] = defaultdict(list)
        for output in outputs:
            self._outputs[output.request_id].append(output)
        self._awaited: dict[int, list[DependencyRow]] = defaultdict(list)
        for dependency in dependencies:
            self._awaited[dependency.request_id].append(dependency)
        wanted = {job.checksum for job in self._jobs}
        self._contents = timeline.contents(store.database, wanted | {job.result for job in self._jobs if job.result})

    def of(self, job: JobRow | None, request: RequestRow) -> tuple[tuple[File, ...], tuple[File, ...]]:
        """Inputs and outputs of a task."""
        promised = {output.name: output.path for output in self._outputs[request.id]}
        if job is None:
            return self._promises(request), tuple(File(os.fsdecode(p), None, p) for p in promised.values())
        try:
            parts = provenance.parts(provenance.identity(self._read, job.checksum))
        except SeamlessError:
            # Given up to save room, or never written: a job without its description is still a job.
            return self._promises(request), _outcome(job, promised, None)
        inputs = [File(one.name, one.checksum, _within(request, one.name, parts)) for one in parts.inputs]
        members = self._members(job.result) if parts.is_index and job.result else None
        return tuple(inputs), _outcome(job, promised, members)

    def _promises(self, request: RequestRow) -> tuple[File, ...]:
        return tuple(File(os.fsdecode(one.pin), one.checksum, one.path) for one in self._awaited[request.id])

    def _members(self, result: str) -> dict[str, str]:
        try:
            tree = plain.load(self._read(result))
        except (SeamlessError, ValueError):
            return {}
        if not isinstance(tree, dict):
            return {}
        return {name: value for name, value in tree.items() if isinstance(value, str) and is_checksum(value)}

    def _read(self, checksum: str) -> bytes:
        content = self._contents.get(checksum)
        if content is not None:
            return content
        if self._store.buffers.size(checksum) > MOST_DESCRIPTION_BYTES:
            raise SeamlessError(f"{checksum} is too large")
        return self._store.buffers.read(checksum)


def _within(request: RequestRow, name: str, parts: provenance.Parts) -> bytes | None:
    """Where a command finds an input, as far as its name tells."""
    return os.path.join(request.directory, os.fsencode(name)) if parts.is_command else None


def _outcome(job: JobRow, promised: Mapping[bytes, bytes], members: Mapping[str, str] | None) -> tuple[File, ...]:
    if members:
        return tuple(File(name, checksum, promised.get(os.fsencode(name))) for name, checksum in members.items())
    if promised:
        sole = job.result if members is None and len(promised) == 1 else None
        return tuple(File(os.fsdecode(name), sole, path) for name, path in promised.items())
    return (File("result", job.result),) if job.result else ()


def _sizes(store: Store, tasks: Iterable[Task]) -> dict[str, int]:
    """The sizes of all files that are told; what is gone has none."""
    wanted = {
        file.checksum
        for task in tasks
        for file in (*task.inputs[:MOST_FILES], *task.outputs[:MOST_FILES])
        if file.checksum is not None
    }
    found = timeline.sizes(store.database, wanted)
    for checksum in wanted - found.keys():
        try:
            found[checksum] = os.stat(store.buffers.path(checksum)).st_size
        except OSError:
            continue
    return found


def state_of(task: Task, since: float) -> str:
    """How a task stands, in a word."""
    if task.job is None:
        return _STATES_WITHOUT_JOB.get(task.newest.state, "waiting")
    if task.job.state is JobState.DONE:
        return "done" if any(attempt.finished >= since for attempt in task.attempts) else "reused"
    return task.job.state.name.lower()


_STATES_WITHOUT_JOB = {
    RequestState.FAILED: "failed",
    RequestState.CANCELED: "canceled",
    RequestState.SUPERSEDED: "canceled",
}
