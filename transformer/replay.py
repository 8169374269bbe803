"""Runs any transformation again whose description is at hand: by its checksum, from a file, from a job directory.

DIR/transformation.json            the description: the buffer whose checksum is the identity
DIR/transformation.json.CHECKSUM   or its checksum only
DIR/dunder.json                    beside it: what is not part of the identity (`Dunder`)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from seamless_queue import sidecars
from seamless_queue.broker import evictions, reports, submissions
from seamless_queue.broker.records import Identity, NewRequest
from seamless_queue.broker.states import LIVE, RequestState
from seamless_queue.digest import is_checksum
from seamless_queue.errors import BufferMissing, Interrupted, NotReproducible, SeamlessError
from seamless_queue.inline import InlineSession
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import fingertip, plain, provenance
from .celltypes import CELLTYPES
from .context import to_remember, told
from .keying import is_kept, known_job
from .results import LEAVES
from .specification import DEEP

TRANSFORMATION, DUNDER, COMMAND = "transformation.json", "dunder.json", "command.txt"
LANGUAGES = ("bash", "python")
#: Where meta data stand in a dunder file, and meta variables among them.
META, METAVARIABLES, WANTED_DIRECTORIES = "__meta__", "metavariables", "directories"
#: How much of a code's first line names a transformation nobody has submitted.
LABEL_CHARACTERS = 80


class Dunder(NamedTuple):
    """What a transformation is given beside its identity."""

    metavariables: dict[str, str] = {}
    #: directories that a command finds, because its output goes there
    directories: tuple[str, ...] = ()


class Described(NamedTuple):
    """A transformation that can be run."""

    checksum: str
    fields: dict[str, Any]
    dunder: Dunder | None


class Replayed(NamedTuple):
    """What came of it."""

    state: RequestState
    result: str | None
    error: str | None
    #: the streams of the last attempt, if there was one
    stdout: str | None = None
    stderr: str | None = None


# -- reading --------------------------------------------------------------------------------------
def describe(store: Store, target: str, *, dunder: str | None = None, strict: bool = False) -> Described:
    """The transformation that is meant: CHECKSUM, FILE.CHECKSUM, a file, or a job directory.

    SeamlessError, in one line, if there is none or it could not be run. `strict` refuses a file that is not the very
    buffer of its transformation.
    """
    place = os.path.join(target, TRANSFORMATION) if os.path.isdir(target) else target
    content, label = _content(store, place)
    fields = _fields(content, label)
    check(fields, label)
    buffer = plain.dump(fields)
    if strict and buffer != content:
        raise SeamlessError(f"{label} is not written as its transformation is: leave out --strict to run what it means")
    staged = Staged()
    checksum = store.buffers.stage(buffer, staged)
    with store.database.transaction() as connection:
        staged.write(connection)
    return Described(checksum, fields, _dunder(place, dunder))


def _content(store: Store, target: str) -> tuple[bytes, str]:
    if is_checksum(target.lower()):
        return _read(store, target.lower()), target.lower()
    if not target.endswith(sidecars.CHECKSUM) and os.path.isfile(target):
        with open(target, "rb") as file:
            return file.read(), target
    path = target.removesuffix(sidecars.CHECKSUM)
    checksum = sidecars.read_checksum(path)
    if checksum is None:
        raise SeamlessError(f"{target!r} is neither a checksum (64 hex digits) nor a file")
    if os.path.isfile(path):
        with open(path, "rb") as file:
            content = file.read()
        if store.digest.of(content) == checksum:
            return content, path
    return _read(store, checksum), f"{path}{sidecars.CHECKSUM}"


def _read(store: Store, checksum: str) -> bytes:
    try:
        return store.buffers.read(checksum)
    except BufferMissing:
        raise SeamlessError(
            f"no transformation {checksum} in the store {store.path} (digest {store.digest.name}); choose another "
            "with --store, or give the file of the transformation"
        ) from None


def _fields(content: bytes, label: str) -> dict[str, Any]:
    try:
        fields = plain.load(content)
    except (ValueError, RecursionError) as exc:
        raise SeamlessError(f"{label} is not a transformation: it is not JSON ({exc})") from exc
    if not isinstance(fields, dict):
        raise SeamlessError(f"{label} is not a transformation: it is not a JSON object")
    return fields


def check(fields: dict[str, Any], label: str) -> None:
    """SeamlessError for what no worker could run, with the field that is wrong."""
    language = fields.get("__language__")
    if language not in LANGUAGES:
        raise SeamlessError(f"{label} is malformed: __language__ is {language!r}, not one of {', '.join(LANGUAGES)}")
    for key in ("code", "__output__"):
        if key not in fields:
            raise SeamlessError(f"{label} is malformed: it has no {key!r}")
    output = fields["__output__"]
    if not _is_triple(output) or output[1] not in {*CELLTYPES, *DEEP, *LEAVES}:
        raise SeamlessError(f"{label} is malformed: __output__ is {output!r}, not a name, a known celltype and null")
    pins = {key: pin for key, pin in fields.items() if not key.startswith("__") or key == "__stdin__"}
    for key, pin in pins.items():
        if not _is_triple(pin):
            raise SeamlessError(f"{label} is malformed: {key!r} is not a list of celltype, subcelltype and checksum")
        if not isinstance(pin[2], str) or not is_checksum(pin[2]):
            raise SeamlessError(f"{label} is malformed: {key!r} is {pin[2]!r}, not a checksum (64 hex digits)")
    parts = provenance.parts(fields)
    if parts.is_command and "__capture__" not in fields:
        raise SeamlessError(f"{label} was made by another tool: it does not say what its command writes (__capture__)")


def _is_triple(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)


def _dunder(place: str, path: str | None) -> Dunder | None:
    """What the dunder file says: the given one, or the one beside the transformation's file."""
    if path is None:
        path = os.path.join(os.path.dirname(place), DUNDER)
        is_beside = place.endswith((TRANSFORMATION, TRANSFORMATION + sidecars.CHECKSUM))
        if not is_beside or not os.path.exists(path):
            return None
    with open(path, "rb") as file:
        fields = _fields_of_dunder(file.read(), path)
    meta = fields.get(META, {})
    variables, directories = meta.get(METAVARIABLES, {}), meta.get(WANTED_DIRECTORIES, [])
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise SeamlessError(f"{path}: {METAVARIABLES} are not texts by name")
    return Dunder(variables, tuple(directories))


