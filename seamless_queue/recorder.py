"""Marks of when a command had written how much, and how much of it is kept.

A mark is [seconds since the start, bytes of standard output, bytes of standard error]. The last one tells how much
there was in all, also where the middle is not kept.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import NamedTuple

#: Of longer output the beginning and the end are kept, so many bytes of each.
KEPT_BYTES = 8 << 20
#: Shorter commands have no marks.
FIRST_SECONDS = 0.2
#: How often sizes are looked at; more rarely where nothing is written, and where there are very many marks.
LEAST_SECONDS, MOST_SECONDS = 0.15, 1.0
#: So many marks at most; of more every second one is dropped.
MOST_MARKS = 2000

#: A notice is no longer than twice this.
_NOTICE_BYTES = 24

Mark = tuple[float, int, int]
Sizes = Callable[[], tuple[int, int]]


class Recorder:
    """Notes when two files had grown to which size, while their command runs."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._began = time.monotonic()
        self._marks: list[Mark] = []
        self._least = self._pause = LEAST_SECONDS
        self._due = self._began + FIRST_SECONDS

    @classmethod
    def of_descriptors(cls, stdout: int, stderr: int) -> Recorder:
        """The recorder of two open files."""
        return cls(lambda: (os.fstat(stdout).st_size, os.fstat(stderr).st_size))

    @property
    def wait(self) -> float:
        """Seconds until the next look."""
        return max(0.0, self._due - time.monotonic())

    def look(self) -> None:
        """Note the sizes if it is time for that and they have changed."""
        now = time.monotonic()
        if now < self._due:
            return
        changed = self._note(now)
        self._pause = self._least if changed else min(self._pause * 1.5, max(MOST_SECONDS, self._least))
        self._due = now + self._pause

    def _note(self, now: float) -> bool:
        out, err = self._sizes()
        last = self._marks[-1] if self._marks else (0.0, 0, 0)
        if (out, err) == last[1:]:
            return False
        self._marks.append((round(now - self._began, 2), out, err))
        if len(self._marks) > MOST_MARKS:
            del self._marks[::2]
            self._least *= 2
        return True

    def encoded(self) -> str | None:
        """All marks, as the table has them; None for a short command."""
        now = time.monotonic()
        # What is not kept whole has a last mark in any case.
        if now - self._began < FIRST_SECONDS and max(self._sizes()) <= 2 * KEPT_BYTES:
            return None
        self._note(now)
        return json.dumps(self._marks, separators=(",", ":")) if self._marks else None


def left_out(size: int) -> int:
    """How many bytes of so long an output are not kept; never fewer than it takes to say so."""
    count = size - 2 * KEPT_BYTES
    return count if count > 2 * _NOTICE_BYTES else 0


def notice(count: int) -> bytes:
    """What stands in the place of bytes that are not kept."""
    return f"\n[{count} bytes left out]\n".encode()


class Kept(NamedTuple):
    """A stream as it is kept: of how many bytes in all."""

    content: bytes
    total: int

    def between(self, begin: int, end: int) -> bytes:
        """What was written between two sizes of the whole."""
        return self.content[self._place(begin) : self._place(end)]

    def _place(self, offset: int) -> int:
        missing = self.total - len(self.content)
        if missing <= 0 or offset <= len(self.content) // 2 - _NOTICE_BYTES:
            return min(offset, len(self.content))
        # What lies in the middle begins with the notice.
        return min(max(len(self.content) // 2 - _NOTICE_BYTES, offset - missing), len(self.content))


def decoded(marks: str | None) -> list[Mark]:
    """The marks of an attempt."""
    return [(mark[0], mark[1], mark[2]) for mark in json.loads(marks)] if marks else []
