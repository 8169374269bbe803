"""How `seamless-queue-finish` shows progress: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from seamless_queue.finish import Progress

#: Without a terminal, a line at most this often.
LINE_SECONDS = 5.0

Show = Callable[[Progress], None]


@contextmanager
def shown(quiet: bool) -> Iterator[Show]:
    """Yields what is to be called with every new state."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("queue"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Bar(*columns, console=Console(stderr=True), refresh_per_second=5) as bar:
        task = bar.add_task("queue", total=None, state="")
        yield lambda progress: bar.update(
            task, completed=progress.ended, total=progress.total, state=describe(progress)
        )


def _lines() -> Show:
    last = 0.0

    def show(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS and progress.total:
            last = now
            print(f"{progress.ended}/{progress.total} {describe(progress)}", file=sys.stderr, flush=True)

    return show


def describe(progress: Progress) -> str:
    """What is left, in words."""
    if progress.paused:
        return f"paused: {progress.paused}"
    counts = progress.counts
    words = [
        (counts.running, "running"),
        (counts.queued - counts.running, "queued"),
        (counts.waiting, "waiting"),
    ]
    return ", ".join(f"{count} {word}" for count, word in words if count > 0)
