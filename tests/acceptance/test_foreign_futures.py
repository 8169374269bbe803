"""A .FUTURE of another store, or of another tool: all that is known of it is the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .shop import Shop, until


@pytest.fixture
def other(shop: Shop) -> str:
    """A second store that writes into the same directory."""
    return str(shop.top / "other")


def age(path: Path) -> None:
    """Make it look untouched for ten minutes."""
    old = path.stat().st_mtime - 600
    os.utime(path, (old, old))


def test_queued_and_inline_readers_wait_for_another_store(shop: Shop, other: str) -> None:
    shop.submit("--store", other, *shop.held("gate"), "-c", "echo 1 > x.txt")
    shop.submit("-c", "sed s/1/2/ x.txt > y.txt")
    shop.submit("-c", "sed s/2/3/ y.txt > z.txt")
    server = shop.server()
    reader = shop.start("seamless-run", "cat", "x.txt")
    reader.says("waits for future")
    assert "another store" in reader.err
    foreign = shop.server("--store", other)
    shop.let("gate")
    ended = reader.wait()
    assert (ended.status, ended.out) == (0, b"1\n")
    shop.finish()
    shop.finish("--store", other)
    assert (server.wait().status, foreign.wait().status) == (0, 0)
    assert (shop.read("y.txt"), shop.read("z.txt")) == ("2\n", "3\n")


def test_directory_with_a_foreign_future_inside(shop: Shop, other: str) -> None:
    shop.write("in/a.txt", "a\n")
    shop.submit("--store", other, "-c", "echo b > in/b.txt")
    shop.submit("-i", "in", "-c", "cat in/a.txt in/b.txt > both.txt")
    shop.server()
    shop.server("--store", other)
    until(lambda: shop.has("both.txt"), "the reader's file")
    assert shop.read("both.txt") == "a\nb\n"
    assert not shop.has("in/b.txt.FUTURE")


@pytest.mark.parametrize("content", [b"", b"not ours\n", b'{"store": 1}', b"\xff\x00"])
def test_stale_at_submit(shop: Shop, content: bytes) -> None:
    path = shop.write("x.txt.FUTURE", content)
    age(path)
    for options in ((), ("--qsubmit",)):
        ended = shop.run(*options, "cat", "x.txt")
        assert ended.status == 1
        assert len(ended.lines) == 1
        assert f"{shop.dir}/x.txt.FUTURE" in ended.err
        assert "stale" in ended.err
    path.unlink()


def test_goes_stale_while_others_wait(shop: Shop) -> None:
    path = shop.write("x.txt.FUTURE", "another tool\n")
    shop.submit("-c", "cat x.txt > y.txt")
    shop.submit("-c", "cat y.txt > z.txt")
    server = shop.server()
    reader = shop.start("seamless-run", "cat", "x.txt")
    reader.says("waits for future")
    age(path)
    ended = reader.wait()
    assert ended.status == 1
    assert "stale" in ended.err
    ended = shop.finish(status=1)
    assert ended.err.count(f"{shop.dir}/x.txt.FUTURE") >= 2
    server.wait()
    path.unlink()
    assert shop.names() == set()


def test_removed_without_the_file(shop: Shop) -> None:
    path = shop.write("x.txt.FUTURE", "another tool\n")
    shop.submit("-c", "cat x.txt > y.txt")
    server = shop.server()
    reader = shop.start("seamless-run", "cat", "x.txt")
    reader.says("waits for future")
    path.unlink()
    ended = reader.wait()
    assert ended.status == 1
    assert "went away" in ended.err
    assert "went away" in shop.finish(status=1).err
    server.wait()


def test_written_by_another_tool(shop: Shop) -> None:
    path = shop.write("x.txt.FUTURE", "another tool\n")
    reader = shop.start("seamless-run", "cat", "x.txt")
    reader.says("waits for future")
    shop.write("x.txt", "by hand\n")
    path.unlink()
    ended = reader.wait()
    assert (ended.status, ended.out) == (0, b"by hand\n")


def test_upstream_of_another_store_fails(shop: Shop, other: str) -> None:
    shop.submit("--store", other, "-c", "exit 3; true > x.txt")
    shop.submit("-c", "cat x.txt > y.txt")
    server, foreign = shop.server(), shop.server("--store", other)
    assert "exit 3" in shop.finish("--store", other, status=1).err
    assert "x.txt" in shop.finish(status=1).err
    assert (server.wait().status, foreign.wait().status) == (0, 0)
    assert shop.names() == set()
