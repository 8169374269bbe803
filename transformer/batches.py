"""Many transformations: at most `nparallel` active, yielded in order as soon as all before them have ended."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from seamless_queue.gate import Gate
from seamless_queue.signals import uninterrupted

from . import session
from .blocking import refuse_to_block, set_if_waited_for
from .definition import Phase
from .labels import label
from .queueing import warn_without_server
from .transformation import Transformation

if TYPE_CHECKING:
    from .batchprogress import Progress
    from .transformers import Delayed

R = TypeVar("R")

#: What has ended and cannot be yielded yet, because an earlier one has not, is bounded too: so many times `nparallel`.
AHEAD = 4

OnError = Literal["print", "raise"]


class TransformationList(Sequence[Transformation[R]], Generic[R]):
    """Transformations that are run together, what became of them, and a progress bar.

    `on_error` is what `parallel` does about a failed one beside yielding it: print a line, or raise.
    With `store_details` the text of every error is kept in `details`.
    """

    def __init__(
        self,
        transformations: Iterable[Transformation[R]],
        show_progress: bool = True,
        on_error: OnError | None = None,
        store_details: bool = False,
    ) -> None:
        if on_error not in (None, "print", "raise"):
            raise ValueError(f"on_error must be None, 'print' or 'raise', not {on_error!r}")
        self._transformations = list(transformations)
        self.show_progress = show_progress
        self.on_error = on_error
        self._store_details = store_details
        self.begin()

    def begin(self) -> None:
        """They are run together, possibly once more: count from nothing."""
        self.details: list[str | None] | None = [None] * len(self._transformations) if self._store_details else None
        #: how many have ended well, of them known before, and how many failed or were canceled
        self.done = self.cached = self.failed = 0

    @classmethod
    def map(cls, function: Delayed[..., R], values: Iterable[Any], **options: Any) -> TransformationList[R]:
        """One transformation for each value, as the built-in `map`."""
        return cls([function(value) for value in values], **options)

    @overload
    def __getitem__(self, index: int) -> Transformation[R]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Transformation[R]]: ...
    def __getitem__(self, index: int | slice) -> Transformation[R] | list[Transformation[R]]:
        return self._transformations[index]

    def __len__(self) -> int:
        return len(self._transformations)

    @property
    def errors(self) -> dict[int, str]:
        """Why those failed that failed, by index."""
        return {
            index: one.exception or "failed"
            for index, one in enumerate(self._transformations)
            if one.is_settled and one.phase is not Phase.DONE
        }

    def raise_for_errors(self) -> None:
        """Raise the TransformationError of the first one that failed, which tells how many did."""
        errors = self.errors
        if not errors:
            return
        first = next(iter(errors))
        try:
            _ = self._transformations[first].value
        except Exception as exc:
            exc.add_note(f"{len(errors)} of {len(self)} transformations failed, this is number {first}")
            raise

    def count(self, value: Any) -> int:
        """How often a transformation is in the list."""
        return self._transformations.count(value)

    def note(self, index: int, one: Transformation[R]) -> None:
        """One has been yielded."""
        if one.phase is Phase.DONE:
            self.done += 1
            self.cached += one.was_known
            return
        self.failed += 1
        if self.details is not None:
            self.details[index] = one.exception
        if self.on_error == "print":
            print(f"[{index}] {one!r}", file=sys.stderr)
        elif self.on_error == "raise":
            _ = one.value

    def __repr__(self) -> str:
        return f"<TransformationList of {len(self)}: {self.done} done ({self.cached} cached), {self.failed} failed>"


def parallel(
    transformations: Iterable[Transformation[R]], stage: str | None = None, substage: str | None = None
) -> Iterator[Transformation[R]]:
    """Run them, at most `nparallel` at once; yield each, in order, as soon as it and all before it have ended.

    A failed one is yielded as well, its `exception` set. The iterable is taken lazily. Whoever stops early leaves
    nothing behind: what is active is canceled. RuntimeError inside a running event loop.
    """
    refuse_to_block("parallel()", "`async for tf in parallel_async(...)`")
    return _parallel(transformations, label(stage, substage))


def _parallel(transformations: Iterable[Transformation[R]], stage: str | None) -> Iterator[Transformation[R]]:
    batch = Batch(transformations, stage)
    current = session.current()
    try:
        while (one := batch.first()) is not None:
            if one.is_settled:
                yield batch.pop()
            elif current.runs_here:
                current.scheduler.wait(one)
            else:
                warn_without_server(current)
                batch.wait()
    finally:
        batch.close()


async def parallel_async(
    transformations: Iterable[Transformation[R]], stage: str | None = None, substage: str | None = None
) -> AsyncIterator[Transformation[R]]:
    """The same as `parallel`, as an asynchronous generator that does not block the event loop."""
    batch = Batch(transformations, label(stage, substage))
    current = session.current()
    try:
        while (one := batch.first()) is not None:
            if one.is_settled:
                yield batch.pop()
            elif current.frame is not None:
                current.scheduler.wait(one)
            else:
                await batch.changed()
    finally:
        batch.close()


class Batch(Generic[R]):
    """What is active of an iterable of transformations."""

    def __init__(self, transformations: Iterable[Transformation[R]], stage: str | None = None) -> None:
        self._stage = stage
        self._list = transformations if isinstance(transformations, TransformationList) else None
        if self._list is not None:
            self._list.begin()
        self._rest = iter(transformations)
        self._window: deque[Transformation[R]] = deque()
        self._exhausted = False
        self._index = 0
        self._current = session.current()
        self._limit = self._current.nparallel
        #: when no more than so many are active, more are taken in, several at a time where there are many
        self._low = self._limit - max(1, self._limit // 8)
        self._active = 0
        self._lock = threading.Lock()
        self._gate = Gate()
        self._wake: Callable[[], None] = self._gate.open
        self._progress = self._open_progress()

    def first(self) -> Transformation[R] | None:
        """The next one to be yielded, with as many active behind it as may be; None at the end."""
        if self._wants_more():
            self._refill()
        return self._window[0] if self._window else None

    def wait(self) -> None:
        """Wait until the first one has ended, or more can be taken in."""
        self._gate.wait(self._has_changed)

    async def changed(self) -> None:
        """The same, without blocking the event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(set_if_waited_for, future)

        self._wake = wake
        if not self._has_changed():
            await future

    def pop(self) -> Transformation[R]:
        """The first one, which has ended."""
        one = self._window.popleft()
        if self._list is not None:
            self._list.note(self._index, one)
        self._index += 1
        if self._progress is not None:
            self._progress.advance()
        return one

    @uninterrupted()
    def close(self) -> None:
        """Cancel what is active: nobody will take it."""
        if self._progress is not None:
            self._progress.close()
        for one in self._window:
            if not one.is_settled:
                one.cancel()

    def _wants_more(self) -> bool:
        return not self._exhausted and self._active <= self._low and len(self._window) < self._limit * AHEAD

    def _has_changed(self) -> bool:
        try:
            return self._window[0].is_settled or self._wants_more()
        except IndexError:
            # It was the last one, and has been taken off before we were told.
            return True

    def _on_settled(self) -> None:
        """Called by whatever thread settles one of them."""
        with self._lock:
            self._active -= 1
        if self._has_changed():
            self._wake()

    @uninterrupted()
    def _refill(self) -> None:
        room = min(self._limit - self._active, self._limit * AHEAD - len(self._window))
        fresh = list(islice(self._rest, room))
        self._exhausted = len(fresh) < room
        for one in fresh:
            if not isinstance(one, Transformation):
                raise TypeError(f"parallel() takes transformations, not {type(one).__name__}: use a delayed function")
            one.stage = self._stage
        self._window.extend(fresh)
        with self._lock:
            self._active += len(fresh)
        self._current.scheduler.start(fresh, background=True)
        for one in fresh:
            one.when_settled(self._on_settled)

    def _open_progress(self) -> Progress | None:
        if self._list is None or not self._list.show_progress:
            return None
        from .batchprogress import Progress

        return Progress(self._list)
