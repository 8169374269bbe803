"""Taking back: before it was started, while it runs, after its end; with what it depends on."""

from __future__ import annotations

import signal

import pytest

from .script import EXECUTORS, WHERE, ended_well, run_script, runs, see_gone, start_script
from .shop import Shop, until

FUNCTIONS = """
@delayed
def hold(name):
    import gates
    gates.count()
    gates.wait(name)
    return name
@delayed
def spin(name):
    import gates, os
    gates.say(name + ".runs", os.getpid())
    while True:
        pass
@delayed
def join(a, b=""):
    return a + b
def tell(*tfs):
    print(*(f"{tf.status} {tf.exception}" for tf in tfs), sep="; ", flush=True)
"""


@pytest.mark.parametrize("where", EXECUTORS)
def test_before_it_was_started(shop: Shop, where: str) -> None:
    text = """
tf = hold("x")
print(tf.cancel(), tf.cancel())
tell(tf)
print(tf.compute(), tf.start() is tf, tf.is_cached(), tf.logs == "")
try:
    tf.run()
except TransformationError as exc:
    print(exc)
tf.clear_exception()
tell(tf)
gates.say("x")
print(hold("x").run(), join(hold("x"), "y").run())
"""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines()
    canceled = "Status: canceled canceled"
    assert lines == ["True False", canceled, "None True False True", "hold failed: canceled", canceled, "x xy"]
    assert shop.executions == 1


@pytest.mark.parametrize("where", EXECUTORS)
def test_after_its_end(shop: Shop, where: str) -> None:
    text = """
done, failed = join("a", "b"), join("a", 1)
done.run()
failed.compute()
print(done.cancel(), done.status, done.value, failed.cancel(), failed.status)
"""
    out = run_script(shop, WHERE[where] + FUNCTIONS + text)
    assert out == "False Status: OK ab False Status: exception\n"


@pytest.mark.parametrize("function", ["hold", "spin"])
@pytest.mark.parametrize("recursive", [False, True])
def test_while_it_runs(shop: Shop, function: str, recursive: bool) -> None:
    """The worker stops, even in a loop that asks nobody; what depends on it fails; the pool goes on."""
    target = "last.cancel(recursive=True)" if recursive else "first.cancel()"
    text = f"""
spawn(1)
first = {function}("x")
last = join(first, "y").start()
gates.until_open("x.runs")
print({target})
tell(first, last)
gates.wait("look")
print(join("p", "q").run(), first.compute(), last.compute())
gates.say("x")
print(hold("x").run() if {function == "hold"} else "x")
"""
    script = start_script(shop, FUNCTIONS + text)
    worker = runs(shop, "x")
    see_gone(worker)
    shop.let("look")
    lines = ended_well(script).splitlines()
    canceled = "Status: canceled canceled"
    downstream = (
        canceled if recursive else (f"Status: exception Dependency 'a' has an exception: {function} failed: canceled")
    )
    assert lines == ["True", f"{canceled}; {downstream}", "pq None None", "x"]


def test_while_it_runs_in_this_process(shop: Shop) -> None:
    """Nobody can stop the code, but its result is nobody's; who asks again gets a run of their own."""
    text = """
first = hold("x").start()
last = join(first, "y").start()
gates.until_open("x.runs")
print(first.cancel())
tell(first, last)
again = hold("x")
gates.say("x")
print(again.run(), join(again, "z").run(), first.status)
"""
    lines = run_script(shop, FUNCTIONS + text).splitlines()
    assert lines[0] == "True"
    assert lines[1].startswith("Status: canceled canceled; Status: exception Dependency 'a'")
    assert lines[2] == "x xz Status: canceled"
    assert shop.executions == 2


@pytest.mark.parametrize("where", EXECUTORS)
def test_one_of_two_who_want_the_same(shop: Shop, where: str) -> None:
    """The other one keeps it."""
    text = """
one, two = hold("x").start(), hold("x").start()
gates.until_open("x.runs")
print(one.cancel(), one.status, two.status)
gates.say("x")
print(two.run(), one.status)
"""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines()
    assert lines == ["True Status: canceled Status: pending", "x Status: canceled"]
    assert shop.executions == 1


