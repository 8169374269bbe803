"""seamless-queue pause, resume, cancel, retry, priority; and jobs that demand more than a processor."""

from __future__ import annotations

import json

import pytest

from .shop import COUNTED, PATIENCE_SECONDS, Ended, Shop, until

#: What a command does that notes how much of something it has while it runs.
NOTED = 'echo "+$N" >> "$COUNTER"; sleep 0.03; echo "-$N" >> "$COUNTER"'


def queue(shop: Shop, *words: str) -> Ended:
    return shop.call("seamless-queue", *words)


def most_at_once(shop: Shop) -> int:
    most = now = 0
    for line in shop.counter.read_text().splitlines():
        now += int(line)
        most = max(most, now)
    return most


def test_a_paused_queue_begins_nothing_and_finishes_what_runs(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > a.txt")
    first = shop.server("--workers", "2")
    shop.runs("gate")
    assert queue(shop, "pause").out == b"paused: nothing is begun until seamless-queue resume\n"
    first.says("the queue is paused")
    shop.submit(*COUNTED, "-c", "echo 2 > b.txt")
    second = shop.server("--workers", "1")
    second.says("the queue is paused")
    shop.let("gate")
    until(lambda: shop.has("a.txt"), "what ran already")
    waiting = shop.start("seamless-queue-finish", "--timeout", "0.5")
    assert waiting.wait().status == 1
    assert "paused: the queue is paused" in waiting.err
    assert "the queue is paused" in shop.call("seamless-status", "b.txt").out.decode()
    assert shop.good("-c", "echo inline").out == b"inline\n"
    assert shop.executions == 0
    assert queue(shop, "pause").out == b"it is paused already\n"
    assert queue(shop, "resume").out == b"resumed\n"
    assert first.wait().status == second.wait().status == 0
    assert shop.read("b.txt") == "2\n"
    assert queue(shop, "resume").out == b"it was not paused\n"


def test_cancel_ends_all_processes_and_tells_what_depended(shop: Shop) -> None:
    server = shop.server()
    shop.submit("--prologue", 'touch "$GATES/gate.runs"', "-c", "sleep 4321 & sleep 4322; true > a.txt")
    shop.submit("-c", "cat a.txt > b.txt")
    shop.submit("-c", "cat b.txt > c.txt")
    shop.runs("gate")
    ended = queue(shop, "cancel", "a.txt")
    assert ended.status == 0, ended
    said = ended.out.decode()
    assert said.startswith("#1 canceled: ")
    assert "#2 fails with it: " in said
    assert "#3 fails with it: " in said
    assert not [line for line in shop.processes().values() if b"432" in line]
    assert shop.request_states() == ["canceled", "failed", "failed"]
    assert shop.leftovers() == []
    ended = queue(shop, "cancel", "#1", "nosuch.txt", "--json")
    assert ended.status == 1
    assert json.loads(ended.out)["refused"] == [{"request_id": 1, "why": "it is canceled already"}]
    assert "'nosuch.txt' is no job here" in ended.err
    assert server.stop().status == 0


def test_a_job_goes_on_for_others(shop: Shop) -> None:
    server = shop.server()
    shop.submit(*shop.held("gate"), "-c", "echo 1 > a.txt")
    shop.runs("gate")
    (shop.dir / "sub").mkdir()
    shop.submit(*shop.held("gate"), "-c", "echo 1 > a.txt", cwd=shop.dir / "sub")
    assert b"goes on for 1 other" in queue(shop, "cancel", "a.txt").out
    shop.let("gate")
    until(lambda: shop.has("sub/a.txt"), "the other one's file")
    assert not shop.has("a.txt")
    assert server.stop().status == 0


def test_retry_asks_again_with_what_depends(shop: Shop) -> None:
    shop.submit(*COUNTED, "-c", 'test -e "$GATES/ok"; echo 1 > a.txt')
    shop.submit(*COUNTED, "-c", "cat a.txt > b.txt")
    shop.submit(*COUNTED, "-c", "cat b.txt > c.txt")
    shop.work_off(status=1)
    assert shop.request_states() == ["failed"] * 3
    assert queue(shop, "retry", "c.txt", "a.txt").status == 0
    assert {name for name in shop.names() if name.endswith(".FUTURE")} == {f"{one}.txt.FUTURE" for one in "abc"}
    shop.work_off(status=1)
    shop.let("ok")
    ended = queue(shop, "retry", "--failed")
    assert ended.status == 0, ended
    assert ended.out.count(b"queued again") == 3
    assert b"environment variables are those of now" in ended.out
    shop.work_off()
    assert shop.read("c.txt") == "1\n"
    assert queue(shop, "retry", "--failed").out == b"nothing has failed\n"
    ended = queue(shop, "retry", "1")
    assert ended.status == 1
    assert "request 7, which is newer, is for" in ended.err
    assert shop.leftovers() == []


def test_priority_changes_the_order(shop: Shop) -> None:
    for name in "abc":
        shop.submit("-c", f'echo {name} >> "$COUNTER"; true > {name}.txt')
    assert queue(shop, "priority", "5", "c.txt", "3").out == b"#3 has priority 5\n"
    assert queue(shop, "priority", "-1", "a.txt", "--json").status == 0
    shop.work_off(workers=1)
    assert shop.counter.read_text().split() == ["c", "b", "a"]
    assert queue(shop, "priority", "5", "c.txt").status == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("retry",), "say which"),
        (("retry", "--failed", "1"), "say which"),
        (("--workers", "3", "pause"), "--workers is for a server"),
        (("priority", "high", "1"), "not a valid integer"),
        (("cancel",), "Missing argument"),
        (("halt",), "No such command"),
        (("--slot", "cpus=3"), "a name of your own"),
        (("--memory", "much"), "is not a size"),
    ],
)
def test_bad_words_are_told(shop: Shop, words: tuple[str, ...], said: str) -> None:
    ended = queue(shop, *words)
    assert ended.status == 2
    assert said in ended.err
    assert len(ended.lines) == 1


