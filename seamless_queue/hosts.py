"""Hosts of jobs without a parent (clerk.Host): nobody to listen to, nobody to tell."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from . import workdir
from .broker.states import Outcome
from .gate import LOOK_SECONDS
from .lane import Lane, Ticket

if TYPE_CHECKING:
    from .pythonsession import PythonSession
    from .streams import CapturedStreams


class Parentless:
    """A process that runs jobs in its own name: an inline command, a Python session."""

    def minding(self, *, python: bool) -> AbstractContextManager[None]:
        """There is no parent to listen to."""
        return nullcontext()

    @property
    def streams(self) -> CapturedStreams | None:
        """Output goes where the process's own goes."""

    def before_nested(self) -> None:
        """Nobody waits for this process to go on."""

    def recomputing(self) -> AbstractContextManager[None]:
        """Nobody looks on, and no time is kept."""
        return nullcontext()

    def begin_afresh(self) -> None:
        """There is no other process."""

    def announce(self) -> None:
        """Nobody else claims from this lane."""


class Here(Parentless):
    """The caller's own process as the host of jobs that its threads run (clerk.Host, processes.Watch)."""

    #: so often the wait for a command is left for a moment: see gate.LOOK_SECONDS
    interval: float | None = LOOK_SECONDS
    shows_result = False

    def __init__(self, session: PythonSession) -> None:
        self._session = session
        self._never, self._end = os.pipe()

    @property
    def workplace(self) -> workdir.Workplace:
        """A place for one command; threads do not share it."""
        return workdir.Workplace(self._session.store.work, self._session.worker_id, reuse=False)

    @property
    def watch(self) -> Here:
        """Nobody speaks to a command that runs here but Ctrl-C."""
        return self

    @property
    def lane(self) -> Lane:
        """The session's."""
        return self._session.lane

    def announce(self) -> None:
        """The session's workers may have something to do."""
        self._session.wake_workers()

    def wait_for(self, ticket: Ticket) -> None:
        """Wait for a job that another thread or process runs."""
        self._session.watch_others()
        ticket.wait()

    def fileno(self) -> int:
        """Never readable."""
        return self._never

    def check(self) -> Outcome | None:
        """Nothing stops it."""
        return None

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Nobody looks on."""

    def see_out(self) -> None:
        """The same."""

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._never)
        os.close(self._end)
