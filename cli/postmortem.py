"""Why an attempt failed: how it ended in words, what it used, its last lines, and how to see it again by hand."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import click

from seamless_queue import machine
from seamless_queue.broker import joblogs
from seamless_queue.broker.attempts import Attempt, attempts_of
from seamless_queue.broker.finding import Match
from seamless_queue.broker.states import Outcome
from seamless_queue.care.sizes import readable
from seamless_queue.errors import BufferError_, SeamlessError
from seamless_queue.store import Store

from .statustext import clean, duration

#: So many of the last lines of standard error are shown.
LAST_LINES = 20
#: Above this share of all memory an end by SIGKILL is put down to it.
MUCH_MEMORY = 0.8
#: The kernel writes its log a moment later, and so do we.
LATER_SECONDS = 3.0
#: What a shell says with its exit codes.
SHELL_CODES = {
    126: "the command was found, but cannot be executed",
    127: "the command was not found",
    2: "often: wrong usage, or a file that is missing",
}
SIGNALS = {
    signal.SIGSEGV: "it touched memory that is not its own: a bug of the program",
    signal.SIGBUS: "memory behind a file had gone, or a disk or /dev/shm was full",
    signal.SIGFPE: "a division by zero in integers, or the like",
    signal.SIGABRT: "it gave up by itself: an assertion, or memory that could not be had",
    signal.SIGILL: "it was built for another processor",
    signal.SIGXCPU: "it used more processor time than ulimit -t allows",
    signal.SIGXFSZ: "it wrote a larger file than ulimit -f allows",
    signal.SIGPIPE: "nobody read what it wrote",
    signal.SIGTERM: "somebody asked it to end",
}
_BY_SIGNAL = re.compile(r"killed by (SIG\w+|signal \d+)")


class PostMortem(NamedTuple):
    """What is known of a failed attempt."""

    outcome: Outcome
    #: how it ended
    how: str
    #: what that means; None if that is plain
    meaning: str | None
    exit_code: int | None
    signal: str | None
    #: whether the kernel's want of memory is the likely reason
    out_of_memory: bool
    #: seconds
    wall_time: float
    processor_time: float | None
    peak_memory: int | None
    last_lines: list[str]


def examine(store: Store, job_id: int) -> PostMortem | None:
    """The newest attempt at a job; None if it has failed before it was run."""
    found = attempts_of(store.database, job_id, 1)
    return _examine(store, found[0]) if found else None


def _examine(store: Store, attempt: Attempt) -> PostMortem:
    number = _signal_of(attempt)
    starved = number == signal.SIGKILL and attempt.outcome in (Outcome.FAILED, Outcome.DIED) and _is_starved(attempt)
    processor = None if attempt.user_time is None else attempt.user_time + (attempt.system_time or 0.0)
    return PostMortem(
        outcome=attempt.outcome,
        how=_how(attempt),
        meaning=_meaning(attempt, number, starved),
        exit_code=attempt.exit_code,
        signal=None if number is None else _name(number),
        out_of_memory=starved or _python_lacked_memory(attempt),
        wall_time=attempt.seconds,
        processor_time=processor,
        peak_memory=attempt.peak_memory or None,
        last_lines=_last_lines(store, attempt.stderr),
    )


def _signal_of(attempt: Attempt) -> int | None:
    """The signal that ended it: told by the system, by a shell (128 and more), or of the worker's death."""
    if attempt.exit_code is not None and attempt.exit_code < 0:
        return -attempt.exit_code
    if attempt.exit_code is not None and 128 < attempt.exit_code < 128 + 65:
        return attempt.exit_code - 128
    named = _BY_SIGNAL.search(attempt.error or "")
    if named is not None:
        with suppress(KeyError, ValueError):
            text = named[1]
            return int(text.split()[1]) if text.startswith("signal") else signal.Signals[text].value
    return None


def _name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _how(attempt: Attempt) -> str:
    error = (attempt.error or "").partition("\n")[0]
    if attempt.outcome is Outcome.CANCELED:
        return "canceled: it was stopped because nobody wanted it any more"
    if attempt.outcome is Outcome.TIMED_OUT:
        return f"{error or 'timed out'}: it was stopped by its time limit"
    return error or (
        f"exit code {attempt.exit_code}" if attempt.exit_code is not None else attempt.outcome.name.lower()
    )


