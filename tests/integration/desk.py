"""A short way to say what happens to a queue: submit, begin, finish, on a real store."""

from __future__ import annotations

import time
from collections.abc import Callable

from seamless_queue import owner
from seamless_queue.broker import claims, deliveries, progress, sessions, submissions
from seamless_queue.broker.records import (
    QUEUE_LANE,
    Consequences,
    Identity,
    NewDependency,
    NewOutput,
    NewRequest,
    Submitted,
)
from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.broker.work import Delivery, Finished, Running
from seamless_queue.store import Store

DIRECTORY = b"/somewhere"


def wait_until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.01)


class Desk:
    """A store, a session of the queue and a worker of it; every call is one transaction."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.session = self.new_session()
        self.worker = self.new_worker()
        #: what the last call left to be done
        self.left = Consequences()

    # -- who ----------------------------------------------------------------------------------
    def new_session(self, kind: SessionKind = SessionKind.QUEUE) -> int:
        with self.store.database.transaction() as connection:
            return sessions.open_session(connection, kind, owner.current(), "/nowhere", 1)

    def new_worker(self, session: int | None = None) -> int:
        with self.store.database.transaction() as connection:
            return sessions.open_worker(connection, session or self.session, owner.current())

    def checksum(self, what: str) -> str:
        """The checksum of some bytes: an identity, a result."""
        return self.store.digest.of(what.encode())

    # -- requests -------------------------------------------------------------------------------
    def submit(
        self,
        what: str | None = "job",
        *,
        writes: tuple[str, ...] = (),
        after: tuple[int, ...] = (),
        gone: str | None = None,
        lane: int = QUEUE_LANE,
        priority: int = 0,
        retries: int = 0,
        timeout: float | None = None,
        refresh: bool = False,
    ) -> Submitted:
        """Submit a request for `what`, that writes files, after the first file of other requests."""
        identity = None
        if not after and what is not None:
            identity = Identity(self.checksum(what), self.checksum(gone) if gone else None)
        request = NewRequest(
            command=f"make {what}",
            directory=DIRECTORY,
            specification=None if identity else self.checksum(f"specification of {what}"),
            context=None,
            lane=lane,
            identity=identity,
            outputs=tuple(NewOutput(name.encode(), DIRECTORY + b"/" + name.encode()) for name in writes),
            dependencies=tuple(NewDependency(b"pin", DIRECTORY + b"/in", upstream, b"out") for upstream in after),
            priority=priority,
            retries=retries,
            timeout=timeout,
            refresh=refresh,
        )
        with self.store.database.transaction() as connection:
            submitted, self.left = submissions.submit(connection, request)
        return submitted

    def key(self, request: int, what: str) -> Submitted | None:
        """The last input has come: now the identity is known. None if nobody wants it any more."""
        with self.store.database.transaction() as connection:
            wish = submissions.wish_of(connection, request)
            if wish is None:
                return None
            submitted, self.left = submissions.attach(connection, request, Identity(self.checksum(what)), wish)
        return submitted

    def cancel(self, request: int) -> None:
        with self.store.database.transaction() as connection:
            self.left = progress.cancel_request(connection, request)

    # -- jobs -----------------------------------------------------------------------------------
    def claim(self, worker: int | None = None, lane: int = QUEUE_LANE, want: int = 1) -> list[int]:
        with self.store.database.transaction() as connection:
            return claims.claim(connection, worker or self.worker, lane, want)

    def begin(self, job: int, worker: int | None = None) -> Running | None:
        with self.store.database.transaction() as connection:
            return claims.begin(connection, worker or self.worker, job)

    def take(self, worker: int | None = None, lane: int = QUEUE_LANE) -> Running:
        """Claim a job and begin it."""
        (job,) = self.claim(worker, lane)
        running = self.begin(job, worker)
        assert running is not None
        return running

    def finish(self, running: Running, finished: Finished, worker: int | None = None) -> None:
        with self.store.database.transaction() as connection:
            self.left = claims.finish(connection, self.session, worker or self.worker, running, finished)

    def done(self, running: Running, result: str = "result", worker: int | None = None) -> None:
        self.finish(running, Finished(Outcome.DONE, self.checksum(result), exit_code=0), worker)

    def fail(self, running: Running, error: str = "exit code 1", worker: int | None = None) -> None:
        self.finish(running, Finished(Outcome.FAILED, exit_code=1, error=error), worker)

    def stopped(self, running: Running, worker: int | None = None) -> None:
        """The worker says that it has stopped a job that was canceled."""
        with self.store.database.transaction() as connection:
            claims.acknowledge_stop(connection, self.session, worker or self.worker, running)

    def bury(self, worker: int | None = None, why: str = "worker killed by SIGKILL") -> None:
        with self.store.database.transaction() as connection:
            self.left = sessions.bury_worker(connection, self.session, worker or self.worker, why)

    # -- deliveries -------------------------------------------------------------------------------
    def claim_delivery(self, request: int, deliverer: int | None = None) -> Delivery | None:
        with self.store.database.transaction() as connection:
            return deliveries.claim_delivery(connection, deliverer or self.worker, request)

    def delivered(self, delivery: Delivery, deliverer: int | None = None) -> tuple[int, ...]:
        """The files are written; which requests had to wait for that."""
        with self.store.database.transaction() as connection:
            deliveries.finish_delivery(connection, deliverer or self.worker, delivery)
            return deliveries.blocked_by(connection, delivery.request_id)

    # -- looking ----------------------------------------------------------------------------------
    def request(self, request: int | Submitted) -> RequestState:
        number = request if isinstance(request, int) else request.request_id
        return RequestState(self.store.database.row("SELECT state FROM requests WHERE id = ?", (number,))[0])

    def error(self, request: int | Submitted) -> str:
        number = request if isinstance(request, int) else request.request_id
        return str(self.store.database.row("SELECT error FROM requests WHERE id = ?", (number,))[0])

    def job(self, what: str = "job") -> JobState:
        checksum = bytes.fromhex(self.checksum(what))
        return JobState(self.store.database.row("SELECT state FROM jobs WHERE checksum = ?", (checksum,))[0])

    def job_field(self, field: str, what: str = "job") -> object:
        checksum = bytes.fromhex(self.checksum(what))
        return self.store.database.row(f"SELECT {field} FROM jobs WHERE checksum = ?", (checksum,))[0]

    def result(self, what: str = "job") -> str | None:
        found = self.job_field("result", what)
        return found.hex() if isinstance(found, bytes) else None

    def attempts(self) -> list[tuple[int, Outcome, str | None]]:
        """Every attempt: its fence, how it ended, its error."""
        rows = self.store.database.rows("SELECT fence, outcome, error FROM attempts ORDER BY id")
        return [(fence, Outcome(outcome), error) for fence, outcome, error in rows]
