"""Takes requests back from outside, and sees their commands stopped."""

from __future__ import annotations

import time
from typing import NamedTuple

from . import doorbell, reclaim
from .broker import cancellations
from .broker.cancellations import Holder, Wanted
from .clerk import Clerk, Functions
from .store import Store

#: How long a canceled job is watched: its worker has two seconds to stop it, and is killed then.
STOP_SECONDS = 5.0
#: How often it is looked whether it has stopped.
LOOK_SECONDS = 0.02


class Canceled(NamedTuple):
    """What came of a cancellation."""

    requests: list[Wanted]
    #: what needed their files, and fails
    below: list[Wanted]
    #: who has not stopped yet
    running: list[Holder]


def cancel(store: Store, functions: Functions, wanted: list[Wanted]) -> Canceled:
    """Cancel these, and return when their commands have stopped, or after a few seconds."""
    clerk = Clerk(store, 0, functions)
    clerk.handle(reclaim.reclaim_dead_sessions(store))
    with store.database.transaction() as connection:
        below, consequences = cancellations.cancel(connection, wanted)
    clerk.handle(consequences)
    return Canceled(wanted, below, _see_stopped(store, {one.job_id for one in wanted if one.job_id is not None}))


def _see_stopped(store: Store, job_ids: set[int]) -> list[Holder]:
    doorbell.ring([holder.address for holder in _holders(store, job_ids)])
    deadline = time.monotonic() + STOP_SECONDS
    while holders := _holders(store, job_ids):
        if time.monotonic() > deadline or all(holder.is_thread for holder in holders):
            break
        time.sleep(LOOK_SECONDS)
    return holders


def _holders(store: Store, job_ids: set[int]) -> list[Holder]:
    found = (cancellations.holder_of(store.database, job_id) for job_id in job_ids)
    return [holder for holder in found if holder is not None]
