"""Progress of long work: drawn on a terminal from the moment on when somebody may wonder, and nothing elsewhere.

Before that moment nothing is imported for it. After an interruption nothing of it is left on the screen.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

    from seamless_queue.finish import Progress as Draining

#: What is done sooner is not shown.
DELAY_SECONDS = 0.5
#: It is given new numbers no more often, and drawn this often: a drawing takes about a millisecond.
UPDATE_SECONDS = 0.1
DRAWINGS_PER_SECOND = 4
#: In a narrower terminal only the most important is shown.
NARROW_COLUMNS = 60
#: Always free at the right.
ROOM_COLUMNS = 3
#: Without a terminal, `seamless-queue-finish` prints a line at most this often.
LINE_SECONDS = 5.0

Advance = Callable[[int], None]
Show = Callable[["Draining"], None]


def is_watched(quiet: bool) -> bool:
    """Whether somebody looks on who wants to see progress."""
    return not quiet and sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


class Bar:
    """Progress that is drawn if it takes long; `columns` are made of the terminal's width."""

    def __init__(
        self, columns: Callable[[int], list[ProgressColumn]], total: int | None, *, quiet: bool, stays: bool = False
    ) -> None:
        self._columns = columns
        self._is_watched = is_watched(quiet)
        self._stays = stays
        self._next = time.monotonic() + DELAY_SECONDS
        self._began = time.monotonic()
        self._stack = ExitStack()
        self._drawn: Progress | None = None
        self.done, self.total, self.words = 0, total, ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(stays=self._stays and kind is None)

    def advance(self, count: int) -> None:
        """So much more is done."""
        self.done += count
        self.update()

    def update(self) -> None:
        """Draw it anew, if it is time."""
        if self._is_watched and time.monotonic() >= self._next:
            self._next = time.monotonic() + UPDATE_SECONDS
            self._draw()

    def stop(self, *, stays: bool = False) -> None:
        """Take it off the screen, or leave its last state there."""
        if self._drawn is not None:
            if stays:
                self._draw()
            self._drawn.live.transient = not stays
        self._stack.close()
        self._drawn = None

    def clear(self) -> None:
        """Make room for a line of text; the next drawing comes below it."""
        if self._drawn is not None:
            os.write(2, b"\r\x1b[2K")

    def _draw(self) -> None:
        if self._drawn is None:
            self._drawn = self._begin()
        task = self._drawn.task_ids[0]
        self._drawn.update(task, completed=self.done, total=self.total, words=self.words)

    def _begin(self) -> Progress:
        from rich.console import Console

        from seamless_queue.signals import interrupting

        console = Console(stderr=True)
        # So that the cursor is shown again, whatever ends us.
        self._stack.enter_context(interrupting())
        drawn = _narrowed(console)(
            *self._columns(console.width),
            console=console,
            transient=True,
            refresh_per_second=DRAWINGS_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        drawn.add_task("", total=self.total, words=self.words)
        # It has been going on for longer than it is shown.
        drawn.tasks[0].start_time = drawn.get_time() - (time.monotonic() - self._began)
        # In this order: an interruption may come at once.
        self._stack.callback(drawn.stop)
        drawn.start()
        return drawn


def _narrowed(console: Console) -> type[Progress]:
    """Leaves room at the right for what the terminal shows of Ctrl-C: else that would begin a line of its own."""
    from rich.console import RenderableType
    from rich.constrain import Constrain
    from rich.progress import Progress

    class Narrowed(Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            for one in super().get_renderables():
                yield Constrain(one, max(1, console.width - ROOM_COLUMNS))

    return Narrowed


# -- kinds of bars ----------------------------------------------------------------------------
def of_bytes(title: str, size: int | None, quiet: bool) -> Bar:
    """Bytes that are read, written or hashed; of unknown number if `size` is None."""

    def columns(width: int) -> list[ProgressColumn]:
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

        if width < NARROW_COLUMNS:
            return [_text(title), DownloadColumn()]
        return [_text(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()]

    return Bar(columns, size, quiet=quiet)


def of_items(title: str, total: int | None, quiet: bool, *, stays: bool = False) -> Bar:
    """Things that are counted, with a few words about them."""

    def columns(width: int) -> list[ProgressColumn]:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

        if width < NARROW_COLUMNS:
            return [_text(title), MofNCompleteColumn(), _text("{task.fields[words]}")]
        return [
            _text(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            _text("{task.fields[words]}"),
        ]

    return Bar(columns, total, quiet=quiet, stays=stays)


def of_waiting(quiet: bool) -> Bar:
    """Nothing to count: what is waited for, and for how long."""

    def columns(width: int) -> list[ProgressColumn]:
        from rich.progress import SpinnerColumn, TimeElapsedColumn

        words = _text("{task.fields[words]}")
        return [words] if width < NARROW_COLUMNS else [SpinnerColumn(), TimeElapsedColumn(), words]

    return Bar(columns, None, quiet=quiet)


def _text(text: str) -> ProgressColumn:
    from rich.progress import TextColumn
    from rich.table import Column

    return TextColumn(text, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))


@contextmanager
def shown(title: str, files: int, size: int, quiet: bool) -> Iterator[Advance]:
    """Yields what is to be called with every number of bytes that is done."""
    with of_bytes(title, size, quiet) as bar:
        yield bar.advance


# -- draining a queue -------------------------------------------------------------------------
@contextmanager
def draining(quiet: bool) -> Iterator[Show]:
    """Yields what is to be called with every new state: a bar on a terminal, now and then a line elsewhere."""
    if quiet or is_watched(quiet):
        with of_items("queue", None, quiet, stays=True) as bar:
            yield lambda state: _show(bar, state)
    else:
        yield _lines()


def _show(bar: Bar, state: Draining) -> None:
    bar.done, bar.total, bar.words = state.ended, state.total, describe(state)
    bar.update()


def _lines() -> Show:
    last = 0.0

    def show(state: Draining) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS and state.total:
            last = now
            print(f"{state.ended}/{state.total} {describe(state)}", file=sys.stderr, flush=True)

    return show


def describe(state: Draining) -> str:
    """What is left, in words."""
    if state.paused:
        return f"paused: {state.paused}"
    counts = state.counts
    words = [
        (counts.running, "running"),
        (counts.queued - counts.running, "queued"),
        (counts.waiting, "waiting"),
    ]
    return ", ".join(f"{count} {word}" for count, word in words if count > 0) or "waits for the server and its hooks"
