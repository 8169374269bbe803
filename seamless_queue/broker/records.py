"""What goes in and out of the broker: plain values that hold no connection.

Checksums are hex strings here and blobs in the database; paths are the file system's bytes. Named tuples
rather than dataclasses: making these classes is a good part of the start of every command, and costs a fifth.
"""

from __future__ import annotations

from typing import NamedTuple

from .states import Outcome, RequestState

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


class NewRequest(NamedTuple):
    """A wish as it is submitted. `identity` is None while an input is unknown."""

    command: str
    directory: bytes
    specification: str
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

    @property
    def wish(self) -> Wish:
        """What it asks of its job."""
        return Wish(self.lane, self.priority, self.timeout, self.retries, self.refresh, len(self.outputs))


class Submitted(NamedTuple):
    """What became of a submission; `result` is there at once if the job was done already."""

    request_id: int
    state: RequestState
    job_id: int | None = None
    result: str | None = None


class Known(NamedTuple):
    """What the store knows of an identity that is done."""

    job_id: int
    result: str


class Streams(NamedTuple):
    """Checksums of what an attempt wrote to standard output and standard error."""

    stdout: str | None
    stderr: str | None


class Running(NamedTuple):
    """A job that this worker executes now; `fence` proves that it still may."""

    job_id: int
    checksum: str
    fence: int
    timeout: float | None
    request_id: int
    command: str
    context: str | None


class Usage(NamedTuple):
    """What an attempt used: seconds of processor time, bytes of memory at its peak."""

    user_time: float = 0.0
    system_time: float = 0.0
    peak_memory: int = 0


class Finished(NamedTuple):
    """How an attempt ended. `result` is there only if the outcome is DONE."""

    outcome: Outcome
    result: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    exit_code: int | None = None
    error: str | None = None
    usage: Usage = Usage()


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

    def and_then(self, other: Consequences) -> Consequences:
        """Both."""
        return Consequences(
            self.deliver + other.deliver,
            self.key + other.key,
            self.ended + other.ended,
            self.sessions + other.sessions,
            self.differed or other.differed,
            self.again or other.again,
        )


class Dependency(NamedTuple):
    """A resolved input of a keyable request; `checksum` is the upstream's result, or the file's own."""

    pin: bytes
    path: bytes
    upstream: int | None
    output: bytes
    part: bytes
    checksum: str


class Keyable(NamedTuple):
    """A request whose identity can be computed."""

    request_id: int
    specification: str
    dependencies: tuple[Dependency, ...]


class Delivery(NamedTuple):
    """Files to write for a request: only those that no newer request has written."""

    request_id: int
    result: str
    directory: bytes
    outputs: tuple[NewOutput, ...]
    sidecars_only: bool


class Writer(NamedTuple):
    """The newest live request that will write a path."""

    request_id: int
    name: bytes
    path: bytes
    command: str


class Failure(NamedTuple):
    """A request that failed, for people."""

    request_id: int
    command: str
    directory: bytes
    error: str
    job: str | None


class Counts(NamedTuple):
    """Requests of the queue by state, and what the workers have."""

    waiting: int = 0
    queued: int = 0
    running: int = 0
    delivering: int = 0

    @property
    def live(self) -> int:
        """Requests that have not ended."""
        return self.waiting + self.queued + self.delivering


class LastAttempt(NamedTuple):
    """How the newest execution of a job ended; its streams by checksum."""

    exit_code: int | None
    error: str | None
    stdout: str | None
    stderr: str | None
