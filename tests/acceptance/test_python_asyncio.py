"""Inside a running event loop: what awaits, what refuses to block, and many tasks at once."""

from __future__ import annotations

import pytest

from .script import EXECUTORS, WHERE, run_script
from .shop import Shop

FUNCTIONS = """
import asyncio
seamless.config.set_nparallel(4)
@delayed
def square(x):
    return x * x
@delayed
def bad(x):
    raise ValueError(x)
@delayed
def hold(name):
    import gates
    gates.wait(name)
    return name
"""


def _run(shop: Shop, where: str, body: str) -> list[str]:
    return run_script(shop, WHERE[where] + FUNCTIONS + body + "\nasyncio.run(main())\n").splitlines()


@pytest.mark.parametrize("where", EXECUTORS)
def test_awaiting(shop: Shop, where: str) -> None:
    body = """
async def main():
    print(await square(3).task())
    tf = square(4)
    print(await tf.computation() == tf.result_checksum)
    tf = square(square(2))
    print(await tf.construction() == tf.transformation_checksum, await tf.task(), tf.value, tf.run(), tf.status)
    try:
        await bad(1).task()
    except TransformationError as exc:
        print(exc, type(exc.__cause__).__name__ in ("ValueError", "RemoteTraceback"))
    failed = bad(2)
    print(await failed.computation(), failed.exception.splitlines()[0], await square(failed).computation())
    print(await square(3).is_cached_async(), await square(1234).is_cached_async())
    tf = hold("x")
    tf.start()
    print(await tf.cancel_async(), tf.status, await tf.computation())
    gates.say("x")
"""
    lines = _run(shop, where, body)
    assert lines == [
        "9",
        "True",
        "True 16 16 16 Status: OK",
        "bad failed: ValueError: 1 (line 2 of bad) True",
        "None ValueError: 2 (line 2 of bad) None",
        "True False",
        "True Status: canceled None",
    ]


@pytest.mark.parametrize("where", EXECUTORS)
def test_the_loop_goes_on_meanwhile(shop: Shop, where: str) -> None:
    """Other coroutines run while transformations do, and are what lets them end."""
    body = """
async def main():
    async def let():
        while not gates.is_open("a.runs"):
            await asyncio.sleep(0.001)
        gates.say("a")
    value, _ = await asyncio.gather(hold("a").task(), let())
    print(value)
"""
    assert _run(shop, where, body) == ["a"]


@pytest.mark.parametrize("where", EXECUTORS)
def test_many_tasks_at_once(shop: Shop, where: str) -> None:
    body = """
async def main():
    tasks = [square(i).task() for i in range(300)]
    print(await asyncio.gather(*tasks) == [i * i for i in range(300)])
    chains = [square(square(square(i))).computation() for i in range(2, 30)]
    print(None not in await asyncio.gather(*chains))
    handles = [square(1000 + i) for i in range(50)]
    done, pending = await asyncio.wait([tf.task() for tf in handles], return_when="FIRST_COMPLETED")
    print(len(done) >= 1, len(done) + len(pending))
    for task in pending:
        task.cancel()
    print(set(await asyncio.gather(*pending, return_exceptions=True)) != {1})
    print(await square(1049).task())
    # A task that is canceled leaves alone what others may want: else the end of the program would say so.
    await asyncio.gather(*(tf.computation() for tf in handles))
"""
    assert _run(shop, where, body) == ["True", "True", "True 50", "True", str(1049 * 1049)]


@pytest.mark.parametrize("where", EXECUTORS)
def test_blocking_is_refused(shop: Shop, where: str) -> None:
    """With the remedy, and before anything is begun; what is known blocks nobody."""
    body = """
@direct
def cube(x):
    return x ** 3
async def main():
    tf = square(5)
    calls = {
        "run": tf.run, "compute": tf.compute, "direct": lambda: cube(2), "parallel": lambda: parallel([tf]),
        "construct": square(square(6)).construct
    }
    for name, call in calls.items():
        try:
            print(call())
        except RuntimeError as exc:
            print(name, exc)
    print(tf.status)
    await tf.task()
    print(square(5).run(), tf.run(), tf.construct() == tf.transformation_checksum)
    print(cube(2) if await delayed(cube)(2).task() else None)
"""
    lines = _run(shop, where, body)
    remedy = "use `await tf.task()` or `await tf.computation()`"
    for line, name in zip(lines, ("run", "compute", "direct", "parallel", "construct"), strict=False):
        wanted = "use `async for tf in parallel_async(...)`" if name == "parallel" else remedy
        assert line.startswith(f"{name} ")
        assert "would block the running event loop" in line
        assert wanted in line
    assert lines[5:] == ["Status: ready", "25 25 True", "8"]


@pytest.mark.parametrize("where", EXECUTORS)
def test_parallel_async(shop: Shop, where: str) -> None:
    body = """
async def main():
    tfs = TransformationList([bad(i) if i == 3 else square(i) for i in range(8)], show_progress=False)
    print([tf.value if tf.exception is None else "bad" async for tf in parallel_async(tfs)], tfs)
    from itertools import count
    taken = []
    def endless():
        for i in count(100):
            taken.append(i)
            yield square(i)
    stream = parallel_async(endless())
    async for tf in stream:
        if tf.value >= 10_100 + 201 * 10:
            break
    await stream.aclose()
    print(len(taken) < 60)
    async def half(first):
        return [tf.value async for tf in parallel_async(square(first + i) for i in range(20))]
    both = await asyncio.gather(half(0), half(10))
    print(both == [[i * i for i in range(20)], [i * i for i in range(10, 30)]])
    async def abandoned():
        async for tf in parallel_async([hold("never"), hold("ever")]):
            pass
    task = asyncio.create_task(abandoned())
    while not gates.is_open("never.runs"):
        await asyncio.sleep(0.001)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("canceled")
    gates.say("never")
    gates.say("ever")
    print(await square(77).task())
"""
    lines = _run(shop, where, body)
    expected = [0, 1, 4, "bad", 16, 25, 36, 49]
    assert lines[0].startswith(f"{expected} <TransformationList of 8: 7 done")
    assert lines[1:] == ["True", "True", "canceled", "5929"]


def test_several_loops(shop: Shop) -> None:
    """One after another, and one in each of several threads; a closed loop is no harm to what it had begun."""
    text = """
spawn(2)
from threading import Thread
for i in range(3):
    print(asyncio.run(asyncio.wait_for(square(i).computation(), 20)) is not None)
values = []
async def ask(i):
    values.append(await square(100 + i).task())
threads = [Thread(target=lambda i=i: asyncio.run(ask(i))) for i in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(values) == [(100 + i) ** 2 for i in range(8)])
async def hasty():
    global left
    left = hold("x")
    left.task()
asyncio.run(hasty())
gates.say("x")
print(left.run())
"""
    assert run_script(shop, FUNCTIONS + text).splitlines() == ["True", "True", "True", "True", "x"]
