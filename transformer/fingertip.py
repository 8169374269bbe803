"""Has the bytes of buffers, made again by the jobs that once made them where they are gone."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING

from seamless_queue.errors import BufferCorrupt, BufferMissing
from seamless_queue.store import Store

if TYPE_CHECKING:
    from seamless_queue.inline import InlineSession


class Fingertips:
    """Buffers whose bytes are wanted for a while: inside the block those of scratch results stay as well.

    A session is opened when the first buffer is found gone.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._stack = ExitStack()
        self._session: InlineSession | None = None

    def bring(self, checksum: str) -> None:
        """See to it that the store has this buffer, with the right bytes.

        BufferMissing if it is gone and no recorded job has made it; NotReproducible, naming both checksums, if its
        job gives something else by now; SeamlessError if that job fails.
        """
        if is_sound(self.store, checksum):
            return
        # Imported here: what is there needs no session.
        from seamless_queue import recompute
        from seamless_queue.signals import interrupting

        with interrupting():
            recompute.make(self._opened(), checksum)

    def _opened(self) -> InlineSession:
        if self._session is None:
            from seamless_queue import scratch
            from seamless_queue.inline import inline_session

            from . import functions

            self._stack.callback(scratch.drop_unused, self.store, functions)
            self._session = self._stack.enter_context(inline_session(self.store, functions))
        return self._session

    def __enter__(self) -> Fingertips:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, exc, traceback)


def fingertip(store: Store, checksum: str) -> None:
    """See to it that the store has this buffer (Fingertips.bring); one that nobody wants kept may go again any time."""
    from seamless_queue import recompute
    from seamless_queue.inline import inline_session
    from seamless_queue.signals import interrupting

    from . import functions

    if not is_sound(store, checksum):
        with inline_session(store, functions) as session, interrupting():
            recompute.make(session, checksum)


def is_sound(store: Store, checksum: str) -> bool:
    """Whether the bytes are there and are right; a damaged copy is set aside."""
    with suppress(BufferMissing, BufferCorrupt):
        for _ in store.buffers.pieces(checksum):
            # The first piece comes when all have been verified.
            break
        return True
    return False
