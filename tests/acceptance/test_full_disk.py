"""No space left: nothing is half-written, the queue pauses and says so, and goes on by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .shop import COUNTED, Background, Shop, until

#: A store, and one job of a megabyte, but not ten.
DISK = "6m"


class SmallDisk:
    """A little file system of its own, in a mount namespace that is gone with the test."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.path = shop.top / "disk"
        self.path.mkdir()
        script = f'mount -t tmpfs -o size={DISK},mode=700 none "$0" && touch "$0/here" && exec sleep infinity'
        words = ("unshare", "--mount", "--propagation", "private", "bash", "-c", script, str(self.path))
        self.holder: Background = shop.start(*words)
        #: the same place as seen from outside
        self.seen = Path(f"/proc/{self.holder.pid}/root{self.path}")
        until(lambda: self._there() or self.holder.process.poll() is not None, "the mount")
        if not self._there():
            pytest.skip(f"cannot mount a file system here: {self.holder.err}")

    def _there(self) -> bool:
        try:
            return (self.seen / "here").exists()
        except OSError:
            return False

    def words(self, *words: str) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.holder.pid), "--mount", "--wd=.", *words)

    def call(self, *words: str, **given: Any) -> Any:
        return self.shop.call(*self.words(*words), **given)

    def start_server(self) -> Background:
        server = self.shop.start(*self.words("seamless-queue", "--workers", "2"))
        server.says("serving")
        return server

    def fill(self) -> None:
        """To the last byte."""
        self.call("bash", "-c", f'head -c 100M /dev/zero > "{self.path}/filler"')

    def free(self) -> None:
        (self.seen / "filler").unlink()


@pytest.fixture
def disk(shop: Shop) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a file system")
    made = SmallDisk(shop)
    yield made
    made.holder.kill()


@pytest.fixture
def full_store(disk: SmallDisk) -> SmallDisk:
    """A store on the little disk."""
    disk.shop.env["SEAMLESS_CACHE"] = str(disk.path / "store")
    assert disk.call("seamless-run", "true").status == 0
    return disk


def test_queue_pauses_and_goes_on(shop: Shop, full_store: SmallDisk) -> None:
    disk, large = full_store, "yes 0123456789 | head -100000"
    for name in ("a", "b"):
        words = (*shop.held(name), *COUNTED, "-cp", f"{name}.txt", "-c", f"{large} > {name}.txt; echo {name}")
        assert disk.call("seamless-run", "--qsubmit", *words).status == 0
    server = disk.start_server()
    shop.runs("a")
    shop.runs("b")
    disk.fill()
    shop.let("a")
    shop.let("b")
    server.says("paused: the disk of the store is full")
    waiter = shop.start(*disk.words("seamless-queue-finish"))
    waiter.says("paused: the disk of the store is full")
    assert server.process.poll() is None
    disk.free()
    server.says("resumed")
    assert waiter.wait().status == 0
    assert server.wait().status == 0
    expected = shop.bash(large).out.decode()
    assert (shop.read("a.txt"), shop.read("b.txt")) == (expected, expected)
    assert list((disk.seen / "store" / "work").iterdir()) == []
    assert list((disk.seen / "store" / "buffers" / ".new").iterdir()) == []


def test_what_is_made_again_meets_it(shop: Shop, full_store: SmallDisk) -> None:
    """Neither the job nor the maker of its input is charged; nobody waits for an outcome that could not be told."""
    disk, large = full_store, "yes 0123456789 | head -100000"
    shop.let("maker")
    words = (*shop.held("maker"), "--scratch", "-cp", "a.txt", "-c", f"{large} > a.txt; true")
    assert disk.call("seamless-run", *words).status == 0
    for name in ("maker", "maker.runs"):
        (shop.gates / name).unlink()
    for number in (1, 2):
        needs = ("-cp", f"b{number}.txt", "-c", f"head -n {number} a.txt > b{number}.txt")
        assert disk.call("seamless-run", "--qsubmit", *needs).status == 0
    server = disk.start_server()
    shop.runs("maker")
    disk.fill()
    shop.let("maker")
    server.says("paused: the disk of the store is full")
    disk.free()
    server.says("resumed")
    assert disk.call("seamless-queue-finish").status == 0
    assert server.wait().status == 0
    assert (shop.read("b1.txt"), shop.read("b2.txt")) == ("0123456789\n", "0123456789\n" * 2)
    assert list((disk.seen / "store" / "work").iterdir()) == []
    assert list((disk.seen / "store" / "buffers" / ".new").iterdir()) == []


def test_submit_and_inline_run(shop: Shop, full_store: SmallDisk) -> None:
    """Refused in one line; afterwards all is as it was."""
    disk = full_store
    shop.write("in.txt", "x" * 100_000)
    disk.fill()
    for words in (
        ("-c", "cat in.txt > out.txt"),
        ("--qsubmit", "-c", "cat in.txt > out.txt"),
        ("-c", "yes | head -1000000 | cat > out.txt"),
    ):
        ended = disk.call("seamless-run", *words)
        assert ended.status == 1, ended
        assert "full" in ended.lines[-1]
        assert "Traceback" not in ended.err
        assert shop.names() == {"in.txt"}
    disk.free()
    assert disk.call("seamless-run", "-c", "cat in.txt > out.txt").status == 0
    assert shop.read("out.txt") == "x" * 100_000
    assert list((disk.seen / "store" / "buffers" / ".new").iterdir()) == []


def test_disk_of_the_user_is_full(shop: Shop, disk: SmallDisk) -> None:
    """The store has room, the place of the output has none."""
    place = ("bash", "-c", f'cd "{disk.path}" && exec "$@"', "bash")
    words = ("seamless-run", "--qsubmit", *shop.held("gate"), "-c", "seq 300000 > x.txt")
    assert disk.call(*place, *words).status == 0
    server = disk.start_server()
    shop.runs("gate")
    disk.fill()
    shop.let("gate")
    until(lambda: "full" in server.out.decode() or "could not be written" in server.out.decode(), "a word of it")
    disk.free()
    waiter = shop.start(*disk.words("seamless-queue-finish"))
    status = waiter.wait().status
    server.wait()
    names = {path.name for path in disk.seen.iterdir()}
    assert not any(name.startswith(".seamless-") or name.endswith(".FUTURE") for name in names), names
    assert ("x.txt" in names) == (status == 0)
