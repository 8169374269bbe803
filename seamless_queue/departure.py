"""A worker leaves in the middle of a job: its code runs on, cannot be asked to stop, and ends with the process.

The parent publishes the outcome, once the process is seen dead: before that nobody else may begin the job.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from . import processes
from .broker.states import Outcome
from .broker.work import Finished
from .filesystems import passing_over_full_disk
from .orders import Mode
from .staged import Staged

if TYPE_CHECKING:
    from .worker import Worker


def leave_amid(worker: Worker, outcome: Outcome, why: str) -> NoReturn:
    """Leave; so the current job has ended by that. What it has asked for goes back."""
    released = Finished(Outcome.RELEASED, error="stopped")
    try:
        finished = _with_streams(worker, Finished(outcome, error=why))
        executing = worker.lane.executing.values()
        jobs = [(running, finished if running is worker.current else released) for running in executing]
        worker.mode = Mode.STOP
        worker.turn()
        worker.give_back()
        processes.kill_adopted()
        worker.parent.leave_amid(jobs)
    finally:
        os._exit(0)


def end_amid() -> NoReturn:
    """The parent is dead: nobody is left who would want the result."""
    try:
        processes.kill_adopted()
    finally:
        os._exit(1)


def _with_streams(worker: Worker, finished: Finished) -> Finished:
    """What the current job's code has written so far is kept with its outcome."""
    if worker.captured is None or finished.outcome is Outcome.RELEASED:
        return finished
    store, staged = worker.store, Staged()
    stdout, stderr = (store.buffers.stage(text, staged) if text else None for text in worker.captured.so_far())
    with passing_over_full_disk():
        with store.database.transaction() as connection:
            staged.write(connection)
        finished = finished._replace(stdout=stdout, stderr=stderr)
    return finished
