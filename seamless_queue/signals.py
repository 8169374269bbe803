"""The one door to signal handlers: they are set for a while and put back.

What Ctrl-C raises it may raise between any two steps: after a transaction was begun and before anybody sees to its
end, or inside a lock of the standard library that is then never let go. So where our own code runs in the main
thread such signals are put off (`uninterrupted`), and let through where it waits, or runs the code of others
(`interruptible`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from .errors import Interrupted

#: What asks a process to stop.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: What the standard module is a face of, which looks for each handler in an enumeration first: that would cost more
#: than a result that is known.
_quick: Any = sys.modules.get("_signal", signal)
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


#: A second signal is not put off: whoever asks again after so long does not want to wait.
PATIENCE_SECONDS = 0.5


class _Hold:
    """What the main thread puts off, and the handlers that are to be called in the end."""

    def __init__(self) -> None:
        #: None outside of every block
        self.holds: bool | None = None
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._noted: dict[int, float] = {}

    def begin(self) -> None:
        """The outermost block begins."""
        self.holds = True
        for number in STOP_SIGNALS:
            handler = _quick.getsignal(number)
            if callable(handler) and handler != self._note:
                self._handlers[number] = handler
                _quick.signal(number, self._note)

    def end(self) -> None:
        """It ends: what was put off comes now."""
        handlers = dict(self._handlers)
        try:
            for number, handler in handlers.items():
                found = _quick.signal(number, handler)
                if found != self._note:
                    # Code of others has set its own, for good.
                    _quick.signal(number, found)
                del self._handlers[number]
        except BaseException:
            # One has come just now.
            self._noted.clear()
            raise
        finally:
            self.holds = None
        self._call(handlers)

    def let_through(self) -> None:
        """What was put off comes now."""
        self._call(self._handlers)

    def _call(self, handlers: dict[int, Callable[[int, FrameType | None], Any]]) -> None:
        noted = list(self._noted)
        self._noted.clear()
        for number in noted:
            handlers[number](number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.holds and now - self._noted.setdefault(number, now) < PATIENCE_SECONDS:
            return
        self._noted.pop(number, None)
        self._handlers[number](number, frame)


_hold = _Hold()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off what asks this process to stop until the block ends; only signals with a handler in Python.

    A second one, half a second after the first, is not put off. Does nothing outside of the main thread.
    """
    before = _hold.holds
    if before or threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        if before is None:
            _hold.begin()
        _hold.holds = True
        yield
    finally:
        if before is None:
            _hold.end()
        else:
            _hold.holds = before
            _hold.let_through()


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside `uninterrupted`: let signals through, at once and until the block ends."""
    if not _hold.holds or threading.current_thread() is not threading.main_thread():
        yield
        return
    _hold.holds = False
    try:
        _hold.let_through()
        yield
    finally:
        _hold.holds = True


#: Those that code of others sets for itself; not SIGHUP, whose handler may be no Python (`end_after_parent`).
OTHERS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2)


def handlers() -> list[Any]:
    """The handlers that code of others may put its own in the place of."""
    return [_quick.getsignal(number) for number in OTHERS]


def put_back(former: list[Any]) -> None:
    """Have these handlers again; a timer whose handler was set since then does not go off any more."""
    for number, handler in zip(OTHERS, former, strict=True):
        # None: it is no Python. Only the main thread may, but only its code could have.
        if handler is not None and _quick.getsignal(number) != handler:
            if number == signal.SIGALRM:
                signal.setitimer(signal.ITIMER_REAL, 0)
            with suppress(ValueError):
                _quick.signal(number, handler)


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
