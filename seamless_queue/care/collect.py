"""Collecting garbage: by itself when the store has grown beyond its cap, and when somebody asks.

by itself   large results that can be made again, no other thing
asked for   leftovers, what nobody refers to, results beyond the cap, and if it is said: old jobs, unused inputs
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ..clerk import Functions
from ..errors import SeamlessError
from ..filesystems import is_disk_full
from ..store import Store
from . import cap, forget, leftovers, marker, sizes, usage
from .evict import GRACE_SECONDS, Evicted, Evictor
from .files import Heap
from .needed import Meaning
from .sweep import Sweeper

#: A collection that was begun goes on until the store is this much below its cap.
TARGET_SHARE = 0.9
#: Held by whoever removes buffers; the same as of scratch results.
LOCK_NAME = ".sweep"
#: Damaged copies and the like are kept so long, to be looked at.
DAMAGED_SECONDS = 7 * 86_400.0


class Wish(NamedTuple):
    """What is asked of a collection."""

    #: as a person writes it; None: the store's own cap
    max_size: str | None = None
    #: what was not used for so long, in seconds
    unused: float = GRACE_SECONDS
    #: damaged copies that were set aside so many seconds ago
    damaged: float = DAMAGED_SECONDS
    #: also inputs that nothing needs which is there
    inputs: bool = False
    #: also failed and canceled jobs
    failed: bool = False
    #: also jobs that ended so many seconds ago
    forget: float | None = None
    dry: bool = False


class Collected(NamedTuple):
    """What a collection has done, or would do."""

    used: int
    cap: cap.Cap
    evicted: Evicted = Evicted()
    forgotten: int = 0
    #: buffers that nobody refers to
    orphans: Heap = Heap()
    rows: Heap = Heap()
    temporary: Heap = Heap()
    damaged: Heap = Heap()

    @property
    def freed(self) -> int:
        """Bytes of files."""
        return self.evicted.bytes + self.orphans.bytes + self.temporary.bytes + self.damaged.bytes


def automatically(
    store: Store, functions: Functions, max_size: str | None, goes_on: Callable[[], bool] = lambda: True
) -> Collected | None:
    """Bring a store that has grown beyond its cap below it, if that was not looked at lately; None if it was.

    Called at the end of other things, which it must not disturb: what goes wrong is left for the next time.
    """
    if max_size is not None and max_size.strip().lower() == sizes.NONE:
        return None
    try:
        if not marker.claim(store.path):
            return None
        return _to_cap(store, functions, max_size, goes_on)
    except (SeamlessError, OSError):
        return None
    except Exception as exc:
        if not is_disk_full(exc):
            raise
        return None


def _to_cap(store: Store, functions: Functions, max_size: str | None, goes_on: Callable[[], bool]) -> Collected | None:
    used = usage.used_bytes(store)
    limit = cap.of(store.path, max_size, used)
    if limit.bytes is None or used <= limit.bytes:
        return Collected(used, limit)
    from filelock import FileLock, Timeout

    with suppress(Timeout), FileLock(os.path.join(store.path, LOCK_NAME), timeout=0, mode=0o600):
        wanted = used - int(limit.bytes * TARGET_SHARE)
        return Collected(used, limit, Evictor(store, functions, goes_on=goes_on).free(wanted))
    return None


def collect(store: Store, functions: Functions, meaning: Meaning, configured: str | None, wish: Wish) -> Collected:
    """Do what is asked for. SeamlessError if somebody else is at it."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(os.path.join(store.path, LOCK_NAME), timeout=5, mode=0o600):
            return _collect(store, functions, meaning, configured, wish)
    except Timeout:
        raise SeamlessError(
            f"another process is collecting garbage in {store.path}; try again when it is done"
        ) from None


def _collect(store: Store, functions: Functions, meaning: Meaning, configured: str | None, wish: Wish) -> Collected:
    temporary = leftovers.remove_all(leftovers.temporary(store), dry=wish.dry)
    damaged = leftovers.remove_all(leftovers.damaged(store, wish.damaged), dry=wish.dry)
    forgotten = forget.forget(store, functions, wish.forget, wish.unused if wish.failed else None, dry=wish.dry)
    used = usage.used_bytes(store)
    limit = cap.of(store.path, wish.max_size or configured, used)
    evicted = Evicted()
    if limit.bytes is not None and used > limit.bytes:
        evicted = Evictor(store, functions, unused=wish.unused, dry=wish.dry).free(used - limit.bytes)
    orphans, rows = Sweeper(store, functions, meaning, inputs=wish.inputs, unused=wish.unused, dry=wish.dry).sweep()
    if not wish.dry:
        marker.touch(store.path)
    return Collected(used, limit, evicted, forgotten, orphans, rows, temporary, damaged)
