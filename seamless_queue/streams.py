"""What the Python code of a job writes to standard output and error, of C code and of child processes too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TextIO

from .filesystems import unique_name

#: Of longer output the beginning and the end are kept, so many bytes of each.
KEPT_BYTES = 1 << 19


class CapturedStreams:
    """Files that take the place of descriptors 1 and 2 while a job's code runs. For one thread."""

    def __init__(self, directory: str) -> None:
        self._files = [_unnamed_file(directory) for _ in range(2)]
        self._saved = [os.dup(number) for number in (1, 2)]
        #: where the output begins of each job that runs, a job inside a job after the outer one
        self._begins: list[list[int]] = []
        self._ended = [0, 0]

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
        self._begins.append([os.fstat(descriptor).st_size for descriptor in self._files])
        try:
            yield
        finally:
            _flush()
            sys.stdout, sys.stderr = (_usable(stream, number) for number, stream in enumerate(python, 1))
            self._ended = self._begins.pop()
            if not self._begins:
                self._redirect(self._saved)

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


def _unnamed_file(directory: str) -> int:
    path = f"{directory}/.streams-{unique_name()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return descriptor


def _take(descriptor: int, begin: int) -> bytes:
    end = os.fstat(descriptor).st_size
    if end <= begin:
        return b""
    left_out = end - begin - 2 * KEPT_BYTES
    if left_out <= 0:
        content = os.pread(descriptor, end - begin, begin)
    else:
        first, last = (os.pread(descriptor, KEPT_BYTES, place) for place in (begin, end - KEPT_BYTES))
        content = first + f"\n[{left_out} bytes left out]\n".encode() + last
    os.ftruncate(descriptor, begin)
    return content
