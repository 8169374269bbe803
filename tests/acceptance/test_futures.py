"""X.FUTURE: what will be written is there at submit, for everybody who reads it, until it is written."""

from __future__ import annotations

import json
import os
import signal

import pytest

from .shop import BIN, COUNTED, Shop, until


def test_future_is_there_at_submit_before_any_server(shop: Shop) -> None:
    shop.submit("-c", "echo 1 > x.txt")
    content = json.loads(shop.read("x.txt.FUTURE"))
    assert set(content) >= {"store", "request"}
    shop.submit("-c", "cat x.txt > y.txt")
    assert shop.names() == {"x.txt.FUTURE", "y.txt.FUTURE"}
    shop.work_off()
    assert shop.names() == {"x.txt", "y.txt"}
    assert shop.read("y.txt") == "1\n"


def test_chain_diamond_and_fan_in(shop: Shop) -> None:
    lines = ["echo 0 > step0.txt"]
    lines += [f"{{ cat step{n}.txt; echo {n + 1}; }} > step{n + 1}.txt" for n in range(10)]
    lines += ["head -1 step10.txt > left.txt", "tail -1 step10.txt > right.txt", "cat left.txt right.txt > both.txt"]
    lines += [f"echo {n} > part{n:03}.txt" for n in range(100)]
    parts = " ".join(f"part{n:03}.txt" for n in range(100))
    lines += [f"cat {parts} > all.txt"]
    server = shop.server()
    shop.submit("--batch", "-", input="\n".join(lines).encode())
    assert shop.finish().err.count("failed") == 0
    server.wait()
    assert shop.read("step10.txt").split() == [str(n) for n in range(11)]
    assert shop.read("both.txt") == "0\n10\n"
    assert shop.read("all.txt").split() == [str(n) for n in range(100)]
    assert shop.store_leftovers() == []


def test_upstream_fails(shop: Shop) -> None:
    """Dependents fail with it, near and far, and name it; what does not depend goes on."""
    shop.submit("-c", "echo sorry >&2; exit 7; true > bad.txt")
    shop.submit("-c", "cat bad.txt > near.txt")
    shop.submit("-c", "cat near.txt > far.txt")
    shop.submit("-c", "echo fine > fine.txt")
    ended = shop.work_off(status=1)
    failed = [line for line in ended.lines if line.startswith("failed: ")]
    assert len(failed) == 3
    assert "exit code 7: sorry" in failed[0]
    for line in failed[1:]:
        assert "request" in line
        assert "exit 7" in line
    assert shop.names() == {"fine.txt"}


def test_declared_output_is_missing(shop: Shop) -> None:
    shop.submit("-cp", "never.txt", "-c", "true")
    shop.submit("-c", "cat never.txt > after.txt")
    ended = shop.work_off(status=1)
    assert "the output never.txt is missing" in ended.err
    assert shop.names() == set()


@pytest.mark.parametrize("first", ["old", "new"])
def test_overtaken_by_a_newer_submit(shop: Shop, first: str) -> None:
    """Two requests for one file: the newer's content is the last, whichever is done first."""
    last = "new" if first == "old" else "old"
    shop.submit(*shop.held("old"), "-c", "echo old > x.txt")
    shop.submit("-c", "sed s/^/read-/ x.txt > of-old.txt")
    shop.submit(*shop.held("new"), "-c", "echo new > x.txt")
    shop.submit("-c", "sed s/^/read-/ x.txt > of-new.txt")
    server = shop.server()
    shop.runs("old")
    shop.runs("new")
    shop.let(first)
    until(lambda: shop.has(f"of-{first}.txt"), f"what reads the {first} x.txt")
    if first == "new":
        assert shop.read("x.txt") == "new\n"
    shop.let(last)
    shop.finish()
    server.wait()
    assert shop.read("x.txt") == "new\n"
    assert shop.read("of-old.txt") == "read-old\n"
    assert shop.read("of-new.txt") == "read-new\n"
    expected = "delivered" if first == "old" else "superseded"
    assert shop.request_states() == [expected, "delivered", "delivered", "delivered"]


