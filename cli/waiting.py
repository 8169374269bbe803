"""Tells what a request waits for, and whether anybody is there to do it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from seamless_queue.broker.records import NewRequest
from seamless_queue.store import Store

#: So many lines at most tell what a request waits for.
WAITS_SHOWN = 3
#: A file of the store, whose time stamp tells when somebody was told that no server runs; it is told so often at most.
TOLD_NAME, TOLD_SECONDS = ".told", 10.0


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

    if sessions.queue_addresses(store.database) or _was_told(store.path):
        return None
    return "no queue server runs: start one with seamless-queue"


def _was_told(path: str) -> bool:
    """Whether another command has said it a moment ago: since then a server may have been started."""
    mark = os.path.join(path, TOLD_NAME)
    with suppress(OSError):
        if 0 <= time.time() - os.stat(mark).st_mtime < TOLD_SECONDS:
            return True
    with suppress(OSError):
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.utime(mark)
    return False


def warn_of_resources(store: Store, resources: str | None, say: Callable[[str], object]) -> None:
    """Say so if servers run, but none can ever start what was submitted."""
    if resources is None:
        return
    from seamless_queue.broker.resources import lacking

    lacks = lacking(store.database, resources)
    if lacks is not None:
        say(f"warning: the command {lacks}; it waits until a server offers that")
