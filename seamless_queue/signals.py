"""The one door to signal handlers: they are set for a while and put back."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from .errors import Interrupted

#: What asks a process to stop.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Linux, prctl(2).
PR_SET_PDEATHSIG = 1


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


class Overdue(BaseException):
    """The time is over that code in this thread had; not an Exception, so that nothing swallows it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise Overdue inside the block after so long; in the main thread."""

    def interrupt(_number: int) -> None:
        raise Overdue

    with handled(interrupt, signal.SIGALRM):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


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


def end_after_parent() -> None:
    """Have this process ended a second after the thread that started it, whatever it does by then. Linux only.

    Foreign code may hold the interpreter for ever, so that no Python can see to it. The kernel sends a signal when
    the parent dies. Its handler is alarm(2) itself, which is called with the signal's number: SIGHUP's is 1, a
    second. SIGALRM then ends the process, which had that second to tidy up.
    """
    if sys.platform.startswith("linux"):
        import ctypes

        library = ctypes.CDLL(None)
        library.signal.restype = ctypes.c_void_p
        library.signal(int(signal.SIGHUP), ctypes.cast(library.alarm, ctypes.c_void_p))
        library.prctl(PR_SET_PDEATHSIG, int(signal.SIGHUP), 0, 0, 0)
