"""`spawn`: run transformations in worker processes."""

from __future__ import annotations

import os
import threading
import warnings

from seamless_queue.errors import ConfigurationError
from seamless_queue.pythonsession import PythonSession
from seamless_queue.workercount import most_workers

from . import session

#: For transformations that run in this process and must not do so at the same time: `with global_lock: …`
global_lock = threading.RLock()


def spawn(n: int | None = None) -> None:
    """Run transformations in `n` worker processes from now on (default: one for each processor).

    They are started now and stay until `seamless.close()` or the end of this process. Once they are there, the
    same `n` again does nothing, and another one is a ConfigurationError. Inside a worker it warns and does nothing.
    """
    current = session.current()
    if current.frame is not None:
        warnings.warn("spawn() inside a transformation does nothing: its workers are there already", stacklevel=2)
        return
    wanted = n if n is not None else os.cpu_count() or 1
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise ConfigurationError(f"spawn() wants a positive number of workers, not {n!r}")
    if wanted > most_workers():
        raise ValueError(f"spawn() starts {most_workers()} workers at most on this machine, not {wanted}")
    engine = current.engine
    assert isinstance(engine, PythonSession)
    if engine.workers and n is not None and engine.workers != wanted:
        raise ConfigurationError(
            f"there are {engine.workers} workers already, not {wanted}: call seamless.close() first for another number"
        )
    current.configure(execution="spawn")
    current.workers = wanted
    if not engine.workers:
        engine.spawn(wanted)


def has_spawned() -> bool:
    """Whether there are worker processes."""
    current = session.current()
    if current.frame is not None:
        return True
    return current.is_open and bool(getattr(current.engine, "workers", 0))
