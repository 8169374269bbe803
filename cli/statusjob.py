"""`seamless-status JOB`: all that is known of one job, for people and as JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seamless_queue.broker.states import Outcome
from seamless_queue.care.sizes import readable
from seamless_queue.errors import printable

from .statusjson import FORMAT, path_text, wish_fields
from .statustext import TAKEN_BACK, clean, duration, first_line

if TYPE_CHECKING:
    from seamless_queue.broker.attempts import Attempt
    from seamless_queue.broker.jobdetails import Details, Source
    from seamless_queue.broker.overview import Row

#: The named inputs of a job's identity, with their checksums.
Pins = Sequence[tuple[str, str]]
#: So many lines of a kind are printed.
MOST_LINES = 10
OUTCOMES = {
    Outcome.DONE: "done",
    Outcome.FAILED: "failed",
    Outcome.DIED: "its worker died",
    Outcome.CANCELED: "canceled",
    Outcome.RELEASED: "given back",
    Outcome.TIMED_OUT: "timed out",
    Outcome.DIFFERED: "done, with another result",
}
#: Of an attempt, what only other commands show.
NOT_TOLD = frozenset({"fence", "environment", "marks"})


def lines(found: Details, now: float, pins: Pins = ()) -> Iterator[str]:
    """For people."""
    row = found.row
    name = f"#{row.request_id} " if row.request_id else ""
    yield f"{name}{row.word}: {clean(row.command) or 'a job that nobody has asked for here'}"
    for title, value in _facts(found, now):
        yield f"  {title:<12}{value}"
        if title == "why":
            yield from _traceback(row)
    coming = {os.fsdecode(one.pin) for one in found.inputs}
    made_elsewhere = [f"{clean(os.fsencode(name))} {checksum[:16]}" for name, checksum in pins if name not in coming]
    is_over = found.row.finished is not None
    yield from _listed("input", [*(_source(one, is_over) for one in found.inputs), *made_elsewhere])
    yield from _listed("output", [clean(one.path) + (" (to come)" if one.pending else "") for one in found.outputs])
    yield from _listed("needed by", [_relative(one) for one in found.needed_by])
    others = [one for one in found.requests if one.request_id != row.request_id]
    yield from _listed("also asked", [_relative(one) for one in others])
    yield from _listed("attempt", [attempt_line(one) for one in found.attempts])


def _traceback(row: Row) -> Iterator[str]:
    """What an error says below its first line."""
    for line in (row.error or "").splitlines()[1:] if row.finished is not None else ():
        text = line.lstrip(" ")
        yield f"  {'':<12}{' ' * (len(line) - len(text))}{clean(text)}".rstrip()


def _facts(found: Details, now: float) -> Iterator[tuple[str, str]]:
    row = found.row
    yield "why", why(found, now)
    if row.checksum:
        yield "identity", row.checksum
    if found.result:
        yield "result", found.result + (" (its bytes were given up)" if found.evicted else "")
    if row.directory:
        yield "directory", clean(row.directory)
    labels = [text for text in (row.project and f"project {row.project}", row.stage and f"stage {row.stage}") if text]
    if row.priority:
        labels.append(f"priority {row.priority}")
    if labels:
        yield "labels", clean(", ".join(labels))
    yield "asked", moment(row.created)
    began = started(found)
    if began is not None and row.word != "waiting":
        yield "started", moment(began)
    if row.finished is not None:
        yield "ended", f"{moment(row.finished)}, {duration(row.finished - row.created)} after it was asked for"


def why(found: Details, now: float) -> str:
    """Why it stands where it stands."""
    row = found.row
    if found.lost:
        who = f", process {found.runs_on[1]} on {found.runs_on[0]}," if found.runs_on else ""
        return f"the process that ran it{who} has died; {TAKEN_BACK}"
    if row.word == "running":
        where = f" on {found.runs_on[0]}, process {found.runs_on[1]}" if found.runs_on else ""
        return f"for {duration(now - (row.started or now))}{where}"
    if row.word == "ready":
        return found.held or f"waits for a worker, {found.before or 0:,} jobs before it"
    if row.word == "waiting":
        missing = [one for one in found.inputs if one.checksum is None]
        return f"waits for {len(missing)} of its inputs" if missing else "its identity is being computed"
    if row.error:
        return clean(first_line(row.error))
    if row.word == "done" and _is_hit(found):
        return "was known: no attempt of its own"
    return {"done": "all that was asked for is in place", "superseded": "newer requests wrote all of its files"}.get(
        row.word, row.word
    )


def started(found: Details) -> float | None:
    """When its job began; None if that was over before this request."""
    row, newest = found.row, next(iter(found.attempts), None)
    is_over = row.word not in ("running", "stopping") and newest is not None and newest.finished <= row.created
    return None if is_over else row.started


def _is_hit(found: Details) -> bool:
    good = [one for one in found.attempts if one.outcome in (Outcome.DONE, Outcome.DIFFERED)]
    return bool(good) and good[-1].finished <= found.row.created


def moment(when: float) -> str:
    """A time of day; with the date if that was another day."""
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
    today = time.strftime("%Y-%m-%d ")
    return text.removeprefix(today)


def attempt_line(one: Attempt) -> str:
    """An attempt in one line."""
    words = [f"{one.id}: {OUTCOMES[one.outcome]}"]
    if one.exit_code:
        words.append(f"exit code {one.exit_code}")
    elif one.error:
        words.append(clean(first_line(one.error)))
    if one.started is not None:
        words.append(duration(max(0.0, one.finished - one.started)))
    if one.peak_memory:
        words.append(f"peak memory {readable(one.peak_memory)}")
    if one.host:
        words.append(f"on {one.host}")
    return ", ".join([*words, f"ended {moment(one.finished)}"])


def _source(one: Source, is_over: bool) -> str:
    missing = "" if one.checksum else " (it never came)" if is_over else " (to come)"
    origin = "from another store" if one.upstream_id is None else f"from #{one.upstream_id} {clean(one.command or '')}"
    return f"{clean(one.path)} {origin}{missing}"


def _relative(row: Row) -> str:
    return f"#{row.request_id} {row.word}: {clean(row.command)}"


def _listed(title: str, texts: list[str]) -> Iterator[str]:
    for number, text in enumerate(texts[:MOST_LINES]):
        yield f"  {title if not number else '':<12}{text}"
    if len(texts) > MOST_LINES:
        yield f"  {'':<12}… and {len(texts) - MOST_LINES} more"


def fields(found: Details, now: float, pins: Pins = ()) -> dict[str, Any]:
    """For scripts."""
    row = found.row
    return {
        "format": FORMAT,
        "now": now,
        "request": row.request_id or None,
        "job": row.checksum,
        "state": row.word,
        "why": why(found, now),
        **wish_fields(row),
        "started": started(found),
        "error": row.error,
        "result": found.result,
        "evicted": found.evicted,
        "lost": found.lost,
        "host": found.runs_on[0] if found.runs_on else None,
        "pid": found.runs_on[1] if found.runs_on else None,
        "jobs_before": found.before,
        "attempts": [attempt_fields(one) for one in found.attempts],
        "inputs": [
            {"path": path_text(one.path), "request": one.upstream_id, "checksum": one.checksum} for one in found.inputs
        ],
        "pins": [{"name": printable(name), "checksum": checksum} for name, checksum in pins],
        "outputs": [{"path": path_text(one.path), "pending": one.pending} for one in found.outputs],
        "needed_by": [one.request_id for one in found.needed_by],
        "requests": [one.request_id for one in found.requests],
    }


def attempt_fields(one: Attempt) -> dict[str, Any]:
    """An attempt."""
    told = {name: value for name, value in one._asdict().items() if name not in NOT_TOLD}
    return {**told, "outcome": one.outcome.name.lower()}
