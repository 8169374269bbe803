"""Blocking calls and event loops."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

#: What to do instead.
REMEDY = "`await tf.task()` or `await tf.computation()`, where tf is the call of a `delayed` function"


def refuse_to_block(method: str, remedy: str = REMEDY) -> None:
    """RuntimeError inside a running event loop, with what to do instead."""
    if would_block():
        raise RuntimeError(f"{method} would block the running event loop; use {remedy}")


def would_block() -> bool:
    """Whether to wait here would stop everything else in an event loop; in a notebook that is what a cell does."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None and "ipykernel" not in sys.modules


def set_if_waited_for(future: asyncio.Future[None]) -> None:
    """Wake who waits for a future, if it still does."""
    if not future.done():
        future.set_result(None)


#: How the same is had without blocking.
