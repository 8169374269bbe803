"""What attempts have written, however they ended; following one that runs; why one failed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

from .shop import Shop, until

#: A line of a log: time, stream, text.
LINE = re.compile(r" *([\d.]*) ([|!]) (.*)")


def log(shop: Shop, job: str, *words: str) -> list[tuple[str, str]]:
    """The lines of a log: stream and text."""
    ended = shop.call("seamless-status", job, "--log", *words)
    assert ended.status == 0, ended
    found = [LINE.fullmatch(line) for line in ended.out.decode().splitlines()]
    assert all(found), ended.out
    return [(match[2], match[3]) for match in found if match]


def times(shop: Shop, job: str) -> list[float]:
    lines = shop.call("seamless-status", job, "--log").out.decode().splitlines()
    return [float(line.split()[0]) for line in lines if line.split()[0] not in "|!"]


def test_both_streams_in_the_order_of_their_writing(shop: Shop) -> None:
    shop.submit("-c", "for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.5; done; true > a.txt")
    shop.work_off()
    lines = log(shop, "a.txt")
    assert [line for line in lines if line[0] == "|"] == [("|", f"out {i}") for i in (1, 2, 3)]
    assert [line for line in lines if line[0] == "!"] == [("!", f"err {i}") for i in (1, 2, 3)]
    assert lines.index(("!", "err 1")) < lines.index(("|", "out 3"))
    moments = times(shop, "a.txt")
    assert moments == sorted(moments)
    assert moments[-1] > moments[0]


def test_a_short_command_has_no_times_and_a_hit_shows_the_run_that_was(shop: Shop) -> None:
    shop.submit("-c", "echo out; echo err >&2; true > a.txt")
    shop.work_off()
    assert shop.rows("SELECT marks FROM attempts") == [(None,)]
    shop.submit("-c", "echo out; echo err >&2; true > a.txt")
    assert log(shop, "#2") == [("|", "out"), ("!", "err")]
    assert "answered from the store" in shop.call("seamless-status", "#2", "--log").err


def test_failed_timed_out_and_canceled_attempts_have_logs(shop: Shop) -> None:
    server = shop.server("--workers", "3")
    shop.submit("-c", "echo fails; echo why >&2; false > failed.txt")
    shop.submit("--timeout", "0.5", "-c", "echo lasts; sleep 99; true > late.txt")
    shop.submit("-c", 'echo begun; touch "$GATES/gate.runs"; sleep 99; true > canceled.txt')
    shop.runs("gate")
    assert shop.call("seamless-queue", "cancel", "canceled.txt").status == 0
    until(lambda: len(shop.rows("SELECT 1 FROM attempts")) == 3, "all to have ended")
    assert log(shop, "failed.txt") == [("|", "fails"), ("!", "why")]
    assert log(shop, "late.txt") == [("|", "lasts")]
    assert log(shop, "canceled.txt") == [("|", "begun")]
    assert server.stop().status == 0


def test_what_was_written_before_a_death_is_kept(shop: Shop) -> None:
    """Of a worker that is killed, and of the server with all its workers."""
    server = shop.server("--workers", "1")
    shop.submit("--retries", "1", "-c", 'echo begun; touch "$GATES/gate.runs"; sleep 99; true > a.txt')
    shop.runs("gate")
    (worker,) = server.workers()
    (shop.gates / "gate.runs").unlink()
    subprocess.run(["kill", "-KILL", str(worker)], check=True)
    shop.runs("gate")
    server.kill()
    shop.everyone_gone()
    server = shop.server("--workers", "1")
    until(lambda: len(shop.rows("SELECT 1 FROM attempts")) == 2, "both deaths to be known")
    assert shop.rows("SELECT COUNT(stdout) FROM attempts WHERE outcome = 2") == [(2,)]
    assert shop.call("seamless-queue", "cancel", "a.txt").status == 0
    assert server.stop().status == 0
    assert shop.store_leftovers() == []
    shop.everyone_gone()


def test_following_a_job_that_waits_and_then_runs(shop: Shop) -> None:
    shop.submit("-c", 'echo one; until [ -e "$GATES/go" ]; do sleep 0.05; done; echo two >&2; true > a.txt')
    following = shop.start("seamless-status", "a.txt", "--log", "--follow")
    following.says("it waits to be run")
    server = shop.server()
    following.says("| one")
    assert b"two" not in following.out
    shop.let("go")
    ended = following.wait()
    assert ended.status == 0
    assert [LINE.sub(r"\2 \3", line) for line in ended.out.decode().splitlines()] == ["| one", "! two"]
    assert "done after" in ended.err
    assert server.stop().status == 0


def test_very_long_output_is_bounded_but_a_result_is_whole(shop: Shop) -> None:
    long = f"{sys.executable} -c 'print(\"x\" * 20_000_000)'"
    shop.submit("-c", f"echo begin; {long}; echo end; true > a.txt")
    shop.submit("-c", f"{long} > whole.txt")
    shop.work_off()
    lines = log(shop, "a.txt")
    assert lines[0] == ("|", "begin")
    assert lines[-1] == ("|", "end")
    assert any("bytes left out" in text for _, text in lines)
    assert sum(len(text) for _, text in lines) < 17_000_000
    assert (shop.dir / "whole.txt").stat().st_size == 20_000_001


def test_post_mortem_of_a_killed_command(shop: Shop) -> None:
    shop.write("in.txt", "content\n")
    shop.submit("-c", "cat in.txt; for i in {1..30}; do echo line $i >&2; done; kill -KILL $$; true > a.txt")
    shop.submit("-c", "nosuchcommand in.txt > b.txt")
    shop.work_off(status=1)
    said = shop.call("seamless-status", "a.txt").out.decode()
    assert "killed by SIGKILL" in said
    assert "not sent by this queue" in said
    assert "line 11" in said
    assert "line 10\n" not in said
    assert "of processor time" in said
    assert str(shop.dir) in said
    assert "the command was not found" in shop.call("seamless-status", "b.txt").out.decode()
    ended = shop.call("seamless-status", "a.txt", "--reproduce", "by hand")
    assert ended.status == 0, ended
    again = shop.bash(ended.out)
    assert again.out == b"content\n"
    assert "line 30" in again.err
    assert again.status in (-signal.SIGKILL, 128 + signal.SIGKILL)
    ended = shop.call("seamless-status", "a.txt", "--reproduce", "by hand")
    assert ended.status == 1
    assert "already exists" in ended.err


def test_python_prints_and_warnings(shop: Shop) -> None:
    shop.write(
        "script.py",
        """
import seamless.config
from seamless.transformer import delayed

def talks(n):
    import warnings
    print("said", n)
    warnings.warn("careful")
    if n == 2:
        raise ValueError("wrong")
    return n

seamless.config.select_execution("queue")
for n in (1, 2):
    one = delayed(talks)(n)
    one.start()
""",
    )
    assert shop.call(sys.executable, "script.py").status == 0
    shop.work_off(status=1)
    for number in (1, 2):
        lines = log(shop, str(number))
        assert lines[0] == ("|", f"said {number}")
        assert any(sign == "!" and "UserWarning: careful" in text for sign, text in lines)
    assert "ValueError: wrong" in shop.call("seamless-status", "2").out.decode()
