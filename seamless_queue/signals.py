"""The one door to signal handlers: they are set for a while and put back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from .errors import Interrupted

#: What asks a process to stop.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(handler: Callable[[int], None], *numbers: int) -> Iterator[None]:
    """Call `handler(number)` for these signals inside the block; an ignored SIGHUP (nohup) stays so."""

    def call(number: int, _frame: FrameType | None) -> None:
        handler(number)

    taken = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    old = {number: signal.signal(number, call) for number in taken}
    try:
        yield
    finally:
        for number, previous in old.items():
            signal.signal(number, previous)


@contextmanager
def interrupting() -> Iterator[None]:
    """Raise Interrupted inside the block when this process is asked to stop; once, so that cleaning up can end."""

    raised = False

    def interrupt(number: int) -> None:
        nonlocal raised
        if not raised:
            raised = True
            raise Interrupted(number)

    with handled(interrupt, *STOP_SIGNALS):
        yield


@contextmanager
def waking() -> Iterator[int]:
    """A descriptor that becomes readable when any handled signal arrives."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
    old = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(old)
        os.close(reader)
        os.close(writer)


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    return reader, writer
