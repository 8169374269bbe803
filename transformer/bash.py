"""Runs a command in a private directory (see bashrun.py) and collects what it promised."""

from __future__ import annotations

import os
import stat
from typing import Any

from seamless_queue import streamlog
from seamless_queue.broker.resources import VISIBLE_DEVICES
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished, Running
from seamless_queue.clerk import Host
from seamless_queue.errors import SeamlessError, printable
from seamless_queue.processes import Ended
from seamless_queue.staged import Staged
from seamless_queue.store import Store
from seamless_queue.workdir import JOB

from . import bashrun, directories, plain
from .attemptrecord import note_command
from .context import Context
from .kept import Kept
from .specification import STDOUT, Transformation


def execute(store: Store, fields: dict[str, Any], running: Running, host: Host, staged: Staged) -> Finished:
    """Run the command of an identity. BufferMissing or BufferCorrupt if an input cannot be had."""
    transformation = Transformation.of(fields)
    context = bashrun.context_of(store, running)
    with host.workplace.prepared() as directory:
        job = f"{directory}/{JOB}"
        materialise(store, transformation, job)
        _make_directories(context, job)
        variables = _variables(store, transformation)
        environment = bashrun.environment_of(context, variables, host.workplace.mark(store.id))
        if running.devices is not None:
            environment[VISIBLE_DEVICES.encode()] = running.devices.encode()
        code = store.buffers.read(transformation.code)
        stdin = _stdin(store, transformation, directory)
        with host.minding(python=False):
            ended = bashrun.run(
                code, directory, environment, stdin, running.timeout, host.watch, _keeps_stdout(transformation)
            )
        finished = _collect(store, transformation, directory, ended, running.timeout, staged)
        path = environment.get(b"PATH", b"")
        record = note_command(store, transformation.code, code, context, path, staged)
        return finished._replace(environment=record)


def materialise(store: Store, transformation: Transformation, job: str) -> None:
    """Write the inputs of a command into a directory."""
    placed: dict[str, str] = {}
    for name, checksum in transformation.directories.items():
        path = f"{job}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        index = directories.read_index(store, checksum)
        if len(transformation.directories) > 1:
            index = _not_yet_placed(index, name, placed)
        directories.materialise(store, index, path)
    for name, checksum in transformation.files.items():
        path = f"{job}/{name}"
        mode = 0o777 if name in transformation.executables else 0o666
        try:
            store.buffers.copy_to(checksum, path, mode)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            store.buffers.copy_to(checksum, path, mode)
        except FileExistsError:
            # The file of a directory that is an input as well: it must be executable, or is the same.
            os.chmod(path, mode & ~_umask())


def _not_yet_placed(index: directories.Index, name: str, placed: dict[str, str]) -> directories.Index:
    """A directory without those files that are part of another input as well, inside of it or around it."""
    prefix = "" if name == os.curdir else f"{name}/"
    missing = dict(index)
    for entry, checksum in directories.files(index):
        there = placed.get(prefix + entry)
        if there is None:
            placed[prefix + entry] = checksum
        elif there == checksum:
            del missing[entry]
        else:
            raise SeamlessError(
                f"input {prefix}{entry} was changed while it was read; run again when its writer is done"
            )
    return missing


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _make_directories(context: bytes | None, job: str) -> None:
    if context is not None:
        for name in Context.decode(context).directories if b'"directories": []' not in context else ():
            os.makedirs(f"{job}/{name}", exist_ok=True)


def _variables(store: Store, transformation: Transformation) -> dict[bytes, bytes]:
    return {
        name.encode(): os.fsencode(plain.load(store.buffers.read(checksum)))
        for name, checksum in transformation.variables.items()
    }


def _keeps_stdout(transformation: Transformation) -> bool:
    """Whether standard output is the result, or part of it, rather than a message."""
    return transformation.plain_stdout or STDOUT in transformation.captures


def _stdin(store: Store, transformation: Transformation, directory: str) -> str:
    """The file that the command reads as standard input."""
    if transformation.stdin is None:
        return os.devnull
    path = f"{directory}/stdin"
    store.buffers.copy_to(transformation.stdin, path)
    return path


def _collect(
    store: Store,
    transformation: Transformation,
    directory: str,
    ended: Ended,
    timeout: float | None,
    staged: Staged,
) -> Finished:
    if ended.outcome in (Outcome.CANCELED, Outcome.RELEASED):
        return bashrun.stopped(store, directory, ended, staged)
    error = bashrun.error_of(ended, timeout, directory)
    # Standard error first: the last line is read from its file, which adoption may move.
    stderr = streamlog.keep(store, f"{directory}/stderr", staged)
    result: Kept | None = None
    if error is None:
        missing = [name for name in transformation.captures if not _is_there(directory, name)]
        if missing:
            error = printable(f"exit code 0, but the output {', '.join(missing)} is missing")
        else:
            result = _result(store, transformation, directory, staged)
    checksum, members = result or (None, ())
    stdout = _kept_stdout(store, transformation, directory, checksum, staged)
    outcome = Outcome.DONE if error is None else bashrun.failure(ended)
    finished = Finished(outcome, checksum, stdout, stderr, ended.exit_code, error, ended.usage, members=members)
    return finished._replace(marks=ended.marks)


def _is_there(directory: str, name: str) -> bool:
    return os.path.exists(_place(directory, name))


def _place(directory: str, name: str) -> str:
    return f"{directory}/stdout" if name == STDOUT else f"{directory}/{JOB}/{name}"


def _result(store: Store, transformation: Transformation, directory: str, staged: Staged) -> Kept:
    if transformation.plain_stdout:
        return Kept(store.buffers.adopt(f"{directory}/stdout", staged))
    index: directories.Index = {}
    inner = []
    for name in transformation.captures:
        path = _place(directory, name)
        if os.path.isdir(path):
            inside = directories.adopt(store, path, staged)
            # Its sidecar will tell this checksum, by which it can be had again.
            inner.append(store.buffers.stage(plain.dump(inside), staged))
            directories.put(index, name, inside)
        else:
            executable = bool(os.stat(path).st_mode & stat.S_IXUSR)
            directories.put(index, name, directories.adopt_file(store, path, staged), executable=executable)
    return Kept(store.buffers.stage(plain.dump(index), staged), (*inner, *directories.members(index)))


def _kept_stdout(
    store: Store, transformation: Transformation, directory: str, result: str | None, staged: Staged
) -> str | None:
    """What the command wrote to standard output; if that is the result, the result."""
    if transformation.plain_stdout and result is not None:
        return result
    if result is not None and STDOUT in transformation.captures:
        return None
    return streamlog.keep(store, f"{directory}/stdout", staged)
