"""How many jobs a worker reserves, and how many of them it begins together: as many as last about so long."""

from __future__ import annotations

from typing import Any

from .broker import claims, sessions
from .broker.records import QUEUE_LANE
from .broker.resources import Offer, claim, is_paused
from .broker.work import Running

#: A batch of reservations is meant to last this long.
BATCH_SECONDS = 0.05
#: At most so many reservations at once.
BATCH_LIMIT = 32
#: Jobs shorter than this are begun and published several at a time, which together last about that long.
TOGETHER_SECONDS = 0.016
#: So many at most.
TOGETHER_LIMIT = 32
#: Weight of the newest duration in the running mean.
MEAN_WEIGHT = 0.2


class Reservations:
    """Jobs of a lane that a worker has claimed and not begun."""

    def __init__(self, worker_id: int, lane: int, offer: Offer) -> None:
        self._worker_id = worker_id
        self._lane = lane
        self._offer = offer
        self._mean_seconds = 1.0
        self.job_ids: list[int] = []

    def note_duration(self, seconds: float) -> None:
        """So long a job has taken."""
        self._mean_seconds += MEAN_WEIGHT * (seconds - self._mean_seconds)

    def begin_batch(self, connection: Any) -> list[Running]:
        """Begin the next job, or several where jobs are so short that they are better published together."""
        limit = self._as_many_as_last(TOGETHER_SECONDS, TOGETHER_LIMIT)
        if not self.job_ids:
            self.job_ids = self._claim(connection, self._as_many_as_last(BATCH_SECONDS, BATCH_LIMIT))
        elif self._lane == QUEUE_LANE and is_paused(connection):
            claims.unreserve(connection, self._worker_id)
            self.job_ids = []
        several = len(self.job_ids) > 1 < limit
        batch = claims.begin_all(connection, self._worker_id, self.job_ids[:limit]) if several else []
        begun = {running.job_id for running in batch}
        self.job_ids = [job_id for job_id in self.job_ids if job_id not in begun]
        while not batch and self.job_ids:
            # Alone: it may have to, because it has seen a worker die; or it is not ours any more.
            running = claims.begin(connection, self._worker_id, self.job_ids.pop(0))
            batch = [running] if running is not None else []
        return batch

    def _claim(self, connection: Any, want: int) -> list[int]:
        if sessions.is_buried(connection, self._worker_id):
            return []
        if self._lane == QUEUE_LANE:
            return claim(connection, self._worker_id, self._offer, want)
        return claims.claim(connection, self._worker_id, self._lane, want)

    def _as_many_as_last(self, seconds: float, limit: int) -> int:
        return max(1, min(limit, int(seconds / max(self._mean_seconds, 1e-6))))
