"""Transformations whose arguments are transformations: chains, fans, diamonds, and what is known of them already."""

from __future__ import annotations

import pytest

from .script import EXECUTORS, WHERE, run_script
from .shop import Shop

FUNCTIONS = """
@delayed
def one(x):
    import gates
    gates.count()
    return x + 1
@delayed
def add(*values):
    return sum(values)
@delayed
def bad(x):
    raise ValueError(x)
def chain(length, first):
    tf = first
    for _ in range(length - 1):
        tf = one(tf)
    return tf
"""
LONG = """
length = int(sys.argv[1])
inc = delayed(lambda x: x + 1)
def chain(first):
    tf = first
    for _ in range(length - 1):
        tf = inc(tf)
    return tf
last = chain(inc(0))
print(last.is_cached(), last.run() == length)
again = chain(inc(0))
print(again.is_cached())
failing = chain(delayed(lambda x: 1 / x)(0))
print(failing.compute(), failing.exception.splitlines()[0])
failing.clear_exception()
print(failing.status, failing.is_cached())
waiting = chain(delayed(lambda: __import__("gates").wait("never"))())
waiting.start()
print(waiting.cancel(recursive=True), waiting.status)
"""


@pytest.mark.parametrize(("where", "length"), [("process", 10_000), ("spawn", 1_000)])
def test_long_chains(shop: Shop, where: str, length: int) -> None:
    """Nothing recurses: neither running, nor asking, failing, clearing and canceling."""
    lines = run_script(shop, WHERE[where] + LONG, str(length)).splitlines()
    assert lines[:2] == ["False True", "True"]
    error = "has an exception: <lambda> failed: ZeroDivisionError: division by zero"
    assert lines[2].startswith(f"None Dependency 'x' {error}")
    assert lines[3:] == ["Status: ready False", "True Status: canceled"]


@pytest.mark.parametrize("where", EXECUTORS)
def test_shapes(shop: Shop, where: str) -> None:
    """A fan, a diamond, the same argument twice, equal ones made twice: each identity runs once."""
    text = """
fan = add(*[one(i) for i in range(50)])
print(fan.run())
base = one(100)
diamond = add(one(base), one(base), add(base, base))
print(diamond.run())
twin = one(200)
print(add(twin, one(200), twin).run())
print(sum(tf.value for tf in parallel([one(i) for i in range(50)] * 2)))
values = {f"k{i}": one(1000 + i) for i in range(5)}
@delayed
def named(**values):
    return sorted(values.items())
print(named(**values).run())
"""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines()
    pairs = [[f"k{i}", 1001 + i] for i in range(5)]
    assert lines == ["1275", "406", "603", "2550", str(pairs)]
    assert shop.executions == 50 + 2 + 1 + 5


@pytest.mark.parametrize("where", EXECUTORS)
def test_a_hit_in_the_middle(shop: Shop, where: str) -> None:
    """What is known is not run, although it is part of something new."""
    persistent = "seamless.config.select_persistent(True)\n" + WHERE[where] + FUNCTIONS
    run_script(shop, persistent + "print(chain(5, one(0)).run())\n")
    assert shop.executions == 5
    text = """
long = chain(8, one(0))
print(long.is_cached(), chain(5, one(0)).is_cached(), long.status)
print(long.run(), add(chain(5, one(0)), chain(6, one(0))).run())
"""
    assert run_script(shop, persistent + text) == "False True Status: ready\n8 11\n"
    assert shop.executions == 8


@pytest.mark.parametrize("where", EXECUTORS)
def test_equal_results_are_one_input(shop: Shop, where: str) -> None:
    """A dependency is known by its result: other ways to the same value lead to the same transformation."""
    text = """
half = delayed(lambda x: x // 2)
print(one(half(10)).run(), one(half(11)).run(), one(5).is_cached())
tf = one(half(10))
print(tf.construct() == one(5).construct() == tf.transformation_checksum)
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text) == "6 6 True\nTrue\n"
    assert shop.executions == 1


@pytest.mark.parametrize("where", EXECUTORS)
def test_one_of_many_fails(shop: Shop, where: str) -> None:
    """Independent branches end well; all that needs the failed one says why."""
    text = """
good = [one(i) for i in range(10)]
lost = bad(7)
tops = [add(tf, lost) for tf in good]
for tf in [*good, *tops]: tf.start()
print([tf.run() for tf in good] == list(range(1, 11)), [tf.compute() for tf in tops] == [None] * 10)
print({tf.exception.splitlines()[0] for tf in tops})
"""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines()
    assert lines[0] == "True True"
    assert "has an exception: bad failed: ValueError: 7 (line 2 of bad)" in lines[1]
    assert lines[1].count("Dependency") == 1
