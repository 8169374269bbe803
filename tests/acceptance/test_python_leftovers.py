"""Nothing is left behind: no process, no file, no memory, however a session ends."""

from __future__ import annotations

import os
import pty
import signal
import sys
import textwrap
from contextlib import suppress

import pytest

from .script import (
    EXECUTORS,
    WHERE,
    ended_well,
    finished,
    private_leftovers,
    run_script,
    runs,
    see_gone,
    start_script,
    workers_of,
    write_script,
)
from .shop import Background, Shop, until

#: Two functions run, one of which has started a process; large arrays have gone through shared memory.
BUSY = """
import numpy
@delayed
def make(n):
    import numpy
    return numpy.arange(n, dtype=float)
@delayed
def hold(name, array):
    import gates, subprocess
    child = subprocess.Popen(["sleep", "1000"])
    gates.say("child-" + name, child.pid)
    gates.wait(name)
    return array + 1
array = make(200_000).run()
handles = [hold(name, array).start() for name in ("one", "two")]
"""
#: What run() comes past in the caller's thread.
STEPS = """
from seamless.transformer.node import Node
from seamless.transformer.scheduler import Scheduler
from seamless_queue.clerk import Clerk
from seamless_queue.driver import Database
from seamless_queue.lane import Lane

steps = [
    (Scheduler, "_advance"), (Node, "look_up"), (Lane, "submit"), (Database, "_begin"), (Clerk, "handle"),
    (Scheduler, "note_tickets"),
]
"""
WAITING = BUSY + "handles[0].run()\n"


def _begin(shop: Shop, where: str, text: str = WAITING) -> tuple[Background, list[int]]:
    """A busy script, and every process that its end must end."""
    script = start_script(shop, WHERE[where] + text)
    inside = [runs(shop, name) for name in ("one", "two")]
    children = [int((shop.gates / f"child-{name}").read_text()) for name in ("one", "two")]
    assert len(workers_of(script)) == (2 if where == "spawn" else 0)
    return script, [*inside, *children]


def _sweep(shop: Shop) -> None:
    """The next session of the user, whatever it does."""
    run_script(shop, "direct(lambda x: x)(1)\n", name="next.py")


@pytest.mark.parametrize("where", EXECUTORS)
def test_after_a_normal_end(shop: Shop, where: str) -> None:
    shop.let("one")
    shop.let("two")
    text = BUSY.replace('child = subprocess.Popen(["sleep", "1000"])', "child = subprocess.Popen(['true'])").replace(
        "gates.wait", "child.wait(); gates.wait"
    )
    assert run_script(shop, WHERE[where] + text + "print([h.run().sum() for h in handles])\n")
    assert private_leftovers(shop) == []


@pytest.mark.parametrize("where", EXECUTORS)
def test_after_an_error(shop: Shop, where: str) -> None:
    """What was started and had not ended is told, and where it ran in workers, stopped."""
    text = BUSY.replace("import gates, subprocess", "import gates").replace(
        'child = subprocess.Popen(["sleep", "1000"])', ""
    )
    text = text.replace('    gates.say("child-" + name, child.pid)\n', "")
    text += 'gates.until_open("one.runs")\ngates.until_open("two.runs")\nraise SystemError("mine")\n'
    ended = finished(start_script(shop, WHERE[where] + text))
    assert ended.status == 1
    assert ended.lines[-1] == "seamless: 2 started transformations had not ended and were canceled"
    assert ended.lines[-2] == "SystemError: mine"
    shop.everyone_gone()
    assert private_leftovers(shop) == []


@pytest.mark.parametrize(("where", "how"), [("process", "sys.exit(4)"), ("spawn", "os.kill(os.getpid(), 15)")])
def test_after_other_ends(shop: Shop, where: str, how: str) -> None:
    """A process that a signal ends does not clean up; its workers are gone nevertheless."""
    text = 'handle = delayed(lambda x: x)(1)\nhandle.run()\nprint("", flush=True)\n' + how
    script = start_script(shop, WHERE[where] + text)
    ended = finished(script)
    assert (ended.status, ended.err) == ((4, "") if "exit" in how else (-15, ""))
    shop.everyone_gone()
    _sweep(shop)
    assert private_leftovers(shop) == []


