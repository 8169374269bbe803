"""Workers that die in the middle of a function: tried again, then an error that says how; the pool goes on."""

from __future__ import annotations

import os
import signal

import pytest

from .script import EXECUTORS, WHERE, ended_well, run_script, runs, see_gone, start_script
from .shop import Shop

DIE = """
spawn(2)
@delayed
def die(how, times):
    import gates, os, signal
    gates.count()
    path = f"{os.environ['GATES']}/death"
    with open(path, "a+") as file:
        file.write("x")
        file.flush()
        file.seek(0)
        died = len(file.read())
    if died <= times:
        if how == "exit":
            os._exit(7)
        os.kill(os.getpid(), getattr(signal, how))
    return died
@delayed
def good(x):
    return x * 2
others = [good(i).start() for i in range(20)]
"""
HOWS = {"SIGKILL": "killed by SIGKILL", "SIGSEGV": "killed by SIGSEGV", "exit": "exit code 7"}


@pytest.mark.parametrize("how", HOWS)
def test_it_is_tried_again_and_then_said(shop: Shop, how: str) -> None:
    text = f"""
tf = die({how!r}, 100)
print(tf.compute(), tf.status, [one.run() for one in others] == [2 * i for i in range(20)])
try:
    tf.run()
except TransformationError as exc:
    print(exc)
print(tf.exception)
print([good(100 + i).run() for i in range(5)])
"""
    lines = run_script(shop, DIE + text).splitlines()
    assert lines[0] == "None Status: exception True"
    assert lines[1] == f"die failed: its worker died 3 times, last: worker {HOWS[how]}"
    assert lines[2] == f"its worker died 3 times, last: worker {HOWS[how]}"
    assert lines[3] == "[200, 202, 204, 206, 208]"
    assert shop.executions == 3


@pytest.mark.parametrize("how", HOWS)
def test_it_dies_only_the_first_time(shop: Shop, how: str) -> None:
    assert run_script(shop, DIE + f"print(die({how!r}, 1).run(), others[19].run())\n") == "2 38\n"
    assert shop.executions == 2


def test_every_death_is_on_record(shop: Shop) -> None:
    text = "seamless.config.select_persistent(True)\n" + DIE + "die('SIGABRT', 2).run()\n"
    run_script(shop, text)
    rows = shop.rows("""SELECT outcome, error FROM attempts WHERE job_id =
        (SELECT job_id FROM requests WHERE command LIKE 'die(%') ORDER BY id""")
    assert rows == [(2, "worker killed by SIGABRT")] * 2 + [(0, None)]


def test_a_killer_among_many(shop: Shop) -> None:
    """Short functions share a batch: only the one that kills is charged, the others are answered."""
    text = """
spawn(2)
@delayed
def maybe(i):
    import os
    if i % 25 == 7:
        os._exit(3)
    return i
tfs = TransformationList.map(maybe, range(100), show_progress=False)
for tf in parallel(tfs): pass
print(sorted(tfs.errors) == [7, 32, 57, 82], set(tfs.errors.values()))
print(all(tf.value == i for i, tf in enumerate(tfs) if i not in tfs.errors))
"""
    out = run_script(shop, text)
    assert out == "True {'its worker died 3 times, last: worker exit code 3'}\nTrue\n"