def _fields_of_dunder(content: bytes, path: str) -> dict[str, Any]:
    try:
        fields = plain.load(content)
    except ValueError as exc:
        raise SeamlessError(f"{path} is not JSON: {exc}") from exc
    if not isinstance(fields, dict) or not isinstance(fields.get(META, {}), dict):
        raise SeamlessError(f"{path} is not a JSON object whose {META} is one")
    return fields


def dunder_of(store: Store, checksum: str) -> Dunder:
    """What the newest request for a job has given it beside its identity."""
    job_id = submissions.job_of(store.database, checksum)
    if job_id is None:
        return Dunder()
    return Dunder(*told(submissions.metavariables_of(store.database, job_id)))


def label_of(store: Store, described: Described) -> str:
    """What people know the transformation by: how it was asked for, or else its code's first line."""
    job_id = submissions.job_of(store.database, described.checksum)
    last = submissions.last_request(store.database, job_id) if job_id is not None else None
    if last is not None:
        return last.command
    try:
        code = store.buffers.read(described.fields["code"][2]).decode(errors="replace")
    except SeamlessError:
        return described.checksum
    return next((line for line in code.splitlines() if line.strip()), described.checksum)[:LABEL_CHARACTERS]


# -- running --------------------------------------------------------------------------------------
def known_result(store: Store, described: Described, *, scratch: bool = False) -> str | None:
    """The result, if it is known and its bytes are there (or need not be)."""
    known = known_job(store, described.checksum)
    if known is None:
        return None
    is_index = provenance.parts(described.fields).is_index
    return known.result if scratch or is_kept(store, known.result, is_index) else None


def run(
    session: InlineSession,
    described: Described,
    *,
    scratch: bool = False,
    timeout: float | None = None,
    waiting: Callable[[], None] = lambda: None,
) -> Replayed:
    """Have the job run in a session of this process, or by who has begun it already."""
    store, dunder = session.store, described.dunder
    _need_parts(store, described.fields)
    known = submissions.known(store.database, described.checksum)
    request = NewRequest(
        command=label_of(store, described),
        directory=os.fsencode(os.getcwd()),
        specification=None,
        context=None,
        lane=session.id,
        identity=Identity(described.checksum, known.result if known is not None else None),
        timeout=timeout,
        scratch=scratch,
        metavariables=to_remember(*dunder) if dunder is not None else None,
    )
    with store.database.transaction() as connection:
        submitted, consequences = submissions.submit(connection, request)
    try:
        session.clerk.handle(consequences)
        ending = session.run(submitted.request_id, waiting)
    except Interrupted:
        session.cancel(submitted.request_id)
        raise
    assert ending.state not in LIVE
    found = reports.result_of(store.database, submitted.request_id)
    last = reports.last_attempt(store.database, submitted.request_id)
    is_done = ending.state is RequestState.DELIVERED
    result = found.result if found is not None and is_done else None
    streams = (last.stdout, last.stderr) if last is not None else (None, None)
    return Replayed(ending.state, result, ending.error, *streams)


def _need_parts(store: Store, fields: dict[str, Any]) -> None:
    """SeamlessError for a part that is not there and that nobody can make again."""
    for key, pin in fields.items():
        is_part = key == "__stdin__" or not key.startswith("__")
        if is_part and not store.buffers.has(pin[2]) and evictions.maker_of(store.database, pin[2]) is None:
            raise SeamlessError(
                f"its {key!r} ({pin[2]}) is not in the store {store.path} (digest {store.digest.name}), and no job "
                "there makes it: bring it with seamless-run --dry-run --upload, or with seamless-store import"
            )


def refuse_if_differs(described: Described, before: str | None, after: str | None) -> None:
    """NotReproducible if a result is another one than was recorded."""
    if before is not None and after is not None and before != after:
        raise NotReproducible(f"{described.checksum} gave {before} before and {after} this time: not reproducible")


def bring_all(session: InlineSession, checksums: list[str]) -> None:
    """Have these buffers, made again where they are gone."""
    from seamless_queue import recompute

    for checksum in checksums:
        if not fingertip.is_sound(session.store, checksum):
            recompute.make(session, checksum)
