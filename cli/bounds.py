"""Numbers as options take them: finite, and small enough for the database, the clock and the machine."""

from __future__ import annotations

import math
from typing import Any

import click

from seamless_queue.workercount import most_workers

#: Some thirty years: what waits for longer waits for ever, without the option.
MOST_SECONDS = 1e9
#: More of anything than anybody has.
MOST = 1_000_000_000
#: A hundred petabytes, in bytes.
MOST_MEMORY = 10**17


class _Seconds(click.FloatRange):
    """A duration; click takes `nan` for a number in any range."""

    def __init__(self, *, or_none: bool) -> None:
        super().__init__(min=0, max=MOST_SECONDS, min_open=not or_none)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


#: For how long something may go on; for how long to wait, maybe not at all.
SECONDS, SECONDS_OR_NONE = _Seconds(or_none=False), _Seconds(or_none=True)
PRIORITY = click.IntRange(-MOST, MOST)
#: How often, how much of something, how many rows.
COUNT, POSITIVE_COUNT = click.IntRange(0, MOST), click.IntRange(1, MOST)
WORKERS = click.IntRange(1, most_workers())
