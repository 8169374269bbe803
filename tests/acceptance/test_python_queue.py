"""`execution: queue`: transformations handed to `seamless-queue`, which goes on when the script has ended."""

from __future__ import annotations

from .script import HEADER, ended_well, run_script, runs, see_gone, start_script, write_script
from .shop import Shop, until

QUEUE = 'seamless.config.select_execution("queue")\n'
FUNCTIONS = """
@delayed
def hold(name):
    import gates
    gates.count()
    gates.wait(name)
    return name
@delayed
def join(a, b):
    return f"{a} {b}"
@delayed
def bad(x):
    raise ValueError(x)
"""


def test_the_reference_code_by_a_queue(shop: Shop) -> None:
    shop.server()
    text = """
handles = [join(i, i) for i in range(20)]
for h in handles: h.start()
print([h.run() for h in handles] == [f"{i} {i}" for i in range(20)], has_spawned())
import asyncio
async def main():
    print([tf.value async for tf in parallel_async(join(i, 1) for i in range(5))], await join(7, 8).task())
asyncio.run(main())
print([tf.value for tf in parallel(join(join(i, 2), 3) for i in range(40))] == [f"{i} 2 3" for i in range(40)])
tf = bad(join(1, 2))
print(tf.compute(), tf.exception.splitlines()[0], bad(tf).compute())
try:
    bad(5).run()
except TransformationError as exc:
    print(exc, "raise ValueError(x)" in str(exc.__cause__))
import numpy
print(float(delayed(lambda x: x.sum())(numpy.ones(400_000)).run()))
"""
    lines = run_script(shop, QUEUE + FUNCTIONS + text).splitlines()
    assert lines[0] == "True False"
    assert lines[1] == "['0 1', '1 1', '2 1', '3 1', '4 1'] 7 8"
    assert lines[2] == "True"
    assert lines[3].startswith("None ValueError: 1 2 (line 2 of bad)")
    assert lines[4] == "bad failed: ValueError: 5 (line 2 of bad) True"
    assert lines[5] == "400000.0"


def test_it_goes_on_when_the_script_has_ended(shop: Shop) -> None:
    """With what depends on it; nothing is said, because nothing is lost."""
    text = """
last = join(join(hold("a"), hold("b")), join("c", "d")).start()
print(last.status, last.is_cached())
"""
    assert run_script(shop, QUEUE + FUNCTIONS + text) == "Status: pending False\n"
    server = shop.server()
    for name in ("a", "b"):
        runs(shop, name)
        shop.let(name)
    shop.finish()
    server.wait()
    after = "last = join(join(hold('a'), hold('b')), join('c', 'd'))\nprint(last.is_cached(), last.run())\n"
    assert run_script(shop, QUEUE + FUNCTIONS + after) == "True a b c d\n"
    assert run_script(shop, "seamless.config.select_persistent(True)\n" + FUNCTIONS + after) == "True a b c d\n"
    assert shop.executions == 2


def test_it_goes_on_when_the_script_is_killed(shop: Shop) -> None:
    shop.server()
    script = start_script(shop, QUEUE + FUNCTIONS + 'join(hold("a"), "x").run()\n')
    runs(shop, "a")
    script.kill()
    shop.let("a")
    shop.finish()
    assert run_script(shop, QUEUE + FUNCTIONS + 'print(join("a", "x").is_cached())\n') == "True\n"
    assert shop.executions == 1


def test_canceling(shop: Shop) -> None:
    """What waits, what runs, and what depends on it; others who want it keep it."""
    shop.server("--workers", "1")
    text = """
first, second = hold("a"), hold("b")
last = join(first, second).start()
gates.until_open("a.runs")
print(second.cancel(), second.status, last.compute(), last.status)
tf = join(first, "x").start()
print(tf.cancel(recursive=True), tf.status, first.status)
gates.wait("look")
gates.say("c")
print(join(hold("c"), "!").run())
"""
    script = start_script(shop, QUEUE + FUNCTIONS + text)
    worker = runs(shop, "a")
    runs(shop, "look")
    shop.let("look")
    assert ended_well(script).splitlines() == [
        "True Status: canceled None Status: exception",
        "True Status: canceled Status: canceled",
        "c !",
    ]
    see_gone(worker)
    assert shop.executions == 2
    assert "which did not: canceled" in shop.finish(status=1).err


def test_modules_beside_the_script(shop: Shop) -> None:
    """The queue's workers find them, wherever the server was started; packages and functions of them, too."""
    shop.write("project/mine.py", "from inner.deep import VALUE\ndef triple(x):\n    return 3 * x + VALUE\n")
    shop.write("project/inner/__init__.py", "")
    shop.write("project/inner/deep.py", "VALUE = 1\n")
    shop.server(cwd=shop.top)
    text = """
@delayed
def use(x):
    import mine
    return mine.triple(x)
print(use(5).run())
"""
    path = write_script(shop, QUEUE + text, "project/script.py", HEADER.replace("import gates\n", ""))
    script = shop.start("python", "-W", "error", str(path))
    assert ended_well(script) == "16\n"


def test_nested_by_a_server_with_one_worker(shop: Shop) -> None:
    shop.server("--workers", "1")
    text = """
@delayed
def leaf(x):
    return x + 1
@delayed
def middle(x):
    from seamless.transformer import parallel
    return sum(tf.value for tf in parallel(leaf(10 * x + i) for i in range(4)))
@delayed
def top(x):
    handles = [middle(10 * x + i).start() for i in range(3)]
    return sum(handle.run() for handle in handles)
middle.globals.leaf = leaf
top.globals.middle = middle
print([tf.value for tf in parallel(map(top, range(3)))] == [
    sum(100 * x + 10 * i + j + 1 for i in range(3) for j in range(4)) for x in range(3)])
"""
    assert run_script(shop, QUEUE + text) == "True\n"


def test_closing_and_coming_back(shop: Shop) -> None:
    """A handle of a session that was closed fails, but what it stands for goes on, and can be asked for again."""
    shop.server()
    text = """
tf = join(hold("a"), "b").start()
seamless.close()
print(tf.exception)
gates.say("a")
tf.clear_exception()
print(tf.run())
"""
    assert run_script(shop, QUEUE + FUNCTIONS + text).splitlines() == [
        "the session was closed; the queue goes on without it",
        "a b",
    ]
    assert shop.executions == 1


def test_the_directory_of_the_script_is_no_matter(shop: Shop) -> None:
    """Bash code through the queue, from a directory that is gone by then."""
    text = """
os.mkdir("gone")
os.chdir("gone")
tf = delayed("echo $x > RESULT\\n", language="bash")
tf.celltypes.result = "text"
handle = tf(x=5).start()
os.chdir("..")
os.rmdir("gone")
gates.wait("removed")
print(handle.run())
"""
    script = start_script(shop, QUEUE + text)
    until((shop.gates / "removed.runs").exists, "the removal")
    shop.server()
    shop.let("removed")
    assert ended_well(script) == "5\n"
