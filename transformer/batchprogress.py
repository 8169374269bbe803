"""The progress bar of a TransformationList, drawn by rich: on a terminal, in a notebook, or a line at the end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batches import TransformationList
    from .transformation import Transformation

#: The bar is redrawn no more often.
REDRAW_SECONDS = 0.1


class Progress:
    """Shows how many have been yielded, and how many of them were cached or failed."""

    def __init__(self, transformations: TransformationList[Any]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._list = transformations
        self._total = len(transformations)
        console = Console(file=sys.stderr)
        self._is_live = console.is_terminal or console.is_jupyter
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Bar(*columns, TimeRemainingColumn(), console=console, disable=not self._is_live)
        self._bar.start()
        self._task = self._bar.add_task("", total=self._total)
        self._yielded = 0
        self._drawn = 0.0

    def advance(self, one: Transformation[Any]) -> None:
        """One more has been yielded."""
        self._yielded += 1
        now = time.monotonic()
        if now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._draw()

    def close(self) -> None:
        """Draw it for the last time."""
        self._draw()
        self._bar.stop()
        if not self._is_live:
            print(f"{self._yielded} of {self._total} transformations: {self._words()}", file=sys.stderr)

    def _draw(self) -> None:
        self._bar.update(self._task, completed=self._yielded, description=self._words())

    def _words(self) -> str:
        words = [f"{self._list.done} done"]
        if self._list.cached:
            words.append(f"{self._list.cached} cached")
        if self._list.failed:
            words.append(f"{self._list.failed} failed")
        return ", ".join(words)
