"""What a queue server prints: one line per start and end of a job."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from seamless_queue.broker.states import Outcome
from seamless_queue.events import Event, EventKind

if TYPE_CHECKING:
    from rich.console import Console

#: rich styles by what is told.
STYLES = {
    EventKind.STARTED: "dim",
    EventKind.REQUEST_FAILED: "red",
    EventKind.WORKER_DIED: "bold red",
    EventKind.PAUSED: "bold yellow",
    EventKind.RESUMED: "green",
}
OUTCOME_WORDS = {
    Outcome.DONE: "done",
    Outcome.FAILED: "failed",
    Outcome.CANCELED: "canceled",
    Outcome.RELEASED: "given back",
    Outcome.TIMED_OUT: "timed out",
    Outcome.DIFFERED: "differed",
}


class ServerLog:
    """Prints events: with rich on a terminal, plainly elsewhere and into a log file."""

    def __init__(self, *, quiet: bool, verbose: bool, path: str | None) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._file: TextIO | None = open(path, "a", buffering=1, encoding="utf-8") if path else None  # noqa: SIM115
        self._console = None if quiet else _console()

    def __enter__(self) -> ServerLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def show(self, event: Event) -> None:
        """Print an event."""
        line = describe(event, self._verbose)
        if self._file is not None:
            self._file.write(f"{time.strftime('%Y-%m-%d')} {line}\n")
        if self._console is not None:
            self._console.print(line, style=_style(event), markup=False, highlight=False, soft_wrap=True)
        elif not self._quiet:
            _print(line)


def _console() -> Console | None:
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from rich.console import Console

    return Console()


def _print(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        # Nobody reads any more; the queue goes on.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def describe(event: Event, verbose: bool = False) -> str:
    """An event as one line."""
    clock = time.strftime("%H:%M:%S")
    if event.kind not in (EventKind.STARTED, EventKind.ENDED):
        about = f" ({event.command})" if event.command else ""
        return f"{clock} {event.kind.value}{': ' if event.text else ''}{event.text}{about}"
    word = "started" if event.outcome is None else OUTCOME_WORDS[event.outcome]
    job = event.job if verbose else event.job[:10]
    parts = [clock, f"{word:<9}", f"#{event.request}", job]
    if event.kind is EventKind.ENDED:
        parts.append(f"{event.seconds:.2f} s")
    parts.append(event.command)
    parts.append(_remark(event))
    return " ".join(part for part in parts if part)


def _remark(event: Event) -> str:
    """What went wrong, and what that means for others."""
    remarks = [event.text]
    if event.again and event.outcome is not Outcome.CANCELED:
        remarks.append("will be run again")
    if event.failed > 1:
        remarks.append(f"{event.failed - 1} more requests fail with it")
    text = "; ".join(remark for remark in remarks if remark)
    return f"[{text}]" if text else ""


def _style(event: Event) -> str | None:
    if event.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
        return "red"
    if event.outcome is Outcome.DONE:
        return "green"
    return STYLES.get(event.kind)
