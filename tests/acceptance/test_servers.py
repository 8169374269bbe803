"""The queue server: its signals, its death, its company and what it prints."""

from __future__ import annotations

import os
import re
import signal

from .shop import COUNTED, Shop, until


def test_first_signal_finishes_what_runs(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    server = shop.server("--workers", "1")
    shop.runs("gate")
    shop.submit("-c", "echo 2 > y.txt")
    server.signal(signal.SIGINT)
    server.says("finishing what runs")
    shop.let("gate")
    assert server.wait().status == 0
    assert shop.names() == {"x.txt", "y.txt.FUTURE"}
    shop.work_off()
    assert shop.names() == {"x.txt", "y.txt"}


def test_stopped_as_soon_as_it_serves(shop: Shop) -> None:
    """The workers are just starting; none is kept waiting until it is killed."""
    for _ in range(3):
        assert shop.server().stop().status == 0
    assert shop.rows("SELECT COUNT(*) FROM workers WHERE ended IS NULL") == [(0,)]
    assert shop.store_leftovers() == []


def test_second_signal_stops_at_once(shop: Shop) -> None:
    """The job goes back, without a mark against it."""
    shop.submit(*shop.held("gate"), *COUNTED, "-c", "echo 1 > x.txt")
    server = shop.server("--workers", "1")
    shop.runs("gate")
    assert server.stop_now().status == 0
    shop.everyone_gone()
    assert shop.rows("SELECT state, deaths, worker_id FROM jobs") == [(0, 0, None)]
    assert shop.names() == {"x.txt.FUTURE"}
    assert shop.store_leftovers() == []
    shop.let("gate")
    shop.work_off()
    assert shop.read("x.txt") == "1\n"
    assert shop.executions == 1


def test_children_do_not_outlive_a_killed_server(shop: Shop) -> None:
    shop.submit("--prologue", 'touch "$GATES/gate.runs"', "-c", "sleep 12345 & sleep 12346; true > x.txt")
    server = shop.server()
    shop.runs("gate")
    server.kill()
    shop.everyone_gone()
    server = shop.server()
    until(lambda: server.log.count("started") == 1, "the second attempt")
    assert server.stop_now().status == 0
    assert shop.store_leftovers() == []
    (shop.dir / "x.txt.FUTURE").unlink()


def test_killed_worker_is_replaced(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), *COUNTED, "-c", "echo 1 > x.txt")
    server = shop.server("--workers", "1")
    shop.runs("gate")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    server.says("worker died")
    shop.let("gate")
    shop.finish()
    server.wait()
    assert shop.read("x.txt") == "1\n"
    assert shop.rows("SELECT deaths FROM jobs") == [(1,)]
    shop.server().stop()
    assert shop.store_leftovers() == []


def test_a_job_that_kills_its_worker_fails_in_the_end(shop: Shop) -> None:
    """Attempts are bounded; the others are not held up."""
    shop.submit(*COUNTED, "-c", "kill -9 $PPID; sleep 12345; true > bad.txt")
    shop.submit("-c", "echo 1 > good.txt")
    ended = shop.work_off(status=1)
    assert "its worker died 3 times" in ended.err
    assert "SIGKILL" in ended.err
    assert shop.executions == 3
    assert shop.names() == {"good.txt"}


def test_several_servers_share_the_work(shop: Shop) -> None:
    gates = [shop.held(f"gate{n}") for n in range(4)]
    for n, gate in enumerate(gates):
        shop.submit(*gate, *COUNTED, "-c", f"echo {n} > {n}.txt")
    servers = [shop.server() for _ in range(2)]
    for n in range(4):
        shop.runs(f"gate{n}")
    for n in range(4):
        shop.let(f"gate{n}")
    shop.finish()
    for server in servers:
        assert server.wait().status == 0
        assert server.log.count("done") == 2
    assert shop.executions == 4
    assert shop.names() == {f"{n}.txt" for n in range(4)}


def test_survivor_takes_over_from_a_killed_server(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    first = shop.server("--workers", "1")
    shop.runs("gate")
    second = shop.server("--workers", "1")
    first.kill()
    shop.let("gate")
    shop.finish()
    assert second.wait().status == 0
    assert shop.read("x.txt") == "1\n"


def test_exit_when_idle(shop: Shop) -> None:
    shop.submit("-c", "echo 1 > x.txt")
    shop.submit("-c", "cat x.txt > y.txt")
    server = shop.server("--exit-when-idle", "0.2")
    assert server.wait().status == 0
    assert shop.names() == {"x.txt", "y.txt"}


def test_lines_and_log_file(shop: Shop) -> None:
    shop.submit("-c", "echo héllo > x.txt")
    shop.submit("-c", "exit 4; true > y.txt")
    server = shop.server("--workers", "1", "--log-file", str(shop.top / "log"))
    shop.finish(status=1)
    lines = server.wait().out.decode().splitlines()
    assert server.err == ""
    for word, rest in (("started", "echo héllo"), ("done", "echo héllo"), ("failed", "exit code 4")):
        assert [line for line in lines if re.match(rf"\d\d:\d\d:\d\d {word} .*{rest}", line)], (word, lines)
    log = (shop.top / "log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in log] == lines
    assert not any("\x1b" in line for line in lines)


def test_quiet(shop: Shop) -> None:
    shop.submit("-c", "echo 1 > x.txt")
    log = shop.top / "log"
    server = shop.start("seamless-queue", "--quiet", "--log-file", str(log), "--exit-when-idle", "0.2")
    ended = server.wait()
    assert (ended.status, ended.out, ended.err) == (0, b"", "")
    assert "done" in log.read_text()


def test_nobody_reads_what_it_prints(shop: Shop) -> None:
    """A pipe that was closed, a closed standard output, one that cannot show the letters."""
    shop.submit("-c", "echo é > x.txt")
    ended = shop.bash("set -o pipefail; seamless-queue --exit-when-idle 0.2 | head -1 > /dev/null")
    assert (ended.status, ended.err) == (0, "")
    shop.submit("-c", "echo é > y.txt")
    ended = shop.bash("seamless-queue --exit-when-idle 0.2 >&- 2>&-")
    assert ended.status == 0
    shop.submit("-c", "echo é > z.txt")
    ended = shop.bash("seamless-queue --exit-when-idle 0.2", env={"PYTHONIOENCODING": "ascii"})
    assert (ended.status, ended.err) == (0, "")
    assert shop.names() == {"x.txt", "y.txt", "z.txt"}


def test_submit_wakes_an_idle_server(shop: Shop) -> None:
    server = shop.server()
    for n in range(3):
        shop.submit("-c", f"echo {n} > {n}.txt")
        until(lambda n=n: shop.has(f"{n}.txt"), "the file")
    server.stop()
    assert shop.store_leftovers() == []


def test_the_environment_is_the_submitters(shop: Shop) -> None:
    shop.server()
    shop.submit("-c", 'echo "$COLOUR" > x.txt', env={"COLOUR": "red"})
    shop.finish()
    assert shop.read("x.txt") == "red\n"
