"""When the queue will be done: a range, computed from how long like jobs took.

Jobs are alike if their commands are the same but for numbers (`pattern`). Where no such job has ended, those count
whose commands begin alike (`kind`), else those of the project, else all. What is still to be done takes, on `workers`
workers,

    low  = max((work - spread) / workers, chain)
    high = max((work + spread) / workers + tail, chain + tail)

with `work` the sum of the mean durations, `spread` SPREADS standard deviations of that sum (the durations vary, and so
does a mean of few, or of jobs that are not alike), `chain` the longest chain of jobs that wait for each other, and
`tail` the time in which the last long job runs while the other workers have nothing left to do.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

#: So many standard deviations to either side.
SPREADS = 1.3
#: How much one duration varies where only one is known, as a part of it.
UNKNOWN_VARIATION = 0.5
#: The share of jobs that are not longer than a "long" one.
LONG_SHARE = 0.9
#: So much of a command is its pattern.
PATTERN_CHARACTERS = 200
_NUMBER = re.compile(r"\d+(\.\d+)?")
#: What runs a script: the script is what it does.
INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|bash|sh|zsh|Rscript|julia|java|env|nice|time)[\d.]*")


def pattern(command: str) -> str:
    """The command without numbers, which tell apart the commands of a series."""
    return _NUMBER.sub("#", command[:PATTERN_CHARACTERS])


def kind(command: str) -> str:
    """What a command does: its program, with the script that an interpreter runs; of a Python job its function."""
    words = command.split(None, 1)
    while len(words) > 1 and "=" in words[0]:
        # A variable for the command.
        words = words[1].split(None, 1)
    if not words:
        return ""
    program, is_interpreter = _program(words[0])
    if is_interpreter and len(words) > 1:
        script = next((word for word in words[1].split(None, 4)[:4] if not word.startswith("-")), "")
        return f"{program} {os.path.basename(script)}"
    return program


@lru_cache(1024)
def _program(word: str) -> tuple[str, bool]:
    # `f(1, 2)` is a call of f.
    name = os.path.basename(word.rstrip("/")).partition("(")[0] or word
    return name, INTERPRETERS.fullmatch(name) is not None


class Durations(NamedTuple):
    """How long jobs took that are alike, in seconds."""

    seen: int
    mean: float
    deviation: float
    long: float
    sorted: tuple[float, ...]
    #: whether they are of jobs with the same pattern or kind, not just of other ones
    alike: bool = True

    def remaining(self, elapsed: float) -> float:
        """How much longer one runs that has run so long: as those did that ran longer."""
        longer = [seconds for seconds in self.sorted if seconds > elapsed]
        if longer:
            return sum(longer) / len(longer) - elapsed
        # Longer than any before: nobody knows, it may be nearly done.
        return max(self.mean * 0.1, elapsed * 0.2)


def durations_of(seconds: Sequence[float]) -> Durations:
    """Of at least one duration."""
    ordered = tuple(sorted(seconds))
    mean = sum(ordered) / len(ordered)
    if len(ordered) > 1:
        deviation = math.sqrt(sum((one - mean) ** 2 for one in ordered) / (len(ordered) - 1))
    else:
        deviation = mean * UNKNOWN_VARIATION
    return Durations(len(ordered), mean, deviation, ordered[int((len(ordered) - 1) * LONG_SHARE)], ordered)


class Experience:
    """How long jobs took: by pattern, by kind, by project, and all; the newest of each count."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._seconds: dict[tuple[str, str], list[float]] = {}
        self._summaries: dict[tuple[str, str], Durations] = {}

    def add(self, seconds: float, command: str, project: str | None) -> None:
        """One that has ended; to be told in the order in which they ended."""
        for key in _keys(command, project):
            known = self._seconds.setdefault(key, [])
            known.append(seconds)
            if len(known) > 2 * self._most:
                del known[: -self._most]
            self._summaries.pop(key, None)

    def of(self, command: str, project: str | None) -> Durations | None:
        """How long such a job takes; None if nothing is known at all."""
        for key in _keys(command, project):
            if key in self._seconds:
                if key not in self._summaries:
                    summary = durations_of(self._seconds[key][-self._most :])
                    self._summaries[key] = summary._replace(alike=key[0] in ("pattern", "kind"))
                return self._summaries[key]
        return None


def _keys(command: str, project: str | None) -> Iterator[tuple[str, str]]:
    yield "pattern", pattern(command)
    yield "kind", kind(command)
    yield "project", project or ""
    yield "all", ""


class Job(NamedTuple):
    """A job that is still to be done: how often the like of it, and for how long it has run."""

    command: str
    project: str | None
    times: float = 1.0
    elapsed: float | None = None


class Estimate(NamedTuple):
    """In so many seconds it will be done; both None where that cannot be said, for the reason `why`."""

    low: float | None
    high: float | None
    why: str | None = None


NOTHING_LEFT = Estimate(0.0, 0.0)


def estimate(
    experience: Experience, jobs: Iterable[Job], workers: int, chain: float = 0.0, pace: float = 1.0
) -> Estimate:
    """When jobs will be done on so many workers, which are busy with jobs for the part `pace` of their time."""
    work = variance = long = longest = 0.0
    groups: dict[int, tuple[Durations, float]] = {}
    found = False
    for job in jobs:
        found = True
        known = experience.of(job.command, job.project)
        if known is None:
            return Estimate(None, None, "nothing like it has ended yet")
        if job.elapsed is not None:
            rest = known.remaining(job.elapsed)
            work += rest
            variance += min(known.deviation, rest) ** 2
            longest = max(longest, rest)
        else:
            before = groups.get(id(known), (known, 0.0))[1]
            groups[id(known)] = (known, before + job.times)
            long = max(long, known.long)
    if not found:
        return NOTHING_LEFT
    if workers < 1:
        return Estimate(None, None, "no server runs")
    for known, times in groups.values():
        work += known.mean * times
        # What one job differs from the mean by, and what the mean itself is wrong by: that of other jobs is wrong by
        # as much as one of them may be.
        variance += known.deviation**2 * times + (known.deviation * times) ** 2 / (known.seen if known.alike else 1)
    spread = SPREADS * math.sqrt(variance)
    tail = (1 - 1 / workers) * long
    low = max((work - spread) / workers / pace, chain, 0.0)
    high = max((work + spread) / workers / pace + tail, chain + tail, longest)
    return Estimate(min(low, high), high)


def longest_chain(links: Iterable[tuple[int, int, float]], running: Mapping[int, float]) -> float:
    """The longest chain of waiting, in seconds: links are (request, what it waits for, its own seconds), by request.

    `running` tells how much longer those requests take that wait for nothing.
    """
    ends: dict[int, float] = {}
    for request_id, upstream_id, seconds in links:
        before = ends.get(upstream_id)
        if before is None:
            before = running.get(upstream_id, 0.0)
        ends[request_id] = max(ends.get(request_id, 0.0), before + seconds)
    return max(ends.values(), default=0.0)