def test_there_is_nothing_to_control_without_a_store(shop: Shop) -> None:
    ended = queue(shop, "pause", "--store", str(shop.top / "nowhere"))
    assert ended.status == 2
    assert "there is no store at" in ended.err
    assert not (shop.top / "nowhere").exists()


def test_never_more_at_once_than_is_offered_though_servers_die(shop: Shop) -> None:
    """Two servers that each count for themselves, of which one dies; the slots are the store's."""
    for number in range(16):
        shop.submit("--slot", "license", "--metavar", "N=1", "-c", f"{NOTED}; echo {number} > {number}.txt")
    servers = [shop.server("--workers", "4", "--slot", "license=2") for _ in range(2)]
    until(lambda: len(list(shop.dir.glob("*.txt"))) > 4, "some to be done")
    assert most_at_once(shop) <= 2
    servers[0].kill()
    assert shop.finish(timeout=PATIENCE_SECONDS).status == 0
    assert len(list(shop.dir.glob("*.txt"))) == 16


def test_processors_are_counted_and_too_much_is_told(shop: Shop) -> None:
    server = shop.server("--workers", "8", "--cpus", "3", "--gpus", "2")
    for number, cpus in enumerate((1, 2, 3, 1, 2, 1, 3, 1)):
        words = ("--metavar", f"N={cpus}", "--cpus", str(cpus))
        shop.submit(*words, "-c", f"{NOTED}; echo {number} > {number}.txt")
    for number in range(2):
        shop.submit("--gpus", "1", "-c", f"sleep 0.0{number}; echo $CUDA_VISIBLE_DEVICES > gpu{number}.txt")
    told = shop.submit("--cpus", "64", "-c", "echo > never.txt")
    assert "needs 64 cpus, but no running server offers more than 3 cpus" in told.err
    until(lambda: len(list(shop.dir.glob("*.txt"))) == 10, "all that can be run")
    assert most_at_once(shop) <= 3
    assert {shop.read(f"gpu{number}.txt").strip() for number in range(2)} <= {"0", "1"}
    assert "no running server offers more" in shop.call("seamless-status", "never.txt").out.decode()
    text = shop.call("seamless-status", "--once").out.decode()
    assert "1 job needs what no running server offers" in text
    assert "needs 64 cpus" in text
    assert queue(shop, "cancel", "never.txt").status == 0
    assert server.stop().status == 0
