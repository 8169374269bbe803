"""Code of transformations that runs others: any depth, any number of workers, however it waits."""

from __future__ import annotations

import pytest

from .script import run_script
from .shop import Shop

#: By number of workers; without any, everything runs in the script's own process.
POOLS = {0: "", 1: "spawn(1)\n", 2: "spawn(2)\n"}
PERSISTENT = "seamless.config.select_persistent(True)\n"
pools = pytest.mark.parametrize("workers", POOLS)

TREE = """
@delayed
def leaf(x):
    return x + 1
@delayed
def middle(x):
    handles = [leaf(x * 10 + i) for i in range(5)]
    for handle in handles:
        handle.start()
    return sum(handle.run() for handle in handles)
@delayed
def top(x):
    from seamless.transformer import parallel
    return sum(tf.value for tf in parallel([middle(x * 10 + i) for i in range(4)]))
middle.globals.leaf = leaf
top.globals.middle = middle
def expected(x):
    return sum((x * 10 + i) * 10 + j + 1 for i in range(4) for j in range(5))
"""


@pools
def test_three_levels_in_parallel(shop: Shop, workers: int) -> None:
    text = "print([tf.value for tf in parallel(map(top, range(6)))] == list(map(expected, range(6))))\n"
    assert run_script(shop, POOLS[workers] + TREE + text) == "True\n"


@pools
def test_layers_of_a_hundred(shop: Shop, workers: int) -> None:
    """Eight layers: each function waits for another one of the layer below."""
    text = """
@delayed
def step(layer, i):
    from seamless.transformer import delayed
    return i if layer == 0 else delayed(step)(layer - 1, i).run() + 1
seamless.config.set_nparallel(100)
print([tf.value for tf in parallel(step(7, i) for i in range(100))] == [i + 7 for i in range(100)])
"""
    assert run_script(shop, POOLS[workers] + text) == "True\n"


@pools
def test_recursion(shop: Shop, workers: int) -> None:
    """With other arguments: each value is computed once; deep enough for any recursion limit of ours."""
    text = """
@direct
def fib(n):
    import gates
    from seamless.transformer import delayed, parallel
    gates.count()
    me = delayed(fib)
    return n if n < 2 else sum(tf.value for tf in parallel([me(n - 1), me(n - 2)]))
print(fib(20))
@direct
def depth(n):
    from seamless.transformer import direct
    return 0 if n == 0 else direct(depth)(n - 1) + 1
print(depth(200), sys.getrecursionlimit())
"""
    assert run_script(shop, POOLS[workers] + text) == "6765\n200 1000\n"
    assert shop.executions == 21


@pools
def test_a_result_that_needs_itself(shop: Shop, workers: int) -> None:
    """An error, in the code that asks, which may know better: alone, in a circle of two, and in a race of both."""
    text = """
@delayed
def alone(x):
    from seamless.transformer import delayed
    return delayed(alone)(x).run()
print(alone(1).compute(), alone(1).start().compute())
tf = alone(2)
tf.compute()
print("it waits for itself" in tf.exception)
@delayed
def wise(x):
    from seamless.transformer import delayed
    try:
        return delayed(wise)(x).run()
    except RuntimeError as exc:
        return "waits for itself" in str(exc)
print(wise(1).run())
left = '''
def left(left, right):
    import gates
    from seamless.transformer import delayed
    gates.say("left")
    gates.until_open("right")
    return delayed(right)(left=left, right=right).run()
'''
right = left.replace("def left", "def right").replace("delayed(right)", "delayed(left)")
right = right.replace('say("left")', 'say("right")').replace('until_open("right")', 'until_open("left")')
if sys.argv[1] == "1":
    gates.say("left")
    gates.say("right")
both = [delayed(code)(left=left, right=right).start() for code in (left, right)]
print([tf.compute() for tf in both], all("it waits for itself" in tf.exception for tf in both))
"""
    lines = run_script(shop, POOLS[workers] + text, str(workers)).splitlines()
    assert lines == ["None None", "True", "True", "[None, None] True"]


