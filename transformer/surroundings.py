"""Where the Python code of a worker's job runs: as its submitter was, whatever ran in this process before.

outermost job ──▶ environment and search path of its request, or the process's own
              ──▶ modules that would be others now: forgotten (usermodules.py)
every job     ──▶ context variables of its own; the state of the process is put back (processstate.py)
its end       ──▶ what was imported is noted; generators are seeded anew
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextvars import Context
from typing import TypeVar

from seamless_queue.broker.work import Running
from seamless_queue.clerk import Host
from seamless_queue.marked import MARK
from seamless_queue.store import Store

from . import plain
from .bashrun import submitted_context
from .context import environment_block
from .processstate import Draws, ProcessState, seed, set_environment
from .usermodules import Places, UserModules

T = TypeVar("T")


class Surroundings:
    """Of one worker process, for its main thread."""

    def __init__(self) -> None:
        self._own_path = tuple(sys.path)
        self._own_environment = dict(os.environb)
        self._taken_on: str | None = None
        self._places = Places(self._own_path)
        self._modules = UserModules(self._places)
        #: what every outermost job begins with, until one is taken on from elsewhere
        self._state: ProcessState | None = None
        self._outermost: ProcessState | None = None
        self._began_ns = 0
        #: whether nothing that was imported since then can hold on to what came with a job
        self._trusted = True

    def run(self, store: Store, running: Running, host: Host, call: Callable[[], T], *, trusted: bool = True) -> T:
        """Call code of a job. Not `trusted`: modules that it imports may hold on to what came with this job."""
        if self._outermost is not None:
            return self._run_inside(self._outermost, call, trusted)
        self._trusted = trusted
        self._take_on(store, running, host)
        if not self._modules.can_begin():
            host.begin_afresh()
        self._began_ns = time.time_ns()
        if self._state is None:
            self._state = ProcessState(self._places.have)
        try:
            with self._state as self._outermost:
                return self._run(call)
        finally:
            self._outermost = None
            seed()

    def _run_inside(self, outermost: ProcessState, call: Callable[[], T], trusted: bool) -> T:
        """A job inside a job: what the outer one has changed waits for it, and its modules stay."""
        self._note()
        self._trusted = self._trusted and trusted
        with ProcessState(self._places.have):
            draws = Draws()
            outermost.put_back()
            try:
                return self._run(call)
            finally:
                draws.put_back()

    def _run(self, call: Callable[[], T]) -> T:
        try:
            return Context().run(call)
        finally:
            # Before the search path is put back: it tells what was found by it.
            self._note()

    def _note(self) -> None:
        self._modules.note(self._began_ns, trusted=self._trusted)

    def _take_on(self, store: Store, running: Running, host: Host) -> None:
        """Be where the submitter was. A session's own workers are there anyway."""
        if running.context == self._taken_on:
            return
        with host.lane.lock:
            context = submitted_context(store, running)
        path = plain.load(context).get("path", []) if context is not None else []
        # What libraries have added for themselves they will look for.
        added = [entry for entry in sys.path if entry not in self._own_path and self._places.have(entry)]
        sys.path[:] = dict.fromkeys([*path, *self._own_path, *added])
        block = dict(environment_block(context)) if context is not None else dict(self._own_environment)
        mark = self._own_environment.get(MARK.encode())
        if mark is not None:
            block[MARK.encode()] = mark
        set_environment(block)
        self._taken_on, self._state = running.context, None


_here: Surroundings | None = None


def in_worker(store: Store, running: Running, host: Host, call: Callable[[], T], *, trusted: bool = True) -> T:
    """Call code of a job in this worker."""
    global _here
    if _here is None:
        _here = Surroundings()
    return _here.run(store, running, host, call, trusted=trusted)