@pytest.mark.parametrize("where", EXECUTORS)
def test_after_ctrl_c(shop: Shop, where: str) -> None:
    """On a terminal every process of the foreground group gets the signal."""
    ours, theirs = pty.openpty()
    path = write_script(shop, WHERE[where] + WAITING)
    words = ("setsid", "--ctty", "--wait", sys.executable, "-W", "error", str(path))
    script = shop.start(*words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        inside = [runs(shop, name) for name in ("one", "two")]
        os.write(ours, b"\x03")
        said = b""
        while b"KeyboardInterrupt" not in said:
            said += os.read(ours, 4096)
        assert script.process.wait(20) == -signal.SIGINT
    finally:
        os.close(ours)
    if where == "spawn":
        # In the script's own process the children are the user's own affair.
        see_gone(*inside)
        shop.everyone_gone()
    else:
        _end_children(shop)
    left = private_leftovers(shop)
    assert left == []


def _kill(*pids: int) -> None:
    """The death of one may be the end of others."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end_children(shop: Shop) -> None:
    for name in ("one", "two"):
        os.kill(int((shop.gates / f"child-{name}").read_text()), signal.SIGKILL)


def test_the_session_goes_on_after_ctrl_c(shop: Shop) -> None:
    """What run() has begun is taken back; what was started before goes on."""
    text = """
    spawn(2)
    @delayed
    def hold(name):
        import gates
        gates.wait(name)
        return name
    for handle in (hold("run"), hold("started").start()):
        try:
            gates.say(f"waiting{handle.status}")
            handle.run()
        except KeyboardInterrupt:
            print("interrupted:", handle.status, flush=True)
    print(delayed(lambda x: x)(5).run(), handle.run())
    """
    script = start_script(shop, text)
    inside = runs(shop, "run")
    script.signal(signal.SIGINT)
    script.says("interrupted: Status: canceled")
    see_gone(inside)
    until((shop.gates / "waitingStatus: pending").exists, "the second run()")
    script.signal(signal.SIGINT)
    script.says("interrupted: Status: pending")
    shop.let("started")
    assert ended_well(script).splitlines()[2:] == ["5 started"]
    assert private_leftovers(shop) == []


@pytest.mark.parametrize("where", EXECUTORS)
def test_ctrl_c_at_any_step_of_a_submission(shop: Shop, where: str) -> None:
    """Whatever run() is doing just then: nothing is left begun, and the session goes on."""
    text = """
    import signal
    from transformer_steps import steps

    @delayed
    def hold(name):
        import time
        while True:
            time.sleep(0.01)
    delayed(lambda x: x)("opens the store").run()
    for number, (owner, name) in enumerate(steps):
        really = getattr(owner, name)
        def interrupted(*args, **kwargs):
            signal.raise_signal(signal.SIGINT)
            return really(*args, **kwargs)
        handle = hold(number)
        setattr(owner, name, interrupted)
        try:
            handle.run()
        except KeyboardInterrupt:
            print(name, handle.status)
        finally:
            setattr(owner, name, really)
        assert delayed(lambda x: x)(number).run() == number
    """
    shop.write("transformer_steps.py", STEPS)
    lines = run_script(shop, WHERE[where] + textwrap.dedent(text)).splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["Status: canceled"] * 6
    assert private_leftovers(shop) == []


def test_killed_worker(shop: Shop) -> None:
    script, pids = _begin(shop, "spawn", WAITING + 'print("done", [int(h.run().sum()) for h in handles])\n')
    runner = int((shop.gates / "one.runs").read_text())
    (shop.gates / "one.runs").unlink()
    os.kill(runner, signal.SIGKILL)
    again = runs(shop, "one")
    assert again != runner
    shop.let("one")
    shop.let("two")
    assert ended_well(script) == "done [20000100000, 20000100000]\n"
    see_gone(*pids)
    assert private_leftovers(shop) == []


@pytest.mark.parametrize("where", EXECUTORS)
def test_killed_session(shop: Shop, where: str) -> None:
    """Its workers leave by themselves, with all that they have started; the next session removes its store."""
    script, pids = _begin(shop, where)
    script.kill()
    if where == "process":
        _end_children(shop)
    see_gone(*pids)
    shop.everyone_gone()
    assert private_leftovers(shop) != []
    _sweep(shop)
    assert private_leftovers(shop) == []


def test_killed_session_and_workers(shop: Shop) -> None:
    script, pids = _begin(shop, "spawn")
    _kill(script.pid, *pids)
    script.process.wait()
    shop.everyone_gone()
    _sweep(shop)
    assert private_leftovers(shop) == []


def test_killed_session_whose_fork_lives_on(shop: Shop) -> None:
    """A forked process holds copies of all descriptors: the workers leave nevertheless."""
    text = WAITING.replace("handles[0].run()", 'child = os.fork()\ngates.wait(f"parent{bool(child)}")\n')
    script, pids = _begin(shop, "spawn", text)
    fork = runs(shop, "parentFalse")
    script.kill()
    see_gone(*pids)
    os.kill(fork, signal.SIGKILL)


def test_a_persistent_store_is_swept_too(shop: Shop) -> None:
    persistent = "seamless.config.select_persistent(True)\n"
    script, pids = _begin(shop, "spawn", WAITING)
    script.kill()
    see_gone(*pids)
    for name in ("one.runs", "two.runs"):
        (shop.gates / name).unlink()
    script = start_script(shop, persistent + "spawn(2)\n" + WAITING)
    pids = [runs(shop, name) for name in ("one", "two")]
    _kill(script.pid, *pids)
    script.process.wait()
    run_script(shop, persistent + "direct(lambda x: x)(1)\n", name="next.py")
    shop.everyone_gone()
    assert shop.store_leftovers() == []
    assert private_leftovers(shop) == []


def test_sweeping_spares_the_living(shop: Shop) -> None:
    script, _ = _begin(shop, "spawn", WAITING + "print(handles[1].run().sum())\n")
    _sweep(shop)
    assert private_leftovers(shop) != []
    shop.let("one")
    shop.let("two")
    assert ended_well(script) == "20000100000.0\n"
    assert private_leftovers(shop) == []
