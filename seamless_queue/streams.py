"""What the Python code of a job writes to standard output and error, of C code and of child processes too."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TextIO

from . import workdir
from .filesystems import unique_name
from .recorder import Recorder, notice

#: Of longer output the beginning and the end are kept, so many bytes of each.
KEPT_BYTES = 1 << 19
#: Fewer are not left out: saying so would take more.
FEWEST_LEFT_OUT = 48


class CapturedStreams:
    """Files that take the place of descriptors 1 and 2 while a job's code runs. For one thread.

    Those of a worker have names: others may follow what its job writes, and keep it if the worker dies.
    """

    def __init__(self, directory: str, worker_id: int | None = None) -> None:
        self._place = None if worker_id is None else workdir.new_place(directory, worker_id)
        self._files = [_file(directory, self._place, name) for name in ("stdout", "stderr")]
        self._saved = [os.dup(number) for number in (1, 2)]
        #: where the output begins of each job that runs, a job inside a job after the outer one
        self._begins: list[list[int]] = []
        self._ended = [0, 0]
        self._recorders: list[Recorder] = []
        #: when the job that ended last had written how much (recorder.py)
        self.marks: str | None = None

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Inside the block, descriptors 1 and 2 are the files."""
        _flush()
        python = sys.stdout, sys.stderr
        if not self._begins:
            self._redirect(self._files)
            for descriptor in self._files:
                # Late words of what the last job has left behind are nobody's.
                os.ftruncate(descriptor, 0)
        begins = [os.fstat(descriptor).st_size for descriptor in self._files]
        self._begins.append(begins)
        self._recorders.append(Recorder(lambda: self._written(begins)))
        _flush_lines()
        try:
            yield
        finally:
            _flush()
            self.marks = self._recorders.pop().encoded()
            sys.stdout, sys.stderr = (_usable(stream, number) for number, stream in enumerate(python, 1))
            self._ended = self._begins.pop()
            if not self._begins:
                self._redirect(self._saved)

    def look(self) -> None:
        """Note how much the current job has written; another thread may call this."""
        with suppress(IndexError):
            self._recorders[-1].look()

    def so_far(self) -> tuple[bytes, bytes]:
        """What the current job has written, which is about to be left in the middle."""
        _flush()
        begins = self._begins[-1] if self._begins else [0, 0]
        stdout, stderr = (_read(*where) for where in zip(self._files, begins, strict=True))
        return stdout, stderr

    def close(self) -> None:
        """Remove what lies in files of a name."""
        if self._place is not None:
            workdir.remove(self._place)

    def _written(self, begins: list[int]) -> tuple[int, int]:
        out, err = (os.fstat(file).st_size - begin for file, begin in zip(self._files, begins, strict=True))
        return out, err

    def take(self) -> tuple[bytes, bytes]:
        """What the job that ended last has written; to be called once, right after its end."""
        stdout, stderr = (_take(*where) for where in zip(self._files, self._ended, strict=True))
        return stdout, stderr

    @staticmethod
    def _redirect(descriptors: list[int]) -> None:
        for number, descriptor in enumerate(descriptors, 1):
            os.dup2(descriptor, number)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # The code may have closed them, or put anything in their place.
        with suppress(Exception):
            stream.flush()
    _libc().fflush(None)


@cache
def _libc() -> Any:
    """C code has buffers of its own."""
    import ctypes

    return ctypes.CDLL(None)


def _usable(stream: TextIO, number: int) -> TextIO:
    """A stream of Python's; a new one, if the code has closed it for all that come later."""
    if stream is not None and stream.closed:
        return open(number, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)
    return stream


def _flush_lines() -> None:
    """Each line is in its file at once, for whoever follows, and if the process dies."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.line_buffering:
        with suppress(Exception):
            sys.stdout.reconfigure(line_buffering=True)


def _file(directory: str, place: str | None, name: str) -> int:
    path = f"{directory}/.streams-{unique_name()}" if place is None else f"{place}/{name}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if place is None:
        os.unlink(path)
    return descriptor


def _take(descriptor: int, begin: int) -> bytes:
    content = _read(descriptor, begin)
    if content:
        os.ftruncate(descriptor, begin)
    return content


def _read(descriptor: int, begin: int) -> bytes:
    end = os.fstat(descriptor).st_size
    if end <= begin:
        return b""
    left_out = end - begin - 2 * KEPT_BYTES
    if left_out <= FEWEST_LEFT_OUT:
        return os.pread(descriptor, end - begin, begin)
    first, last = (os.pread(descriptor, KEPT_BYTES, place) for place in (begin, end - KEPT_BYTES))
    return first + notice(left_out) + last
