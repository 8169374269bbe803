"""What the user wants to be run when a request has ended: once, with the facts, and in nobody's way."""

from __future__ import annotations

import json
import signal

from .shop import Shop, until

#: Write a line of facts; the working directory is the request's.
TELL = 'echo "$SEAMLESS_REQUEST $SEAMLESS_STATE $SEAMLESS_EXIT_CODE" >> hooked'


def hooked(shop: Shop) -> list[str]:
    return sorted(shop.read("hooked").splitlines()) if shop.has("hooked") else []


def configure(shop: Shop, **hooks: str) -> None:
    shop.write("seamless.yaml", "".join(f"- {name}: {json.dumps(text)}\n" for name, text in hooks.items()))


def test_every_end_has_its_hook_once(shop: Shop) -> None:
    configure(shop, on_finish=TELL, on_failure='echo "$SEAMLESS_ERROR" >> "$GATES/failures"; echo seen; exit 3')
    for text in ("echo 1 > a.txt", "cat a.txt > b.txt", "exit 4; true > c.txt", "cat c.txt > d.txt", "echo 1 > a.txt"):
        shop.submit("-c", text)
    server = shop.server()
    shop.finish(status=1)
    assert server.wait().status == 0
    told = [line.split() for line in hooked(shop)]
    # Of two requests for one file the older one is superseded if it ends later.
    assert [one[0] for one in told] == ["1", "2", "3", "4", "5"]
    assert told[1:4] == [["2", "delivered", "0"], ["3", "failed", "4"], ["4", "failed"]]
    failures = (shop.gates / "failures").read_text().splitlines()
    assert "exit code 4" in failures
    assert len(failures) == 2
    assert "hook: on_failure of #3: seen" in server.log
    assert "hook: on_failure of #3: exit code 3" in server.log


def test_a_hook_knows_what_it_is_about(shop: Shop) -> None:
    names = [
        "REQUEST",
        "JOB",
        "COMMAND",
        "DIRECTORY",
        "STATE",
        "EXIT_CODE",
        "ERROR",
        "OUTPUTS",
        "PROJECT",
        "STAGE",
        "HOOK",
    ]
    configure(shop, on_finish="".join(f'echo {name} "$SEAMLESS_{name}" >> hooked;' for name in names))
    identity = shop.good("--dry", "-c", "echo 1 > 'a b.txt'").out.decode().strip()
    shop.submit("--project", "p", "--stage", "s", "-c", "echo 1 > 'a b.txt'")
    shop.work_off()
    told = dict(line.split(" ", 1) for line in shop.read("hooked").splitlines())
    assert told == {
        "REQUEST": "1",
        "JOB": identity,
        "COMMAND": "echo 1 > 'a b.txt'",
        "DIRECTORY": str(shop.dir),
        "STATE": "delivered",
        "EXIT_CODE": "0",
        "ERROR": "",
        "OUTPUTS": f"{shop.dir}/a b.txt",
        "PROJECT": "p",
        "STAGE": "s",
        "HOOK": "on_finish",
    }


def test_a_hook_may_submit_and_that_has_none(shop: Shop) -> None:
    configure(shop, on_finish=f"{TELL}; seamless-run --qsubmit -c 'echo more > more.txt'")
    shop.submit("-c", "echo 1 > a.txt")
    shop.work_off()
    assert shop.names() >= {"a.txt", "more.txt"}
    assert hooked(shop) == ["1 delivered 0"]


def test_nobody_waits_for_a_hook(shop: Shop) -> None:
    """Not even for more of them than may run at once."""
    configure(shop, on_finish='touch "$GATES/$SEAMLESS_REQUEST"; until [ -e "$GATES/go" ]; do sleep 0.02; done')
    server = shop.server()
    for number in range(8):
        shop.submit("-c", f"echo {number} > {number}.txt")
    until(lambda: all(shop.has(f"{number}.txt") for number in range(8)), "all files")
    until(lambda: len(list(shop.gates.glob("?"))) == 4, "hooks to run")
    shop.let("go")
    shop.finish()
    assert server.wait().status == 0
    assert len(list(shop.gates.glob("?"))) == 8


def test_what_a_hook_leaves_goes_with_it_and_too_much_is_too_much(shop: Shop) -> None:
    configure(shop, on_finish="sleep 1000 & yes", on_failure="kill -9 $$")
    shop.submit("-c", "exit 1; true > a.txt")
    server = shop.server()
    shop.finish(status=1)
    assert "it prints too much" in server.wait().out.decode()
    assert "hook: on_failure of #1: killed by signal 9" in server.log
    shop.everyone_gone()


def test_a_second_signal_ends_the_hooks(shop: Shop) -> None:
    configure(shop, on_finish='touch "$GATES/runs"; sleep 1000')
    server = shop.server()
    shop.submit("-c", "echo 1 > a.txt")
    until((shop.gates / "runs").exists, "the hook")
    server.signal(signal.SIGTERM)
    server.says("finishing what runs")
    assert server.process.poll() is None
    until(lambda: server.signal(signal.SIGINT) or server.process.poll() is not None, "the end")
    assert "hook: on_finish of #1: killed: the server stops" in server.log
    shop.everyone_gone()


def test_a_killed_server_takes_its_hooks_along_and_none_runs_again(shop: Shop) -> None:
    configure(shop, on_finish=f'{TELL}; touch "$GATES/runs"; [ -e "$GATES/second" ] || sleep 1000')
    server = shop.server()
    shop.submit("-c", "echo 1 > a.txt")
    until((shop.gates / "runs").exists, "the hook")
    server.kill()
    shop.let("second")
    second = shop.server()
    shop.everyone_but(second)
    shop.submit("-c", "echo 2 > b.txt")
    shop.finish()
    assert hooked(shop) == ["1 delivered 0", "2 delivered 0"]


def test_of_two_servers_one_runs_the_hooks(shop: Shop) -> None:
    configure(shop, on_finish=TELL)
    shop.server()
    shop.server()
    for number in range(6):
        shop.submit("-c", f"echo {number} > {number}.txt")
    shop.finish()
    assert hooked(shop) == [f"{number} delivered 0" for number in range(1, 7)]
