"""What the executions wrote, within bounds: failures first, then the newest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from seamless_queue.broker import timeline
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.timeline import AttemptRow
from seamless_queue.store import Store

from .lanes import Span
from .texts import log_text

#: All logs of a page together.
TOTAL_BYTES = 3 << 20
#: The end of a failed execution's log.
FAILED_BYTES, FAILED_LINES = 16 << 10, 200
#: The end of another one's.
OTHER_BYTES, OTHER_LINES = 2 << 10, 30

GOOD = (Outcome.DONE, Outcome.DIFFERED)


class Log(NamedTuple):
    """The end of what an execution wrote to one stream."""

    text: str
    #: of how many bytes it is the end; None if the rest is gone
    size: int | None
    is_cut: bool


class Logs:
    """The logs of a page; what several executions wrote alike is kept once."""

    def __init__(self, store: Store, spans: Sequence[Span], total: int = TOTAL_BYTES) -> None:
        self.texts: list[Log] = []
        self.left_out = 0
        self._store = store
        self._room = total
        self._places: dict[tuple[str, bool], int] = {}
        self._collect([span.attempt for span in _important_first(spans) if span.attempt is not None])

    def of(self, attempt: AttemptRow) -> tuple[int | None, int | None]:
        """Where in `texts` the two streams of an execution are."""
        failed = attempt.outcome not in GOOD
        stdout, stderr = (self._places.get((one or "", failed)) for one in (attempt.stdout, attempt.stderr))
        return stdout, stderr

    def _collect(self, attempts: Sequence[AttemptRow]) -> None:
        wanted = list(_streams(attempts))
        small = timeline.contents(self._store.database, {checksum for checksum, _ in wanted})
        for checksum, failed in dict.fromkeys(wanted):
            log = self._log(checksum, small.get(checksum), failed)
            if log is None or not log.text.strip():
                continue
            size = len(log.text.encode("utf-8", "replace"))
            if size > self._room:
                self.left_out += 1
                continue
            self._room -= size
            self._places[checksum, failed] = len(self.texts)
            self.texts.append(log)

    def _log(self, checksum: str, content: bytes | None, failed: bool) -> Log | None:
        most, lines = (FAILED_BYTES, FAILED_LINES) if failed else (OTHER_BYTES, OTHER_LINES)
        if self._room <= 0:
            return Log("", None, True)
        size, end = (len(content), content[-most:]) if content is not None else self._end(checksum, most)
        if size is None:
            return None
        if b"\0" in end:
            return Log("(not text)", size, False)
        return _cut(end, size, lines)

    def _end(self, checksum: str, most: int) -> tuple[int | None, bytes]:
        """The end of a large buffer, as it lies there: to verify it all would take too long for a look."""
        with suppress(OSError), open(self._store.buffers.path(checksum), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            return size, file.read(most)
        return None, b""


def _cut(end: bytes, size: int, lines: int) -> Log:
    is_cut = size > len(end)
    if is_cut:
        # Half a character or half a line at the beginning would only confuse.
        end = end.partition(b"\n")[2] or end.lstrip(bytes(range(0x80, 0xC0)))
    text = log_text(end).rstrip("\n")
    kept = text.split("\n")[-lines:]
    return Log("\n".join(kept), size, is_cut or len(kept) <= text.count("\n"))


def _streams(attempts: Iterable[AttemptRow]) -> Iterator[tuple[str, bool]]:
    for attempt in attempts:
        failed = attempt.outcome not in GOOD
        # What went wrong stands mostly on standard error.
        yield from ((one, failed) for one in (attempt.stderr, attempt.stdout) if one)


def _important_first(spans: Sequence[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.outcome in GOOD, -span.finished))
