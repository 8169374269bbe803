"""What is submitted and what becomes of it: plain values that hold no connection.

Checksums are hex strings here and blobs in the database; paths are the file system's bytes. Named tuples
rather than dataclasses: making these classes is a good part of the start of every command, and costs a fifth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .states import RequestState

#: The lane of all queue servers of a store.
QUEUE_LANE = 0


class NewOutput(NamedTuple):
    """A file or directory that a request will write: absolute path, and the job's own name for it."""

    name: bytes
    path: bytes


class NewDependency(NamedTuple):
    """An input that another request will make (`upstream`), or that a foreign .FUTURE promises (None)."""

    pin: bytes
    path: bytes
    upstream: int | None
    #: the upstream's own name for the output
    output: bytes = b""
    #: where in the output the input lies, or where in the pin it goes
    part: bytes = b""


class Identity(NamedTuple):
    """A keyed transformation: its checksum."""

    checksum: str
    #: the result found gone by the caller: run again although it is done
    gone_result: str | None = None


class Wish(NamedTuple):
    """What a request asks of its job."""

    lane: int
    priority: int
    timeout: float | None
    retries: int
    refresh: bool
    #: how many files or directories it will write
    outputs: int
    #: whether the bytes of the result need not be kept
    scratch: bool = False
    #: what it needs of a server, as JSON (resources.encode)
    resources: str | None = None


class NewRequest(NamedTuple):
    """A wish as it is submitted. `identity` is None while an input is unknown."""

    command: str
    directory: bytes
    #: what the identity is computed from once all inputs are known; None if it is known now
    specification: str | None
    context: str | None
    lane: int = QUEUE_LANE
    identity: Identity | None = None
    outputs: tuple[NewOutput, ...] = ()
    dependencies: tuple[NewDependency, ...] = ()
    sidecars_only: bool = False
    priority: int = 0
    timeout: float | None = None
    retries: int = 0
    refresh: bool = False
    project: str | None = None
    stage: str | None = None
    #: the job whose code asks
    parent: int | None = None
    #: whether the bytes of the result need not be kept
    scratch: bool = False
    #: variables that are not part of the identity, as JSON
    metavariables: str | None = None
    #: what its job needs of a server, as JSON (resources.encode)
    resources: str | None = None

    @property
    def wish(self) -> Wish:
        """What it asks of its job."""
        outputs = len(self.outputs)
        wants = (self.lane, self.priority, self.timeout, self.retries, self.refresh, outputs, self.scratch)
        return Wish(*wants, self.resources)


class Submitted(NamedTuple):
    """What became of a submission; `result` is there at once if the job was done already."""

    request_id: int
    state: RequestState
    job_id: int | None = None
    result: str | None = None
    #: whether others than the asking session run it
    elsewhere: bool = False


class Known(NamedTuple):
    """What the store knows of an identity that is done."""

    job_id: int
    result: str


class Streams(NamedTuple):
    """Checksums of what an attempt wrote to standard output and standard error."""

    stdout: str | None
    stderr: str | None


#: Nothing is known of what was written.
NO_STREAMS = Streams(None, None)


class Consequences(NamedTuple):
    """What a transaction left to be done outside of it."""

    #: requests whose files can be written now
    deliver: tuple[int, ...] = ()
    #: requests whose identity can be computed now
    key: tuple[int, ...] = ()
    #: requests that ended without their files: their .FUTUREs are to go
    ended: tuple[int, ...] = ()
    #: sessions that wait for one of these requests
    sessions: tuple[int, ...] = ()
    #: whether a refreshed job gave another result than the one that is kept
    differed: bool = False
    #: whether the job goes back to be claimed again
    again: bool = False
    #: how many requests failed, those downstream included
    failed: int = 0

    def and_then(self, other: Consequences) -> Consequences:
        """Both."""
        return merged([self, other])


def merged(several: Sequence[Consequences]) -> Consequences:
    """All of them as one; a fan-out has thousands."""
    return Consequences(
        deliver=tuple(one for each in several for one in each.deliver),
        key=tuple(one for each in several for one in each.key),
        ended=tuple(one for each in several for one in each.ended),
        sessions=tuple({one for each in several for one in each.sessions}),
        differed=any(each.differed for each in several),
        again=any(each.again for each in several),
        failed=sum(each.failed for each in several),
    )


class Writer(NamedTuple):
    """The newest live request that will write a path."""

    request_id: int
    name: bytes
    path: bytes
    command: str
