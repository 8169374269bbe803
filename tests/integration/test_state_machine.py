"""Random histories of a queue on the real database, against a model in plain Python.

The model knows requests and jobs and nothing of SQL. After every step both must agree on every state,
and a few truths are checked that hold whatever the model says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from desk import Desk
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from seamless_queue.broker.claims import MAX_DEATHS
from seamless_queue.broker.states import LIVE, UNFINISHED, JobState, RequestState
from seamless_queue.broker.work import Running
from seamless_queue.errors import Fenced
from seamless_queue.settings import Settings
from seamless_queue.store import open_store

J, R = JobState, RequestState
WORKERS = 3
SELECT_REQUESTS = """SELECT requests.id, requests.state, jobs.checksum FROM requests
    LEFT JOIN jobs ON jobs.id = requests.job_id"""
SELECT_JOBS = "SELECT checksum, state, worker_id, result, retries, deaths FROM jobs"

#: What must never be found, whatever happened.
IMPOSSIBLE = {
    "a done job without a result": "SELECT id FROM jobs WHERE state = 2 AND result IS NULL",
    "a running job without a worker": "SELECT id FROM jobs WHERE state = 1 AND worker_id IS NULL",
    "an ended job with a worker": "SELECT id FROM jobs WHERE state IN (2, 3) AND worker_id IS NOT NULL",
    "a queued request whose job has ended, its worker too": """SELECT requests.id FROM requests
        JOIN jobs ON jobs.id = requests.job_id
        WHERE requests.state = 2 AND jobs.state IN (2, 3, 4) AND NOT (jobs.state = 4 AND jobs.worker_id IS NOT NULL)""",
    "a queued request without a job": "SELECT id FROM requests WHERE state = 2 AND job_id IS NULL",
    "a delivering request without a result": """SELECT requests.id FROM requests JOIN jobs ON jobs.id = requests.job_id
        WHERE requests.state = 3 AND jobs.result IS NULL""",
    "a waiting request all of whose inputs are known": """SELECT id FROM requests WHERE state = 0 AND NOT EXISTS
        (SELECT 1 FROM dependencies WHERE request_id = requests.id AND checksum IS NULL)""",
    "a keyable request with an unknown input": """SELECT id FROM requests WHERE state = 1 AND EXISTS
        (SELECT 1 FROM dependencies WHERE request_id = requests.id AND checksum IS NULL)""",
    "a request that waits for one that has ended": """SELECT requests.id FROM requests
        JOIN dependencies ON dependencies.request_id = requests.id AND dependencies.checksum IS NULL
        JOIN requests AS upstream ON upstream.id = dependencies.upstream_id
        WHERE requests.state = 0 AND upstream.state > 2""",
    "a wanted job that nobody can claim": """SELECT jobs.id FROM jobs WHERE state IN (3, 4) AND worker_id IS NULL
        AND EXISTS (SELECT 1 FROM requests WHERE requests.job_id = jobs.id AND requests.state = 2)""",
    "a failed request without a reason": "SELECT id FROM requests WHERE state IN (5, 6) AND error IS NULL",
    "an ended request with a deliverer": "SELECT id FROM requests WHERE state > 3 AND deliverer IS NOT NULL",
    "more ends of attempts than beginnings": """SELECT jobs.id FROM jobs
        WHERE (SELECT COUNT(*) FROM attempts WHERE attempts.job_id = jobs.id) > jobs.fence""",
    "two attempts with one fence": "SELECT job_id FROM attempts GROUP BY job_id, fence HAVING COUNT(*) > 1",
    "a dependency on something newer": "SELECT id FROM dependencies WHERE upstream_id >= request_id",
}


@dataclass(eq=False)
class ModelJob:
    """What one identity is expected to be."""

    state: JobState = J.READY
    result: str | None = None
    #: the worker (by place) that runs it, or has to stop it
    worker: int | None = None
    retries: int = 0
    deaths: int = 0


@dataclass(eq=False)
class ModelRequest:
    """What one request is expected to be."""

    name: str
    path: str | None
    retries: int
    refresh: bool
    upstreams: tuple[int, ...]
    state: RequestState
    what: str | None = None
    known: dict[int, str] = field(default_factory=dict)


@dataclass
class Held:
    """A worker: its row, and what it believes to run."""

    row: int
    running: Running | None = None
    what: str = ""


class QueueMachine(RuleBasedStateMachine):
    """The rules are what callers, workers and clerks do; `new_directory` is set by the test."""

    new_directory: Callable[[], Path]

    def __init__(self) -> None:
        super().__init__()
        self.store = open_store(Settings(str(type(self).new_directory())))
        self.desk = Desk(self.store)
        self.workers = [Held(self.desk.new_worker()) for _ in range(WORKERS)]
        self.jobs: dict[str, ModelJob] = {}
        self.requests: dict[int, ModelRequest] = {}

    def teardown(self) -> None:
        self.store.close()

    # -- callers ------------------------------------------------------------------------------
    @rule(
        name=st.sampled_from("abc"),
        path=st.sampled_from([None, "x", "y"]),
        retries=st.integers(0, 1),
        refresh=st.booleans(),
    )
    def submit(self, name: str, path: str | None, retries: int, refresh: bool) -> None:
        """Ask for something whose inputs are known."""
        writes = (path,) if path else ()
        submitted = self.desk.submit(name, writes=writes, retries=retries, refresh=refresh)
        self.requests[submitted.request_id] = ModelRequest(name, path, retries, refresh, (), R.KEYABLE)
        self._attach(submitted.request_id, name)

    @rule(data=st.data(), name=st.sampled_from("pq"), path=st.sampled_from([None, "x", "z"]))
    @precondition(lambda self: any(request.path for request in self.requests.values()))
    def submit_after(self, data: st.DataObject, name: str, path: str | None) -> None:
        """Ask for something that needs files of one or two earlier requests, whatever became of them."""
        writers = sorted(number for number, request in self.requests.items() if request.path)[-8:]
        upstreams = tuple(data.draw(st.lists(st.sampled_from(writers), min_size=1, max_size=2, unique=True)))
        submitted = self.desk.submit(name, writes=(path,) if path else (), after=upstreams)
        request = ModelRequest(name, path, 0, False, upstreams, R.WAITING)
        self.requests[submitted.request_id] = request
        for upstream in upstreams:
            above = self.requests[upstream]
            if above.state in (R.DELIVERING, R.DELIVERED, R.SUPERSEDED):
                request.known[upstream] = self._job_of(above).result or ""
        if any(self.requests[upstream].state in (R.FAILED, R.CANCELED) for upstream in upstreams):
            request.state = R.FAILED
        elif len(request.known) == len(upstreams):
            request.state = R.KEYABLE
        assert submitted.state is request.state

    @rule(data=st.data())
    @precondition(lambda self: self.requests)
    def cancel(self, data: st.DataObject) -> None:
        """Take a request back, ended or not."""
        number = data.draw(st.sampled_from(sorted(self.requests)[-8:]))
        self.desk.cancel(number)
        request = self.requests[number]
        if request.state not in LIVE:
            return
        request.state = R.CANCELED
        if request.what is not None:
            job, left = self.jobs[request.what], self._wanting(request.what)
            if left:
                job.retries = min(job.retries, max(self.requests[other].retries for other in left))
            elif job.state is J.READY and job.result:
                job.state = J.DONE
            elif job.state in (J.READY, J.RUNNING):
                job.state = J.CANCELED
        self._fail_below(number)

    # -- workers ------------------------------------------------------------------------------
    @rule(place=st.integers(0, WORKERS - 1))
    def begin(self, place: int) -> None:
        """Claim the best job and begin it."""
        held = self.workers[place]
        if held.running is not None:
            return
        reserved = self.desk.claim(held.row)
        ready = {what for what, job in self.jobs.items() if job.state is J.READY}
        assert bool(reserved) == bool(ready)
        if reserved:
            held.running = self.desk.begin(reserved[0], held.row)
            assert held.running is not None
            held.what = next(what for what in ready if self.desk.checksum(what) == held.running.checksum)
            job = self.jobs[held.what]
            job.state, job.worker = J.RUNNING, place

    @rule(place=st.integers(0, WORKERS - 1), flavour=st.sampled_from(["", "", "another "]))
    def finish(self, place: int, flavour: str) -> None:
        """Publish a result, now and then another one than the last time."""
        held = self.workers[place]
        result = f"{flavour}result of {held.what}"
        if not self._end(held, lambda running: self.desk.done(running, result, held.row)):
            return
        job = self.jobs[held.what]
        job.state, job.worker, job.result = J.DONE, None, job.result or result
        self._settle(held.what)

    @rule(place=st.integers(0, WORKERS - 1))
    def fail(self, place: int) -> None:
        """Publish a failure."""
        held = self.workers[place]
        if not self._end(held, lambda running: self.desk.fail(running, worker=held.row)):
            return
        job = self.jobs[held.what]
        job.worker = None
        if job.retries:
            job.state, job.retries = J.READY, job.retries - 1
        else:
            job.state = J.DONE if job.result else J.FAILED
            self._fail_all(held.what)

    def _end(self, held: Held, publish: Callable[[Running], None]) -> bool:
        """Publish an outcome; whether it counted. A canceled one is stopped instead."""
        running, held.running = held.running, None
        if running is None:
            return False
        if self.jobs[held.what].state is J.RUNNING:
            publish(running)
            return True
        with pytest.raises(Fenced):
            publish(running)
        self.desk.stopped(running, held.row)
        self._stopped(held.what)
        return False

    @rule(place=st.integers(0, WORKERS - 1))
    def die(self, place: int) -> None:
        """Kill a worker; another takes its place."""
        held = self.workers[place]
        self.desk.bury(held.row)
        self.workers[place] = Held(self.desk.new_worker())
        if held.running is None:
            return
        job = self.jobs[held.what]
        if job.state is J.CANCELED:
            self._stopped(held.what)
            return
        job.worker, job.deaths = None, job.deaths + 1
        if job.deaths < MAX_DEATHS:
            job.state = J.READY
        else:
            job.state = J.DONE if job.result else J.FAILED
            self._fail_all(held.what)

    # -- clerks -------------------------------------------------------------------------------
    @rule(data=st.data())
    @precondition(lambda self: any(request.state is R.KEYABLE for request in self.requests.values()))
    def key(self, data: st.DataObject) -> None:
        """Compute the identity of a request whose last input has come."""
        keyable = sorted(number for number, request in self.requests.items() if request.state is R.KEYABLE)
        number = data.draw(st.sampled_from(keyable))
        request = self.requests[number]
        what = f"{request.name} of {sorted(request.known.items())}"
        self.desk.key(number, what)
        self._attach(number, what)

    @rule(data=st.data())
    @precondition(lambda self: any(request.state is R.DELIVERING for request in self.requests.values()))
    def deliver(self, data: st.DataObject) -> None:
        """Write the files of a request."""
        open_ones = sorted(number for number, request in self.requests.items() if request.state is R.DELIVERING)
        number = data.draw(st.sampled_from(open_ones))
        delivery = self.desk.claim_delivery(number)
        assert delivery is not None
        self.desk.delivered(delivery)
        request = self.requests[number]
        newer = any(
            other > number and rival.path == request.path and rival.state is R.DELIVERED
            for other, rival in self.requests.items()
        )
        request.state = R.SUPERSEDED if newer else R.DELIVERED

    # -- what the model expects -----------------------------------------------------------------
    def _job_of(self, request: ModelRequest) -> ModelJob:
        assert request.what is not None
        return self.jobs[request.what]

    def _wanting(self, what: str) -> list[int]:
        return [number for number, r in self.requests.items() if r.what == what and r.state is R.QUEUED]

    def _attach(self, number: int, what: str) -> None:
        request = self.requests[number]
        request.what, request.state = what, R.QUEUED
        if what not in self.jobs:
            self.jobs[what] = ModelJob(retries=request.retries)
            return
        job = self.jobs[what]
        if job.state is J.DONE and not request.refresh:
            self._settle(what)
        elif job.state in (J.READY, J.RUNNING):
            job.retries = max(job.retries, request.retries)
        elif job.worker is None:
            job.state, job.retries, job.deaths = J.READY, request.retries, 0

    def _settle(self, what: str) -> None:
        result = self.jobs[what].result or ""
        settled = self._wanting(what)
        for number in settled:
            request = self.requests[number]
            request.state = R.DELIVERING if request.path else R.DELIVERED
        for below in self.requests.values():
            for number in set(settled) & (set(below.upstreams) - set(below.known)):
                below.known[number] = result
            if below.state is R.WAITING and len(below.known) == len(below.upstreams):
                below.state = R.KEYABLE

    def _stopped(self, what: str) -> None:
        job = self.jobs[what]
        job.worker = None
        if self._wanting(what):
            job.state, job.deaths = J.READY, 0
        elif job.result:
            job.state = J.DONE

    def _fail_all(self, what: str) -> None:
        for number in self._wanting(what):
            self.requests[number].state = R.FAILED
            self._fail_below(number)

    def _fail_below(self, number: int) -> None:
        for below, request in self.requests.items():
            unknown = number in request.upstreams and number not in request.known
            if unknown and request.state in (R.WAITING, R.KEYABLE):
                request.state = R.FAILED
                self._fail_below(below)

    # -- what is checked after every step ---------------------------------------------------------
    @invariant()
    def requests_are_as_expected(self) -> None:
        rows = self.store.database.rows(SELECT_REQUESTS)
        found = {number: (R(state), checksum.hex() if checksum else None) for number, state, checksum in rows}
        expected = {
            number: (request.state, self.desk.checksum(request.what) if request.what else None)
            for number, request in self.requests.items()
        }
        assert found == expected

    @invariant()
    def jobs_are_as_expected(self) -> None:
        found = {
            checksum.hex(): (J(state), worker, result.hex() if result else None, retries, deaths)
            for checksum, state, worker, result, retries, deaths in self.store.database.rows(SELECT_JOBS)
        }
        expected = {
            self.desk.checksum(what): (
                job.state,
                None if job.worker is None else self.workers[job.worker].row,
                None if job.result is None else self.desk.checksum(job.result),
                job.retries,
                job.deaths,
            )
            for what, job in self.jobs.items()
        }
        assert found == expected

    @invariant()
    def nothing_impossible_is_found(self) -> None:
        for what, statement in IMPOSSIBLE.items():
            assert self.store.database.rows(statement) == [], what

    @invariant()
    def live_requests_can_still_move(self) -> None:
        """Whatever is unfinished waits for something that is unfinished too."""
        for request in self.requests.values():
            if request.state is R.WAITING:
                assert any(self.requests[upstream].state in UNFINISHED for upstream in request.upstreams)


@pytest.mark.parametrize("steps", [15, 50])
def test_random_histories_keep_to_the_model(new_store_directory: Callable[[], Path], steps: int) -> None:
    class Machine(QueueMachine):
        new_directory = staticmethod(new_store_directory)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
