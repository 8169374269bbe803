"""What a parent tells its workers: all that one has to know when it starts, and what is wanted of it afterwards."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum

import orjson


class Mode(Enum):
    """What the parent wants of this worker."""

    #: claim and execute
    WORK = "work"
    #: claim nothing for now: the disk is full
    HOLD = "hold"
    #: finish the current job, then leave
    FINISH = "finish"
    #: give the current job back, then leave
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a worker is told when it starts."""

    store: str
    durable: bool
    lane: int
    session_id: int
    functions: str
    channel: int
    #: of a private store: it goes with its parent
    private: bool = False
    #: what takes the place of sys.path; empty: as it is
    path: tuple[str, ...] = ()
    #: say only what has ended, not what was started: nobody shows it
    quiet: bool = False
    #: what the server offers to jobs, and whether its workers alone do not see to that (broker/resources.py)
    offer: dict[str, int] = field(default_factory=dict)
    tight: bool = False
    #: further stores that are asked for results
    sources: tuple[str, ...] = ()

    def encode(self) -> str:
        """As one command-line argument."""
        return orjson.dumps(asdict(self)).decode()
