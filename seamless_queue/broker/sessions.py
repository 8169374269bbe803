"""Sessions and their workers: who may claim, who lives, who is to stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from ..driver import Database
from ..owner import ProcessIdentity, is_alive
from . import claims, progress
from .records import NO_STREAMS, Consequences, Streams
from .states import IS_LIVE, LIVE, among

#: How long a session on another host is believed to live without a sign.
LEASE_SECONDS = 60.0
#: How often a session gives one.
RENEW_SECONDS = 15.0


class SessionKind(IntEnum):
    """What a session is."""

    #: `seamless-queue`: serves the queue lane
    QUEUE = 0
    #: an inline `seamless-run`
    INLINE = 1
    #: a Python process and its pool
    PYTHON = 2


OPEN = """INSERT INTO sessions (kind, host, boot, pid_namespace, pid, process_started, address, workers, created,
    lease_until, resources) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
OPEN_WORKER = "INSERT INTO workers (session_id, pid, process_started, created) VALUES (?, ?, ?, ?)"
END_WORKER = "UPDATE workers SET ended = ? WHERE id = ? AND ended IS NULL"
IS_BURIED = "SELECT 1 FROM workers WHERE id = ? AND ended IS NOT NULL"
RENEW = "UPDATE sessions SET lease_until = ? WHERE id = ? AND ended IS NULL"
END = "UPDATE sessions SET ended = ?, paused = NULL WHERE id = ? AND ended IS NULL"
LAST_QUEUE = f"SELECT MAX(created) FROM sessions WHERE kind = {SessionKind.QUEUE.value}"
LIVE_SESSIONS = """SELECT id, kind, host, boot, pid_namespace, pid, process_started, address, workers, draining, paused,
    created, lease_until FROM sessions WHERE ended IS NULL ORDER BY id"""
ADDRESSES = "SELECT address FROM sessions WHERE ended IS NULL AND kind = 0"
ADDRESS = "SELECT address FROM sessions WHERE id = ? AND ended IS NULL"
DRAIN = "UPDATE sessions SET draining = 1 WHERE ended IS NULL AND kind = 0 AND id IN (SELECT value FROM json_each(?))"
DRAINING = "SELECT draining FROM sessions WHERE id = ?"
PAUSE = "UPDATE sessions SET paused = ? WHERE id = ?"
SESSION_OF = "SELECT session_id FROM workers WHERE id = ?"
WORKERS = "SELECT id, pid, process_started FROM workers WHERE session_id = ? AND ended IS NULL"
REQUESTS = f"SELECT id FROM requests WHERE lane = ? AND {among(*LIVE)} AND {IS_LIVE}"


class LiveSession(NamedTuple):
    """A session that has not said that it ended."""

    id: int
    kind: SessionKind
    process: ProcessIdentity
    address: str
    workers: int
    draining: bool
    paused: str | None
    created: float
    lease_until: float

    def is_believed(self, alive: bool | None) -> bool:
        """Whether it is taken to live, if its process does (None: that cannot be seen from here, its lease tells)."""
        return alive is True or (alive is None and self.lease_until > time.time())


def open_session(
    connection: Any,
    kind: SessionKind,
    process: ProcessIdentity,
    address: str,
    workers: int,
    resources: str | None = None,
) -> int:
    """Register a session; its id is its lane. `resources`: what a server offers."""
    now = time.time()
    values = (kind.value, *_identity(process), address, workers, now, now + LEASE_SECONDS, resources)
    return int(connection.execute(OPEN, values).lastrowid)


def open_worker(connection: Any, session_id: int, process: ProcessIdentity) -> int:
    """Register a worker of a session."""
    values = (session_id, process.pid, process.started, time.time())
    return int(connection.execute(OPEN_WORKER, values).lastrowid)


