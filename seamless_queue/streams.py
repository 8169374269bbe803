"""What the Python code of a job writes to standard output and error, of C code and of child processes too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .filesystems import unique_name

#: Of longer output the beginning and the end are kept, so many bytes of each.
KEPT_BYTES = 1 << 19


class CapturedStreams:
    """Files that take the place of descriptors 1 and 2 while a job's code runs. For one thread."""

    def __init__(self, directory: str) -> None:
        self._files = [_unnamed_file(directory) for _ in range(2)]
        self._saved = [os.dup(number) for number in (1, 2)]
        self._depth = 0

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Inside the block, descriptors 1 and 2 are the files; a job inside a job writes to the same ones."""
        self._depth += 1
        if self._depth == 1:
            self._redirect(self._files)
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._redirect(self._saved)

    def take(self) -> tuple[bytes, bytes]:
        """What has been written since the last time, and forget it."""
        return _take(self._files[0]), _take(self._files[1])

    @staticmethod
    def _redirect(descriptors: list[int]) -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        for number, descriptor in zip((1, 2), descriptors, strict=True):
            os.dup2(descriptor, number)


def _unnamed_file(directory: str) -> int:
    path = f"{directory}/.streams-{unique_name()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return descriptor


def _take(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if not size:
        return b""
    if size <= 2 * KEPT_BYTES:
        content = os.pread(descriptor, size, 0)
    else:
        left_out = f"\n[{size - 2 * KEPT_BYTES} bytes left out]\n".encode()
        content = os.pread(descriptor, KEPT_BYTES, 0) + left_out + os.pread(descriptor, KEPT_BYTES, size - KEPT_BYTES)
    os.ftruncate(descriptor, 0)
    return content