@pytest.mark.parametrize("where", EXECUTORS)
def test_recursive_stops_where_something_has_ended(shop: Shop, where: str) -> None:
    text = """
done = join("d")
done.run()
waiting = join(hold("x"), done)
last = join(waiting, join(done, "e"))
last.start()
gates.until_open("x.runs")
print(last.cancel(recursive=True))
tell(done, waiting, last, waiting.upstream["a"])
gates.say("x")
"""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines()
    canceled = "Status: canceled canceled"
    assert lines == ["True", f"Status: OK None; {canceled}; {canceled}; {canceled}"]


def test_what_the_code_of_a_canceled_one_started_goes_too(shop: Shop) -> None:
    """Its children run for nobody."""
    text = """
spawn(2)
@delayed
def driver(n):
    import gates, os
    gates.say("driver.runs", os.getpid())
    handle = hold("child").start()
    handle.run()
driver.globals.hold = hold
tf = driver(1).start()
gates.until_open("child.runs")
tf.cancel()
gates.wait("look")
print(join("still ", "there").run())
"""
    script = start_script(shop, FUNCTIONS + text)
    child, driver = runs(shop, "child"), runs(shop, "driver")
    see_gone(child, driver)
    shop.let("look")
    assert ended_well(script) == "still there\n"
    assert shop.executions == 1


@pytest.mark.parametrize("where", EXECUTORS)
def test_ctrl_c_in_a_batch(shop: Shop, where: str) -> None:
    """KeyboardInterrupt comes out of the loop, what was active is taken back, and the session goes on."""
    text = """
seamless.config.set_nparallel(2)
tfs = [join("a", "b")] + [hold(str(i)) for i in range(5)]
try:
    for tf in parallel(tfs):
        print(tf.value, flush=True)
        gates.say("looping")
except KeyboardInterrupt:
    print([tf.status.removeprefix("Status: ") for tf in tfs])
for name in "01":
    gates.say(name)
print(join("still ", "there").run(), hold("0").run())
"""
    script = start_script(shop, WHERE[where] + FUNCTIONS + text)
    runs(shop, "0")
    until((shop.gates / "looping").exists, "the first value")
    script.signal(signal.SIGINT)
    lines = ended_well(script).splitlines()
    statuses = eval(lines[1])
    assert (lines[0], lines[2]) == ("ab", "still there 0")
    assert statuses[:2] == ["OK", "canceled"]
    assert set(statuses[2:4]) <= {"canceled", "ready"}
    assert statuses[4:] == ["ready", "ready"]


def test_a_batch_that_is_left_early(shop: Shop) -> None:
    """What was active is canceled, what was not is untouched; the workers are free at once."""
    text = """
spawn(2)
seamless.config.set_nparallel(4)
tfs = [join("a", str(i)) for i in range(3)] + [hold(str(i)) for i in range(10)]
for tf in parallel(tfs):
    if tf.value == "a2":
        gates.until_open("0.runs")
        break
print([tf.status.removeprefix("Status: ") for tf in tfs])
print(join("free", "!").run())
"""
    script = start_script(shop, FUNCTIONS + text)
    out = ended_well(script).splitlines()
    statuses = eval(out[0])
    assert statuses[:3] == ["OK"] * 3
    active = [status for status in statuses[3:] if status == "canceled"]
    assert 1 <= len(active) <= 4
    assert statuses[3 + len(active) :] == ["ready"] * (10 - len(active))
    assert out[1] == "free!"


@pytest.mark.parametrize("where", EXECUTORS)
def test_threads_that_cancel_what_others_want(shop: Shop, where: str) -> None:
    """Who takes back takes nothing from those who have come to want the same at that very moment."""
    text = """
from threading import Barrier, Thread
sys.setswitchinterval(1e-5)
wrong = []
def keep(start, numbers):
    start.wait()
    for i in numbers:
        tf = join("x", str(i))
        if tf.compute() is None or tf.value != f"x{i}":
            wrong.append(tf)
def cancel(start, numbers):
    start.wait()
    for i in numbers:
        join("x", str(i)).start().cancel()
for i in range(40):
    start, numbers = Barrier(6), range(3 * i, 3 * i + 3)
    threads = [Thread(target=what, args=(start, numbers)) for what in (keep, cancel) * 3]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(wrong)
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text) == "[]\n"
