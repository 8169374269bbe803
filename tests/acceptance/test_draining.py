"""seamless-queue-finish: waits, tells, and loses nothing."""

from __future__ import annotations

import signal

from .shop import Shop, until


def test_nothing_to_do_and_nobody_there(shop: Shop) -> None:
    ended = shop.finish()
    assert ended.lines == ["seamless-queue-finish: no server runs and nothing is pending"]


def test_jobs_pending_and_no_server(shop: Shop) -> None:
    shop.submit("-c", "echo 1 > x.txt")
    shop.submit("-c", "cat x.txt > y.txt")
    ended = shop.finish(status=2)
    assert ended.lines == [
        "seamless-queue-finish: error: 2 jobs are pending and no server runs; start one with: seamless-queue"
    ]
    shop.work_off()
    assert shop.names() == {"x.txt", "y.txt"}


def test_server_is_just_starting(shop: Shop) -> None:
    shop.submit("-c", "echo 1 > x.txt")
    ended = shop.bash("seamless-queue --workers 1 > queue.log & seamless-queue-finish; status=$?; wait; exit $status")
    assert ended.status == 0, ended
    assert shop.read("x.txt") == "1\n"


def test_failures_are_listed(shop: Shop) -> None:
    shop.submit("-c", "echo why >&2; exit 3; true > a.txt")
    shop.submit("-c", "echo 1 > b.txt")
    ended = shop.work_off(status=1)
    failed = [line for line in ended.lines if line.startswith("failed: ")]
    assert len(failed) == 1
    for part in ("#1", "echo why >&2", f"(in {shop.dir})", "exit code 3: why"):
        assert part in failed[0]
    assert ended.lines[-1] == "seamless-queue-finish: error: 1 job failed"


def test_failures_are_told_after_the_server_has_ended(shop: Shop) -> None:
    shop.submit("-c", "exit 3; true > a.txt")
    assert shop.server("--exit-when-idle", "0.1").wait().status == 0
    ended = shop.finish(status=1)
    assert "exit 3" in ended.err
    assert ended.lines[-1] == "seamless-queue-finish: error: 1 job failed"


def test_failure_made_good_is_no_news(shop: Shop) -> None:
    server = shop.server()
    words = ("-c", 'cat "$GATES/now" > x.txt')
    shop.submit(*words)
    server.says("failed")
    (shop.gates / "now").write_text("1\n")
    shop.submit(*words)
    shop.finish()


def test_failed_here_made_good_elsewhere_is_news(shop: Shop) -> None:
    """The file of this directory is still missing."""
    (shop.dir / "other").mkdir()
    server = shop.server()
    words = ("-c", 'cat "$GATES/now" > x.txt')
    shop.submit(*words)
    server.says("failed")
    (shop.gates / "now").write_text("1\n")
    shop.submit(*words, cwd=shop.dir / "other")
    assert "failed: #1" in shop.finish(status=1).err


def test_files_that_could_not_be_written_are_failures(shop: Shop) -> None:
    """The job is done, its request is not."""
    (shop.dir / "sub").mkdir()
    shop.submit(*shop.held("gate"), "-c", "echo 1 > sub/x.txt")
    shop.submit(*shop.held("gate"), "-c", "echo 1 > y.txt")
    shop.server()
    shop.runs("gate")
    (shop.dir / "sub" / "x.txt").mkdir()
    shop.let("gate")
    ended = shop.finish(status=1)
    assert "its files could not be written" in ended.err
    assert "x.txt is a directory" in ended.err
    assert shop.read("y.txt") == "1\n"


def test_two_shells_at_once(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    server = shop.server()
    shop.runs("gate")
    shells = [shop.start("seamless-queue-finish") for _ in range(2)]
    server.says("draining")
    shop.let("gate")
    assert [shell.wait().status for shell in shells] == [0, 0]
    assert server.wait().status == 0


def test_timeout(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    server = shop.server()
    shop.runs("gate")
    ended = shop.finish("--timeout", "0.2", status=1)
    assert "gave up waiting, 1 job is pending" in ended.err
    shop.let("gate")
    assert server.wait().status == 0
    assert shop.read("x.txt") == "1\n"


def test_no_wait(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    server = shop.server()
    shop.runs("gate")
    shop.finish("--no-wait")
    shop.submit("-c", "echo 2 > y.txt")
    shop.let("gate")
    assert server.wait().status == 0
    assert shop.names() == {"x.txt", "y.txt"}


def test_server_is_killed_while_it_waits(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    server = shop.server()
    shop.runs("gate")
    waiter = shop.start("seamless-queue-finish")
    server.says("draining")
    server.kill()
    ended = waiter.wait()
    assert ended.status == 2
    assert "1 job is pending and no server runs" in ended.err
    shop.let("gate")
    shop.work_off()
    assert shop.read("x.txt") == "1\n"


def test_interrupted(shop: Shop) -> None:
    """Whoever stops waiting stops nobody else."""
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    server = shop.server()
    shop.runs("gate")
    waiter = shop.start("seamless-queue-finish")
    server.says("draining")
    waiter.signal(signal.SIGINT)
    assert waiter.wait().status == 130
    shop.let("gate")
    assert server.wait().status == 0
    until(lambda: shop.has("x.txt"), "the file")


def test_arguments(shop: Shop) -> None:
    for words in (("--timeout", "-1"), ("--timeout", "soon"), ("what",), ("--what",)):
        ended = shop.finish(*words, status=2)
        assert len(ended.lines) == 1
