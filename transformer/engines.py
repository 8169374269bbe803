"""Who takes what a process submits: its own session, or in a worker the session that it works for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from seamless_queue.broker.records import NewRequest
    from seamless_queue.clerk import Host
    from seamless_queue.lane import Lane, Ticket
    from seamless_queue.staged import Staged
    from seamless_queue.store import Store


class Engine(Protocol):
    """Who takes what is submitted."""

    @property
    def store(self) -> Store:
        """The open store; use it under `lock`."""

    @property
    def lane(self) -> Lane:
        """Whose jobs they are."""

    @property
    def lock(self) -> Any:
        """Held for every use of the store's connection."""

    def submit(self, requests: Sequence[NewRequest], staged: Staged) -> list[Ticket]:
        """Submit, and wake who is to run it."""

    def cancel(self, ticket: Ticket, why: str = "canceled") -> bool:
        """Take a wish back."""


class Frame:
    """A job whose code runs in this thread."""

    __slots__ = ("host", "job_id")

    def __init__(self, host: Host, job_id: int) -> None:
        self.host = host
        self.job_id = job_id


class WorkerSide:
    """The engine of a worker: what its jobs submit goes to the lane of the session that it works for."""

    def __init__(self, host: Host, store: Store) -> None:
        self.host = host
        self.store = store
        self.lane = host.lane
        self.lock = host.lane.lock

    def submit(self, requests: Sequence[NewRequest], staged: Staged) -> list[Ticket]:
        """Submit in the name of the current job."""
        self.host.before_nested()
        return self.lane.submit(requests, staged)

    def cancel(self, ticket: Ticket, why: str = "canceled") -> bool:
        """Take a wish back."""
        return self.lane.withdraw(ticket, why)
