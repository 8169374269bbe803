"""One attempt at a job, as every kind of worker makes it: execute, then publish in one transaction."""

from __future__ import annotations

import time
from typing import Any

from . import crashpoints
from .broker import claims
from .broker.records import Consequences
from .broker.states import Outcome
from .broker.work import Finished, Running
from .buffers import Staged
from .clerk import Functions
from .errors import Fenced, SeamlessError
from .filesystems import has_no_room, is_disk_full
from .processes import Watch
from .store import Store
from .workdir import Workplace


def execute(
    store: Store, functions: Functions, workplace: Workplace, running: Running, watch: Watch, staged: Staged
) -> Finished:
    """Run the job in the worker's private directory. What goes wrong is the job's failure; a full disk is not."""
    crashpoints.reached("begun")
    began = time.time()
    return _execute(store, functions, workplace, running, watch, staged)._replace(began=began)


def _execute(
    store: Store, functions: Functions, workplace: Workplace, running: Running, watch: Watch, staged: Staged
) -> Finished:
    try:
        with workplace.prepared() as directory:
            finished = functions.execute(store, running, directory, workplace.mark(store.id), watch, staged)
            return _blame_the_disk(finished, directory)
    except (SeamlessError, OSError) as exc:
        if is_disk_full(exc):
            return Finished(Outcome.RELEASED, error="the disk is full")
        return Finished(Outcome.FAILED, error=str(exc))


def _blame_the_disk(finished: Finished, directory: str) -> Finished:
    """A command that failed on a full disk is not to blame: its job goes back, at no cost."""
    if finished.outcome is not Outcome.FAILED:
        return finished
    if not has_no_room(directory):
        return finished
    return Finished(Outcome.RELEASED, error="the disk is full")


def publish(
    connection: Any, session_id: int, worker_id: int, running: Running, finished: Finished, staged: Staged
) -> tuple[Finished, Consequences]:
    """Record the outcome, inside the caller's transaction; CANCELED if it does not count any more."""
    try:
        if finished.outcome is not Outcome.CANCELED:
            staged.write(connection)
            return finished, claims.finish(connection, session_id, worker_id, running, finished)
    except Fenced:
        # Taken over or taken back while we were finishing.
        finished = Finished(Outcome.CANCELED, error="canceled")
    claims.acknowledge_stop(connection, session_id, worker_id, running)
    return finished, Consequences(again=True)
