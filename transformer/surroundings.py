"""Where the Python code of a queued job runs: in the environment of its submitter, with its search path."""

from __future__ import annotations

import os
import sys

from seamless_queue.broker.work import Running
from seamless_queue.processes import MARK
from seamless_queue.store import Store

from . import plain
from .bashrun import submitted_context
from .context import environment_block

#: The context that this process has taken on; a queue's workers serve many submitters in turn.
_taken_on: str | None = None
_own_path = tuple(sys.path)


def take_on(store: Store, running: Running) -> None:
    """Be where the submitter was, until the next job of another one. A session's own workers are there anyway."""
    global _taken_on
    if running.context is None or running.context == _taken_on:
        return
    context = submitted_context(store, running)
    if context is None:
        return
    path = plain.load(context).get("path", [])
    sys.path[:] = [*path, *(entry for entry in _own_path if entry not in path)]
    mark = os.environb.get(MARK.encode())
    os.environb.clear()
    os.environb.update(environment_block(context))
    if mark is not None:
        os.environb[MARK.encode()] = mark
    _taken_on = running.context
