"""Drain a store's queue: ask the servers to stop when nothing is left, and watch until they have."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from . import doorbell, reclaim
from .broker import reports, resources, sessions
from .broker.sessions import LiveSession, SessionKind
from .broker.work import Counts, Failure
from .filesystems import is_disk_full
from .settings import Settings
from .store import Store, exists

#: Why a paused queue does not end.
HELD = "the queue is paused: seamless-queue resume"
#: A server that was started a moment ago has so long to appear.
START_SECONDS = 3.0
#: How often the state is looked at.
LOOK_SECONDS = 0.1
#: Looking is not to take more than this share of the time, however large the table is.
LOOK_SHARE = 0.05
#: How often servers are looked for that have died.
RECLAIM_SECONDS = 2.0


class Verdict(Enum):
    """How the draining ended."""

    #: nothing is pending and no server is left, or (without waiting) all were asked
    DRAINED = "drained"
    #: there was neither a server nor a job
    NOTHING_TO_DO = "nothing to do"
    #: jobs are pending, but nobody is there to run them
    NO_SERVER = "no server"
    #: the patience of the caller was over
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the draining stands."""

    ended: int
    total: int
    counts: Counts
    paused: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How the draining ended; the failures are those since the first of the servers, or the last one, started."""

    verdict: Verdict
    pending: int
    failures: tuple[Failure, ...] = ()


def drain(store: Store, show: Callable[[Progress], None], *, wait: bool = True, timeout: float | None = None) -> Ending:
    """Ask all queue servers of the store to finish, and wait until they have."""
    servers = _servers_soon(store)
    if not servers:
        pending = reports.counts(store.database).live
        last = sessions.last_queue_start(store.database)
        failures = () if last is None else tuple(reports.failures_since(store.database, last))
        return Ending(Verdict.NO_SERVER if pending else Verdict.NOTHING_TO_DO, pending, failures)
    since = min(server.created for server in servers)
    if not wait:
        _ask(store, servers)
        return Ending(Verdict.DRAINED, reports.counts(store.database).live)
    verdict = _watch(store, show, None if timeout is None else time.monotonic() + timeout)
    pending = reports.counts(store.database).live
    return Ending(verdict, pending, tuple(reports.failures_since(store.database, since)))


def wait_for_store(settings: Settings) -> bool:
    """Whether there is a store to drain, or appears within a moment: a server that starts makes it."""
    deadline = time.monotonic() + START_SECONDS
    while not exists(settings):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _servers(store: Store) -> list[LiveSession]:
    return sessions.live_sessions(store.database, SessionKind.QUEUE)


def _servers_soon(store: Store) -> list[LiveSession]:
    """The servers, given a moment if none is there yet."""
    deadline = time.monotonic() + START_SECONDS
    reclaim.reclaim_dead_sessions(store)
    while not (servers := _servers(store)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return servers


def _ask(store: Store, servers: list[LiveSession]) -> None:
    asked = [server for server in servers if not server.draining]
    if asked:
        with store.database.transaction() as connection:
            sessions.drain(connection, [server.id for server in asked])
        doorbell.ring([server.address for server in asked])


def _ask_patiently(store: Store, servers: list[LiveSession]) -> str | None:
    """Ask; on a full disk that cannot be written down yet: why it was not."""
    try:
        _ask(store, servers)
    except Exception as exc:
        if not is_disk_full(exc):
            raise
        return "the disk of the store is full"
    return None


def _watch(store: Store, show: Callable[[Progress], None], deadline: float | None) -> Verdict:
    most, reclaimed = 0, time.monotonic()
    while servers := _servers(store):
        full = _ask_patiently(store, servers)
        began = time.monotonic()
        counts = reports.counts(store.database)
        most = max(most, counts.live)
        held = HELD if resources.paused_since(store.database) is not None else None
        paused = next((server.paused for server in servers if server.paused), full or held)
        show(Progress(most - counts.live, most, counts, paused))
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            return Verdict.TIMED_OUT
        time.sleep(max(LOOK_SECONDS, (now - began) / LOOK_SHARE))
        if now - reclaimed >= RECLAIM_SECONDS:
            reclaimed = now
            reclaim.reclaim_dead_sessions(store)
    counts = reports.counts(store.database)
    show(Progress(most - counts.live, most, counts, None))
    return Verdict.NO_SERVER if counts.live else Verdict.DRAINED
