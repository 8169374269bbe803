"""`seamless-status` as plain text: what goes on in a store, for terminals without tricks, pipes and logs.

Whatever comes from outside, such as a command or a path, is made printable: it cannot move the cursor.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from seamless_queue.broker.sessions import SessionKind
from seamless_queue.care.sizes import readable
from seamless_queue.errors import one_line

if TYPE_CHECKING:
    from seamless_queue.broker.overview import Filter, Row
    from seamless_queue.care.cap import Cap
    from seamless_queue.estimate import Estimate
    from seamless_queue.storesize import Size
    from seamless_queue.survey import Host, Lists, Survey

KINDS = {SessionKind.QUEUE: "server", SessionKind.INLINE: "inline command", SessionKind.PYTHON: "Python session"}
#: So wide where there is no terminal whose width counts; longer lines are left as they are.
BAR_CHARACTERS = 40
#: What a bar is made of, by the words of overview.WORDS.
BAR_LETTERS = {"done": "#", "superseded": "#", "failed": "!", "canceled": "x", "running": ">", "delivering": ">"}


def clean(text: str | bytes) -> str:
    """One line without anything that a terminal would obey; of a name, which is bytes, every blank counts."""
    return one_line(os.fsdecode(text) if isinstance(text, bytes) else " ".join(text.split()))


def first_line(error: str) -> str:
    """What happened; the traceback of Python code stands below it."""
    return error.partition("\n")[0]


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3:05 min`, `2:10 h`, `3.5 d`."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    if whole < 48 * 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{seconds / 86_400:.1f} d"


def eta(estimate: Estimate) -> str:
    """When it will be done, as a range."""
    if not estimate.low and estimate.why:
        return f"not known: {estimate.why}"
    if estimate.low is None or estimate.high is None:
        return f"done in {duration(estimate.low or 0.0)} or more: {estimate.why}"
    if not estimate.high:
        return "nothing left to do"
    low, high = duration(estimate.low), duration(estimate.high)
    return f"done in {low}" if low == high else f"done in {low} to {high}"


def counts(survey: Survey) -> str:
    """How many requests stand where; those states that nobody is in are left out."""
    named = [f"{count:,} {word}" for word, count in survey.counts().items() if count]
    return ", ".join(named) or "no jobs yet"


def bar(survey: Survey, width: int = BAR_CHARACTERS) -> str:
    """The counts as a bar of letters, for where there is no colour."""
    return "".join(BAR_LETTERS.get(word, ".") * length for word, length in shares(survey, width))


#: Of a job that ran in a process that is dead.
TAKEN_BACK = "the next command that runs something, or a server, takes it back"
LOST = f"its process has died; {TAKEN_BACK}"
#: States that have a colour.
COLORED = frozenset({"running", "waiting", "ready", "delivering", "done", "failed", "canceled", "stopping"})
#: From the left of a bar to its right.
BAR_ORDER = ("done", "superseded", "failed", "canceled", "delivering", "running", "ready", "waiting")


def shares(survey: Survey, width: int) -> list[tuple[str, int]]:
    """How long each part of a bar is; what there is has at least one character, if there is room."""
    found = survey.counts()
    total = sum(found.values())
    if not total or width < 1:
        return []
    lengths = {word: max(1, found[word] * width // total) for word in BAR_ORDER if found[word]}
    while sum(lengths.values()) > width and max(lengths.values()) > 1:
        lengths[max(lengths, key=lambda word: lengths[word])] -= 1
    longest = max(lengths, key=lambda word: found[word])
    lengths[longest] += max(0, width - sum(lengths.values()))
    return list(lengths.items())


def throughput(survey: Survey) -> str:
    """How many attempts have ended lately."""
    return f"{survey.throughput.minute:,} in the last minute, {survey.throughput.ten_minutes:,} in the last 10"


def hits(survey: Survey) -> str:
    """How many requests were answered without an attempt of their own, and what that has saved."""
    if not survey.counted.hits:
        return "none yet"
    return f"{survey.counted.hits:,}, saved {duration(survey.counted.saved)}"


def size(found: Size, cap: Cap) -> str:
    """How large the store is, and how large it may be."""
    about = "" if found.exact else "about "
    if cap.bytes is None:
        return f"{about}{readable(found.bytes)}, no cap"
    share = f" ({found.bytes / cap.bytes:.0%})" if cap.bytes else ""
    return f"{about}{readable(found.bytes)} of {readable(cap.bytes)}{share}"


def servers(survey: Survey) -> str:
    """Who serves the queue, and how many workers are busy."""
    named = [_server(host, survey.now) for host in survey.servers] or ["none: start one with seamless-queue"]
    if survey.others:
        named.append(others(survey))
    return "; ".join([*named, busy(survey)] if survey.workers else named)


def others(survey: Survey) -> str:
    """Who else runs jobs."""
    names = [KINDS[host.session.kind] for host in survey.others]
    return ", ".join(f"{names.count(one)} {one}{'s' if names.count(one) > 1 else ''}" for one in dict.fromkeys(names))


def busy(survey: Survey) -> str:
    """How many workers are busy, of how many."""
    return f"{survey.busy} of {len(survey.workers)} workers busy"


def _server(host: Host, now: float) -> str:
    session = host.session
    text = f"{session.process.host} {session.process.pid}, up {duration(now - session.created)}"
    if session.paused:
        text += f", paused: {clean(session.paused)}"
    return text + (", draining" if session.draining else "")


def why(row: Row, lists: Lists, now: float) -> str:
    """Why a request stands where it stands, in a few words."""
    word = row.word
    if row.request_id in lists.lost:
        return LOST
    if word == "running":
        return duration(now - (row.started or now))
    if word == "waiting":
        return waits_for(row, lists)
    if word == "ready":
        held = lists.held.get(row.job_id or 0)
        if held is not None:
            return held
        return "for a worker" if not row.priority else f"for a worker, priority {row.priority}"
    if word == "failed":
        error, last = row.error or "failed", lists.last_line(row)
        summary = first_line(error)
        return clean(summary if last in error else f"{summary}: {last}")
    return clean(first_line(row.error or ""))


def waits_for(row: Row, lists: Lists) -> str:
    """The files that a request waits for, and who will write them."""
    inputs = lists.inputs.get(row.request_id, [])
    if not inputs:
        return "for its identity"
    first = inputs[0]
    writer = "another store" if first.upstream_id is None else f"#{first.upstream_id}"
    more = f" and {len(inputs) - 1} more" if len(inputs) > 1 else ""
    return f"for {clean(os.path.basename(first.path))} from {writer}{more}"


def line(row: Row, lists: Lists, now: float) -> str:
    """A request in one line: number, identity, why it stands there, command."""
    return f"#{row.request_id:<7} {(row.checksum or '-')[:10]:<10}  {why(row, lists, now):<24}  {clean(row.command)}"


def section(title: str, rows: Iterable[Row], survey: Survey, total: int | None = None) -> Iterator[str]:
    """A list with its heading, and how many are not shown; nothing if it is empty."""
    shown = list(rows)
    if not shown:
        return
    yield ""
    yield f"{title}:"
    for row in shown:
        yield f"  {line(row, survey.lists, survey.now)}"
    if total is not None and total > len(shown):
        yield f"  … and {total - len(shown):,} more"


def chosen(wanted: Filter) -> str:
    """Which requests are shown; empty: all."""
    named = ("project", wanted.project), ("stage", wanted.stage), ("text", wanted.text)
    parts = [f"{name} {clean(str(value))}" for name, value in named if value]
    if wanted.since is not None:
        parts.append(f"since {time.strftime('%Y-%m-%d %H:%M', time.localtime(wanted.since))}")
    return ", ".join(parts)


def snapshot(survey: Survey, path: str, found: Size, cap: Cap, only: str = "") -> Iterator[str]:
    """All of it, line by line; `only`: which requests are shown, if not all."""
    yield f"{'store':<11}{clean(path)}, {size(found, cap)}"
    yield f"{'servers':<11}{servers(survey)}"
    if survey.paused_since is not None:
        yield f"{'paused':<11}for {duration(survey.now - survey.paused_since)}; go on with: seamless-queue resume"
    if only:
        yield f"{'only':<11}{only}"
    yield f"{'requests':<11}{counts(survey) if survey.counted.total or not only else 'no such ones'}"
    if survey.counted.total:
        yield f"{'':<11}[{bar(survey)}]"
    yield f"{'ended':<11}{throughput(survey)}; {'the whole store ' if only else ''}{eta(survey.eta)}"
    yield f"{'hits':<11}{hits(survey)}"
    lists, numbers = survey.lists, survey.counts()
    yield from section("running", lists.running, survey, numbers["running"])
    yield from section("ready", lists.ready, survey, numbers["ready"])
    yield from section("waiting", lists.waiting, survey, numbers["waiting"])
    yield from section("failed", lists.failed, survey)


def only_lists(survey: Survey, names: Iterable[str], limit: int) -> Iterator[str]:
    """Some of the lists, or that there is nothing in them."""
    chosen = {name: getattr(survey.lists, name) for name in names}
    if not any(chosen.values()):
        yield f"nothing is {' or '.join(chosen)}"
    is_first = True
    for name, rows in chosen.items():
        lines = list(section(name, rows, survey))
        yield from lines[1:] if is_first else lines
        is_first = is_first and not lines
        if len(rows) >= limit:
            yield "  … and maybe more: see --limit"
