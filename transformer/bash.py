"""Runs a command in a private directory and collects what it promised.

DIRECTORY/job       the command's working directory: inputs, then outputs
DIRECTORY/stdout    what it writes, straight into files: any size, any bytes
DIRECTORY/stderr
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from shutil import which
from typing import Any

from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished, Running
from seamless_queue.buffers import Staged
from seamless_queue.clerk import Host
from seamless_queue.errors import SeamlessError, printable
from seamless_queue.processes import MARK, Ended, Watch, run_command
from seamless_queue.store import Store
from seamless_queue.workdir import JOB

from . import directories, plain
from .context import Context, environment_block
from .specification import STDOUT, Transformation

READ_CONTEXT = "SELECT content FROM contexts WHERE checksum = ?"
#: `set -u -e`: an unset variable and a failing command end the script.
FLAGS = "-eu"
#: Linux takes no single argument of 128 KiB or more (MAX_ARG_STRLEN).
ARGUMENT_BYTES = 100_000
#: How much of the last line of stderr goes into an error.
ERROR_CHARACTERS = 200


def execute(store: Store, fields: dict[str, Any], running: Running, host: Host, staged: Staged) -> Finished:
    """Run the command of an identity. BufferMissing or BufferCorrupt if an input cannot be had."""
    transformation = Transformation.of(fields)
    context = _context_of(store, running)
    with host.workplace.prepared() as directory:
        job = f"{directory}/{JOB}"
        _materialise(store, transformation, job)
        _make_directories(context, job)
        environment = _environment(store, transformation, context, host.workplace.mark(store.id))
        code = store.buffers.read(transformation.code)
        stdin = _stdin(store, transformation, directory)
        with host.minding(python=False):
            ended = _run(
                code, directory, environment, stdin, running.timeout, host.watch, _keeps_stdout(transformation)
            )
        return _collect(store, transformation, directory, ended, running.timeout, staged)


def _context_of(store: Store, running: Running) -> bytes | None:
    if running.context is None:
        return None
    row = store.database.row(READ_CONTEXT, (bytes.fromhex(running.context),))
    return bytes(row[0]) if row else None


def _materialise(store: Store, transformation: Transformation, job: str) -> None:
    for name, checksum in transformation.directories.items():
        path = f"{job}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        directories.materialise(store, directories.read_index(store, checksum), path)
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


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _make_directories(context: bytes | None, job: str) -> None:
    if context is not None:
        for name in Context.decode(context).directories if b'"directories": []' not in context else ():
            os.makedirs(f"{job}/{name}", exist_ok=True)


def _environment(store: Store, transformation: Transformation, context: bytes | None, mark: str) -> dict[bytes, bytes]:
    environment = dict(environment_block(context)) if context is not None else dict(os.environb)
    for name, checksum in transformation.variables.items():
        environment[name.encode()] = os.fsencode(plain.load(store.buffers.read(checksum)))
    environment[MARK.encode()] = mark.encode()
    return environment


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


def _run(
    code: bytes,
    directory: str,
    environment: dict[bytes, bytes],
    stdin: str,
    timeout: float | None,
    watch: Watch,
    keeps_stdout: bool,
) -> Ended:
    out, err = f"{directory}/stdout", f"{directory}/stderr"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_APPEND
    descriptors = [os.open(path, flags, 0o600) for path in (out, err)]
    descriptors.append(os.open(stdin, os.O_RDONLY | os.O_CLOEXEC))
    watch.follow(None if keeps_stdout else out, err)
    try:
        return run_command(
            _arguments(code, directory),
            executable=_bash(environment.get(b"PATH", os.defpath.encode())),
            directory=f"{directory}/{JOB}",
            environment=environment,
            stdin=descriptors[2],
            stdout=descriptors[0],
            stderr=descriptors[1],
            timeout=timeout,
            watch=watch,
        )
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _arguments(code: bytes, directory: str) -> Sequence[str | bytes]:
    if len(code) < ARGUMENT_BYTES:
        return ["bash", FLAGS, "-c", code]
    script = f"{directory}/script"
    with open(script, "xb") as file:
        file.write(code)
    return ["bash", FLAGS, script]


@lru_cache(maxsize=16)
def _bash(path: bytes) -> str:
    """Where bash lies on a PATH; SeamlessError if it does not."""
    found = which("bash", path=os.fsdecode(path))
    if found is None:
        raise SeamlessError(f"there is no bash on the command's PATH ({os.fsdecode(path)}); install it or mend PATH")
    return found


def _collect(
    store: Store,
    transformation: Transformation,
    directory: str,
    ended: Ended,
    timeout: float | None,
    staged: Staged,
) -> Finished:
    if ended.outcome in (Outcome.CANCELED, Outcome.RELEASED):
        return Finished(ended.outcome, exit_code=ended.exit_code, usage=ended.usage)
    error = _error_of(ended, timeout, directory)
    # Standard error first: the last line is read from its file, which adoption may move.
    stderr = store.buffers.adopt(f"{directory}/stderr", staged)
    result = None
    if error is None:
        missing = [name for name in transformation.captures if not _is_there(directory, name)]
        if missing:
            error = printable(f"exit code 0, but the output {', '.join(missing)} is missing")
        else:
            result = _result(store, transformation, directory, staged)
    stdout = _kept_stdout(store, transformation, directory, result, staged)
    outcome = Outcome.DONE if error is None else _failure(ended)
    return Finished(outcome, result, stdout, stderr, ended.exit_code, error, ended.usage)


def _failure(ended: Ended) -> Outcome:
    return Outcome.TIMED_OUT if ended.outcome is Outcome.TIMED_OUT else Outcome.FAILED


def _is_there(directory: str, name: str) -> bool:
    return os.path.exists(_place(directory, name))


def _place(directory: str, name: str) -> str:
    return f"{directory}/stdout" if name == STDOUT else f"{directory}/{JOB}/{name}"


def _result(store: Store, transformation: Transformation, directory: str, staged: Staged) -> str:
    if transformation.plain_stdout:
        return store.buffers.adopt(f"{directory}/stdout", staged)
    index: directories.Index = {}
    for name in transformation.captures:
        path = _place(directory, name)
        if os.path.isdir(path):
            inside = directories.adopt(store, path, staged)
            index.update({f"{name}/{entry}": checksum for entry, checksum in inside.items()})
        else:
            index[name] = directories.adopt_file(store, path, staged)
    return store.buffers.stage(plain.dump(index), staged)


def _kept_stdout(
    store: Store, transformation: Transformation, directory: str, result: str | None, staged: Staged
) -> str | None:
    """What the command wrote to standard output; if that is the result, the result."""
    if transformation.plain_stdout and result is not None:
        return result
    if result is not None and STDOUT in transformation.captures:
        return None
    return store.buffers.adopt(f"{directory}/stdout", staged)


def _error_of(ended: Ended, timeout: float | None, directory: str) -> str | None:
    if ended.outcome is Outcome.DONE:
        return None
    if ended.outcome is Outcome.TIMED_OUT:
        return f"timed out after {timeout:g} s"
    last = _last_line(f"{directory}/stderr")
    how = f"exit code {ended.exit_code}" if ended.exit_code >= 0 else f"killed by {_signal_name(-ended.exit_code)}"
    return f"{how}: {last}" if last else how


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _last_line(path: str) -> str:
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:ERROR_CHARACTERS] if lines else ""
