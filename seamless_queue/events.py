"""What a queue server tells people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .broker.states import Outcome
from .channel import Message


class EventKind(Enum):
    """What a server tells."""

    SERVING = "serving"
    STARTED = "started"
    ENDED = "ended"
    REQUEST_FAILED = "request failed"
    WORKER_DIED = "worker died"
    HOOK = "hook"
    PAUSED = "paused"
    RESUMED = "resumed"
    DRAINING = "draining"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person may want to see."""

    kind: EventKind
    text: str = ""
    job: str = ""
    request: int = 0
    command: str = ""
    outcome: Outcome | None = None
    seconds: float = 0.0
    again: bool = False
    differed: bool = False
    #: how many requests failed with the job, those downstream included
    failed: int = 0


def event_of(kind: EventKind, message: Message) -> Event:
    """The event that a worker's message is about."""
    outcome = Outcome(message["outcome"]) if "outcome" in message else None
    return Event(
        kind,
        # A traceback may follow the first line.
        (message.get("error") or "").partition("\n")[0],
        message["job"],
        message["request"],
        message["command"],
        outcome,
        message.get("seconds", 0.0),
        message.get("again", False),
        message.get("differed", False),
        message.get("failed", 0),
    )
