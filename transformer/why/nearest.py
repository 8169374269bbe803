"""Finds the earlier run that a transformation is compared with.

First whatever wrote the same file; else, among the newest requests of the same directory and those elsewhere whose
command begins alike, the one with the same code, then the most inputs in common, then the most similar command. What
is not alike enough is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from seamless_queue.broker import history
from seamless_queue.broker.attempts import Attempt, attempts_of
from seamless_queue.broker.history import Request
from seamless_queue.broker.states import Outcome

from ..provenance import Parts
from .contents import Contents
from .values import Near

#: So many of the newest writers of a file are looked at.
_WRITERS = 20
#: So many similar commands are compared part by part.
_COMPARED = 40
#: So many requests from other directories are considered.
_ELSEWHERE = 200
_ATTEMPTS = 20
#: How an execution ended that tells something.
_TELLING = frozenset({Outcome.DONE, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.DIFFERED})
#: A command is like another one if so much of their words is the same; less if both call the same program.
_ALIKE, _ALIKE_SAME_PROGRAM = 0.6, 0.3
_WORD = re.compile(r"[\w./-]+")


class Sought(NamedTuple):
    """What an earlier run is sought for."""

    parts: Parts
    command: str
    directory: bytes
    outputs: tuple[bytes, ...]
    #: only requests with smaller numbers are earlier
    before: int
    #: the job itself, which is not another one
    job_id: int | None


def nearest(contents: Contents, sought: Sought) -> Near | None:
    """The nearest earlier run; None if nothing is like it."""
    database = contents.store.database
    for path in sought.outputs:
        for request in history.writers(database, path, sought.before, _WRITERS):
            near = _near(contents, request, sought, "it wrote the same file")
            if near is not None:
                return near
    words = _words(sought.command)
    candidates = sorted(_candidates(contents, sought), key=lambda one: _likeness(words, one), reverse=True)[:_COMPARED]
    scored = sorted(_scored(contents, candidates, sought, words), key=lambda pair: pair[0], reverse=True)
    return next(
        (near for _, request in scored if (near := _near(contents, request, sought, _how(request, sought)))), None
    )


def _how(request: Request, sought: Sought) -> str:
    return "from the same directory" if request.directory == sought.directory else "from another directory"


def _candidates(contents: Contents, sought: Sought) -> Iterator[Request]:
    """One request for each job, the newest, most promising places first."""
    database, seen = contents.store.database, {sought.job_id}
    first = _program(sought.command)
    elsewhere = history.beginning_like(database, first, sought.before, _ELSEWHERE) if first else []
    for request in (*history.in_directory(database, sought.directory, sought.before), *elsewhere):
        if request.job_id not in seen:
            seen.add(request.job_id)
            yield request


def _words(command: str) -> frozenset[str]:
    return frozenset(_WORD.findall(command))


def _likeness(words: frozenset[str], request: Request) -> tuple[float, int]:
    other = _words(request.command)
    shared = len(words & other) / (len(words | other) or 1)
    return (shared, request.id)


def _scored(
    contents: Contents, candidates: Iterable[Request], sought: Sought, words: frozenset[str]
) -> Iterator[tuple[tuple[float, ...], Request]]:
    program, inputs = _program(sought.command), {one.checksum for one in sought.parts.inputs if one.checksum}
    for request in candidates:
        job = history.job(contents.store.database, request.job_id or 0)
        parts = contents.parts(job.checksum) if job is not None else None
        if parts is None or parts.language != sought.parts.language:
            continue
        same_code = parts.code == sought.parts.code
        common = len(inputs & {one.checksum for one in parts.inputs})
        shared, _ = _likeness(words, request)
        needed = _ALIKE_SAME_PROGRAM if _program(request.command) == program else _ALIKE
        if same_code or shared >= needed:
            here = request.directory == sought.directory
            yield (same_code, here, common, shared, request.id), request


def _program(command: str) -> str:
    return next(iter(re.split(r"[\s(]", command.strip(), maxsplit=1)), "")


def _near(contents: Contents, request: Request, sought: Sought, how: str) -> Near | None:
    """The run of a request's job, if it is another job that has run before."""
    if request.job_id is None or request.job_id == sought.job_id:
        return None
    job = history.job(contents.store.database, request.job_id)
    attempt = telling(attempts_of(contents.store.database, request.job_id, _ATTEMPTS))
    if job is None or attempt is None:
        return None
    if attempt.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
        how = how.replace("wrote", "was to write") + ", but it failed"
    return Near(request, job, attempt, how)


def telling(attempts: Iterable[Attempt]) -> Attempt | None:
    """The newest execution that ended by itself; with a result, if there is one of these."""
    ended = [one for one in attempts if one.outcome in _TELLING]
    good = [one for one in ended if one.outcome is Outcome.DONE]
    return next(iter(good or ended), None)
