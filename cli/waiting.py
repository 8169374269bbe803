"""Tells what a request waits for, and whether anybody is there to do it."""

from __future__ import annotations

import os
from collections.abc import Callable

from seamless_queue.broker.records import NewRequest
from seamless_queue.store import Store

#: So many lines at most tell what a request waits for.
WAITS_SHOWN = 3


def waits(request: NewRequest) -> list[str]:
    """What a request waits for, in a few lines however much that is."""
    shown = [f"waits for future {os.fsdecode(one.path)}: {_whose(one.upstream)}" for one in request.dependencies]
    if len(shown) > WAITS_SHOWN:
        rest = len(shown) - WAITS_SHOWN + 1
        shown[WAITS_SHOWN - 1 :] = [f"and for {rest} more"]
    return shown


def _whose(upstream: int | None) -> str:
    return "another store will write it" if upstream is None else f"request {upstream} will write it"


def hint_at_server(store: Store) -> str | None:
    """What to do where nobody is there to run the queue."""
    from seamless_queue.broker import sessions

    if sessions.queue_addresses(store.database):
        return None
    return "no queue server runs: start one with seamless-queue"


def warn_of_resources(store: Store, resources: str | None, say: Callable[[str], object]) -> None:
    """Say so if servers run, but none can ever start what was submitted."""
    if resources is None:
        return
    from seamless_queue.broker.resources import lacking

    lacks = lacking(store.database, resources)
    if lacks is not None:
        say(f"warning: the command {lacks}; it waits until a server offers that")
