"""An answer in plain words, line by line; the same for `seamless-why` and `seamless-run --explain`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from seamless_queue.broker.attempts import Attempt
from seamless_queue.broker.states import Outcome
from seamless_queue.errors import one_line

from .differences import abbreviated
from .values import Answer, Difference, Origin, Reason, Verdict, brief
from .when import duration, moment

#: So many inputs are listed.
SHOWN_INPUTS = 12
#: So many differences are told.
SHOWN_DIFFERENCES = 12
_INDENT = "  "
_SAID = {
    Verdict.RAN: "It ran",
    Verdict.HIT: "It did not run: it was answered from the store",
    Verdict.SHARED: "It did not run by itself: it shared a run",
    Verdict.WAITS: "It waits",
    Verdict.RUNNING: "It is running",
    Verdict.FAILED: "It failed",
    Verdict.CANCELED: "It was canceled",
    Verdict.SUPERSEDED: "Its files were written by newer requests",
    Verdict.WOULD_RUN: "It will run",
    Verdict.WOULD_HIT: "It will be answered from the store",
    Verdict.WOULD_WAIT: "It will wait",
    Verdict.NOT_MADE: "No job has made it",
}
#: What is compared is the reason only where something was run, or will be.
_COMPARED = frozenset({Verdict.RAN, Verdict.FAILED, Verdict.WOULD_RUN, Verdict.WAITS, Verdict.RUNNING})
#: These have run before, and that was the reason.
_NOT_NEW = frozenset({"refresh", "evicted", "gone", "unfinished", "failed_before"})


def told(answer: Answer) -> Iterator[str]:
    """All of an answer."""
    yield one_line(answer.subject)
    yield from (_INDENT + one_line(line) for line in _facts(answer))
    yield from verdict(answer)


def verdict(answer: Answer) -> Iterator[str]:
    """The verdict with its reasons, and what differs from the nearest earlier run."""
    return map(one_line, _verdict(answer))


def _verdict(answer: Answer) -> Iterator[str]:
    reasons = list(answer.reasons)
    yield f"{_SAID[answer.verdict]}{':' if reasons else '.'}"
    for reason in reasons:
        yield from _item(reason)
    if is_compared(answer):
        yield from _compared(answer)
    elif answer.near is None and answer.beside:
        yield "Different from the run before:"
        yield from _several(answer.beside)


def is_compared(answer: Answer) -> bool:
    """Whether the differences from the nearest earlier run are part of the answer."""
    again = any(reason.kind in _NOT_NEW for reason in answer.reasons)
    return answer.near is not None and answer.verdict in _COMPARED and not again


def _item(one: Reason | Difference) -> Iterator[str]:
    yield f"- {one.text}"
    yield from (f"    {line.expandtabs()}" for line in one.lines)


def _facts(answer: Answer) -> Iterator[str]:
    request, job = answer.request, answer.job
    if request is not None:
        yield f"request    {request.id}: {request.command}"
    if job is not None:
        yield f"identity   {job.checksum}"
    if request is not None:
        yield f"directory  {os.fsdecode(request.directory)}"
        yield f"asked      {moment(request.created)}{_times(answer)}"
    last = next((one for one in answer.attempts if one.outcome is not Outcome.RELEASED), None)
    if last is not None:
        yield f"ran        {_run(last, answer.host)}"
    if job is not None and job.result is not None:
        yield f"result     {job.result}"
    if answer.outputs and request is not None:
        yield f"writes     {', '.join(answer.outputs[:SHOWN_INPUTS])}"
    yield from _inputs(answer.inputs)


def _times(answer: Answer) -> str:
    runs = sum(
        one.outcome in (Outcome.DONE, Outcome.FAILED, Outcome.DIFFERED, Outcome.TIMED_OUT) for one in answer.attempts
    )
    if answer.asked <= 1 and runs <= 1:
        return ""
    return f"; {answer.asked} time{'s' if answer.asked != 1 else ''} in all, run {runs} time{'s' if runs != 1 else ''}"


def _run(attempt: Attempt, host: str | None) -> str:
    took = duration(attempt.finished - attempt.started) if attempt.started is not None else "an unknown time"
    where = f" on {host}" if host else ""
    code = f", exit code {attempt.exit_code}" if attempt.exit_code is not None else ""
    how = attempt.outcome.name.lower().replace("_", " ")
    return f"{moment(attempt.started or attempt.finished)}, {took}{where}: {how}{code}"


def _inputs(inputs: tuple[Origin, ...]) -> Iterator[str]:
    for place, one in enumerate(inputs[:SHOWN_INPUTS]):
        yield f"{'inputs' if not place else '':<10} {origin(one)}"
    if len(inputs) > SHOWN_INPUTS:
        yield f"{'':<10} and {len(inputs) - SHOWN_INPUTS} more"


def origin(one: Origin) -> str:
    """An input on a line."""
    how = "from" if one.is_certain else "the same as the result of"
    made = f"  {how} request {one.request}: {brief(one.command or '')}" if one.request is not None else ""
    name = one.name + ("/" if one.is_directory else "")
    return f"{name}  {abbreviated(one.checksum)}{made}"


def _compared(answer: Answer) -> Iterator[str]:
    near = answer.near
    assert near is not None
    request = near.request
    when = moment(near.attempt.finished)
    yield f"The nearest earlier run is request {request.id} ({near.how}, {when}): {brief(request.command)}"
    if not answer.differences:
        yield "- its parts cannot be compared any more"
    yield from _several(answer.differences)
    if answer.beside:
        yield "Different as well, though no part of the identity:"
        yield from _several(answer.beside)


def _several(differences: tuple[Difference, ...]) -> Iterator[str]:
    for one in differences[:SHOWN_DIFFERENCES]:
        yield from _item(one)
    if len(differences) > SHOWN_DIFFERENCES:
        yield f"- and {len(differences) - SHOWN_DIFFERENCES} more differences"


# -- for programs -----------------------------------------------------------------------------
def fields(answer: Answer) -> dict[str, Any]:
    """The same for programs; names and kinds stay."""
    request, job, near = answer.request, answer.job, answer.near
    compared = is_compared(answer)
    return {
        "subject": answer.subject,
        "verdict": answer.verdict.value,
        "reasons": [_fields(one) for one in answer.reasons],
        "request": None
        if request is None
        else {
            "id": request.id,
            "command": request.command,
            "directory": request.directory.decode("utf-8", "backslashreplace"),
            "state": request.state.name.lower(),
            "created": request.created,
            "finished": request.finished,
            "error": request.error,
        },
        "job": None
        if job is None
        else {
            "checksum": job.checksum,
            "state": job.state.name.lower(),
            "result": job.result,
            "evicted": job.evicted,
        },
        "asked": answer.asked,
        "host": answer.host,
        "runs": [_attempt_fields(one) for one in answer.attempts],
        "inputs": [one._asdict() for one in answer.inputs],
        "outputs": list(answer.outputs),
        "nearest": None
        if near is None or not compared
        else {
            "request": near.request.id,
            "command": near.request.command,
            "job": near.job.checksum,
            "how": near.how,
        },
        "differences": [_fields(one) for one in answer.differences] if compared else [],
        "beside": [_fields(one) for one in answer.beside] if compared or near is None else [],
    }


def _fields(one: Reason | Difference) -> dict[str, Any]:
    return {"kind": one.kind, "text": one.text, "lines": list(one.lines)}


def _attempt_fields(one: Attempt) -> dict[str, Any]:
    return {
        "outcome": one.outcome.name.lower(),
        "exit_code": one.exit_code,
        "error": one.error,
        "started": one.started,
        "finished": one.finished,
        "result": one.result,
        "environment": one.environment,
    }
