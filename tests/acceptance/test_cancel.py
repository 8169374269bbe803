"""`seamless-cancel`: what has not ended is taken back, whoever runs it, and the commands are dead at once."""

from __future__ import annotations

import pytest

from .script import HEADER, finished, runs, see_gone, start_script
from .shop import Ended, Shop, until

HELD = "@delayed\ndef f(x):\n    import gates\n    gates.wait('held')\n    return x\n"


def cancel(shop: Shop, *words: str, status: int = 0) -> Ended:
    ended = shop.call("seamless-cancel", *words)
    assert ended.status == status, ended
    return ended


def held(shop: Shop, name: str = "gate") -> tuple[str, ...]:
    """A command that writes a.txt, but not before it may; something that it has started goes with it."""
    return (*shop.held(name), "-cp", "a.txt", "-c", "sleep 1000 & echo 1 > a.txt; wait")


def identity_of(shop: Shop, *words: str) -> str:
    return shop.good("--dry-run", *words).out.decode().strip()


@pytest.mark.parametrize("how", ["number", "prefix", "output", "sidecar"])
def test_a_command_of_the_queue(shop: Shop, how: str) -> None:
    server = shop.server()
    shop.submit(*held(shop))
    shop.submit("-cp", "b.txt", "-c", "cat a.txt > b.txt")
    shop.submit("-cp", "c.txt", "-c", "echo other > c.txt")
    shop.runs("gate")
    identity = identity_of(shop, *held(shop))
    shop.write("job.json.CHECKSUM", identity)
    ways = {"number": "1", "prefix": identity[:4], "output": "a.txt.FUTURE", "sidecar": "job.json.CHECKSUM"}
    ended = cancel(shop, ways[how])
    (shop.dir / "job.json.CHECKSUM").unlink()
    assert ended.out == b"process: canceled\n"
    assert [line.split()[1:3] for line in ended.lines] == [["canceled", "#1"], ["so", "fails"]]
    shop.everyone_but(server)
    shop.finish(status=1)
    assert shop.request_states() == ["canceled", "failed", "delivered"]
    assert shop.names() == {"c.txt"}
    assert "will be run again" not in server.log
    assert cancel(shop, identity, status=2).out == b"process: not-running\n"
    shop.let("gate")
    shop.good(*shop.held("gate"), "-cp", "a.txt", "-c", "echo 1 > a.txt; true")


def test_one_of_two_requests_for_a_job(shop: Shop) -> None:
    """The job goes on for the other; by its checksum, both are canceled."""
    server = shop.server()
    for name in ("x", "y"):
        shop.submit(*shop.held("gate"), "-cp", f"a.txt:{name}.txt", "-c", "echo 1 > a.txt; true")
    shop.runs("gate")
    assert len(cancel(shop, "1").lines) == 1
    shop.let("gate")
    shop.finish()
    assert server.wait().status == 0
    assert (shop.has("x.txt"), shop.has("y.txt")) == (False, True)


def test_an_inline_command(shop: Shop) -> None:
    run = shop.start("seamless-run", *held(shop))
    shop.runs("gate")
    cancel(shop, "1")
    ended = run.wait()
    assert (ended.status, ended.lines) == (1, ["seamless-run: error: canceled"])
    shop.everyone_gone()


def test_what_waits(shop: Shop) -> None:
    for name in "ab":
        shop.submit("-cp", f"{name}.txt", "-c", f"echo {name} > {name}.txt; true")
    shop.submit("-cp", "c.txt", "-c", "cat a.txt b.txt > c.txt")
    ended = cancel(shop, "#3", "1")
    assert ended.out == b"process: canceled\n" * 2
    shop.work_off()
    assert shop.names() == {"b.txt"}


@pytest.mark.parametrize("where", ["", "spawn(1)\n"])
def test_a_transformation_of_a_python_process(shop: Shop, where: str) -> None:
    header = f'{HEADER}seamless.config.select_store("{shop.store}")\n{where}'
    text = f"{HELD}tf = f(1)\nprint(tf.construct(), flush=True)\nprint(tf.compute(), tf.status, tf.exception)\n"
    script = start_script(shop, text, header=header)
    worker = runs(shop, "held")
    ended = cancel(shop, script.out.decode().split()[0])
    if where:
        see_gone(worker)
    else:
        assert "cannot stop it" in ended.err
        shop.let("held")
    assert finished(script).out.decode().splitlines()[1] == "None Status: canceled canceled"


def test_python_code_of_the_queue_and_what_it_has_asked_for(shop: Shop) -> None:
    server = shop.server("--workers", "2")
    text = f"""
{HELD}
@delayed
def outer(x):
    return f(x).run()
outer.globals.f = f
print(outer(1).start().construct())
"""
    header = f'{HEADER}seamless.config.select_store("{shop.store}")\nseamless.config.select_execution("queue")\n'
    identity = finished(start_script(shop, text, header=header)).out.decode().strip()
    runs(shop, "held")
    cancel(shop, identity)
    until(lambda: set(shop.request_states()) == {"canceled"}, "all to be canceled")
    shop.everyone_but(server)


def test_code_that_cannot_even_hear(shop: Shop) -> None:
    """It holds the interpreter for ever; its worker is killed, and nobody else is to blame."""
    server = shop.server("--workers", "1")
    text = """
@delayed
def deaf(x):
    import itertools
    gates.say("deaf.runs", 1)
    return sum(itertools.repeat(0))
deaf.modules.gates = gates
print(deaf(1).start().construct())
"""
    header = f'{HEADER}seamless.config.select_store("{shop.store}")\nseamless.config.select_execution("queue")\n'
    identity = finished(start_script(shop, text, header=header)).out.decode().strip()
    shop.runs("deaf")
    worker = server.workers()[0]
    cancel(shop, identity)
    see_gone(worker)
    shop.submit("-cp", "a.txt", "-c", "echo 1 > a.txt; true")
    shop.finish()
    assert shop.request_states() == ["canceled", "delivered"]


def test_what_is_not_there(shop: Shop) -> None:
    for target in ("0123456789abcdef" * 4, "7", "#7", "0123456789"):
        ended = cancel(shop, target, status=2)
        assert (ended.out, ended.err) == (b"process: not-running\n", "")
    for target in ("xyz", "abc", "nothing.CHECKSUM"):
        ended = cancel(shop, target, status=1)
        assert (ended.out, len(ended.lines)) == (b"", 1)


def test_a_slip_of_the_pen_cancels_nothing(shop: Shop) -> None:
    shop.submit("-cp", "a.txt", "-c", "echo 1 > a.txt; true")
    cancel(shop, "1", "xyz", status=1)
    shop.work_off()
    assert shop.read("a.txt") == "1\n"
