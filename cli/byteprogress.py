"""A progress bar for bytes, on a terminal, where there is enough to wait for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Less than this is done before a bar could be read.
WORTH_BYTES, WORTH_FILES = 64 << 20, 2000

Advance = Callable[[int], None]


@contextmanager
def shown(title: str, files: int, size: int, quiet: bool) -> Iterator[Advance]:
    """Yields what is to be called with every number of bytes that is done."""
    is_worth = size >= WORTH_BYTES or files >= WORTH_FILES
    if quiet or not is_worth or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=5) as bar:
        task = bar.add_task(title, total=size)
        yield lambda size: bar.advance(task, size)
