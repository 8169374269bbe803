"""What an answer consists of: plain values, the same for people and for JSON."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from seamless_queue.broker.attempts import Attempt
from seamless_queue.broker.history import Job, Request

#: More of a command is not told in passing.
_BRIEF_CHARACTERS = 120


def brief(command: str) -> str:
    """A command that is mentioned beside another thing."""
    return command if len(command) <= _BRIEF_CHARACTERS else f"{command[:_BRIEF_CHARACTERS]}…"


class Verdict(Enum):
    """What became of it, or would."""

    #: it was run for this request
    RAN = "ran"
    #: it was answered from the store
    HIT = "hit"
    #: another request's run was under way, and shared
    SHARED = "shared"
    #: it waits for an input, or to be run
    WAITS = "waits"
    #: it is running
    RUNNING = "running"
    FAILED = "failed"
    CANCELED = "canceled"
    #: newer requests have written its files
    SUPERSEDED = "superseded"
    #: of a command that is only asked about
    WOULD_RUN = "would run"
    WOULD_HIT = "would be answered from the store"
    WOULD_WAIT = "would wait"
    #: a file or buffer that no job has made
    NOT_MADE = "not made by a job"


class Difference(NamedTuple):
    """Something that is not as it was."""

    #: stable, for programs: "input_changed", "code_changed", …
    kind: str
    text: str
    #: further lines, such as the old and the new one
    lines: tuple[str, ...] = ()


class Reason(NamedTuple):
    """A part of the answer: stable kind, and plain words."""

    kind: str
    text: str
    lines: tuple[str, ...] = ()


class Origin(NamedTuple):
    """An input, and where it comes from."""

    name: str
    checksum: str | None
    #: the local file, as far as that can be told
    path: str | None = None
    #: the request and the command that made it; None: nobody here
    request: int | None = None
    command: str | None = None
    is_directory: bool = False
    #: whether it was taken from there; else it is the same content
    is_certain: bool = True


class Near(NamedTuple):
    """The nearest earlier run."""

    request: Request
    job: Job
    attempt: Attempt
    #: "it wrote the same file", …
    how: str


class Answer(NamedTuple):
    """All that is told."""

    subject: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    request: Request | None = None
    job: Job | None = None
    #: newest first
    attempts: tuple[Attempt, ...] = ()
    #: how often the job was asked for
    asked: int = 0
    inputs: tuple[Origin, ...] = ()
    outputs: tuple[str, ...] = ()
    #: the host that the newest run was on
    host: str | None = None
    near: Near | None = None
    #: parts of the identity that differ from the nearest earlier run
    differences: tuple[Difference, ...] = ()
    #: what differs beside the identity
    beside: tuple[Difference, ...] = ()
