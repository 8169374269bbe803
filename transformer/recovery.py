"""Has the bytes of buffers in the session of this process: made again by its own means where they are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seamless_queue import recompute
from seamless_queue.broker import evictions
from seamless_queue.errors import BufferMissing

from .blocking import refuse_to_block
from .errors import CacheMissError
from .fingertip import is_sound

if TYPE_CHECKING:
    from seamless_queue.broker.work import Running

    from .session import Session


def bring(session: Session, checksum: str, *, blocking: bool = False) -> None:
    """See to it that the bytes are in the store. CacheMissError if nobody can make them again, NotReproducible.

    With `blocking` also where that keeps an event loop from going on.
    """
    if session.buffers.get(checksum) is not None:
        return
    if not session.is_open and not session.is_persistent:
        raise CacheMissError(f"no buffer {checksum}: nothing has been stored in this session")
    engine = session.ready_engine()
    with engine.lock:
        if is_sound(engine.store, checksum):
            return
    if not blocking:
        refuse_to_block("fingertip_sync()", "`await checksum.fingertip()`")
    try:
        recompute.make(session.host, checksum, _running(session), here=_may_run(session))
    except BufferMissing as exc:
        raise CacheMissError(str(exc)) from None


def can_have(session: Session, checksum: str) -> bool:
    """Whether the bytes are there, or a recorded job has made them."""
    if session.has(checksum):
        return True
    if not session.is_open and not session.is_persistent:
        return False
    engine = session.engine
    with engine.lock:
        return evictions.maker_of(engine.store.database, checksum) is not None


def _may_run(session: Session) -> bool:
    """Whether this thread may run jobs: not where a pool does."""
    return session.is_main_of_job and (session.frame is not None or session.settings.execution != "spawn")


def _running(session: Session) -> Running | None:
    """The job whose code runs in this thread."""
    frame = session.frame
    return session.engine.lane.executing.get(frame.job_id) if frame is not None else None