def test_the_end_of_python_is_an_error_like_others(shop: Shop) -> None:
    """SystemExit ends no worker: it has no business in a function."""
    text = """
spawn(1)
@delayed
def leave():
    import gates, os, sys
    gates.say("pid", os.getpid())
    sys.exit(5)
tf = leave()
print(tf.compute(), tf.exception.splitlines()[0])
pid = delayed(lambda: __import__("os").getpid())().run()
print(str(pid) == gates.said("pid"))
"""
    lines = run_script(shop, text).splitlines()
    assert lines == ["None SystemExit: 5 (line 4 of leave)", "True"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_nested_one_that_kills_its_worker_takes_its_caller_down_once(shop: Shop, workers: int) -> None:
    """The second time another worker runs it: the code that asked for it sees it fail, and goes on."""
    text = """
@delayed
def leaf(i):
    import os
    if i == 1:
        os._exit(9)
    return i

@delayed
def mid():
    from seamless.transformer import parallel
    tfs = [leaf(i) for i in range(3)]
    return [tf.exception if tf.exception else tf.value for tf in parallel(tfs)]

mid.globals.leaf = leaf
print(mid().run())
"""
    why = "its worker died 3 times, last: worker exit code 9"
    assert run_script(shop, f"spawn({workers})" + text).splitlines() == [str([0, why, 2])]


@pytest.mark.parametrize("where", EXECUTORS)
def test_whatever_is_raised_is_a_failure_like_others(shop: Shop, where: str) -> None:
    """Also what is no Exception: one attempt, with the traceback, and everybody else goes on."""
    text = """
@delayed
def cancel_itself():
    import asyncio
    async def main():
        task = asyncio.create_task(asyncio.sleep(9))
        await asyncio.sleep(0)
        task.cancel()
        await task
    asyncio.run(main())

@delayed
def leave():
    import sys
    sys.exit(3)

@delayed
def end():
    raise GeneratorExit("mine")

tfs = [cancel_itself(), leave(), end(), delayed(lambda x: x)(1)]
for tf in parallel(tfs):
    print(tf.status, (tf.exception or "").splitlines()[:1])
for tf in (cancel_itself(), leave()):
    tf.compute()
    print(tf.status)
try:
    end().run()
except TransformationError as exc:
    print("mine" in str(exc))
"""
    lines = run_script(shop, WHERE[where] + text).splitlines()
    failed = "Status: exception"
    assert lines[0].startswith(f"{failed} ['asyncio.exceptions.CancelledError (line 7 of ")
    assert lines[1].startswith(f"{failed} ['SystemExit: 3 (line 3 of leave)")
    assert lines[2].startswith(f"{failed} ['GeneratorExit: mine")
    assert lines[3:] == ["Status: OK []", failed, failed, "True"]


def test_nobody_is_left_to_try(shop: Shop) -> None:
    """The only worker is killed while it works, and once more while it is idle."""
    text = """
spawn(1)
@delayed
def hold(name):
    import gates
    gates.wait(name)
    return name
print(hold("one").run(), flush=True)
gates.wait("between")
print(hold("two").run())
"""
    script = start_script(shop, text)
    first = runs(shop, "one")
    (shop.gates / "one.runs").unlink()
    os.kill(first, signal.SIGKILL)
    second = runs(shop, "one")
    shop.let("one")
    runs(shop, "between")
    os.kill(second, signal.SIGKILL)
    see_gone(first, second)
    shop.let("between")
    shop.let("two")
    assert ended_well(script) == "one\ntwo\n"


def test_code_that_forks_and_comes_back_twice(shop: Shop) -> None:
    """One of the two is a copy of the worker: it ends there, and nothing is published twice."""
    text = """
spawn(1)
@delayed
def twofold(x):
    import gates, os
    child = os.fork()
    if child == 0:
        return "child"
    os.waitpid(child, 0)
    return "parent"
print([twofold(i).run() for i in range(3)])
"""
    assert run_script(shop, text) == "['parent', 'parent', 'parent']\n"


def test_workers_that_cannot_start(shop: Shop) -> None:
    """It is said, to everybody who asks, until the session is closed; then all is well again."""
    text = """
python, sys.executable = sys.executable, "/bin/false"
spawn(2)
plus = delayed(lambda x: x + 1)
for tf in (plus(1), plus(2).start(), plus(plus(3))):
    try:
        tf.run()
    except TransformationError as exc:
        print(str(exc).partition(";")[0], tf.status)
sys.executable = python
seamless.close()
spawn(1)
print(plus(1).run())
"""
    lines = run_script(shop, text).splitlines()
    assert lines[0] == lines[1] == "<lambda> failed: workers cannot start (exit code 1) Status: exception"
    assert lines[2].endswith("workers cannot start (exit code 1) Status: exception")
    assert lines[3] == "2"
