"""When the queue will be done, from how long like jobs took."""

from __future__ import annotations

import heapq
import random

import pytest

from seamless_queue.estimate import (
    NOTHING_LEFT,
    Experience,
    Job,
    Span,
    durations_of,
    estimate,
    kind,
    longest_chain,
    pattern,
)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("sort -n data/c.txt > sorted.txt", "sort"),
        ("/opt/tools/blast -db nr", "blast"),
        ("python3 scripts/fit.py --seed 4", "python3 fit.py"),
        ("python -u fit.py", "python fit.py"),
        ("OMP_NUM_THREADS=4 LANG=C ./simulate.sh 5", "simulate.sh"),
        ("fit(1, 2)", "fit"),
        ("python", "python"),
        ("A=1", "A=1"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_kind(command: str, expected: str) -> None:
    assert kind(command) == expected


def test_pattern_forgets_numbers() -> None:
    assert pattern("./sim.sh 12 0.5 > out12.dat") == pattern("./sim.sh 7 1.25 > out7.dat")
    assert pattern("sort a.txt") != pattern("sort b.txt")


def known(*records: tuple[float, str, str | None]) -> Experience:
    experience = Experience()
    for seconds, command, project in records:
        experience.add(seconds, command, project)
    return experience


def mean(experience: Experience, command: str, project: str | None = None) -> float:
    found = experience.of(command, project)
    assert found is not None
    return found.mean


def test_the_nearest_likeness_counts() -> None:
    experience = known((1, "sort a1", None), (3, "sort b1", None), (9, "fit 1", "yeast"), (90, "plot", None))
    assert mean(experience, "sort a2") == 1
    assert mean(experience, "sort c") == 2
    assert mean(experience, "unknown", "yeast") == 9
    assert mean(experience, "unknown", "fly") == pytest.approx((1 + 3 + 9 + 90) / 4)
    assert Experience().of("sort", None) is None


def test_old_records_are_forgotten() -> None:
    experience = Experience(most=10)
    for seconds in [100.0] * 50 + [1.0] * 10:
        experience.add(seconds, "sort", None)
    assert mean(experience, "sort") == 1


def test_what_runs_longer_than_any_before_is_nearly_done() -> None:
    known_ones = durations_of([1, 2, 3])
    assert known_ones.remaining(0).seconds == 2
    assert known_ones.remaining(1.5).seconds == 1
    rest = known_ones.remaining(10)
    assert rest.least == 0 < rest.seconds < rest.most < 10


def test_nothing_left_and_nothing_known() -> None:
    assert estimate(Experience(), [], 0) == NOTHING_LEFT
    assert estimate(Experience(), [Job("sort", None)], 2).low is None
    assert estimate(known((1, "sort", None)), [Job("sort", None)], 0).why == "no server runs"


def test_equal_jobs() -> None:
    experience = known(*[(2.0, f"sort {n}", None) for n in range(20)])
    found = estimate(experience, [Job("sort 99", None, times=100)], 4)
    assert found.low == pytest.approx(50)
    assert found.high == pytest.approx(51.5)


def test_busy_for_half_of_the_time_takes_twice_as_long() -> None:
    experience = known(*[(2.0, "sort", None)] * 9)
    assert estimate(experience, [Job("sort", None, times=100)], 4, pace=0.5).low == pytest.approx(100)


def test_a_chain_is_not_divided_among_workers() -> None:
    experience = known((1.0, "sort", None))
    assert (estimate(experience, [Job("sort", None, times=10)], 100, chain=Span(10.0)).low or 0) >= 10


def test_longest_chain() -> None:
    assert longest_chain([], {}) == Span()
    # 1 runs and takes 5 more; 2 and 3 wait for it, 4 for both.
    links = [(2, 1, Span(10, 1)), (3, 1, Span(1, 1)), (4, 2, Span(2, 1)), (4, 3, Span(2, 1))]
    assert longest_chain(links, {1: Span(5, 1)}) == Span(17, 3)


def test_a_chain_that_varies_is_no_point() -> None:
    found = estimate(known((1.0, "sort", None)), [Job("sort", None)], 100, chain=Span(10, 4))
    assert (found.low or 0) < 10 < (found.high or 0)


def test_a_job_of_a_new_kind_that_runs_may_go_on_for_as_long_again() -> None:
    experience = known((0.1, "sort", None), (2.0, "gzip", None), (3.0, "fit 1", None))
    found = estimate(experience, [Job("sort", None, times=9.0), Job("simulate", None, elapsed=20)], 2)
    assert (found.low or 0) < 20 < (found.high or 0)


def test_of_a_kind_that_is_not_known_only_the_least_can_be_said() -> None:
    experience = known(*[(1.0, f"sort {n}", None) for n in range(20)])
    found = estimate(experience, [Job("sort 99", None, times=100), Job("train 1", None, times=50)], 4)
    assert (found.low, found.high, found.why) == (pytest.approx(25), None, "50 jobs are of a new kind")
    few = estimate(experience, [Job("sort 99", None, times=100), Job("train 1", None, times=5)], 4)
    assert few.high is not None


@pytest.mark.parametrize("seed", range(6))
def test_within_a_quarter_after_half_of_mixed_jobs(seed: int) -> None:
    """Eight workers, jobs of four kinds in random order, half of which have ended: the middle is what it takes."""
    chance = random.Random(seed)
    means = {"sort": 0.4, "analyse": 3.0, "simulate": 8.0, "gzip": 1.5}
    jobs = [(name, chance.lognormvariate(0, 0.6) * means[name]) for name in chance.choices(list(means), k=400)]
    free = [0.0] * 8
    ends = []
    for name, seconds in jobs:
        began = heapq.heappop(free)
        heapq.heappush(free, began + seconds)
        ends.append((began, began + seconds, name))
    end = max(free)
    now = end / 2
    experience = known(
        *[(stop - start, f"{name} {n}", None) for n, (start, stop, name) in enumerate(ends) if stop < now]
    )
    left = [
        Job(f"{name} {n}", None, elapsed=now - start if start < now else None)
        for n, (start, stop, name) in enumerate(ends)
        if stop >= now
    ]
    found = estimate(experience, left, 8)
    assert found.low is not None
    assert found.high is not None
    assert (found.low + found.high) / 2 == pytest.approx(end - now, rel=0.25)
    assert found.low <= end - now <= found.high * 1.1
