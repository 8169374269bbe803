"""One attempt at a job, as every kind of worker makes it: execute, then publish in one transaction."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from . import crashpoints, recompute
from .broker import claims, sessions
from .broker.records import NO_STREAMS, Consequences, Streams, merged
from .broker.states import Outcome
from .broker.work import Finished, Running
from .clerk import Functions, Host
from .errors import Fenced, SeamlessError, printable
from .filesystems import has_no_room, is_disk_full
from .staged import Staged
from .store import Store


def execute(store: Store, functions: Functions, running: Running, host: Host, staged: Staged) -> Finished:
    """Run the job. What goes wrong is the job's failure; a full disk is not."""
    crashpoints.reached("begun")
    began = time.time()
    return _execute(store, functions, running, host, staged)._replace(began=began)


def _execute(store: Store, functions: Functions, running: Running, host: Host, staged: Staged) -> Finished:
    try:
        return _blame_the_disk(recompute.execute(store, functions, running, host, staged), store.path)
    except EOFError:
        # The parent is gone: that is nobody's failure.
        raise
    except Exception as exc:
        if is_disk_full(exc):
            return Finished(Outcome.RELEASED, error="the disk is full")
        expected = isinstance(exc, SeamlessError | OSError)
        return Finished(Outcome.FAILED, error=printable(str(exc) if expected else f"{type(exc).__name__}: {exc}"))


def _blame_the_disk(finished: Finished, directory: str) -> Finished:
    """A job that failed on a full disk is not to blame: it goes back, at no cost."""
    if finished.outcome is not Outcome.FAILED or not has_no_room(directory):
        return finished
    return Finished(Outcome.RELEASED, error="the disk is full")


class Done(NamedTuple):
    """A job that was executed and is to be published."""

    running: Running
    finished: Finished
    staged: Staged
    seconds: float


def publish_all(
    connection: Any, session_id: int, worker_id: int, done: list[Done]
) -> tuple[list[tuple[Finished, Consequences]], Consequences]:
    """Record several outcomes, inside the caller's transaction, those with a result together.

    What follows from each, as `publish` gives it, and what follows from those with a result.
    """
    good = [one for one in done if one.finished.outcome is Outcome.DONE]
    staged = Staged()
    for one in good:
        staged.add(one.staged)
    staged.write(connection)
    pairs = [(one.running, one.finished) for one in good]
    ended, following = claims.finish_done(connection, session_id, worker_id, pairs) if pairs else ({}, Consequences())
    outcomes = []
    for one in done:
        finished = ended.get(one.running.job_id)
        if finished is not None:
            outcomes.append((finished, Consequences(differed=finished.outcome is Outcome.DIFFERED)))
        else:
            outcomes.append(publish(connection, session_id, worker_id, one.running, one.finished, one.staged))
    return outcomes, following


class Death(NamedTuple):
    """How a worker ended that is seen dead, and what that means for its jobs."""

    worker_id: int
    #: in words
    how: str
    #: whether its jobs are to blame
    charge: bool
    #: jobs in the middle of which it has left, and how they are to end by that
    ended: list[tuple[Running, Finished]]


def bury(connection: Any, session_id: int, death: Death, streams: Streams = NO_STREAMS) -> Consequences:
    """Publish what a dead worker has left to be published, and give back all else; in the caller's transaction."""
    following = [
        publish(connection, session_id, death.worker_id, running, finished, Staged())[1]
        for running, finished in death.ended
    ]
    why = f"worker {death.how}"
    buried = sessions.bury_worker(connection, session_id, death.worker_id, why, charge=death.charge, streams=streams)
    return merged([*following, buried])


def publish(
    connection: Any, session_id: int, worker_id: int, running: Running, finished: Finished, staged: Staged
) -> tuple[Finished, Consequences]:
    """Record the outcome, inside the caller's transaction; CANCELED if it does not count any more."""
    try:
        # What was written until it was canceled is kept as well.
        staged.write(connection)
        if finished.outcome is not Outcome.CANCELED:
            return finished, claims.finish(connection, session_id, worker_id, running, finished)
    except Fenced:
        # Taken over or taken back while we were finishing.
        finished = finished._replace(outcome=Outcome.CANCELED, error="canceled", result=None, members=())
    claims.acknowledge_stop(connection, session_id, worker_id, running, finished)
    return finished, Consequences(again=True)
