"""The terminal while the dashboard has it: alternate screen, no cursor, single keys; afterwards it is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.live import Live

from .canvas import Canvas
from .keyboard import Keyboard


class Terminal:
    """Draws with rich, reads keys, and can be left for a while."""

    def __init__(self, console: Console, keyboard: Keyboard) -> None:
        self.keyboard = keyboard
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Terminal:
        self.keyboard.__enter__()
        try:
            self._start()
        except BaseException:
            self.keyboard.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stop()
        finally:
            self.keyboard.__exit__()

    @contextmanager
    def left(self) -> Iterator[None]:
        """Inside the block it is the shell's."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def show(self, canvas: Canvas) -> None:
        """Draw a screen."""
        assert self._live is not None
        self._live.update(canvas, refresh=True)

    def clear(self) -> None:
        """Forget what may stand there."""
        self._console.clear()

    def _start(self) -> None:
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            # A terminal that has gone needs no farewell.
            with suppress(OSError):
                live.stop()
