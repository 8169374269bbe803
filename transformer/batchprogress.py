"""The progress of a TransformationList: a bar on a terminal (rich), a line in a notebook, or one at the end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console

    from .batches import TransformationList

#: It is redrawn no more often.
REDRAW_SECONDS = 0.1


class Display(Protocol):
    """Where progress is shown."""

    def show(self, ended: int, words: str) -> None:
        """So many have ended."""

    def close(self, text: str) -> None:
        """All that will have ended has; the last state in words."""


class Progress:
    """Shows how many have been yielded, and how many of them were cached or failed."""

    def __init__(self, transformations: TransformationList[Any]) -> None:
        from rich.console import Console

        self._list = transformations
        self._total = len(transformations)
        self._yielded = 0
        self._drawn = 0.0
        console = Console(file=sys.stderr)
        if console.is_jupyter:
            self._display: Display = CellLine(self._total)
        else:
            self._display = Bar(console, self._total) if console.is_terminal else LastLine()

    def advance(self) -> None:
        """One more has been yielded."""
        self._yielded += 1
        now = time.monotonic()
        if now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._display.show(self._yielded, self._words())

    def close(self) -> None:
        """Show it for the last time."""
        self._display.show(self._yielded, self._words())
        self._display.close(f"{self._yielded} of {self._total} transformations: {self._words()}")

    def _words(self) -> str:
        words = [f"{self._list.done} done"]
        if self._list.cached:
            words.append(f"{self._list.cached} cached")
        if self._list.failed:
            words.append(f"{self._list.failed} failed")
        return ", ".join(words)


class Bar:
    """A bar on a terminal."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        words = TextColumn("{task.description}")
        columns = (BarColumn(), MofNCompleteColumn(), words, TimeElapsedColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console)
        self._bar.start()
        self._task = self._bar.add_task("", total=total)

    def show(self, ended: int, words: str) -> None:
        """Draw it anew."""
        self._bar.update(self._task, completed=ended, description=words)

    def close(self, text: str) -> None:
        """Leave it as it is."""
        self._bar.stop()


class CellLine:
    """A line below a notebook's cell, which is written anew: rich's own bar would need widgets there."""

    def __init__(self, total: int) -> None:
        from IPython.display import display

        self._total = total
        # Without types where IPython has none.
        show: Any = display
        self._handle = show({"text/plain": ""}, raw=True, display_id=True)

    def show(self, ended: int, words: str) -> None:
        """Write it anew."""
        self._update(f"{ended} of {self._total} transformations: {words}")

    def close(self, text: str) -> None:
        """Write it for the last time."""
        self._update(text)

    def _update(self, text: str) -> None:
        self._handle.update({"text/plain": text}, raw=True)


class LastLine:
    """Nothing until the end: nobody looks on."""

    def show(self, ended: int, words: str) -> None:
        """Wait."""

    def close(self, text: str) -> None:
        """Say it."""
        print(text, file=sys.stderr)
