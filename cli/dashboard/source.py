"""What the dashboard shows, fetched part by part: each when something has changed, as often as it may cost."""

from __future__ import annotations

import time
from collections.abc import Callable

from seamless_queue import survey
from seamless_queue.broker import forecast, overview, resources
from seamless_queue.broker.overview import Counted, Filter
from seamless_queue.broker.states import RequestState
from seamless_queue.store import Store
from seamless_queue.survey import Estimator, Survey

from .pace import Pace

#: How often each part is fetched at most, and which part of a core it may take; together with drawing and sampling
#: less than 2 %.
PEOPLE_SECONDS, PEOPLE_SHARE = 0.5, 0.003
COUNTS_SECONDS, COUNTS_SHARE = 0.5, 0.002
LISTS_SECONDS, LISTS_SHARE = 0.5, 0.0025
FORECAST_SECONDS, FORECAST_SHARE = 2.0, 0.003
#: Even if nothing has changed, processes die and time goes on.
STALE_SECONDS = 3.0


class Source:
    """A store's survey, kept up to date by short reads."""

    def __init__(self, store: Store, wanted: Filter) -> None:
        self.store = store
        self.survey = Survey(time.time())
        self._wanted = wanted
        self._limit = 50
        self._estimator = Estimator(store.database)
        self._counted = Counted()
        self._failed = -1
        self._version = -1
        self._fetched = 0.0
        self._parts: dict[str, tuple[Callable[[float], Survey], Pace]] = {
            "people": (self._people, Pace(PEOPLE_SECONDS, PEOPLE_SHARE)),
            "counts": (self._counts, Pace(COUNTS_SECONDS, COUNTS_SHARE)),
            "lists": (self._lists, Pace(LISTS_SECONDS, LISTS_SHARE)),
            "forecast": (self._forecast, Pace(FORECAST_SECONDS, FORECAST_SHARE)),
        }
        self._stale = set(self._parts)

    @property
    def wanted(self) -> Filter:
        """Which requests are shown."""
        return self._wanted

    def want(self, wanted: Filter) -> None:
        """Show other requests from now on, at once."""
        if wanted != self._wanted:
            self._wanted, self._counted, self._failed = wanted, Counted(), -1
            self.hurry()

    def have_room(self, limit: int) -> None:
        """So many rows of each list can be of use."""
        if limit > self._limit:
            self._limit = limit
            self.hurry()

    def hurry(self) -> None:
        """Fetch everything with the next refresh."""
        self._version = -1
        for _, pace in self._parts.values():
            pace.hurry()

    def refresh(self) -> bool:
        """Fetch what is out of date and due; whether anything was fetched."""
        now = time.monotonic()
        version = overview.version(self.store.database)
        if version != self._version or now - self._fetched >= STALE_SECONDS:
            self._version, self._fetched = version, now
            self._stale = set(self._parts)
        due = [name for name in self._parts if name in self._stale and self._parts[name][1].is_due(now)]
        for name in due:
            fetch, pace = self._parts[name]
            with pace.spending(now):
                self.survey = fetch(time.time())
            self._stale.discard(name)
        return bool(due)

    def _people(self, now: float) -> Survey:
        database = self.store.database
        hosts = survey.hosts_of(database)
        workers = survey.workers_of(database, hosts)
        running, lost = survey.running_of(database, self._wanted, workers, self._limit)
        return self.survey._replace(
            now=now,
            hosts=hosts,
            workers=workers,
            running=overview.running_count(database, self._wanted),
            busy=survey.busy_among(database, workers),
            throughput=forecast.throughput(database, now),
            lists=self.survey.lists._replace(running=running, lost=lost),
            paused_since=resources.paused_since(database),
        )

    def _counts(self, now: float) -> Survey:
        self._counted = overview.counted(self.store.database, self._wanted, self._counted)
        return self.survey._replace(now=now, counted=self._counted)

    def _lists(self, now: float) -> Survey:
        # Failures are looked for only when there are more or fewer of them than before: that reads the whole table.
        failed = self._counted.of(RequestState.FAILED)
        known = self.survey.lists.failed if failed == self._failed else None
        lists = survey.lists_of(self.store, self._wanted, self.survey.hosts, self._limit, known)
        self._failed = failed
        return self.survey._replace(now=now, lists=lists)

    def _forecast(self, now: float) -> Survey:
        return self.survey._replace(now=now, eta=self._estimator.estimate(self.survey.hosts, now))
