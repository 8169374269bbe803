"""A worker's parent, as the worker speaks to it: what has happened goes up, orders come down.

Messages are told by any of the worker's threads, under the worker's lock. The parent is pool.WorkerPool.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .attempt import Done
from .broker.records import Consequences
from .broker.work import Finished, Running
from .channel import Channel, Message
from .staged import Staged

#: How long a worker that leaves waits for its last words to be taken.
LAST_WORDS_SECONDS = 1.0
#: A result as short as this is told to the parent at once.
TOLD_BYTES = 1000


class Parent:
    """Who has started this worker, and may be dead."""

    def __init__(self, channel: Channel, lock: Any, *, quiet: bool) -> None:
        self._channel = channel
        self._lock = lock
        #: the parent wants outcomes only
        self._quiet = quiet
        self._process_id = os.getppid()
        #: threads of the current job's code that wait for jobs of others
        self._waiting = 0
        #: told when the parent says that something has ended
        self.news = threading.Condition()

    # -- listening ----------------------------------------------------------------------------
    def fileno(self) -> int:
        """Becomes readable when the parent speaks, or dies."""
        return self._channel.fileno()

    @property
    def is_dead(self) -> bool:
        """Whether it is, although a fork of it may still hold the other end of the channel."""
        return os.getppid() != self._process_id

    def wait_for_words(self, seconds: float) -> bool:
        """Wait until it speaks; whether it has."""
        poller = select.poll()
        poller.register(self._channel.fileno(), select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def orders(self) -> list[str]:
        """What it has said since; news go to whoever waits for them. EOFError if it is dead."""
        given = [message["order"] for message in self._channel.receive_nowait()]
        if "look" in given:
            with self.news:
                self.news.notify_all()
        return [order for order in given if order not in ("look", "wake")]

    def close(self) -> None:
        """Speak no more."""
        self._channel.close()

    # -- what a worker says of itself -----------------------------------------------------------
    def greet(self, worker_id: int) -> None:
        """This worker is there."""
        self._send({"event": "hello", "worker": worker_id})

    def say_idle(self) -> None:
        """It has nothing to do."""
        self._send({"event": "idle"})

    def say_ready(self) -> None:
        """There are jobs to be claimed by others."""
        self._send({"event": "ready"})

    def say_full(self) -> None:
        """It has met a full disk."""
        self._send({"event": "full"})

    def say_bye(self) -> None:
        """It leaves, and owes nothing."""
        self._send({"event": "bye"})
        self._channel.flush(LAST_WORDS_SECONDS)

    def leave_amid(self, jobs: list[tuple[Running, Finished]]) -> None:
        """It leaves in the middle of these, which the parent is to publish once it has seen it dead (pool.Death)."""
        self._send({"event": "leaving", "jobs": [_leaving(running, finished) for running, finished in jobs]})
        self._channel.flush(LAST_WORDS_SECONDS)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The current job's code waits for jobs of others meanwhile, and needs no processor.

        Of several threads that wait the first one says so, and the last one takes it back.
        """
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._channel.send({"event": "blocked"})
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._channel.send({"event": "unblocked"})

    # -- what it says of jobs -------------------------------------------------------------------
    def tell_started(self, running: Running) -> None:
        """A job has been begun, if anybody wants to know."""
        if not self._quiet:
            self._send({"event": "started", **_about(running)})

    def tell_ended(self, outcomes: list[tuple[Done, Finished, Consequences]]) -> None:
        """These have been published."""
        self._send(*(_ended(done, finished, each, self._content(done)) for done, finished, each in outcomes))

    def tell_published(self, running: Running, finished: Finished, consequences: Consequences) -> None:
        """A job that was a part of the current one, or was not run at all, has ended."""
        self._send(_ended(Done(running, finished, Staged(), 0.0), finished, consequences, None))

    def tell_withdrawn(self, job_id: int | None) -> None:
        """The current job's code has taken a wish back: another worker may have to stop."""
        self._send({"event": "withdrawn", "id": job_id})

    def tell_failure(self, request_id: int, error: str) -> None:
        """A request has failed without a job of its own having done so."""
        self._send({"event": "failed", "request": request_id, "error": error})

    def _send(self, *messages: Message) -> None:
        with self._lock:
            self._channel.send(*messages)

    def _content(self, done: Done) -> str | None:
        """The result itself, if it is a short text and the parent is the one who wants it: that spares it a read."""
        content = done.staged.small.get(done.finished.result or "") if self._quiet else None
        if content is None or len(content) > TOLD_BYTES:
            return None
        try:
            return content.decode()
        except UnicodeDecodeError:
            return None


def _ended(done: Done, finished: Finished, consequences: Consequences, content: str | None) -> Message:
    return {
        "event": "ended",
        **_about(done.running),
        "outcome": finished.outcome.value,
        "result": finished.result,
        "content": content,
        "error": finished.error,
        "exit_code": finished.exit_code,
        "stdout": finished.stdout,
        "stderr": finished.stderr,
        "seconds": done.seconds,
        "again": consequences.again,
        "differed": consequences.differed,
        "failed": consequences.failed,
    }


def _leaving(running: Running, finished: Finished) -> Message:
    message = _ended(Done(running, finished, Staged(), 0.0), finished, Consequences(), None)
    return {**message, "fence": running.fence}


def _about(running: Running) -> Message:
    return {
        "id": running.job_id,
        "job": running.checksum,
        "request": running.request_id,
        "command": running.command,
    }
