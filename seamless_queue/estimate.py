"""When the queue will be done: a range, computed from how long like jobs took.

Jobs are alike if their commands are the same but for numbers (`pattern`). Where no such job has ended, those count
whose commands begin alike (`kind`), else those of the project, else all. What is still to be done takes, on `workers`
workers,

    low  = max((work - spread) / workers, chain)
    high = max((work + spread) / workers + tail, chain + tail)

with `work` the sum of the mean durations, `spread` SPREADS standard deviations of that sum (the durations vary, and so
does a mean of few, or of jobs that are not alike), `chain` the longest chain of jobs that wait for each other, itself
less or more its spread, and `tail` the time in which the last long job runs while the other workers have nothing left
to do. Where more than a few jobs are of a kind of which none has ended, nobody can say more than the least: what the
others take.
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
#: More than this part of the jobs may not be of a kind that is not known yet.
NEW_SHARE = 0.1
#: How much longer a job runs that has run longer than any like it, as a part of its time: one of the same series, of
#: the same kind, another. Of few that are known it may be more.
DOUBTS = {"pattern": 0.2, "kind": 0.5}
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


class Span(NamedTuple):
    """So many seconds, and how much they vary (as the square of a deviation)."""

    seconds: float = 0.0
    variance: float = 0.0

    def and_then(self, other: Span) -> Span:
        """Both, one after the other."""
        return Span(self.seconds + other.seconds, self.variance + other.variance)

    @property
    def least(self) -> float:
        """It is hardly shorter than this."""
        return max(0.0, self.seconds - SPREADS * math.sqrt(self.variance))

    @property
    def most(self) -> float:
        """It is hardly longer than this."""
        return self.seconds + SPREADS * math.sqrt(self.variance)


NO_TIME = Span()


class Durations(NamedTuple):
    """How long jobs took that are alike, in seconds."""

    seen: int
    mean: float
    deviation: float
    long: float
    sorted: tuple[float, ...]
    #: what is the same of these jobs and the one that was asked for: pattern, kind, project or nothing but the store
    likeness: str = "pattern"

    #: how long one runs from beginning to end
    whole: Span = NO_TIME

    @property
    def alike(self) -> bool:
        """Whether they do the same, and are not just any jobs."""
        return self.likeness in DOUBTS

    def remaining(self, elapsed: float) -> Span:
        """How much longer one runs that has run so long: as those did that ran longer."""
        longer = [seconds for seconds in self.sorted if seconds > elapsed]
        if longer:
            rest = sum(longer) / len(longer) - elapsed
            return Span(rest, min(self.deviation, rest) ** 2)
        # Longer than any before: nobody knows, it may be nearly done.
        rest = elapsed * max(DOUBTS.get(self.likeness, 1.0), 1 / self.seen)
        return Span(rest, rest**2)


def durations_of(seconds: Sequence[float], likeness: str = "pattern") -> Durations:
    """Of at least one duration."""
    ordered = tuple(sorted(seconds))
    seen, mean = len(ordered), sum(ordered) / len(ordered)
    if seen > 1:
        deviation = math.sqrt(sum((one - mean) ** 2 for one in ordered) / (seen - 1))
    else:
        deviation = mean * UNKNOWN_VARIATION
    whole = Span(mean, deviation**2 * (1 + 1 / (seen if likeness in DOUBTS else 1)))
    return Durations(seen, mean, deviation, ordered[int((seen - 1) * LONG_SHARE)], ordered, likeness, whole)


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
        found = self._summaries.get(("pattern", pattern(command)))
        if found is not None:
            return found
        for key in _keys(command, project):
            if key in self._seconds:
                if key not in self._summaries:
                    self._summaries[key] = durations_of(self._seconds[key][-self._most :], key[0])
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
    """In so many seconds it will be done; what cannot be said is None, for the reason `why`."""

    low: float | None
    high: float | None
    why: str | None = None


NOTHING_LEFT = Estimate(0.0, 0.0)


def estimate(
    experience: Experience,
    jobs: Iterable[Job],
    workers: int,
    chain: Span = NO_TIME,
    pace: float = 1.0,
) -> Estimate:
    """When jobs will be done on so many workers, which are busy with jobs for the part `pace` of their time."""
    ahead = _Ahead(experience)
    for job in jobs:
        if not ahead.add(job):
            return Estimate(None, None, "nothing like it has ended yet")
    if not ahead.times:
        return NOTHING_LEFT
    if workers < 1:
        return Estimate(None, None, "no server runs")
    if ahead.new > NEW_SHARE * ahead.times:
        known = ahead.work(only_alike=True)
        return Estimate(known.least / workers / pace, None, new_kind(ahead.new))
    work, longest, tail = ahead.work(), ahead.longest, (1 - 1 / workers) * ahead.long
    low = max(work.least / workers / pace, chain.least, longest.least)
    high = max(work.most / workers / pace + tail, chain.most + tail, longest.most)
    return Estimate(min(low, high), high)


def new_kind(times: float) -> str:
    """Why nobody knows how long these take."""
    return "1 job is of a new kind" if times < 2 else f"{times:,.0f} jobs are of a new kind"


class _Ahead:
    """The jobs that are still to be done, summed up by what is known of them."""

    def __init__(self, experience: Experience) -> None:
        self._experience = experience
        self._groups: dict[int, tuple[Durations, float]] = {}
        self._rests: list[tuple[Durations, Span]] = []
        self.times = self.new = self.long = 0.0

    def add(self, job: Job) -> bool:
        """One more; False if nothing at all is known."""
        known = self._experience.of(job.command, job.project)
        if known is None:
            return False
        self.times += job.times
        self.new += 0.0 if known.alike else job.times
        if job.elapsed is not None:
            self._rests.append((known, known.remaining(job.elapsed)))
        else:
            before = self._groups.get(id(known), (known, 0.0))[1]
            self._groups[id(known)] = (known, before + job.times)
            self.long = max(self.long, known.long)
        return True

    def work(self, only_alike: bool = False) -> Span:
        """How long all of them take one after the other."""
        total = NO_TIME
        for known, rest in self._rests:
            if known.alike or not only_alike:
                total = total.and_then(rest)
        for known, times in self._groups.values():
            if known.alike or not only_alike:
                # What one job differs from the mean by, and what the mean itself is wrong by: that of other jobs is
                # wrong by as much as one of them may be.
                wrong = (known.deviation * times) ** 2 / (known.seen if known.alike else 1)
                total = total.and_then(Span(known.mean * times, known.deviation**2 * times + wrong))
        return total

    @property
    def longest(self) -> Span:
        """What is left of the job that will run the longest of those that run."""
        return max((rest for _, rest in self._rests), default=NO_TIME)


def longest_chain(links: Iterable[tuple[int, int, Span]], running: Mapping[int, Span]) -> Span:
    """The longest chain of waiting: links are (request, what it waits for, how long it takes itself), by request.

    `running` tells how much longer those requests take that wait for nothing.
    """
    ends: dict[int, Span] = {}
    for request_id, upstream_id, own in links:
        before = ends.get(upstream_id) or running.get(upstream_id)
        end = own if before is None else before.and_then(own)
        other = ends.get(request_id)
        ends[request_id] = end if other is None or end > other else other
    return max(ends.values(), default=NO_TIME)