def _meaning(attempt: Attempt, number: int | None, starved: bool) -> str | None:
    if attempt.outcome in (Outcome.CANCELED, Outcome.TIMED_OUT):
        return None
    if number == signal.SIGKILL:
        return _who_killed(attempt, starved)
    if number is not None:
        # A number above 128 need not come from a shell.
        perhaps = "as a shell says it: " if (attempt.exit_code or 0) > 128 else ""
        return f"{perhaps}{_name(number)}" + (f", {SIGNALS[number]}" if number in SIGNALS else "")  # type: ignore[index]
    return SHELL_CODES.get(attempt.exit_code or 0)


def _who_killed(attempt: Attempt, starved: bool) -> str:
    used, there = attempt.peak_memory or 0, machine.memory()
    if starved:
        return f"likely out of memory: the kernel kills then; its peak was {readable(used)} of {readable(there)}"
    return (
        f"not sent by this queue: somebody else did, or the kernel because memory ran out (its peak was "
        f"{readable(used)} of {readable(there)}; see dmesg)"
    )


def _is_starved(attempt: Attempt) -> bool:
    if "out of memory" in (attempt.error or "") or (attempt.peak_memory or 0) >= MUCH_MEMORY * machine.memory():
        return True
    began = attempt.started or attempt.finished
    return machine.kernel_tells_of_memory(began, attempt.finished + LATER_SECONDS)


def _python_lacked_memory(attempt: Attempt) -> bool:
    return (attempt.error or "").startswith("MemoryError")


def _last_lines(store: Store, checksum: str | None) -> list[str]:
    if checksum is None:
        return []
    try:
        content = store.buffers.read(checksum)[-(1 << 16) :]
    except BufferError_:
        return []
    return [clean(line) for line in content.decode("utf-8", "replace").splitlines()[-LAST_LINES:]]


# -- printing ------------------------------------------------------------------------------------
def show(store: Store, match: Match) -> None:
    """Print what is known of a failure."""
    found = None if match.job_id is None else examine(store, match.job_id)
    if found is not None:
        click.echo("post-mortem of the newest attempt")
        for line in _lines(store, match, found):
            click.echo(f"  {line}".rstrip())


def _lines(store: Store, match: Match, found: PostMortem) -> Iterator[str]:
    yield f"{'ended':<12}{clean(found.how)}"
    if found.meaning:
        yield f"{'meaning':<12}{found.meaning}"
    processor = "" if found.processor_time is None else f", {duration(found.processor_time)} of processor time"
    memory = "" if not found.peak_memory else f", {readable(found.peak_memory)} of memory at its peak"
    yield f"{'used':<12}{duration(found.wall_time)}{processor}{memory}"
    asker = joblogs.asker(store.database, match.request_id)
    if asker is not None:
        yield f"{'command':<12}{clean(asker.command)}"
        yield f"{'directory':<12}{clean(asker.directory)}"
    if found.last_lines:
        yield f"{'stderr':<12}last {len(found.last_lines)} lines" if len(found.last_lines) > 1 else "stderr"
        yield from (f"  {line}" for line in found.last_lines)
    name = match.label.removeprefix("#")
    yield f"{'log':<12}seamless-status {name} --log"
    yield f"{'by hand':<12}seamless-status {name} --reproduce DIR"


def reproduce(store: Store, match: Match, directory: str) -> int:
    """Write all that a job needs into a directory, and say how to run it there."""
    if match.checksum is None:
        raise SeamlessError("its inputs are not known yet, or never were: there is nothing to be run")
    from seamless.transformer import jobdirectory

    place = os.path.abspath(directory)
    jobdirectory.write(store, match.checksum, place)
    click.echo(f"bash {clean(_quoted(os.path.join(place, 'transform.sh')))}")
    return 0


def _quoted(path: str) -> str:
    import shlex

    return shlex.quote(path)
