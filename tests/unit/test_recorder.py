"""Marks of time, and what is kept of long output."""

from __future__ import annotations

from pathlib import Path

import pytest

from seamless_queue import recorder
from seamless_queue.recorder import Kept, Recorder, decoded
from seamless_queue.streamlog import shorten


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recorder, "time", clock)
    return clock


def test_short_commands_have_no_marks(clock: Clock) -> None:
    short = Recorder(lambda: (10, 0))
    short.look()
    clock.now += 0.1
    assert short.encoded() is None


def test_a_mark_tells_when_there_was_how_much(clock: Clock) -> None:
    sizes = [0, 0]
    running = Recorder(lambda: (sizes[0], sizes[1]))
    for second in range(1, 4):
        clock.now += 1
        sizes[0] += 5
        running.look()
        assert running.wait == pytest.approx(recorder.LEAST_SECONDS), second
    clock.now += 1
    running.look()
    assert running.wait > recorder.LEAST_SECONDS, "nothing was written: it is looked at more rarely"
    sizes[1] = 3
    assert decoded(running.encoded()) == [(1.0, 5, 0), (2.0, 10, 0), (3.0, 15, 0), (4.0, 15, 3)]


def test_there_are_never_too_many_marks(clock: Clock) -> None:
    count = 0
    running = Recorder(lambda: (count, 0))
    for _ in range(3 * recorder.MOST_MARKS):
        clock.now += running.wait
        count += 1
        running.look()
    marks = decoded(running.encoded())
    assert len(marks) <= recorder.MOST_MARKS + 1
    assert marks[-1][1] == count


@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 248, 249, 5000])
def test_of_long_output_both_ends_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for module in ("seamless_queue.recorder", "seamless_queue.streamlog"):
        monkeypatch.setattr(f"{module}.KEPT_BYTES", 100)
    path, whole = tmp_path / "stdout", bytes(number % 251 for number in range(size))
    path.write_bytes(whole)
    shorten(str(path))
    kept = Kept(path.read_bytes(), size)
    assert kept.between(0, size) == kept.content
    assert kept.between(0, 50) == whole[:50]
    assert kept.between(size - 40, size) == whole[-40:] if size else kept.content == b""
    if size <= 248:
        assert kept.content == whole
    else:
        assert f"[{size - 200} bytes left out]".encode() in kept.content
        assert kept.content.startswith(whole[:100])
        assert kept.content.endswith(whole[-100:])
    parts = [kept.between(begin, begin + 10) for begin in range(0, size, 10)]
    assert b"".join(parts) == kept.content
