"""Points in time as people write them on a command line."""

from __future__ import annotations

import time

import click


def since(text: str) -> float:
    """Seconds since the epoch: so long ago, or a date and time of day here; UsageError if it is neither."""
    from seamless_queue.care.sizes import duration
    from seamless_queue.errors import ConfigurationError

    try:
        return max(0.0, time.time() - duration(text))
    except ConfigurationError:
        pass
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"--since wants 90s, 10m, 2h, 3d or a date such as 2026-01-31, not {text!r}") from None
