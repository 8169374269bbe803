"""Gives back what the dead have left: jobs, half-written files, processes, sidecars.

Nothing is taken from a live owner of this host. What cannot be seen (another host, another
container) is dead when its lease is over.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from . import doorbell, marked, owner, streamlog, workdir
from .broker import deliveries, reports, sessions
from .broker.records import Consequences, Streams
from .broker.sessions import LiveSession
from .clerk import Clerk
from .staged import Staged
from .store import Store


def reclaim_dead_sessions(store: Store) -> Consequences:
    """End every session whose process is dead, after its workers and their commands were killed."""
    consequences = Consequences()
    for session in sessions.live_sessions(store.database):
        alive = owner.is_alive(session.process)
        if session.is_believed(alive):
            continue
        if alive is False:
            _make_sure(store, session)
        staged, streams = Staged(), dict[int, Streams]()
        for worker_id, process in sessions.worker_processes(store.database, session).items():
            remove_half_written(store, worker_id, process.pid)
            streams[worker_id] = streamlog.recover(store, worker_id, staged)
        with store.database.transaction() as connection:
            staged.write(connection)
            ended = sessions.end_session(connection, session.id, "its session died", streams)
        consequences = consequences.and_then(ended)
        for worker_id in streams:
            workdir.remove_those_of(store.work, worker_id)
        with suppress(OSError):
            os.unlink(session.address)
    return consequences


def remove_half_written(store: Store, worker_id: int, pid: int) -> None:
    """Remove the temporary files of a dead worker beside the outputs that it was writing."""
    for path in deliveries.paths_of_deliverer(store.database, worker_id):
        output = os.fsdecode(path)
        places = [os.path.dirname(output), *(place for place, _, _ in os.walk(output))]
        for place in places:
            with suppress(OSError):
                _remove_temporary(place, f".seamless-{pid}-")


def _remove_temporary(directory: str, prefix: str) -> None:
    for name in os.listdir(directory):
        if name.startswith(prefix) and name.endswith(".tmp"):
            os.unlink(os.path.join(directory, name))


def _make_sure(store: Store, session: LiveSession) -> None:
    """The parent is dead; its workers are about to see that, but must be seen dead before others go on."""
    workers = sessions.worker_processes(store.database, session)
    for process in workers.values():
        if process.pid != session.process.pid and owner.is_alive(process):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    if workers and session.process.boot == owner.current().boot:
        marked.kill_marked({marked.mark(store.id, worker_id) for worker_id in workers})


def sweep(store: Store, clerk: Clerk) -> None:
    """Remove what no live process will remove: job directories, half-written buffers, sidecars, sockets."""
    for request_id in reports.ended_with_futures(store.database):
        clerk.remove_futures(request_id)
    # Names first, owners second: a directory made in between has an owner that is not missed.
    names = os.listdir(store.work)
    live = _live_workers(store)
    for name in names:
        if workdir.owner_of(name) not in live:
            workdir.remove(os.path.join(store.work, name))
    _remove_unowned(os.path.join(store.buffers.directory, ".new"))
    _remove_unowned(doorbell.runtime_directory(store.runtime_name))
    reports.forget_contexts(store.database)


def _live_workers(store: Store) -> set[int]:
    found: set[int] = set()
    for session in sessions.live_sessions(store.database):
        found.update(sessions.worker_processes(store.database, session))
    return found


def _remove_unowned(directory: str) -> None:
    """Remove files named PID-N whose process is gone."""
    for name in os.listdir(directory):
        pid = name.partition("-")[0]
        if pid.isdigit() and owner.start_time(int(pid)) is None:
            with suppress(OSError):
                os.unlink(os.path.join(directory, name))
