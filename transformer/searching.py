"""Where the code of a queued job finds modules: where its submitter would have found them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from seamless_queue.broker.work import Running
from seamless_queue.store import Store

from . import plain
from .bashrun import READ_CONTEXT


@contextmanager
def searching(store: Store, running: Running) -> Iterator[None]:
    """Inside the block, `sys.path` is the submitter's, if the request says it, and then that of this process."""
    if running.context is None:
        yield
        return
    row = store.database.row(READ_CONTEXT, (bytes.fromhex(running.context),))
    wanted = plain.load(bytes(row[0])).get("path", []) if row else []
    before = list(sys.path)
    sys.path[:] = [*wanted, *(entry for entry in before if entry not in wanted)]
    try:
        yield
    finally:
        sys.path[:] = before
