"""What goes on in a store, put together for whoever looks: the reads of broker/overview.py, and when all will be done.

Every part is a short read of its own; nothing stays open between them. A dashboard renews the parts one by one, as
often as each may cost (`Survey._replace`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from . import owner
from .broker import forecast, overview, resources, sessions
from .broker.forecast import Throughput
from .broker.jobdetails import Details
from .broker.overview import Counted, Filter, Input, LastAttempt, Row, Worker
from .broker.records import QUEUE_LANE
from .broker.sessions import LiveSession, SessionKind
from .broker.states import JobState, RequestState
from .driver import Database
from .estimate import NO_TIME, NOTHING_LEFT, Estimate, Experience, Job, Span, estimate, longest_chain
from .store import Store

#: How busy the workers have been is looked at over so long.
PACE_SECONDS = 120.0
#: Of fewer jobs than this it is not concluded.
PACE_JOBS = 20
#: Workers are taken to be busy for at least this part of their time.
LEAST_PACE = 0.05
#: So many bytes at the end of a text are looked at for its last line.
TAIL_BYTES = 4096

#: The end of a buffer; that of an empty one would be NULL.
TAIL = f"SELECT COALESCE(substr(content, -{TAIL_BYTES}), x'') FROM buffers WHERE checksum = ?"


class Host(NamedTuple):
    """A session that runs jobs, and whether its process lives; None: that cannot be seen from here."""

    session: LiveSession
    alive: bool | None

    @property
    def is_server(self) -> bool:
        """Whether it serves the queue."""
        return self.session.kind is SessionKind.QUEUE

    @property
    def works(self) -> bool:
        """Whether it is believed to live."""
        return self.session.is_believed(self.alive)


class Lists(NamedTuple):
    """What is at which stage, as much of it as was asked for, and what belongs to it."""

    running: tuple[Row, ...] = ()
    ready: tuple[Row, ...] = ()
    waiting: tuple[Row, ...] = ()
    delivering: tuple[Row, ...] = ()
    failed: tuple[Row, ...] = ()
    #: by request: what it waits for
    inputs: dict[int, list[Input]] = {}
    #: by job: how the newest attempt of those that failed ended
    attempts: dict[int, LastAttempt] = {}
    #: by attempt: the last line of its standard error
    stderr: dict[int, str] = {}
    #: the requests among those that run whose worker is gone; nobody has noticed yet
    lost: frozenset[int] = frozenset()
    #: by job: what no running server offers to those that are ready and demand it
    held: dict[int, str] = {}

    def last_attempt(self, row: Row) -> LastAttempt | None:
        """How the job of a request ended."""
        return self.attempts.get(row.job_id or 0)

    def last_line(self, row: Row) -> str:
        """The last line that a failed job wrote to standard error; empty if there is none."""
        attempt = self.last_attempt(row)
        return self.stderr.get(attempt.attempt_id, "") if attempt is not None else ""


class Survey(NamedTuple):
    """What goes on in a store at a moment."""

    now: float
    counted: Counted = Counted()
    #: jobs that workers are at
    running: int = 0
    throughput: Throughput = Throughput()
    eta: Estimate = NOTHING_LEFT
    hosts: tuple[Host, ...] = ()
    workers: tuple[Worker, ...] = ()
    lists: Lists = Lists()
    #: how many workers have a job
    busy: int = 0
    #: since when somebody has the queue paused
    paused_since: float | None = None

    @property
    def servers(self) -> list[Host]:
        """The servers of the queue that live."""
        return [host for host in self.hosts if host.is_server and host.works]

    @property
    def others(self) -> list[Host]:
        """Other processes that run jobs of their own: inline commands, Python sessions."""
        return [host for host in self.hosts if not host.is_server and host.works]

    @property
    def paused(self) -> str | None:
        """Why the queue stands still; None if it does not, or there is no server."""
        if self.paused_since is not None:
            return "by seamless-queue pause"
        reasons = [host.session.paused for host in self.servers]
        return reasons[0] if reasons and all(reasons) else None

    def counts(self) -> dict[str, int]:
        """How many requests stand where, by the words of overview.WORDS."""
        of = self.counted.of
        running = min(self.running, of(RequestState.QUEUED))
        return {
            "waiting": of(RequestState.WAITING) + of(RequestState.KEYABLE),
            "ready": of(RequestState.QUEUED) - running,
            "running": running,
            "delivering": of(RequestState.DELIVERING),
            "done": of(RequestState.DELIVERED),
            "failed": of(RequestState.FAILED),
            "canceled": of(RequestState.CANCELED),
            "superseded": of(RequestState.SUPERSEDED),
        }


def survey(store: Store, wanted: Filter = Filter(), limit: int = 20) -> Survey:  # noqa: B008
    """All of it at once."""
    database, now = store.database, time.time()
    hosts = hosts_of(database)
    lists, workers = lists_of(store, wanted, hosts, limit), workers_of(database, hosts)
    return Survey(
        now,
        overview.counted(database, wanted),
        overview.running_count(database, wanted),
        forecast.throughput(database, now),
        Estimator(database).estimate(hosts, now),
        hosts,
        workers,
        lists,
        busy_among(database, workers),
        resources.paused_since(database),
    )


def hosts_of(database: Database) -> tuple[Host, ...]:
    """The sessions that have not ended, or died without saying so."""
    return tuple(Host(session, owner.is_alive(session.process)) for session in sessions.live_sessions(database))


def workers_of(database: Database, hosts: Iterable[Host]) -> tuple[Worker, ...]:
    """The workers of those sessions that live."""
    alive = {host.session.id for host in hosts if host.works}
    return tuple(one for one in overview.workers(database) if one.session_id in alive)


def busy_among(database: Database, workers: Iterable[Worker]) -> int:
    """How many of these workers have a job."""
    return len(overview.busy(database) & {one.id for one in workers})


def lists_of(
    store: Store, wanted: Filter, hosts: Iterable[Host], limit: int, failed: tuple[Row, ...] | None = None
) -> Lists:
    """What is at which stage, at most `limit` of each; with the failures if they are known already."""
    database = store.database
    lanes = [QUEUE_LANE, *(host.session.id for host in hosts if not host.is_server)]
    waiting = overview.waiting(database, wanted, limit)
    if failed is None:
        failed = tuple(overview.failed(database, wanted, limit))
    attempts = overview.last_attempts(database, [row.job_id for row in failed if row.job_id])
    running, lost = running_of(database, wanted, workers_of(database, hosts), limit)
    ready = tuple(overview.ready(database, wanted, lanes, limit))
    return Lists(
        running,
        ready,
        tuple(waiting),
        tuple(overview.delivering(database, wanted, limit)),
        failed,
        overview.inputs(database, [row.request_id for row in waiting]),
        attempts,
        {one.attempt_id: last_line(store, one.stderr) for one in attempts.values() if one.stderr},
        lost,
        resources.all_lacking(database, [row.job_id for row in ready if row.job_id]),
    )


def running_of(
    database: Database, wanted: Filter, workers: Iterable[Worker], limit: int
) -> tuple[tuple[Row, ...], frozenset[int]]:
    """What runs, and which of that was run by none of these workers: that one is gone."""
    running = tuple(overview.running(database, wanted, limit))
    alive = {one.id for one in workers}
    return running, frozenset(row.request_id for row in running if row.worker_id not in alive)


def without_server(database: Database, found: Details) -> Details:
    """With a job that is ready: that it waits for a server, if none lives."""
    row = found.row
    if (
        row.word != "ready"
        or row.lane != QUEUE_LANE
        or any(host.is_server and host.works for host in hosts_of(database))
    ):
        return found
    return found._replace(held=found.held or "no server runs: start one with seamless-queue")


def last_line(store: Store, checksum: str) -> str:
    """The last line of a buffer that says anything, without reading all of it."""
    row = store.database.row(TAIL, (bytes.fromhex(checksum),))
    if row is not None:
        return _last_line(bytes(row[0]))
    with suppress(OSError), open(store.buffers.path(checksum), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        return _last_line(file.read())
    return ""


def _last_line(text: bytes) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].decode(errors="replace") if lines else ""


class Estimator:
    """Says when all will be done; remembers how long jobs took, so that it reads each record once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._experience = Experience()
        self._last_attempt = 0
        self._recent: list[forecast.Taken] = []

    def estimate(self, hosts: Iterable[Host], now: float) -> Estimate:
        """When everything that is live has ended, lane by lane; the latest counts."""
        self._learn(now)
        if resources.paused_since(self._database) is not None:
            return Estimate(None, None, "the queue is paused")
        capacity, running = _capacity(hosts), self._running()
        sample, every = forecast.ahead(self._database)
        jobs: dict[int, list[Job]] = {}
        seen = {row.job_id for row in running}
        for row in running:
            elapsed = max(0.0, now - (row.started or now))
            jobs.setdefault(row.lane, []).append(Job(row.command, row.project, elapsed=elapsed))
        for one in sample:
            # Several requests for one job are one job.
            if one.job_id is None or one.job_id not in seen:
                jobs.setdefault(one.lane, []).append(Job(one.command, one.project, float(every)))
                if one.job_id is not None:
                    seen.add(one.job_id)
        if not jobs:
            return NOTHING_LEFT
        if not capacity:
            return Estimate(None, None, "no server runs")
        chain = self._chain(running, now)
        never = resources.never_count(self._database)
        found = _latest(
            estimate(
                self._experience,
                ahead,
                capacity.get(lane, 0),
                chain if lane == QUEUE_LANE else NO_TIME,
                self._pace(capacity, running, len(ahead) * every, now),
            )
            for lane, ahead in jobs.items()
        )
        if never and found.low is not None:
            jobs_need = "1 job needs" if never == 1 else f"{never:,} jobs need"
            return Estimate(found.low, None, f"{jobs_need} what no running server offers")
        return found

    def _learn(self, now: float) -> None:
        new = forecast.durations(self._database, self._last_attempt)
        for taken in reversed(new):
            self._experience.add(taken.seconds, taken.command, taken.project)
        if new:
            self._last_attempt = new[0].attempt_id
        known = [*self._recent, *reversed(new)]
        self._recent = [taken for taken in known[-forecast.SAMPLE :] if taken.finished > now - PACE_SECONDS]

    def _running(self) -> list[Row]:
        rows = overview.running(self._database, Filter(), forecast.SAMPLE)
        return [row for row in rows if row.job_state is JobState.RUNNING]

    def _pace(self, capacity: dict[int, int], running: list[Row], left: int, now: float) -> float:
        """For which part of their time the workers are busy: short jobs have to be fetched, large ones take more."""
        workers = sum(capacity.values())
        if len(self._recent) < PACE_JOBS or left <= 2 * workers:
            return 1.0
        begin = max(min(taken.finished - taken.seconds for taken in self._recent), now - PACE_SECONDS)
        busy = sum(min(taken.seconds, taken.finished - begin) for taken in self._recent)
        busy += sum(now - max(row.started or now, begin) for row in running)
        return min(1.0, max(LEAST_PACE, busy / max(1e-6, (now - begin) * workers)))

    def _chain(self, running: list[Row], now: float) -> Span:
        links = forecast.links(self._database)
        if not links:
            return NO_TIME
        rest = {}
        for row in running:
            known = self._experience.of(row.command, row.project)
            rest[row.request_id] = known.remaining(now - (row.started or now)) if known else NO_TIME
        waiting = {link.request_id for link in links}
        for link in links:
            if link.upstream_id not in waiting and link.upstream_id not in rest:
                rest[link.upstream_id] = self._whole(link.upstream_command, link.upstream_project)
        chain = ((link.request_id, link.upstream_id, self._whole(link.command, link.project)) for link in links)
        return longest_chain(chain, rest)

    def _whole(self, command: str, project: str | None) -> Span:
        known = self._experience.of(command, project)
        return known.whole if known else NO_TIME


def _capacity(hosts: Iterable[Host]) -> dict[int, int]:
    """How many workers each lane has."""
    capacity: dict[int, int] = {}
    for host in hosts:
        if host.works and not host.session.paused:
            lane = QUEUE_LANE if host.is_server else host.session.id
            capacity[lane] = capacity.get(lane, 0) + max(1, host.session.workers)
    return capacity


def _latest(estimates: Iterable[Estimate]) -> Estimate:
    """What is over when the last of these is; not known if that is not known of one."""
    found = list(estimates)
    unknown = next((one for one in found if one.low is None), None)
    if unknown is not None:
        return unknown
    low, why = max(one.low or 0.0 for one in found), next((one.why for one in found if one.why is not None), None)
    return Estimate(low, None if why else max(one.high or 0.0 for one in found), why)
