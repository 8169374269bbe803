"""Writes a transformation as a directory that can be looked into, and run by hand without Seamless.

DIR/transformation.json   the description; its checksum is the identity
DIR/command.txt           the code
DIR/dunder.json           what is not part of the identity, if there is anything
DIR/inputs/               what the code finds in its directory
DIR/stdin                 what it reads from standard input, if anything
DIR/transform.sh          runs the code in a copy of inputs/; what it gives is then in DIR/result
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from seamless_queue import sidecars
from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import unique_name
from seamless_queue.store import Store

from . import bashresult, pinfiles, plain
from .bash import materialise
from .bashpins import arguments_of
from .bashrun import ARGUMENT_BYTES, FLAGS
from .provenance import identity_of, parts
from .replay import COMMAND, DUNDER, META, METAVARIABLES, TRANSFORMATION, WANTED_DIRECTORIES, Dunder, dunder_of
from .specification import STDOUT, Transformation

INPUTS, STDIN, SCRIPT = "inputs", "stdin", "transform.sh"


def write(
    store: Store,
    checksum: str,
    directory: str,
    *,
    dunder: Dunder | None = None,
    meta: Mapping[str, Any] | None = None,
    sidecar: bool = False,
) -> None:
    """Write the job directory of a transformation whose inputs the store has; whole or not at all.

    `dunder`: None for what the newest request for it said. `meta`: further meta data. `sidecar`: with
    transformation.json.CHECKSUM. SeamlessError if there is something at `directory`; BufferMissing.
    """
    if not directory:
        raise SeamlessError("a job directory needs a name")
    if os.path.lexists(directory):
        raise SeamlessError(f"job directory {directory} already exists; remove it or choose another name")
    place = directory.rstrip("/")
    temporary = os.path.join(os.path.dirname(place), f".seamless-{unique_name()}.tmp")
    try:
        os.mkdir(temporary)
    except OSError as exc:
        raise SeamlessError(f"job directory {directory!r} cannot be made: {exc.strerror}") from exc
    try:
        _write(store, checksum, temporary, dunder_of(store, checksum) if dunder is None else dunder, dict(meta or {}))
        if sidecar:
            _create(f"{temporary}/{TRANSFORMATION}{sidecars.CHECKSUM}", checksum.encode())
        os.rename(temporary, place)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write(store: Store, checksum: str, place: str, dunder: Dunder, meta: dict[str, Any]) -> None:
    fields = identity_of(store, checksum)
    found = parts(fields)
    code = store.buffers.read(found.code)
    _create(f"{place}/{TRANSFORMATION}", plain.dump(fields))
    _create(f"{place}/{COMMAND}", code)
    if dunder.metavariables:
        meta[METAVARIABLES] = dunder.metavariables
    if dunder.directories:
        meta[WANTED_DIRECTORIES] = list(dunder.directories)
    if meta:
        _create(f"{place}/{DUNDER}", plain.dump({META: meta}))
    os.mkdir(f"{place}/{INPUTS}")
    if found.language == "python":
        lines = _python_lines(store, fields, place)
    elif found.is_command:
        lines = _command_lines(store, Transformation.of(fields), place, dunder, len(code))
    else:
        lines = _pins_lines(store, fields, place, len(code))
    script = "\n".join([*_head(checksum, found.language), *lines]) + "\n"
    _create(f"{place}/{SCRIPT}", script.encode("utf-8", "surrogateescape"), 0o777)


def _create(path: str, content: bytes, mode: int = 0o666) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _head(checksum: str, language: str) -> list[str]:
    needs = "Needs nothing but bash" if language == "bash" else "Needs seamless-run-transformation, and the store"
    return [
        "#!/usr/bin/env bash",
        f"# Runs the transformation {checksum}",
        f"# by hand: bash {SCRIPT}. {needs}; it may be run as often as you like.",
        f"# The code is in {COMMAND}, what it finds in {INPUTS}/. It is run in a fresh copy of that, job/;",
        "# what it gives is then in result (a file, or a directory by the names of its outputs).",
        "set -eu",
        'cd -- "$(dirname -- "${BASH_SOURCE[0]}")"',
    ]


# -- commands -------------------------------------------------------------------------------------
def _command_lines(
    store: Store, transformation: Transformation, place: str, dunder: Dunder, code_bytes: int
) -> Iterator[str]:
    inputs = f"{place}/{INPUTS}"
    materialise(store, transformation, inputs)
    for name in dunder.directories:
        os.makedirs(f"{inputs}/{name}", exist_ok=True)
    if transformation.stdin is not None:
        store.buffers.copy_to(transformation.stdin, f"{place}/{STDIN}")
    variables = {**_variables(store, transformation), **dunder.metavariables}
    outputs = [name for name in transformation.captures if name != STDOUT]
    keeps_stdout = transformation.plain_stdout or STDOUT in transformation.captures
    yield from _run(
        (f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        code_bytes,
        stdin=STDIN if transformation.stdin is not None else os.devnull,
        keeps_stdout=keeps_stdout,
    )
    if transformation.plain_stdout:
        yield "mv stdout result"
        return
    yield "mkdir result"
    for name in outputs:
        if "/" in name:
            yield f"mkdir -p {shlex.quote('result/' + os.path.dirname(name))}"
        yield f"cp -RL {shlex.quote('job/' + name)} {shlex.quote('result/' + name)}"
    if keeps_stdout:
        yield f"mv stdout result/{STDOUT}"


def _variables(store: Store, transformation: Transformation) -> dict[str, str]:
    return {name: plain.load(store.buffers.read(checksum)) for name, checksum in transformation.variables.items()}


def _run(exports: Iterable[str], code_bytes: int, *, stdin: str, keeps_stdout: bool) -> Iterator[str]:
    yield "rm -rf job result stdout"
    yield f"cp -R {INPUTS} job"
    yield "("
    yield "cd job"
    yield from exports
    # As a job is run: a long code is a file.
    code = f'-c "$(cat ../{COMMAND})"' if code_bytes < ARGUMENT_BYTES else f"../{COMMAND}"
    yield f"exec bash {FLAGS} {code}"
    where = stdin if os.path.isabs(stdin) else shlex.quote(stdin)
    yield f") < {where}{' > stdout' if keeps_stdout else ''}"


# -- bash through Python --------------------------------------------------------------------------
def _pins_lines(store: Store, fields: dict[str, Any], place: str, code_bytes: int) -> Iterator[str]:
    variables = {
        os.fsencode(argument.name): pinfiles.write(store, argument, f"{place}/{INPUTS}")
        for argument in arguments_of(fields)
    }
    yield from _run(_assignments(variables), code_bytes, stdin=os.devnull, keeps_stdout=False)
    yield f"cp -RL job/{bashresult.RESULT} result"


def _assignments(variables: Mapping[bytes, bytes | None]) -> Iterator[str]:
    for name, value in variables.items():
        if value is not None:
            yield f"export {os.fsdecode(name)}={shlex.quote(os.fsdecode(value))}"
        elif os.fsdecode(name).isidentifier():
            yield f"unset {os.fsdecode(name)} 2> /dev/null || true"


# -- Python ---------------------------------------------------------------------------------------
def _python_lines(store: Store, fields: dict[str, Any], place: str) -> Iterator[str]:
    """The arguments as the buffers that they are; Python code runs in a namespace that only Seamless can make."""
    for key, pin in fields.items():
        if key != "code" and not key.startswith("__"):
            with suppress(FileExistsError):
                store.buffers.copy_to(pin[2], f"{place}/{INPUTS}/{key.replace('/', '_')}")
    yield f'exec seamless-run-transformation "$@" {TRANSFORMATION}'
