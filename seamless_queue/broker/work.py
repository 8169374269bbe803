"""What workers, deliverers and reports are given: plain values that hold no connection."""

from __future__ import annotations

from typing import NamedTuple

from .records import NewOutput
from .states import Outcome, RequestState


class Running(NamedTuple):
    """A job that this worker executes now; `fence` proves that it still may."""

    job_id: int
    checksum: str
    fence: int
    timeout: float | None
    request_id: int
    command: str
    context: str | None
    #: whether it has seen a worker die, and is not begun together with others
    alone: bool = False
    #: the result that it has given before, if it has
    former: str | None = None
    #: the GPUs that it was given, as programs are told of them
    devices: str | None = None


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
    #: when it really began; of several jobs that are begun together the table knows only the common moment
    began: float | None = None
    #: what the result, an index, names: checksums of its files
    members: tuple[str, ...] = ()
    #: checksum of the staged record of the surroundings
    environment: str | None = None
    #: when it had written how much, as JSON (recorder.py)
    marks: str | None = None


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
    #: whether the bytes of the result are not needed
    scratch: bool = False


class Delivery(NamedTuple):
    """Files to write for a request: only those that no newer request has written."""

    request_id: int
    result: str
    directory: bytes
    outputs: tuple[NewOutput, ...]
    sidecars_only: bool


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


class End(NamedTuple):
    """How a request ended; its job and result where there are any."""

    request_id: int
    state: RequestState
    error: str | None
    job: str | None
    result: str | None