def test_newer_request_fails(shop: Shop) -> None:
    """The older one's file stays."""
    shop.submit("-c", "echo old > x.txt")
    shop.submit("-c", "exit 1; echo new > x.txt")
    shop.work_off(status=1)
    assert shop.read("x.txt") == "old\n"


def test_job_reads_the_old_version_of_what_it_rewrites(shop: Shop) -> None:
    shop.write("x.txt", "0\n")
    for _ in range(3):
        shop.submit("-i", "x.txt", "-cp", "x.txt", "-c", "sed -i '$a more' x.txt; true")
    shop.work_off()
    assert shop.read("x.txt") == "0\nmore\nmore\nmore\n"


def test_append(shop: Shop) -> None:
    shop.write("log.txt", "begun\n")
    assert shop.good("-c", "echo one >> log.txt").out == b""
    assert shop.read("log.txt") == "begun\none\n"
    shop.submit("-c", "echo two >> log.txt")
    shop.submit("-c", "echo three >> log.txt")
    shop.work_off()
    assert shop.read("log.txt") == "begun\none\ntwo\nthree\n"


def test_checksum_stands_for_an_absent_file(shop: Shop) -> None:
    shop.good("-c", "seq 3 > x.txt")
    os.unlink(shop.dir / "x.txt")
    assert shop.good("wc", "-l", "x.txt").out.split()[0] == b"3"
    shop.submit("-c", "tac x.txt > y.txt")
    shop.work_off()
    assert shop.read("y.txt") == "3\n2\n1\n"
    assert not shop.has("x.txt")


def test_checksum_of_another_store_is_refused(shop: Shop) -> None:
    shop.write("x.txt.CHECKSUM", "0" * 64 + "\n")
    ended = shop.run("cat", "x.txt")
    assert ended.status == 1
    assert "blake3" in ended.err
    assert str(shop.store) in ended.err
    assert len(ended.lines) == 1


def test_no_download_then_read(shop: Shop) -> None:
    shop.submit("-nd", "-c", "echo big > x.txt")
    shop.submit("-c", "cat x.txt > y.txt")
    shop.work_off()
    assert shop.names() == {"y.txt"}
    assert (shop.dir / "x.txt.CHECKSUM").exists()
    assert shop.good("cat", "x.txt").out == b"big\n"


