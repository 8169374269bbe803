"""Runs bash code that was given through Python: arguments in (pinfiles.py), RESULT out (bashresult.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from seamless_queue import streamlog
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished, Running
from seamless_queue.clerk import Host
from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import is_disk_full
from seamless_queue.processes import Ended
from seamless_queue.staged import Staged
from seamless_queue.store import Store
from seamless_queue.workdir import JOB

from . import bashresult, bashrun, directories, pinfiles
from .attemptrecord import note_command
from .kept import Kept
from .pinfiles import Argument

#: What stands before names that the identity has another use for (python.pins.argument_key).
_ESCAPE = "./"


def execute(store: Store, fields: dict[str, Any], running: Running, host: Host, staged: Staged) -> Finished:
    """Run the code of an identity; SeamlessError if an argument cannot be had, or cannot be written."""
    lock, workplace = host.lane.lock, host.workplace
    arguments = arguments_of(fields)
    with workplace.prepared() as directory:
        variables: dict[bytes, bytes | None] = {}
        for argument in arguments:
            with lock:
                # Also where it is None: what the submitter has under this name is not the argument.
                variables[os.fsencode(argument.name)] = pinfiles.write(store, argument, f"{directory}/{JOB}")
        with lock:
            code = store.buffers.read(fields["code"][2])
            context = bashrun.context_of(store, running)
        environment = bashrun.environment_of(context, variables, workplace.mark(store.id))
        with host.minding(python=False):
            ended = bashrun.run(code, directory, environment, os.devnull, running.timeout, host.watch, False)
        with lock:
            finished = _collect(store, fields["__output__"][1], directory, ended, running.timeout, staged)
            path = environment.get(b"PATH", b"")
            record = note_command(store, fields["code"][2], code, context, path, staged)
        return finished._replace(environment=record)


def arguments_of(fields: dict[str, Any]) -> list[Argument]:
    """The arguments of the code, in the order in which they are to be written."""
    # Directories first: a file may be put into one.
    return sorted(_arguments(fields), key=lambda argument: not argument.is_directory)


def _arguments(fields: dict[str, Any]) -> Iterator[Argument]:
    for key, pin in fields.items():
        if key == "code" or key.startswith("__"):
            continue
        celltype, subcelltype, checksum = pin
        name = key.removeprefix(_ESCAPE)
        if subcelltype == "module":
            raise SeamlessError("bash code has no modules and no globals: give what it needs as arguments")
        _check_name(name)
        yield Argument(name, celltype, checksum)


def _check_name(name: str) -> None:
    if name.startswith("/"):
        raise SeamlessError(f"argument {name!r} is an absolute path: name a file inside the job's directory")
    if not directories.is_inside(name) or "\0" in name:
        raise SeamlessError(f"argument {name!r} cannot be a file's name: leave out empty parts, '.' and '..'")
    if name.partition("/")[0] == bashresult.RESULT:
        raise SeamlessError(f"argument {name!r} is where the result goes: rename it")


def _collect(
    store: Store, celltype: str, directory: str, ended: Ended, timeout: float | None, staged: Staged
) -> Finished:
    if ended.outcome in (Outcome.CANCELED, Outcome.RELEASED):
        return bashrun.stopped(store, directory, ended, staged)
    result: Kept | None = None
    error = bashrun.error_of(ended, timeout, directory)
    stdout, stderr = (streamlog.keep(store, f"{directory}/{stream}", staged) for stream in ("stdout", "stderr"))
    if error is None:
        try:
            result = bashresult.keep(store, f"{directory}/{JOB}/{bashresult.RESULT}", celltype, staged)
        except SeamlessError as exc:
            if is_disk_full(exc):
                raise
            error = str(exc)
    outcome = Outcome.DONE if error is None else bashrun.failure(ended)
    checksum, members = result or (None, ())
    finished = Finished(outcome, checksum, stdout, stderr, ended.exit_code, error, ended.usage, members=members)
    return finished._replace(marks=ended.marks)
