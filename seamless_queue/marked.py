"""The mark that every command and worker carries in its environment, by which all that it started can be found.

Also after the worker above it has died: whoever reclaims its jobs kills what it has left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

#: In the environment of every command: STORE-ID:WORKER-ID.
MARK = "SEAMLESS_WORKER"


def mark(store_id: str, worker_id: int) -> str:
    """The mark of the commands of this worker."""
    return f"{store_id}:{worker_id}"


def kill_marked(marks: set[str]) -> int:
    """Kill every process of this user that carries one of these marks; how many there were."""
    import psutil

    killed: set[int] = set()
    # A process may fork while we look: look until nothing is left.
    while True:
        found = [process for process in psutil.process_iter() if _mark_of(process) in marks]
        found = [process for process in found if process.pid not in killed or process.is_running()]
        if not found:
            return len(killed)
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
            killed.add(process.pid)
        _wait_until_dead(found)


def marks_below(prefix: str) -> set[str]:
    """The marks that begin so of all living processes of this user."""
    import psutil

    found = (_mark_of(process) for process in psutil.process_iter())
    return {mark for mark in found if mark is not None and mark.startswith(prefix)}


def _wait_until_dead(found: Sequence[Any]) -> None:
    """Not until they are reaped: whoever inherits them may take its time."""
    deadline = time.monotonic() + 1
    while any(_mark_of(process) is not None for process in found) and time.monotonic() < deadline:
        time.sleep(0.001)


def _mark_of(process: Any) -> str | None:
    import psutil

    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return str(process.environ().get(MARK))
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return None
