"""Puts an answer together: what became of a request, or would become of a command, and why."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from seamless_queue.broker import history
from seamless_queue.broker.attempts import Attempt, attempts_of
from seamless_queue.broker.history import Job, Request
from seamless_queue.broker.records import NewRequest
from seamless_queue.broker.states import LIVE, JobState, Outcome, RequestState
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from .. import keying
from ..provenance import Parts
from . import differences, failures, origins, surroundings, waiting
from .contents import Contents
from .differences import abbreviated
from .nearest import Sought, nearest, telling
from .values import Answer, Near, Reason, Verdict, brief
from .wanted import of_specification, parts_of
from .when import moment

#: So many executions of a job are looked at.
ATTEMPTS = 50
#: Clocks of two processes, and the time between a submission and its record.
_SLACK_SECONDS = 0.001
_VERDICTS = {
    RequestState.FAILED: Verdict.FAILED,
    RequestState.CANCELED: Verdict.CANCELED,
    RequestState.SUPERSEDED: Verdict.SUPERSEDED,
}
_NOT_OVER = frozenset({Outcome.CANCELED, Outcome.RELEASED, Outcome.DIED})


class _Case(NamedTuple):
    """What is known of the thing that is asked about."""

    contents: Contents
    parts: Parts | None
    job: Job | None
    attempts: tuple[Attempt, ...]

    @property
    def store(self) -> Store:
        return self.contents.store


def about_request(store: Store, request: Request, subject: str) -> Answer:
    """What became of a request, and why."""
    contents = Contents(store, Staged())
    job = history.job(store.database, request.job_id) if request.job_id is not None else None
    attempts = tuple(attempts_of(store.database, job.id, ATTEMPTS)) if job is not None else ()
    case = _Case(contents, parts_of(contents, request, job), job, attempts)
    verdict, mine = _verdict(case, request)
    outputs = tuple(one.path for one in history.written_by(store.database, request.id))
    near, compared = _comparison(case, request.command, request.directory, outputs, request.id, mine)
    before = [one for one in attempts if mine is not None and one.id < mine.id]
    if before and verdict in (Verdict.RAN, Verdict.FAILED):
        # The same job as before: only its surroundings can be others.
        records = [surroundings.record_of(store, one) for one in (before[0], mine)]
        compared = compared._replace(beside=tuple(surroundings.between(*records)), near=None, differences=())
    reasons = [
        *_parent(store, request),
        *_of_verdict(case, request, verdict, mine, near),
        *_of_result(case, verdict),
    ]
    return compared._replace(
        subject=subject,
        verdict=verdict,
        reasons=tuple(reasons),
        request=request,
        asked=history.asked(store.database, job.id)[0] if job is not None else 1,
        inputs=tuple(origins.of(contents, request, case.parts)),
        outputs=tuple(os.fsdecode(path) for path in outputs),
    )


def about_command(store: Store, new: NewRequest, staged: Staged, subject: str) -> Answer:
    """What would become of a command, and why; nothing is submitted."""
    contents, job = Contents(store, staged), None
    if new.identity is not None:
        job = history.job_of(store.database, new.identity.checksum)
        parts = contents.parts(new.identity.checksum)
    else:
        fields = contents.value(new.specification)
        parts = of_specification(fields) if isinstance(fields, dict) else None
    attempts = tuple(attempts_of(store.database, job.id, ATTEMPTS)) if job is not None else ()
    case = _Case(contents, parts, job, attempts)
    verdict, reasons = _forecast(case, new)
    outputs = tuple(output.path for output in new.outputs)
    mine = telling(attempts)
    before = history.newest_request(store.database) + 1
    near, compared = _comparison(case, new.command, new.directory, outputs, before, mine)
    if verdict is Verdict.WOULD_RUN and not attempts:
        reasons = [*reasons, *_never_run(near)]
    return compared._replace(
        subject=subject,
        verdict=verdict,
        reasons=(*reasons, *_elsewhere(case)),
        asked=history.asked(store.database, job.id)[0] if job is not None else 0,
        inputs=tuple(origins.of_new(contents, new, parts)),
        outputs=tuple(os.fsdecode(path) for path in outputs),
    )


# -- comparison -------------------------------------------------------------------------------
def _comparison(
    case: _Case, command: str, directory: bytes, outputs: tuple[bytes, ...], before: int, mine: Attempt | None
) -> tuple[Near | None, Answer]:
    """The nearest earlier run, and an answer with what differs from it."""
    host = surroundings.host_of(case.store, telling(case.attempts))
    answer = Answer("", Verdict.RAN, (), job=case.job, attempts=case.attempts, host=host)
    if case.parts is None:
        return None, answer
    job_id = case.job.id if case.job is not None else None
    near = nearest(case.contents, Sought(case.parts, command, directory, outputs, before, job_id))
    former = case.contents.parts(near.job.checksum) if near is not None else None
    if near is None or former is None:
        return near, answer
    found = differences.between(case.contents, former, case.parts)
    records = [surroundings.record_of(case.store, one) for one in (near.attempt, mine)]
    beside = surroundings.between(*records)
    return near, answer._replace(near=near, differences=tuple(found), beside=tuple(beside))


# -- what became of a request -----------------------------------------------------------------
def _verdict(case: _Case, request: Request) -> tuple[Verdict, Attempt | None]:
    """What became of it, and the execution that decided that."""
    if request.state in LIVE and request.state is not RequestState.DELIVERING:
        running = (
            case.job is not None and case.job.state is JobState.RUNNING and not waiting.is_lost(case.store, case.job)
        )
        return (Verdict.RUNNING if running else Verdict.WAITS), None
    if request.state in _VERDICTS:
        return _VERDICTS[request.state], _own(case, request)
    own = _own(case, request)
    if own is None:
        return Verdict.HIT, telling(case.attempts)
    if own.started is not None and own.started < request.created - _SLACK_SECONDS:
        return Verdict.SHARED, own
    return Verdict.RAN, own


def _own(case: _Case, request: Request) -> Attempt | None:
    """The last execution that ended while the request was waiting for it."""
    end = (request.finished or time.time()) + _SLACK_SECONDS
    for attempt in case.attempts:
        if attempt.finished >= request.created and (attempt.started or attempt.finished) <= end:
            return attempt
    return None


def _of_verdict(
    case: _Case, request: Request, verdict: Verdict, mine: Attempt | None, near: Near | None
) -> list[Reason]:
    if verdict is Verdict.WAITS:
        return waiting.of_request(case.store, request, case.job)
    if verdict is Verdict.RUNNING:
        return waiting.of_running(case.store, request, case.job)
    if verdict is Verdict.HIT:
        return _hit(case, request, mine)
    if verdict is Verdict.SHARED and mine is not None:
        text = f"the same job was running already, since {moment(mine.started)}, and its result was shared"
        return [Reason("shared", text)]
    reasons = []
    if verdict is Verdict.FAILED:
        reasons = failures.of_request(case.contents, request, mine)
    elif verdict is Verdict.CANCELED:
        reasons = [Reason("canceled", f"it was taken back: {request.error or 'canceled'}")]
    elif verdict is Verdict.SUPERSEDED:
        reasons = [Reason("superseded", "newer requests have written all of its files")]
    if mine is None or (near is None and verdict is Verdict.FAILED and len(case.attempts) == 1):
        return reasons
    return [*reasons, *_why_run(case, request, mine, near)]


def _hit(case: _Case, request: Request, mine: Attempt | None) -> list[Reason]:
    if mine is None:
        return [Reason("hit", "its result was known to this store; no run of it is recorded")]
    first = history.first_of_job(case.store.database, request.job_id or 0)
    by = f" for request {first.id}" if first is not None and first.id != request.id else ""
    text = f"the same code on the same inputs with the same options was run before{by}, {moment(mine.finished)}"
    return [Reason("hit", text)]


def _why_run(case: _Case, request: Request, mine: Attempt | None, near: Near | None) -> list[Reason]:
    before = [one for one in case.attempts if one.finished < request.created]
    if not before:
        return _never_run(near)
    return [_again(before[0], request.refresh)]


def _never_run(near: Near | None) -> list[Reason]:
    if near is None:
        return [Reason("never_run", "never run before, and nothing like it has been run")]
    return [Reason("never_run", "never run before with this code, these inputs and these options")]


def _again(last: Attempt, refresh: bool) -> Reason:
    """Why a job that has run before is run again."""
    when = moment(last.finished)
    if last.outcome in (Outcome.DONE, Outcome.DIFFERED):
        if refresh:
            return Reason("refresh", f"the result of {when} was known, but it was to be run again (--refresh)")
        return Reason("evicted", f"it was run before ({when}), but the bytes of its result were given up or gone since")
    if last.outcome in _NOT_OVER:
        return Reason("unfinished", f"an earlier run ({when}) did not end: {_first_line(last.error)}")
    return Reason(
        "failed_before", f"the run before ({when}) failed, and failures are not kept: {_first_line(last.error)}"
    )


def _first_line(error: str | None) -> str:
    return (error or "no reason is recorded").partition("\n")[0]


def _parent(store: Store, request: Request) -> list[Reason]:
    if request.parent is None:
        return []
    asking = history.newest_of_job(store.database, request.parent)
    whose = f"request {asking.id}: {brief(asking.command)}" if asking is not None else f"job {request.parent}"
    return [Reason("parent", f"the code of another job asked for it ({whose})")]


def _of_result(case: _Case, verdict: Verdict) -> list[Reason]:
    """What has become of the bytes since, and where they were made."""
    return [*_differed(case), *_bytes(case), *_elsewhere(case)]


def _differed(case: _Case) -> list[Reason]:
    last = next((one for one in case.attempts if one.outcome is Outcome.DIFFERED and one.result is not None), None)
    if last is None:
        return []
    former = (last.error or "").rpartition(" ")[2]
    change = f"{abbreviated(former)} -> {abbreviated(last.result)}"
    text = f"run again ({moment(last.finished)}), it gave another result ({change}): it is not reproducible"
    return [Reason("differed", text)]


def _bytes(case: _Case) -> list[Reason]:
    job = case.job
    if job is None or job.result is None or job.state is not JobState.DONE:
        return []
    if job.evicted is not None:
        how = "are not kept (--scratch)" if job.scratch else f"were given up ({moment(job.evicted)})"
        text = f"the bytes of its result {how}; it is run again when they are wanted"
        return [Reason("evicted", text)]
    if not _is_kept(case, job.result):
        return [Reason("gone", "bytes of its result are missing from the store; it is run again when they are wanted")]
    return []


def _is_kept(case: _Case, result: str) -> bool:
    try:
        return keying.is_kept(case.store, result, case.parts is not None and case.parts.is_index)
    except (SeamlessError, ValueError):
        return False


def _elsewhere(case: _Case) -> list[Reason]:
    last, here = telling(case.attempts), os.uname().nodename
    host = surroundings.host_of(case.store, last)
    if last is None or host is None or host == here:
        return []
    return [Reason("elsewhere", f"it ran on another machine: {host}, not on this one ({here})")]


# -- what would become of a command -----------------------------------------------------------
def _forecast(case: _Case, new: NewRequest) -> tuple[Verdict, list[Reason]]:
    job = case.job
    if new.identity is None:
        return Verdict.WOULD_WAIT, waiting.of_new(case.store, new)
    if job is None:
        return Verdict.WOULD_RUN, []
    last = telling(case.attempts)
    when = moment(last.finished if last is not None else job.finished)
    if job.state in (JobState.READY, JobState.RUNNING):
        return Verdict.WOULD_WAIT, waiting.of_job(case.store, job)
    if job.state is JobState.DONE and job.evicted is not None:
        text = f"it was run before ({when}), but the bytes of its result were given up ({moment(job.evicted)})"
        return Verdict.WOULD_RUN, [Reason("evicted", text)]
    if job.state is JobState.DONE and (new.identity.gone_result is not None or not _is_kept(case, job.result or "")):
        text = f"it was run before ({when}), but bytes of its result are missing from the store"
        return Verdict.WOULD_RUN, [Reason("gone", text)]
    if job.state is JobState.DONE and new.refresh:
        return Verdict.WOULD_RUN, [
            Reason("refresh", f"its result of {when} is known, but it is to be run again (--refresh)")
        ]
    if job.state is JobState.DONE:
        text = f"the same code on the same inputs with the same options was run before, {when}"
        return Verdict.WOULD_HIT, [Reason("hit", text)]
    if case.attempts:
        return Verdict.WOULD_RUN, [_again(case.attempts[0], new.refresh)]
    return Verdict.WOULD_RUN, [Reason("canceled", "it was asked for before, and taken back before it ran")]
