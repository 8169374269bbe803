"""One execution, whoever asks: threads, processes, sessions one after another, Python beside a queue server."""

from __future__ import annotations

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
    see_gone,
    start_script,
    workers_of,
)
from .shop import Shop, until

PERSISTENT = "seamless.config.select_persistent(True)\n"
FUNCTION = """
@delayed
def work(x):
    import gates
    gates.count()
    gates.wait("work")
    return {"x": x}
"""
RUN = FUNCTION + "print(work(7).run())\n"
QUEUED = 'seamless.config.select_execution("queue")\n' + RUN
BASH = """
tf = delayed('''
echo r >> $COUNTER
touch $GATES/work.runs
until [ -e $GATES/work ]; do sleep 0.02; done
echo $x > RESULT
''', language="bash")
tf.celltypes.result = "text"
print(tf(x=7).run())
"""
PAIRS = [("process", "process"), ("process", "spawn"), ("spawn", "process")]


def _requests(shop: Shop, count: int) -> None:
    until(lambda: len(shop.rows("SELECT id FROM requests")) == count, f"{count} requests")


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_processes(shop: Shop, first: str, second: str) -> None:
    one = start_script(shop, PERSISTENT + WHERE[first] + RUN)
    until((shop.gates / "work.runs").exists, "the first to run it")
    two = start_script(shop, PERSISTENT + WHERE[second] + RUN)
    _requests(shop, 2)
    shop.let("work")
    assert ended_well(one) == ended_well(two) == "{'x': 7}\n"
    assert shop.executions == 1


def test_bash_from_two_processes(shop: Shop) -> None:
    one = start_script(shop, PERSISTENT + WHERE["spawn"] + BASH)
    until((shop.gates / "work.runs").exists, "the first to run it")
    two = start_script(shop, PERSISTENT + BASH)
    _requests(shop, 2)
    shop.let("work")
    assert ended_well(one) == ended_well(two) == "7\n"
    assert shop.executions == 1


@pytest.mark.parametrize("first", ["queue", *EXECUTORS])
def test_beside_a_queue_server(shop: Shop, first: str) -> None:
    server = shop.server("--workers", "1")
    scripts = {"queue": QUEUED, **{where: PERSISTENT + line + RUN for where, line in WHERE.items()}}
    begun = start_script(shop, scripts[first], name="first.py")
    until((shop.gates / "work.runs").exists, "the first to run it")
    others = [start_script(shop, scripts[other], name=f"{other}.py") for other in scripts if other != first]
    _requests(shop, 3)
    shop.let("work")
    assert {ended_well(one) for one in (begun, *others)} == {"{'x': 7}\n"}
    assert shop.executions == 1
    server.stop()


@pytest.mark.parametrize("where", EXECUTORS)
def test_many_threads(shop: Shop, where: str) -> None:
    text = FUNCTION + (
        """
from threading import Barrier, Thread
start, values = Barrier(16), []
def ask():
    start.wait()
    values.append(work(7).run())
threads = [Thread(target=ask) for _ in range(16)]
for thread in threads: thread.start()
gates.until_open("work.runs")
gates.say("work")
for thread in threads: thread.join()
print(values == [{"x": 7}] * 16)
"""
    )
    assert run_script(shop, WHERE[where] + text) == "True\n"
    assert shop.executions == 1


@pytest.mark.parametrize("where", EXECUTORS)
def test_a_later_session_is_answered_by_the_store(shop: Shop, where: str) -> None:
    shop.let("work")
    text = PERSISTENT + WHERE[where] + FUNCTION + "tf = work(7)\nprint(tf.is_cached(), tf.run(), tf.is_cached())\n"
    assert run_script(shop, text) == "False {'x': 7} True\n"
    assert run_script(shop, text) == "True {'x': 7} True\n"
    assert run_script(shop, PERSISTENT + RUN) == "{'x': 7}\n"
    assert shop.executions == 1
    assert private_leftovers(shop) == []


def test_private_sessions_share_nothing(shop: Shop) -> None:
    shop.let("work")
    for _ in range(2):
        run_script(shop, RUN)
    assert shop.executions == 2
    assert shop.rows("SELECT id FROM jobs") == []


@pytest.mark.parametrize(("where", "other"), PAIRS)
def test_who_waits_takes_over_from_the_dead(shop: Shop, where: str, other: str) -> None:
    """The first is killed while its function runs; nobody but the second is left."""
    first = start_script(shop, PERSISTENT + WHERE[where] + RUN)
    runner = runs(shop, "work")
    second = start_script(shop, PERSISTENT + WHERE[other] + RUN)
    _requests(shop, 2)
    workers = workers_of(first)
    first.kill()
    see_gone(runner, *workers)
    shop.let("work")
    assert ended_well(second) == "{'x': 7}\n"
    assert shop.executions == 2


@pytest.mark.parametrize("where", EXECUTORS)
def test_who_waits_takes_over_from_who_leaves(shop: Shop, where: str) -> None:
    """The first is interrupted; what it ran is given back, not failed."""
    first = start_script(shop, PERSISTENT + WHERE[where] + RUN)
    runner = runs(shop, "work")
    second = start_script(shop, PERSISTENT + RUN)
    _requests(shop, 2)
    first.signal(signal.SIGINT)
    ended = finished(first)
    assert ended.status == -signal.SIGINT
    assert ended.lines[-1] == "KeyboardInterrupt"
    see_gone(runner)
    shop.let("work")
    assert ended_well(second) == "{'x': 7}\n"
    assert shop.executions == 2


def test_a_failure_is_shared_by_who_waits_and_not_served_later(shop: Shop) -> None:
    text = """
    seamless.config.select_persistent(True)
    @delayed
    def bad():
        import gates
        gates.count()
        gates.wait("work")
        raise ValueError("no luck")
    print(bad().compute(), bad.__name__)
    """
    one = start_script(shop, text)
    until((shop.gates / "work.runs").exists, "the first to run it")
    two = start_script(shop, text)
    _requests(shop, 2)
    shop.let("work")
    assert ended_well(one) == ended_well(two) == "None bad\n"
    assert shop.executions == 1
    run_script(shop, text)
    assert shop.executions == 2
