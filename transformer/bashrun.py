"""Runs bash code in a private directory: what all jobs of that language have in common.

DIRECTORY/job       the code's working directory
DIRECTORY/stdout    what it writes, straight into files: any size, any bytes
DIRECTORY/stderr
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from shutil import which

from seamless_queue import machine, streamlog
from seamless_queue.broker import submissions
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished, Running
from seamless_queue.errors import SeamlessError
from seamless_queue.marked import MARK
from seamless_queue.processes import Ended, Watch, run_command
from seamless_queue.staged import Staged
from seamless_queue.store import Store
from seamless_queue.workdir import JOB

from .context import environment_block, remembered

READ_CONTEXT = "SELECT content FROM contexts WHERE checksum = ?"
#: `set -u -e`: an unset variable and a failing command end the script.
FLAGS = "-eu"
#: Linux takes no single argument of 128 KiB or more (MAX_ARG_STRLEN).
ARGUMENT_BYTES = 100_000
#: How much of the last line of stderr goes into an error.
ERROR_CHARACTERS = 200

#: How often the kernel had killed for want of memory when that was looked at last.
_kills: int | None = None


def context_of(store: Store, running: Running) -> bytes | None:
    """What the request gives its job beside the identity (context.Context, encoded).

    A job may be run again without its submitter, whose context is gone: then it finds this process's environment,
    and what the newest request that said so wants to have beside.
    """
    return submitted_context(store, running) or remembered(submissions.metavariables_of(store.database, running.job_id))


def submitted_context(store: Store, running: Running) -> bytes | None:
    """The context of the request that the job runs for, if it has one that is still there."""
    if running.context is None:
        return None
    row = store.database.row(READ_CONTEXT, (bytes.fromhex(running.context),))
    return bytes(row[0]) if row else None


def environment_of(context: bytes | None, variables: Mapping[bytes, bytes | None], mark: str) -> dict[bytes, bytes]:
    """The environment of the code: the submitter's, or else this process's; then the variables, and the mark.

    A variable that is None is in no environment, whatever its submitter had.
    """
    environment = dict(environment_block(context)) if context is not None else dict(os.environb)
    for name, value in variables.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    environment[MARK.encode()] = mark.encode()
    return environment


def run(
    code: bytes,
    directory: str,
    environment: dict[bytes, bytes],
    stdin: str,
    timeout: float | None,
    watch: Watch,
    keeps_stdout: bool,
) -> Ended:
    """Run the code to its end; `keeps_stdout`: standard output is no message, and nobody is to be shown it."""
    global _kills
    if _kills is None:
        _kills = machine.out_of_memory_kills()
    out, err = f"{directory}/stdout", f"{directory}/stderr"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_APPEND
    descriptors = [os.open(path, flags, 0o600) for path in (out, err)]
    descriptors.append(os.open(stdin, os.O_RDONLY | os.O_CLOEXEC))
    watch.follow(None if keeps_stdout and not watch.shows_result else out, err)
    try:
        ended = run_command(
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
        watch.see_out()
        return ended
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


def stopped(store: Store, directory: str, ended: Ended, staged: Staged) -> Finished:
    """The outcome of code that was stopped by us, with what it had written."""
    stdout, stderr = (streamlog.keep(store, f"{directory}/{stream}", staged) for stream in ("stdout", "stderr"))
    how = Finished(ended.outcome, None, stdout, stderr, ended.exit_code, None, ended.usage, marks=ended.marks)
    # Given back at no cost: it has not been run, as far as anybody is told.
    return how if ended.outcome is Outcome.CANCELED else Finished(ended.outcome, None, None, None, ended.exit_code)


def failure(ended: Ended) -> Outcome:
    """The outcome of a job that is not done."""
    return Outcome.TIMED_OUT if ended.outcome is Outcome.TIMED_OUT else Outcome.FAILED


def error_of(ended: Ended, timeout: float | None, directory: str) -> str | None:
    """Why the code failed, with its last line of standard error; None if it did not."""
    if ended.outcome is Outcome.DONE:
        return None
    if ended.outcome is Outcome.TIMED_OUT:
        return f"timed out after {timeout:g} s"
    last = _last_line(f"{directory}/stderr")
    how = f"exit code {ended.exit_code}" if ended.exit_code >= 0 else f"killed by {_signal_name(-ended.exit_code)}"
    if ended.exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL) and _memory_ran_out():
        how += " (out of memory: the kernel has killed it)"
    return f"{how}: {last}" if last else how


def _memory_ran_out() -> bool:
    """Whether the kernel has killed a process of ours for want of memory since we have asked last."""
    global _kills
    before, _kills = _kills, machine.out_of_memory_kills()
    return before is not None and _kills > before


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _last_line(path: str) -> str:
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:ERROR_CHARACTERS] if lines else ""
