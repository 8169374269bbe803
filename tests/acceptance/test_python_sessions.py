"""The one session of a process: its pool, its end, a new one after it, and forks."""

from __future__ import annotations

import os
import signal

import pytest

from .script import (
    EXECUTORS,
    WHERE,
    ended_well,
    finished,
    private_leftovers,
    run_script,
    runs,
    start_script,
    workers_of,
)
from .shop import Shop

PERSISTENT = "seamless.config.select_persistent(True)\n"
FUNCTIONS = """
@delayed
def plus(x):
    return x + 1
@delayed
def hold(name):
    import gates
    gates.wait(name)
    return name
"""


def test_spawn(shop: Shop) -> None:
    """A singleton: the same number again does nothing, another one says what to do."""
    text = """
from seamless.transformer import Environment, global_lock
print(has_spawned())
spawn(2); spawn(2); spawn()
print(has_spawned(), plus(1).run())
for wrong in (3, 0, -1, True, "2", 1.5):
    try:
        spawn(wrong)
    except Exception as exc:
        print(type(exc).__name__, exc)
@delayed
def inside():
    import warnings
    from seamless.transformer import has_spawned, spawn
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spawn(5)
        spawn()
    return [has_spawned(), *(str(one.message) for one in caught)]
print(inside().run())
seamless.close()
print(has_spawned())
spawn(3)
print(has_spawned(), plus(1).run())
with global_lock:
    with global_lock:
        print("locked")
"""
    lines = run_script(shop, FUNCTIONS + text).splitlines()
    assert lines[:2] == ["False", "True 2"]
    assert lines[2].startswith("ConfigurationError there are 2 workers already, not 3: call seamless.close() first")
    assert all(line.startswith("ConfigurationError spawn() wants a positive number") for line in lines[3:8])
    warning = "spawn() inside a transformation does nothing: its workers are there already"
    assert lines[8:] == [str([True, warning, warning]), "False", "True 2", "locked"]


def test_as_many_workers_as_wanted(shop: Shop) -> None:
    """Started at once by spawn(), or with the first transformation where the configuration says so."""
    shop.write("seamless.profile.yaml", "- execution: spawn\n- nparallel: 3\n")
    text = """
print(seamless.config.get_execution(), seamless.config.get_nparallel(), has_spawned())
print(plus(1).run(), has_spawned())
gates.wait("look")
"""
    script = start_script(shop, FUNCTIONS + text)
    runs(shop, "look")
    assert len(workers_of(script)) == os.cpu_count()
    shop.let("look")
    assert ended_well(script) == "spawn 3 False\n2 True\n"


@pytest.mark.parametrize("where", EXECUTORS)
def test_close_and_work_again(shop: Shop, where: str) -> None:
    text = """
done, lost = plus(1), plus(100)
print(done.run(), lost.run())
started, chained = hold("x").start(), plus(plus(5))
waiting = plus(started).start()
gates.until_open("x.runs")
seamless.close()
gates.say("x")
print(started.status, started.exception, waiting.status)
try:
    started.run()
except TransformationError as exc:
    print(exc)
print(done.status, chained.run(), plus(1).run(), hold("x").run(), done.value)
try:
    print(lost.value)
except seamless.CacheMissError as exc:
    print("gone:", "seamless.config.select_store" in str(exc))
for _ in range(5):
    seamless.close()
    print(plus(7).run(), end=" ")
seamless.close()
seamless.close()
@delayed
def closing(x):
    import seamless, warnings
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seamless.close()
    return [x, len(caught)]
print(closing(3).run(), plus(8).run())
"""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines()
    assert lines[0] == "2 101"
    assert lines[1].startswith("Status: canceled the session was closed Status: ")
    assert lines[2:4] == ["hold failed: the session was closed", "Status: OK 7 2 x 2"]
    assert lines[4] == "gone: True"
    assert lines[5] == "8 8 8 8 8 [3, 1] 9"
    assert private_leftovers(shop) == []


@pytest.mark.parametrize("where", EXECUTORS)
def test_results_of_a_store_outlive_the_session(shop: Shop, where: str) -> None:
    text = """
tf = plus(1)
tf.run()
later = plus(plus(40))
seamless.close()
print(tf.value, tf.run(), later.run(), tf.logs == "", seamless.Checksum(tf.result_checksum).resolve("mixed"))
"""
    out = run_script(shop, PERSISTENT + WHERE[where] + FUNCTIONS + text)
    assert out == "2 2 42 True 2\n"


@pytest.mark.parametrize("where", EXECUTORS)
def test_unfinished_work_at_the_end(shop: Shop, where: str) -> None:
    """It is said how much; what was taken back, or only built, is no loss."""
    text = """
handles = [hold(str(i)).start() for i in range(3)]
gates.until_open("0.runs")
handles[1].cancel()
built = hold("built")
print("end")
"""
    ended = finished(start_script(shop, PERSISTENT + WHERE[where] + FUNCTIONS + text))
    assert ended.status == 0
    assert ended.err == "seamless: 2 started transformations had not ended and were canceled\n"
    assert ended.out == b"end\n"
    shop.everyone_gone()
    assert shop.store_leftovers() == []
    assert set(shop.rows("SELECT state FROM requests")) == {(6,)}


