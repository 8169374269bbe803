"""Minds a worker's channel while Python code has its main thread: orders, time limits, the parent's death."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

#: How soon others of a batch are noticed to wait for a job that is not short.
BRISK_SECONDS = 0.03
#: How often time limits are looked at.
CALM_SECONDS = 0.2
#: How long the minder stays awake after Python code has run.
AWAKE_SECONDS = 1.0


class Minded(Protocol):
    """A worker, as its minder sees it."""

    #: there are others that wait for the current job
    interval: float | None

    def fileno(self) -> int:
        """What becomes readable when the parent speaks, or dies."""

    def mind(self) -> None:
        """Look around."""


class Minder:
    """A thread that exists once Python code has run, and sleeps while none does."""

    def __init__(self, worker: Minded) -> None:
        self._worker = worker
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._asleep = False
        self.on_duty = False
        #: a command has the main thread, and Python code waits below it
        self.python_waits = False

    def set_duty(self, on_duty: bool) -> None:
        """Mind from now on, or keep off."""
        self.on_duty = on_duty
        if on_duty:
            if self._thread is None:
                self._start()
            elif self._asleep:
                # Only then: waking a thread costs more than a short job.
                self._wake.set()

    @contextmanager
    def minding(self, *, python: bool) -> Iterator[None]:
        """Be on duty while Python code has the main thread, and keep off while a command has."""
        before = self.on_duty
        self.python_waits = before and not python
        self.set_duty(python)
        try:
            yield
        finally:
            self.python_waits = False
            self.set_duty(before)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="seamless-minder", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._worker.fileno(), select.POLLIN)
        while True:
            if not self.on_duty:
                self._doze()
                continue
            pause = CALM_SECONDS if self._worker.interval is None else BRISK_SECONDS
            poller.poll(pause * 1000)
            if self.on_duty:
                self._worker.mind()

    def _doze(self) -> None:
        """Stay awake for a while: where one short job follows another, each would have to wake us."""
        tired = time.monotonic() + AWAKE_SECONDS
        while time.monotonic() < tired:
            time.sleep(BRISK_SECONDS)
            if self.on_duty:
                return
        self._sleep()

    def _sleep(self) -> None:
        self._wake.clear()
        self._asleep = True
        # Looked at again: the duty may have begun before anybody could see us asleep.
        if not self.on_duty:
            self._wake.wait()
        self._asleep = False
