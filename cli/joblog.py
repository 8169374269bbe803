"""`seamless-status JOB --log`: what a job has written, both streams in the order of their writing.

12.3 | a line of standard output, 12.3 seconds after the start
12.3 ! a line of standard error
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

import click

from seamless_queue import streamlog
from seamless_queue.broker import joblogs
from seamless_queue.broker.attempts import Attempt, attempts_of
from seamless_queue.broker.finding import Match
from seamless_queue.broker.joblogs import Standing
from seamless_queue.broker.states import LIVE, JobState, Outcome
from seamless_queue.errors import BufferError_
from seamless_queue.recorder import Kept, decoded
from seamless_queue.store import Store

from .entry import say

NAME = "seamless-status"
#: How often a running job is looked at.
LOOK_SECONDS = 0.2
#: So much is read of a stream at once.
PIECE_BYTES = 1 << 20
SIGNS = ("|", "!")


def show(store: Store, match: Match, *, follow: bool = False) -> int:
    """Print the log of a job: of the attempt that counts, of a running one what there is by now."""
    job_id = match.job_id
    if job_id is None:
        job_id = _keyed(store, match, follow)
        if job_id is None:
            return 0
    standing = joblogs.standing(store.database, job_id)
    if standing.state is JobState.RUNNING or (follow and standing.state is JobState.READY):
        return _live(store, job_id, follow)
    found = attempts_of(store.database, job_id)
    shown = joblogs.to_show(found, standing.result)
    if shown is None:
        say(NAME, "it has not been run yet" if standing.state is JobState.READY else "nothing is kept of its run")
        return 0
    _tell_whose(store, match, shown, found)
    _print_kept(store, shown, Printer())
    return 0


def _keyed(store: Store, match: Match, follow: bool) -> int | None:
    """The job of a request that waits for its inputs, once there is one."""
    told = False
    while True:
        asker = joblogs.asker(store.database, match.request_id)
        if asker is None or asker.job_id is not None:
            return None if asker is None else asker.job_id
        if asker.state not in LIVE:
            say(NAME, f"it was never run: {asker.error or 'canceled'}")
            return None
        if not follow:
            say(NAME, "it has not been run yet: it waits for its inputs")
            return None
        if not told:
            say(NAME, "it waits for its inputs")
            told = True
        time.sleep(LOOK_SECONDS)


def _tell_whose(store: Store, match: Match, shown: Attempt, found: list[Attempt]) -> None:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(shown.started or shown.finished))
    how = {Outcome.DONE: "done", Outcome.TIMED_OUT: "timed out", Outcome.DIED: "its worker died"}.get(
        shown.outcome, shown.outcome.name.lower()
    )
    number = f"attempt {len(found) - found.index(shown)} of {len(found)}, " if len(found) > 1 else ""
    asker = joblogs.asker(store.database, match.request_id)
    if asker is not None and asker.created > shown.finished:
        say(NAME, f"answered from the store: this is the log of the run that made the result, {when}")
    say(NAME, f"{number}{how} after {shown.seconds:.1f} s, begun {when}")


# -- kept logs -----------------------------------------------------------------------------------
def _print_kept(store: Store, attempt: Attempt, printer: Printer, begin: tuple[int, int] = (0, 0)) -> None:
    marks = decoded(attempt.marks)
    totals = marks[-1][1:] if marks else (0, 0)
    streams = [
        _kept(store, checksum, total) for checksum, total in zip((attempt.stdout, attempt.stderr), totals, strict=True)
    ]
    before = begin
    for seconds, *sizes in marks:
        for number, (stream, size) in enumerate(zip(streams, sizes, strict=True)):
            printer.put(number, stream.between(before[number], size), seconds)
        before = (max(before[0], sizes[0]), max(before[1], sizes[1]))
    for number, stream in enumerate(streams):
        # Of a short command there are no marks.
        printer.put(number, stream.between(before[number], stream.total), None if not marks else marks[-1][0])
    printer.end()


def _kept(store: Store, checksum: str | None, total: int) -> Kept:
    if checksum is None:
        return Kept(b"", 0)
    try:
        content = store.buffers.read(checksum)
    except BufferError_ as exc:
        say(NAME, f"warning: {exc}")
        return Kept(b"", 0)
    return Kept(content, max(total, len(content)))


class Printer:
    """Lines of two streams, each whole, with the time and the sign of its stream."""

    def __init__(self) -> None:
        self._rest = [b"", b""]
        self._at: float | None = None

    def put(self, number: int, content: bytes, seconds: float | None) -> None:
        """Some more of a stream, written by this time."""
        if not content:
            return
        self._at = seconds
        *lines, self._rest[number] = (self._rest[number] + content).split(b"\n")
        self._print(number, lines)

    def end(self) -> None:
        """Last lines without a line end."""
        for number, rest in enumerate(self._rest):
            self._print(number, [rest] if rest else [])
        self._rest = [b"", b""]
        sys.stdout.flush()

    def _print(self, number: int, lines: Iterable[bytes]) -> None:
        at = "" if self._at is None else f"{self._at:.1f}"
        for line in lines:
            click.echo(f"{at:>7} {SIGNS[number]} {_clean(line)}")


def _clean(line: bytes) -> str:
    """A line that does nothing to a terminal; of a progress bar its last state."""
    text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
    return "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in text)


# -- running jobs --------------------------------------------------------------------------------
def _live(store: Store, job_id: int, follow: bool) -> int:
    told = False
    while True:
        standing = joblogs.standing(store.database, job_id)
        if standing.state is JobState.RUNNING and standing.worker_id is not None:
            told = False
            if not _attempt(store, job_id, standing, follow):
                return 0
        elif standing.state is JobState.READY and follow:
            if not told:
                say(NAME, "it waits to be run")
                told = True
            time.sleep(LOOK_SECONDS)
        else:
            return 0


def _attempt(store: Store, job_id: int, standing: Standing, follow: bool) -> bool:
    """Print one attempt while it goes on; False if that is all that is to be printed."""
    # When that was written which is there already nobody knows, as long as it runs.
    printer, places, at = Printer(), (0, 0), None
    files = _opened(store, standing)
    say(NAME, "it runs now" + ("" if files else ": what it writes is kept when it ends"))
    try:
        while True:
            files = files or _opened(store, standing)
            for number, file in enumerate(files):
                for piece in _pieces(file):
                    printer.put(number, piece, at)
            sys.stdout.flush()
            at = time.time() - (standing.started or time.time())
            if not follow:
                printer.end()
                return False
            now = joblogs.standing(store.database, job_id)
            if now.state is not JobState.RUNNING or now.fence != standing.fence:
                places = tuple(file.tell() for file in files) if files else (0, 0)  # type: ignore[assignment]
                break
            time.sleep(LOOK_SECONDS)
    finally:
        for file in files:
            file.close()
    ended = [one for one in attempts_of(store.database, job_id) if one.fence == standing.fence]
    if ended:
        _print_kept(store, ended[0], printer, places)
        say(NAME, f"{ended[0].outcome.name.lower()} after {ended[0].seconds:.1f} s")
    return joblogs.standing(store.database, job_id).state in (JobState.READY, JobState.RUNNING)


def _opened(store: Store, standing: Standing) -> list[BinaryIO]:
    """The files that the job of a worker of this machine writes to."""
    paths = streamlog.files_of(store, standing.worker_id or 0)
    with suppress(OSError):
        return [open(path, "rb", buffering=0) for path in paths or ()]
    return []


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with suppress(OSError):
        while piece := os.read(file.fileno(), PIECE_BYTES):
            yield piece
