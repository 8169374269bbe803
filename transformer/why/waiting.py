"""Why something waits: for an input, for a server, for its turn."""

from __future__ import annotations

import os

from seamless_queue import owner
from seamless_queue.broker import history, resources, sessions
from seamless_queue.broker.history import Job, Request
from seamless_queue.broker.records import QUEUE_LANE, NewRequest
from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import LIVE, JobState, RequestState
from seamless_queue.store import Store

from .values import Reason, brief
from .when import moment

#: So many links of a chain are followed.
MOST_LINKS = 100
_SHOWN = 5
_TAKEN_BACK = "the next command that runs something, or a server, takes it back"


def of_request(store: Store, request: Request, job: Job | None) -> list[Reason]:
    """Why a request has not been run."""
    if job is not None:
        return of_job(store, job)
    if request.state is RequestState.KEYABLE:
        return [Reason("keyable", "its last input has come; whoever runs next gives it its identity"), *_servers(store)]
    open_ = [one for one in history.upstreams(store.database, request.id) if one.checksum is None]
    # A file may be an input by itself and in its directory.
    places = list(dict.fromkeys((one.request_id, one.path) for one in open_))
    reasons = [_input(store, *place) for place in places[:_SHOWN]]
    if len(places) > _SHOWN:
        reasons.append(Reason("waits_for_input", f"and for {len(places) - _SHOWN} more"))
    root = _root(store, request)
    if root is not None:
        reasons += root
    return reasons


def of_new(store: Store, new: NewRequest) -> list[Reason]:
    """Why the identity of a command is not known yet."""
    places = list(dict.fromkeys((one.upstream, one.path) for one in new.dependencies))
    reasons = [_input(store, *place) for place in places[:_SHOWN]]
    first = next((one.upstream for one in new.dependencies if one.upstream is not None), None)
    upstream = history.request(store.database, first) if first is not None else None
    return reasons + ((_root(store, upstream) or []) if upstream is not None else [])


def is_lost(store: Store, job: Job) -> bool:
    """Whether who ran it has died, which nobody has noticed yet."""
    if job.state is not JobState.RUNNING or job.worker_id is None:
        return False
    return sessions.has_died(store.database, job.worker_id)


def of_running(store: Store, request: Request, job: Job | None) -> list[Reason]:
    """Where something runs."""
    if job is None:
        return []
    found = history.worker(store.database, job.worker_id) if job.worker_id is not None else None
    if is_lost(store, job):
        who = f", process {found[0]} on {found[1]}," if found is not None else ""
        text = f"the process that ran it{who} has died; {_TAKEN_BACK}"
        return [Reason("lost", text)]
    where = f", as process {found[0]} on {found[1]}" if found is not None else ""
    return [Reason("running", f"it has been running since {moment(job.started)}{where}")]


def of_job(store: Store, job: Job) -> list[Reason]:
    """Why a job has not begun, or has not ended."""
    if job.state is JobState.RUNNING:
        newest = history.newest_of_job(store.database, job.id)
        return of_running(store, newest, job) if newest is not None else []
    if job.state is not JobState.READY:
        return []
    if job.lane != QUEUE_LANE:
        return [Reason("waits_for_session", _session(store, job.lane))]
    servers = _servers(store)
    if job.worker_id is not None:
        return [Reason("waits_for_worker", "a worker has reserved it and runs another job first"), *servers]
    hindered = resources.waiting_reasons(store.database, job.id)
    if hindered:
        return [*map(_hindered, hindered), *servers]
    before = history.queued_before(store.database, job)
    turn = f"{before} job{'s are' if before != 1 else ' is'} before it" if before else "it is the next one"
    return [Reason("waits_for_turn", f"it is in the queue, with priority {job.priority}; {turn}"), *servers]


def _hindered(text: str) -> Reason:
    return Reason("waits_for_resources", f"it {text}") if text.startswith("needs") else Reason("paused", text)


def _input(store: Store, request_id: int | None, path: bytes) -> Reason:
    name = os.fsdecode(path)
    if request_id is None:
        return Reason("waits_for_future", f"it waits for {name}, which another store is to write ({name}.FUTURE)")
    upstream = history.request(store.database, request_id)
    what = f"`{name}` from request {request_id}" if name else f"the result of request {request_id}"
    if upstream is None:
        return Reason("waits_for_input", f"it waits for {what}")
    return Reason(
        "waits_for_input", f"it waits for {what} ({brief(upstream.command)}), which is {_state(store, upstream)}"
    )


def _state(store: Store, request: Request) -> str:
    job = history.job(store.database, request.job_id) if request.job_id is not None else None
    if request.state is RequestState.QUEUED and job is not None and job.state is JobState.RUNNING:
        return "left by a process that has died" if is_lost(store, job) else "running"
    return request.state.name.lower()


def _root(store: Store, request: Request) -> list[Reason] | None:
    """What the first of a chain of requests waits for."""
    for _ in range(MOST_LINKS):
        if request.job_id is not None or request.state not in LIVE:
            job = history.job(store.database, request.job_id) if request.job_id is not None else None
            if job is None or job.state is not JobState.READY:
                return None
            return [
                Reason(one.kind, f"request {request.id}: {one.text}" if one.kind.startswith("waits") else one.text)
                for one in of_job(store, job)
            ]
        waited = [one for one in history.upstreams(store.database, request.id) if one.checksum is None]
        upstream = next((one.request_id for one in waited if one.request_id is not None), None)
        following = history.request(store.database, upstream) if upstream is not None else None
        if following is None:
            return None
        request = following
    return None


def _servers(store: Store) -> list[Reason]:
    """Whether anybody is there to run the queue."""
    alive = [one for one in sessions.live_sessions(store.database) if one.kind is SessionKind.QUEUE]
    alive = [one for one in alive if owner.is_alive(one.process) is not False]
    if not alive:
        return [Reason("no_server", "no queue server is running: start one with seamless-queue")]
    paused = [one.paused for one in alive if one.paused]
    if len(paused) == len(alive):
        return [Reason("paused", f"the queue server is paused: {paused[0]}")]
    if all(one.draining for one in alive):
        return [Reason("draining", "the queue server stops when all is done; it still runs this")]
    return []


def _session(store: Store, lane: int) -> str:
    found = next((one for one in sessions.live_sessions(store.database) if one.id == lane), None)
    if found is None or owner.is_alive(found.process) is False:
        return f"it is to be run by a process that has died; {_TAKEN_BACK}"
    kind = "a seamless-run" if found.kind is SessionKind.INLINE else "a Python process"
    return f"it is to be run by {kind}, process {found.process.pid} on {found.process.host}, which has not begun it"