def bury_worker(
    connection: Any,
    session_id: int,
    worker_id: int,
    why: str,
    *,
    charge: bool = True,
    streams: Streams = NO_STREAMS,
) -> Consequences:
    """A worker is dead: what it held is given back (see claims.bury)."""
    connection.execute(END_WORKER, (time.time(), worker_id))
    return claims.bury(connection, session_id, worker_id, why, charge=charge, streams=streams)


def is_buried(connection: Any, worker_id: int) -> bool:
    """Whether others have taken a worker for dead: nobody would give back what it claims from now on."""
    return connection.execute(IS_BURIED, (worker_id,)).fetchone() is not None


def renew(connection: Any, session_id: int) -> bool:
    """Prolong the lease of a session and all its workers; False if somebody has ended it."""
    until = time.time() + LEASE_SECONDS
    return bool(connection.execute(RENEW, (until, session_id)).rowcount)


def end_session(
    connection: Any, session_id: int, why: str, streams: Mapping[int, Streams] = MappingProxyType({})
) -> Consequences:
    """Close a session: its workers are dead, its own requests canceled; what the queue wants moves there.

    `streams`: what the jobs of its workers had written, by worker.
    """
    connection.execute(END, (time.time(), session_id))
    consequences = Consequences()
    for worker_id, _, _ in connection.execute(WORKERS, (session_id,)).fetchall():
        written = streams.get(worker_id, NO_STREAMS)
        buried = bury_worker(connection, session_id, worker_id, why, charge=False, streams=written)
        consequences = consequences.and_then(buried)
    for (request_id,) in connection.execute(REQUESTS, (session_id,)).fetchall():
        consequences = consequences.and_then(progress.cancel_request(connection, request_id, "session ended"))
    return consequences


def live_sessions(database: Database, kind: SessionKind | None = None) -> list[LiveSession]:
    """All sessions that have not ended, or those of one kind."""
    found = [
        LiveSession(row[0], SessionKind(row[1]), ProcessIdentity(*row[2:7]), row[7], row[8], bool(row[9]), *row[10:])
        for row in database.rows(LIVE_SESSIONS)
    ]
    return [session for session in found if kind is None or session.kind is kind]


def has_died(database: Database, worker_id: int) -> bool:
    """Whether a worker's session is dead: what it ran is taken back by the next that looks."""
    row = database.row(SESSION_OF, (worker_id,))
    session = next((one for one in live_sessions(database) if row and one.id == row[0]), None)
    return session is None or not session.is_believed(is_alive(session.process))


def last_queue_start(database: Database) -> float | None:
    """When the newest queue server of the store started, alive or not; None if there never was one."""
    moment = database.row(LAST_QUEUE)[0]
    return None if moment is None else float(moment)


def worker_processes(database: Database, session: LiveSession) -> dict[int, ProcessIdentity]:
    """The processes of a session's workers, by worker id."""
    host, boot, namespace = session.process.host, session.process.boot, session.process.pid_namespace
    return {
        worker_id: ProcessIdentity(host, boot, namespace, pid, started)
        for worker_id, pid, started in database.rows(WORKERS, (session.id,))
    }


def queue_addresses(database: Database) -> list[str]:
    """Where the queue servers listen."""
    return [row[0] for row in database.rows(ADDRESSES)]


def address_of(database: Database, session_id: int) -> str | None:
    """Where a live session listens."""
    row = database.row(ADDRESS, (session_id,))
    return row[0] if row else None


def drain(connection: Any, session_ids: list[int]) -> None:
    """Ask queue servers to stop once nothing is left to do."""
    connection.execute(DRAIN, (str(session_ids),))


def is_draining(database: Database, session_id: int) -> bool:
    """Whether somebody asked this server to finish."""
    row = database.row(DRAINING, (session_id,))
    return bool(row and row[0])


def pause(connection: Any, session_id: int, reason: str | None) -> None:
    """Say why a server does not work at the moment; None: it does again."""
    connection.execute(PAUSE, (reason, session_id))


def _identity(process: ProcessIdentity) -> tuple[str, str, str, int, int]:
    return process.host, process.boot, process.pid_namespace, process.pid, process.started