@pools
def test_awaiting_inside(shop: Shop, workers: int) -> None:
    """Coroutines in the code of a transformation; its own children may use event loops as well."""
    text = """
import asyncio
@delayed
def leaf(x):
    import asyncio
    async def answer():
        await asyncio.sleep(0)
        return x + 1
    return asyncio.run(answer())
@delayed
def driver(x):
    import asyncio
    from seamless.transformer import parallel_async
    async def main():
        one = await leaf(x).task()
        several = await asyncio.gather(*[leaf(x * 10 + i).task() for i in range(5)])
        streamed = [tf.value async for tf in parallel_async(leaf(x * 100 + i) for i in range(5))]
        chained = leaf(leaf(x * 1000))
        await chained.computation()
        return [one, several, streamed, chained.value]
    return asyncio.run(main())
driver.globals.leaf = leaf
def expected(x):
    return [x + 1, [x * 10 + i + 1 for i in range(5)], [x * 100 + i + 1 for i in range(5)], x * 1000 + 2]
print(driver(1).run() == expected(1))
async def main():
    return [await driver(2).task(), *[tf.value async for tf in parallel_async(map(driver, (3, 4)))]]
print(asyncio.run(main()) == [expected(x) for x in (2, 3, 4)])
"""
    assert run_script(shop, POOLS[workers] + text) == "True\nTrue\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_inside(shop: Shop, workers: int) -> None:
    text = """
@delayed
def leaf(x):
    return x + 1
@delayed
def driver(x):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda i: leaf(x * 10 + i).run(), range(6)))
driver.globals.leaf = leaf
@delayed
def above(x):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda i: driver(i).run(), range(x)))
above.globals.driver = driver
print(above(3).run() == [[x * 10 + i + 1 for i in range(6)] for x in range(3)])
"""
    assert run_script(shop, POOLS[workers] + text) == "True\n"


def test_what_a_job_starts_is_taken_by_others(shop: Shop) -> None:
    """It need not wait for it: here it is busy until its child has run."""
    text = """
spawn(2)
@delayed
def child(x):
    import gates
    gates.say("ran")
    return x
@delayed
def busy(x):
    import gates
    handle = child(x).start()
    gates.until_open("ran")
    return handle.run()
busy.globals.child = child
print(busy(5).run())
"""
    assert run_script(shop, text) == "5\n"


@pytest.mark.parametrize("workers", [0, 2])
def test_children_show_their_parent(shop: Shop, workers: int) -> None:
    """Also a child that somebody else has asked for already."""
    text = """
tf = top(1)
shared = leaf(101)
shared.start()
print(tf.run() == expected(1))
"""
    assert run_script(shop, PERSISTENT + POOLS[workers] + TREE + text) == "True\n"
    rows = shop.rows("""SELECT upper.command, requests.command, COUNT(*) FROM requests
        LEFT JOIN jobs ON jobs.id = requests.parent
        LEFT JOIN requests AS upper ON upper.job_id = jobs.id AND upper.command NOT LIKE 'leaf%'
        GROUP BY 1, 2 ORDER BY 3""")
    found = {(above and above.partition("(")[0], below.partition("(")[0]): count for above, below, count in rows}
    assert found[None, "top"] == 1
    assert found["top", "middle"] == 4
    assert found[None, "leaf"] == 1
    # The shared one may have been known before its parent asked.
    assert found["middle", "leaf"] in (19, 20)


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_and_batches_inside(shop: Shop, workers: int) -> None:
    """A driver sees what fails, goes on, and may leave a batch early."""
    text = """
@delayed
def part(i):
    if i == 3:
        raise ValueError(i)
    return i
@delayed
def driver(n):
    from itertools import count
    from seamless.transformer import parallel
    seen = []
    for tf in parallel(part(i) for i in count()):
        seen.append(tf.exception.splitlines()[0] if tf.exception else tf.value)
        if len(seen) == n:
            break
    return seen
driver.globals.part = part
print(driver(6).run())
"""
    out = run_script(shop, POOLS[workers] + text)
    assert out == "[0, 1, 2, 'ValueError: 3 (line 3 of part)', 4, 5]\n"