def test_the_end_of_a_script_that_never_needed_a_pool(shop: Shop) -> None:
    """Nothing is opened, nothing is said, nothing is made."""
    for text in ("", "plus(1)\n", "spawn(1)\n", "plus(1).cancel()\n", "print(plus(1).is_cached())\n"):
        run_script(shop, FUNCTIONS + text)
    assert private_leftovers(shop) == []


def test_a_batch_that_is_left_lying(shop: Shop) -> None:
    """What Python finalizes after the end of the session opens no new one."""
    text = """
from itertools import count
seamless.config.set_nparallel(2)
batch = parallel(plus(i) for i in count())
print(next(batch).value)
held = parallel(hold("never") for i in count())
class Late:
    def __del__(self, batch=held):
        batch.close()
late = [Late()]
late.append(late)
"""
    run_script(shop, FUNCTIONS + text, err=None)
    assert private_leftovers(shop) == []


FORK = """
first = plus(1).run()
held = hold("x").start()
chained = plus(10)
gates.until_open("x.runs")
child = os.fork()
if child == 0:
    print("child", plus(1).run(), plus(2).run(), held.status, flush=True)
    gates.say("x")
    print("child", held.run(), flush=True)
    CHILD_ENDS
print("status", os.waitpid(child, 0)[1])
print("parent", plus(1).run(), plus(3).run(), held.run(), chained.run(), has_spawned())
"""


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("where", EXECUTORS)
def test_a_fork_may_use_it_too(shop: Shop, where: str, persistent: bool) -> None:
    """The child has a session of its own, configured alike; the parent does not notice."""
    head = PERSISTENT if persistent else ""
    text = head + WHERE[where] + FUNCTIONS + FORK.replace("CHILD_ENDS", "sys.exit(0)")
    lines = run_script(shop, text).splitlines()
    assert lines == ["child 2 3 Status: ready", "child x", "status 0", f"parent 2 4 x 11 {where == 'spawn'}"]
    shop.everyone_gone()
    assert private_leftovers(shop) == []
    if persistent:
        assert shop.store_leftovers() == []


@pytest.mark.parametrize("persistent", [False, True])
def test_what_was_computed_before_a_fork(shop: Shop, persistent: bool) -> None:
    """It is in a store of one's own; of a private one the child has nothing, and is told so."""
    text = """
before = plus(1)
before.run()
def value():
    try:
        return before.value
    except seamless.CacheMissError as exc:
        return f"{exc}"
sys.stdout.flush()
child = os.fork()
if not child:
    print(value())
    sys.exit(0)
os.waitpid(child, 0)
print(value())
seamless.close()
print(value())
"""
    head = PERSISTENT if persistent else ""
    gone = "the result of plus is gone, and so is its input 'code': without a store of your own "
    fork = "(seamless.config.select_store) what was computed before a fork stays with the parent, and nothing outlives "
    close = "(seamless.config.select_store) nothing outlives seamless.close()"
    expected = ["2", "2", "2"] if persistent else [f"{gone}{fork}seamless.close()", "2", f"{gone}{close}"]
    assert run_script(shop, head + FUNCTIONS + text).splitlines() == expected


def test_multiprocessing_beside_it(shop: Shop) -> None:
    """Forked workers of another library use transformations, and end without any farewell."""
    text = """
import multiprocessing
context = multiprocessing.get_context("fork")
seamless.config.select_persistent(True)
print(plus(1).run())
def work(x):
    return plus(x).run()
with context.Pool(2) as pool:
    print(pool.map(work, range(6)))
print(plus(5).is_cached(), plus(6).is_cached(), plus(7).run())
"""
    assert run_script(shop, FUNCTIONS + text, err=None).splitlines() == ["2", "[1, 2, 3, 4, 5, 6]", "True False 8"]


def test_stopped_and_continued(shop: Shop) -> None:
    """Ctrl-Z and fg: nobody is taken for dead."""
    text = """
spawn(1)
print(hold("x").run(), plus(1).run())
"""
    script = start_script(shop, FUNCTIONS + text)
    worker = runs(shop, "x")
    for pid in (script.pid, worker):
        os.kill(pid, signal.SIGSTOP)
    run_script(shop, "print(direct(lambda x: x)(1))\n", name="other.py")
    for pid in (script.pid, worker):
        os.kill(pid, signal.SIGCONT)
    shop.let("x")
    assert ended_well(script) == "x 2\n"


def test_in_a_thread(shop: Shop) -> None:
    """The first use of all may be in any thread, and the process may end while others still wait."""
    text = """
from threading import Thread
found = []
thread = Thread(target=lambda: (spawn(1), found.append(plus(1).run())))
thread.start(); thread.join()
print(found, plus(2).run())
Thread(target=lambda: hold("never").compute(), daemon=True).start()
gates.until_open("never.runs")
"""
    script = start_script(shop, FUNCTIONS + text)
    ended = finished(script)
    assert (ended.status, ended.out) == (0, b"[2] 3\n")
    assert ended.err == "seamless: 1 started transformation had not ended and was canceled\n"