def test_inline_waits_for_a_queued_request_and_says_so(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 5 > x.txt")
    reader = shop.start("seamless-run", "cat", "x.txt")
    reader.says("waits for future")
    assert str(shop.dir / "x.txt") in reader.err
    shop.server()
    shop.let("gate")
    ended = reader.wait()
    assert (ended.status, ended.out) == (0, b"5\n")
    quiet = shop.run("-q", "cat", "x.txt")
    assert (quiet.status, quiet.err) == (0, "")


def test_inline_waits_for_a_request_that_fails(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "exit 3; true > x.txt")
    reader = shop.start("seamless-run", "cat", "x.txt")
    reader.says("waits for future")
    shop.server()
    shop.let("gate")
    ended = reader.wait()
    assert ended.status == 1
    assert "exit 3" in ended.err
    assert ended.out == b""


def test_glob_drops_futures(shop: Shop) -> None:
    shop.write("a.txt", "a\n")
    shop.submit("-c", "echo b > b.txt")
    ended = shop.bash("seamless-run cat *")
    assert ended.out == b"a\n"
    assert "b.txt.FUTURE" in ended.err
    assert "warning" in ended.err
    shop.work_off()


def test_input_directory_with_a_future_inside(shop: Shop) -> None:
    shop.write("in/a.txt", "a\n")
    (shop.dir / "in" / "deep").mkdir()
    shop.submit("-c", "echo b > in/deep/b.txt")
    shop.submit("-i", "in", "-c", "cat in/a.txt in/deep/b.txt > both.txt")
    shop.submit("-i", "in", "-c", "find in -type f | sort > list.txt")
    shop.work_off()
    assert shop.read("both.txt") == "a\nb\n"
    assert shop.read("list.txt") == "in/a.txt\nin/deep/b.txt\n"


def test_input_inside_a_future_output_directory(shop: Shop) -> None:
    shop.submit("-cp", "out", "-c", "mkdir -p out/sub; echo 1 > out/sub/x; echo 2 > out/y")
    shop.submit("-i", "out/sub/x", "-c", "cat out/sub/x > x.txt")
    shop.submit("-i", "out", "-c", "cat out/y > y.txt")
    shop.submit("-i", "out/none", "-c", "cat out/none > none.txt")
    ended = shop.work_off(status=1)
    assert "out/none" in ended.err
    assert shop.names() == {"out/sub/x", "out/y", "x.txt", "y.txt"}
    assert (shop.read("x.txt"), shop.read("y.txt")) == ("1\n", "2\n")


def test_spellings_of_one_path(shop: Shop) -> None:
    """./x, ../x, the absolute name and one through a link are one file, whoever writes it."""
    (shop.dir / "sub").mkdir()
    shop.submit("-c", "echo 1 > ./x.txt")
    shop.submit("-i", f"{shop.dir}/x.txt", "-c", f"cat {shop.dir}/x.txt > y.txt")
    shop.submit("-w", "..", "-c", "cat ../y.txt > z.txt", cwd=shop.dir / "sub")
    (shop.top / "alias").symlink_to(shop.dir)
    shop.submit("-w", "/", "-c", f"cat {shop.top}/alias/x.txt > v.txt")
    shop.work_off()
    assert (shop.read("y.txt"), shop.read("sub/z.txt"), shop.read("v.txt")) == ("1\n", "1\n", "1\n")


def test_deleted_future_is_recreated_by_a_server_that_starts(shop: Shop) -> None:
    shop.submit(*shop.held("gate"), "-c", "echo 1 > x.txt")
    os.unlink(shop.dir / "x.txt.FUTURE")
    shop.submit("-c", "cat x.txt > y.txt")
    shop.server()
    assert shop.has("x.txt.FUTURE")
    shop.let("gate")
    shop.finish()
    assert shop.read("y.txt") == "1\n"


def test_future_of_an_inline_run_killed_is_swept(shop: Shop) -> None:
    """It promises nothing any more: reading waits for nobody, and the next server removes it."""
    run = shop.start("seamless-run", *shop.held("gate"), "-c", "echo 1 > x.txt")
    shop.runs("gate")
    assert shop.has("x.txt.FUTURE")
    run.kill()
    server = shop.server()
    until(lambda: not shop.has("x.txt.FUTURE"), "the sweep")
    shop.everyone_but(server)
    ended = shop.run("-g1", "cat", "x.txt")
    assert ended.status == 1
    server.stop()
    assert shop.store_leftovers() == []


@pytest.mark.parametrize("where", ["submitted", "promised"])
def test_submitter_killed_around_its_futures(shop: Shop, where: str) -> None:
    """An acknowledged request, and one that was only recorded, are done by the next server."""
    ended = shop.run("--qsubmit", "-c", "echo 1 > x.txt", env={"SEAMLESS_CRASH_AT": where})
    assert ended.status == -signal.SIGKILL
    shop.submit("-c", "cat x.txt > y.txt")
    shop.work_off()
    assert shop.names() == {"x.txt", "y.txt"}


#: seamless-run, held up between its commit and its .FUTUREs until the file is there.
SLOW_SUBMITTER = """
import os, sys, time
from seamless_queue import crashpoints

def reached(name):
    while name == "submitted" and not os.path.exists("x.txt.CHECKSUM"):
        time.sleep(0.01)

crashpoints.reached = reached
from seamless.cli.run import main
main()
"""


def test_worker_quicker_than_the_submitter(shop: Shop) -> None:
    """What is written already is promised no more."""
    server = shop.server("--workers", "1")
    submitter = shop.start(str(BIN / "python"), "-c", SLOW_SUBMITTER, "--qsubmit", "-c", "echo 1 > x.txt")
    until(lambda: shop.rows("SELECT id FROM requests"), "the commit")
    shop.submit("-c", "echo 2 > y.txt")
    assert submitter.wait().status == 0
    shop.finish()
    server.wait()
    assert shop.names() == {"x.txt", "y.txt"}


def test_outputs_stay_inside(shop: Shop) -> None:
    outside = shop.top / "outside"
    outside.mkdir()
    (shop.dir / "link").symlink_to(outside)
    (shop.dir / "sub").mkdir()
    for options in ([], ["--qsubmit"]):
        for target in ("link/x.txt", "../x.txt", "sub/../../x.txt", "/tmp/seamless-x.txt"):
            ended = shop.run(*options, *COUNTED, "-c", f"echo 1 > {target}")
            assert ended.status == 2, (target, ended)
            assert len(ended.lines) == 1
    assert shop.executions == 0
    assert list(outside.iterdir()) == []


def test_directory_becomes_a_link_before_delivery(shop: Shop) -> None:
    """Whoever swaps the directory while the job runs does not get the file written elsewhere."""
    outside = shop.top / "outside"
    outside.mkdir()
    (shop.dir / "sub").mkdir()
    shop.submit(*shop.held("gate"), "-c", "echo 1 > sub/x.txt")
    shop.server()
    shop.runs("gate")
    (shop.dir / "sub").rename(shop.dir / "moved")
    (shop.dir / "sub").symlink_to(outside)
    shop.let("gate")
    ended = shop.finish(status=1)
    assert "link" in ended.err
    assert list(outside.iterdir()) == []
    (shop.dir / "moved" / "x.txt.FUTURE").unlink(missing_ok=True)


@pytest.mark.parametrize(("mask", "mode"), [("022", 0o644), ("077", 0o600), ("002", 0o664)])
def test_umask(shop: Shop, mask: str, mode: int) -> None:
    ended = shop.bash(f"umask {mask}; seamless-run -cp d -c 'mkdir d; echo 1 > d/x; echo 2 > y.txt'")
    assert ended.status == 0, ended
    for name in ("d/x", "y.txt", "y.txt.CHECKSUM"):
        assert (shop.dir / name).stat().st_mode & 0o777 == mode
    assert shop.store.stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_promised_is_not_asked_for(shop: Shop) -> None:
    (shop.dir / "x.txt.FUTURE").mkdir()
    lines = b"echo 1 > fine.txt\necho 2 > x.txt\n"
    for ended in (
        shop.run("--qsubmit", "-c", "echo 2 > x.txt"),
        shop.run("--qsubmit", "--batch", "-", input=lines),
    ):
        assert ended.status == 1
        assert "x.txt.FUTURE" in ended.err
        assert len(ended.lines) == 1
    assert shop.names() == set()
    (shop.dir / "x.txt.FUTURE").rmdir()
    counts = json.loads(shop.call("seamless-status", "--json").out)["counts"]
    assert {word: count for word, count in counts.items() if count} == {"canceled": 3}


def test_a_promise_that_cannot_be_removed_stops_nobody(shop: Shop) -> None:
    shop.submit("-c", "echo 1 > x.txt")
    os.unlink(shop.dir / "x.txt.FUTURE")
    (shop.dir / "x.txt.FUTURE").mkdir()
    shop.submit("-c", "echo 2 > y.txt")
    shop.work_off()
    assert (shop.read("x.txt"), shop.read("y.txt")) == ("1\n", "2\n")
    (shop.dir / "x.txt.FUTURE").rmdir()
