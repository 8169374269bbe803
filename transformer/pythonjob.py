"""Runs the Python code of a job in this very thread, and keeps what it returns."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple

from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished, Running, Usage
from seamless_queue.clerk import Host
from seamless_queue.errors import BufferError_, Interrupted, SeamlessError, printable
from seamless_queue.filesystems import is_disk_full
from seamless_queue.signals import Overdue, interruptible
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import plain, session
from .arguments import received
from .attemptrecord import note_python
from .errors import TransformationError
from .kept import Kept
from .python.namespace import Runnable, prepare
from .python.text import FILE_PREFIX
from .results import stage_result
from .surroundings import in_worker

#: So many functions stay compiled.
PREPARED = 256
#: ru_maxrss counts kibibytes on Linux, bytes on macOS.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

#: Of a longer error the beginning and the end are told, so many characters of each.
TOLD_CHARACTERS = 20_000
#: So many calls of ours lie between a function and one that it calls as a transformation.
CALLS_BETWEEN = 40

_prepared: OrderedDict[str, Runnable] = OrderedDict()
_deepening = threading.Lock()


class Pins(NamedTuple):
    """What a function is called with, and the modules that its code may import."""

    values: dict[str, Any]
    modules: dict[str, Any]


def execute(store: Store, fields: dict[str, Any], running: Running, host: Host, staged: Staged) -> Finished:
    """Call the function of an identity with its pins. Whatever goes wrong in it is the job's failure."""
    before, error, result, process_id = _usage(), None, None, os.getpid()
    pins = Pins({}, {})
    with _in_job(store, running, host):
        try:
            result = _result(store, fields, running, pins, host, staged)
        except BaseException as exc:
            if _is_ours(exc, process_id, host):
                raise
            session.current().errors.put(running.checksum, exc.with_traceback(_users_part(exc)))
            error = _told(exc)
    if os.getpid() != process_id:
        # A copy of this process, because the code has forked and come back twice: the other one goes on.
        os._exit(0)
    usage = _since(before)
    with host.lane.lock:
        stdout, stderr = _streams(store, host, staged)
        record = _record(store, fields, pins, staged)
    marks = host.streams.marks if host.streams is not None else None
    if error is not None:
        return Finished(Outcome.FAILED, None, stdout, stderr, None, error, usage, environment=record, marks=marks)
    assert result is not None
    kept, members = result
    done = Finished(Outcome.DONE, kept, stdout, stderr, 0, None, usage, members=members, environment=record)
    return done._replace(marks=marks)


def _result(store: Store, fields: dict[str, Any], running: Running, pins: Pins, host: Host, staged: Staged) -> Kept:
    with host.lane.lock:
        runnable = _runnable(store, fields["code"][2])
        _fill(pins, store, fields)
    with interruptible():
        if host.streams is None:
            # The user's own process, in which nothing is to be put back.
            value = runnable.run(pins.values, pins.modules)
        else:
            call = partial(runnable.run, pins.values, pins.modules)
            value = in_worker(store, running, host, call, trusted=not pins.modules)
    if value is None:
        raise NoResult("the result is None: return a value (in a block of code, set `result`)")
    with host.lane.lock:
        return stage_result(store, value, fields["__output__"][1], staged)


def _is_ours(exc: BaseException, process_id: int, host: Host) -> bool:
    """Whether this is no failure of the code, although it was raised in it."""
    if is_disk_full(exc) or isinstance(exc, BufferError_):
        # What is missing may be made again.
        return True
    if isinstance(exc, Interrupted | Overdue):
        return True
    # Ctrl-C of whoever waits here, not of the code in a worker; or the end of a process that the code has forked.
    return host.streams is None and (isinstance(exc, KeyboardInterrupt) or os.getpid() != process_id)


def _users_part(exc: BaseException) -> TracebackType | None:
    """The traceback from the user's code on: our own frames above it tell nobody anything."""
    part = exc.__traceback__
    while part is not None and not part.tb_frame.f_code.co_filename.startswith(FILE_PREFIX):
        part = part.tb_next
    return part or exc.__traceback__


def _told(exc: BaseException) -> str:
    """One line, and below it the traceback."""
    from .python.tracebacks import describe_error

    summary, traceback = describe_error(exc)
    if isinstance(exc, TransformationError):
        # It says what failed, and where: of a long chain each link adds no more than its name.
        summary = str(exc)
    return f"{_shortened(printable(summary))}\n{_shortened(printable(traceback))}"


def _shortened(text: str) -> str:
    if len(text) <= 2 * TOLD_CHARACTERS:
        return text
    left_out = f"[... {len(text) - 2 * TOLD_CHARACTERS} characters left out ...]"
    return f"{text[:TOLD_CHARACTERS]}{left_out}{text[-TOLD_CHARACTERS:]}"


class NoResult(SeamlessError):
    """The code has no result."""


@contextmanager
def _in_job(store: Store, running: Running, host: Host) -> Iterator[None]:
    streams = host.streams
    with (
        _deeper(),
        _outside_of_loops(),
        session.current().inside(host, store, running.job_id),
        host.minding(python=True),
        streams.capturing() if streams is not None else nullcontext(),
    ):
        yield


@contextmanager
def _deeper() -> Iterator[None]:
    """Inside the block Python allows what lies between one function and the next beside what the code may use."""
    _deepen(CALLS_BETWEEN)
    try:
        yield
    finally:
        _deepen(-CALLS_BETWEEN)


@contextmanager
def _outside_of_loops() -> Iterator[None]:
    """Inside the block no event loop is seen to run: one that waits for this job is not the code's affair."""
    events = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events is not None else None
    if events is None or loop is None:
        yield
        return
    from asyncio import tasks

    task = tasks.current_task(loop)
    if task is not None:
        tasks._leave_task(loop, task)
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(loop)
        if task is not None:
            tasks._enter_task(loop, task)


def _deepen(calls: int) -> None:
    with _deepening:
        sys.setrecursionlimit(sys.getrecursionlimit() + calls)


def _runnable(store: Store, checksum: str) -> Runnable:
    runnable = _prepared.get(checksum)
    if runnable is None:
        runnable = _prepared[checksum] = prepare(store.buffers.read(checksum).decode())
        if len(_prepared) > PREPARED:
            _prepared.popitem(last=False)
    return runnable


def _fill(pins: Pins, store: Store, fields: dict[str, Any]) -> None:
    for name, pin in fields.items():
        if name == "code" or name.startswith("__"):
            continue
        celltype, subcelltype, checksum = pin
        content = store.buffers.view(checksum)
        if subcelltype == "module":
            pins.modules[name] = plain.load(bytes(content))
        else:
            pins.values[name] = received(store, content, celltype)


def _record(store: Store, fields: dict[str, Any], pins: Pins, staged: Staged) -> str:
    modules = tuple([(key, fields[key][2]) for key in pins.modules]) if pins.modules else ()
    with_numpy = any(type(value).__module__ == "numpy" for value in pins.values.values())
    return note_python(store, fields["code"][2], modules, with_numpy, staged)


def _streams(store: Store, host: Host, staged: Staged) -> tuple[str | None, str | None]:
    if host.streams is None:
        return None, None
    stdout, stderr = (store.buffers.stage(text, staged) if text else None for text in host.streams.take())
    return stdout, stderr


def _usage() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_utime, used.ru_stime


def _since(before: tuple[float, float]) -> Usage:
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return Usage(used.ru_utime - before[0], used.ru_stime - before[1], used.ru_maxrss * MAXRSS_UNIT)
