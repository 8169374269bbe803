"""Threads of this process that run what was started and nobody waits for yet."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seamless_queue.lane import Ticket


class Hands:
    """As many threads as there are processors, started when there is work for them."""

    def __init__(self, run: Callable[[Ticket], None]) -> None:
        self._run = run
        self._queue: SimpleQueue[Ticket] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._lock = threading.Lock()

    def give(self, ticket: Ticket) -> None:
        """Have one of them run it."""
        self._queue.put(ticket)
        with self._lock:
            if self._idle == 0 and len(self._threads) < (os.cpu_count() or 1):
                thread = threading.Thread(target=self._work, name="seamless-hand", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            ticket = self._queue.get()
            with self._lock:
                self._idle -= 1
            self._run(ticket)
