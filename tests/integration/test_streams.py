"""What the code of a job writes is kept, whoever writes it, and nothing of it goes elsewhere."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from scripted import Caller, Script, calling

from seamless_queue import streams
from seamless_queue.settings import Settings
from seamless_queue.streams import CapturedStreams


class Outside(CapturedStreams):
    """As outside of pytest, whose own `sys.stdout` does not write to descriptor 1."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.python = [open(number, "w", closefd=False) for number in (1, 2)]  # noqa: SIM115

    @contextmanager
    def capturing(self) -> Iterator[None]:
        stdout, stderr = self.python
        with redirect_stdout(stdout), redirect_stderr(stderr), super().capturing():
            yield

    def close(self) -> None:
        for stream in self.python:
            stream.close()
        for descriptor in (*self._files, *self._saved):
            os.close(descriptor)


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Callable[[], Outside]]:
    """Make one inside of the test: pytest puts other files behind the descriptors for that."""
    made = []

    def make() -> Outside:
        made.append(Outside(str(tmp_path)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_both_streams_are_kept_apart_and_taken_once(
    capture: Callable[[], Outside], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    captured = capture()
    os.write(1, b"before\n")
    with captured.capturing():
        print("out")
        print("err", file=sys.stderr)
    os.write(1, b"after\n")
    assert captured.take() == (b"out\n", b"err\n")
    assert captured.take() == (b"", b"")
    assert capfd.readouterr() == ("before\nafter\n", "")
    # Their files have no names: nobody need remove them.
    assert list(tmp_path.iterdir()) == []


def test_every_job_has_its_own(capture: Callable[[], Outside]) -> None:
    captured = capture()
    for text in ("one", "two"):
        with captured.capturing():
            print(text)
        assert captured.take() == (f"{text}\n".encode(), b"")


def test_what_c_code_writes_is_kept(capture: Callable[[], Outside]) -> None:
    captured = capture()
    library = ctypes.CDLL(None)
    with captured.capturing():
        # Into the buffer of C's own stdout, and past all buffers.
        library.puts(b"buffered by C")
        os.write(2, b"written at once\n")
    assert captured.take() == (b"buffered by C\n", b"written at once\n")
    with captured.capturing():
        print("next")
    assert captured.take() == (b"next\n", b"")


def test_what_c_code_has_buffered_before_is_not_the_jobs(capture: Callable[[], Outside]) -> None:
    ctypes.CDLL(None).puts(b"of the caller")
    captured = capture()
    with captured.capturing():
        print("of the job")
    assert captured.take() == (b"of the job\n", b"")


def test_what_children_and_threads_write_is_kept(capture: Callable[[], Outside]) -> None:
    captured = capture()
    with captured.capturing():
        subprocess.run(["sh", "-c", "echo child; echo complaint >&2"], check=True)
        os.system("echo shell")
        thread = threading.Thread(target=print, args=("thread",))
        thread.start()
        thread.join()
    assert captured.take() == (b"child\nshell\nthread\n", b"complaint\n")


def test_bytes_that_are_no_text_are_kept(capture: Callable[[], Outside]) -> None:
    captured = capture()
    garbage = os.urandom(10_000) + b"\x00\xff\xfe"
    with captured.capturing():
        sys.stdout.flush()
        os.write(1, garbage)
    assert captured.take()[0] == garbage


def test_of_long_output_the_beginning_and_the_end_are_kept(capture: Callable[[], Outside]) -> None:
    captured = capture()
    kept = streams.KEPT_BYTES
    with captured.capturing():
        os.write(1, b"a" * 2 * kept)
    assert captured.take()[0] == b"a" * 2 * kept
    with captured.capturing():
        os.write(1, b"a" * kept + b"b" * 1000 + b"c" * kept)
        os.write(2, b"short")
    out, err = captured.take()
    assert out == b"a" * kept + b"\n[1000 bytes left out]\n" + b"c" * kept
    assert err == b"short"


def test_a_job_inside_a_job_has_its_own_output(capture: Callable[[], Outside]) -> None:
    captured = capture()
    with captured.capturing():
        print("outer begins")
        with captured.capturing():
            print("inner")
            print("inner complains", file=sys.stderr)
        assert captured.take() == (b"inner\n", b"inner complains\n")
        print("between")
        with captured.capturing():
            with captured.capturing():
                print("innermost")
            assert captured.take() == (b"innermost\n", b"")
            print("second")
        assert captured.take() == (b"second\n", b"")
        print("outer ends")
    assert captured.take() == (b"outer begins\nbetween\nouter ends\n", b"")


def test_an_error_ends_the_capture(capture: Callable[[], Outside], capfd: pytest.CaptureFixture[str]) -> None:
    captured = capture()

    def fail() -> None:
        with captured.capturing(), captured.capturing():
            print("lost?")
            raise ValueError("oops")

    with pytest.raises(ValueError, match="oops"):
        fail()
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n"
    # What the inner one has written and nobody has taken is the outer one's.
    assert captured.take() == (b"lost?\n", b"")


def test_what_comes_after_a_job_is_not_the_next_ones(capture: Callable[[], Outside]) -> None:
    captured = capture()
    with captured.capturing():
        child = subprocess.Popen(["sh", "-c", "read line; echo late"], stdin=subprocess.PIPE)
    assert captured.take() == (b"", b"")
    child.communicate(b"\n")
    with captured.capturing():
        print("next")
    assert captured.take() == (b"next\n", b"")


@pytest.fixture
def caller(settings: Settings, tmp_path: Path) -> Iterator[Caller]:
    with calling(settings, tmp_path) as opened:
        opened.session.spawn(1)
        yield opened


def stdout_of(caller: Caller, name: str) -> bytes:
    ((checksum,),) = caller.rows(
        "SELECT stdout FROM attempts JOIN requests ON requests.job_id = attempts.job_id WHERE command = ?", name
    )
    with caller.session.lock:
        return caller.store.buffers.read(checksum.hex())


@pytest.mark.parametrize("how", ["close", "close the descriptor", "take away"])
def test_a_job_that_spoils_its_streams_spoils_no_others(caller: Caller, how: str) -> None:
    assert caller.result(caller.start("spoil", how=how, capture=True)) == "spoil done"
    (ticket,) = caller.submit(caller.script("print", parts=["fine"], capture=True))
    assert caller.result(ticket) == "print done"
    assert stdout_of(caller, "print") == b"fine\n"
    assert len({line[2] for line in caller.lines("begun")}) == 1


def test_the_output_of_nested_jobs_is_theirs(caller: Caller) -> None:
    inner: Script = caller.script("print", "inner", parts=["inside"], capture=True)
    (ticket,) = caller.submit(caller.script("print", "outer", parts=["before", inner, "after"], capture=True))
    assert caller.result(ticket) == "outer done"
    assert stdout_of(caller, "inner") == b"inside\n"
    assert stdout_of(caller, "outer") == b"before\nafter\n"
