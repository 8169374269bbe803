"""The live dashboard of `seamless-status`.

app        the loop: keys, fetch, draw
source  ─▶ survey, part by part, as often as each may cost
sampling   what workers use, how large the store is: in a thread of its own
view       what the person has chosen: selection, filter, order, screen
screens ─▶ canvas ─▶ rich
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seamless_queue.broker.overview import Filter
    from seamless_queue.settings import Settings


def show(configured: Settings, wanted: Filter) -> int:
    """Show the dashboard until its user has seen enough."""
    from .app import run

    return run(configured, wanted)
