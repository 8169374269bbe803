"""What hosts of jobs without a parent have in common (clerk.Host): nobody to listen to, nobody to tell."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext


class Parentless:
    """A process that runs jobs in its own name: an inline command, a Python session."""

    def minding(self, *, python: bool) -> AbstractContextManager[None]:
        """There is no parent to listen to."""
        return nullcontext()

    @property
    def streams(self) -> None:
        """Output goes where the process's own goes."""

    def before_nested(self) -> None:
        """Nobody waits for this process to go on."""

    def announce(self) -> None:
        """Nobody else claims from this lane."""
