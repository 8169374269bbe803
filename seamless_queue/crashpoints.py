"""Named places where a test can have a process killed, as if by `kill -9` at the worst moment.

Nothing happens unless SEAMLESS_CRASH_AT names the place (`NAME` or `NAME:N` for the N-th time).
"""

from __future__ import annotations

import os
import signal

_wanted, _, _count = os.environ.get("SEAMLESS_CRASH_AT", "").partition(":")
_left = int(_count or 1)


def reached(name: str) -> None:
    """Die here if a test asked for it."""
    global _left
    if name != _wanted:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
