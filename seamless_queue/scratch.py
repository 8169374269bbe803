"""Gives up the bytes of scratch results that nobody is about to use.

The job stays done and says what its result was; whoever needs the bytes has them made again. Only bytes go that
can be made again from what stays: a result that is also an input from outside, or that could only be made from
itself, stays.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from . import crashpoints
from .broker import evictions
from .broker.evictions import Unused
from .clerk import Functions
from .errors import SeamlessError
from .store import Store

#: Held by whoever removes buffers: two at once could each keep what the other needs to make its own again.
LOCK_NAME = ".sweep"
#: So many are looked at before the next look at the time.
AT_ONCE = 100
#: How long somebody who leaves goes on with it.
SECONDS = 3.0


def drop_unused(store: Store, functions: Functions, seconds: float = SECONDS) -> int:
    """Give up what may be given up, for so long at most; how many results that were. The next one does the rest.

    Nothing is done while somebody else is at it.
    """
    if not evictions.unused_scratch(store.database, 1):
        return 0
    # Imported here: every command comes this way.
    from filelock import FileLock, Timeout

    try:
        with FileLock(os.path.join(store.path, LOCK_NAME), timeout=0, mode=0o600):
            return _drop_all(store, functions, time.monotonic() + seconds)
    except Timeout:
        return 0


def _drop_all(store: Store, functions: Functions, deadline: float) -> int:
    count = 0
    while found := evictions.unused_scratch(store.database, AT_ONCE):
        count += sum(_drop(store, functions, unused) for unused in found)
        if len(found) < AT_ONCE or time.monotonic() > deadline:
            break
    return count


def _drop(store: Store, functions: Functions, unused: Unused) -> bool:
    """Give up one result.

    Files go before the table says so: after a death in between the next sweep finds the job again. And the table is
    locked meanwhile, so that nobody comes to want them.
    """
    bytes_of_it = _spare(store, functions, unused)
    with store.database.transaction() as connection:
        if evictions.give_up(connection, unused.job_id) is None:
            return False
        promised = evictions.promised_among(store.database, bytes_of_it)
        for checksum in bytes_of_it:
            if checksum not in promised and not _is_newer(store, checksum, unused.finished):
                store.buffers.remove_within(connection, checksum)
        crashpoints.reached("removed")
    return True


def _is_newer(store: Store, checksum: str, moment: float) -> bool:
    """Whether somebody has put a large buffer in place since, for whom the table does not speak yet."""
    try:
        return os.stat(store.buffers.path(checksum)).st_ctime > moment
    except FileNotFoundError:
        return False


def _spare(store: Store, functions: Functions, unused: Unused) -> list[str]:
    try:
        spare = set(functions.spare(store, unused.checksum, unused.result))
    except SeamlessError:
        # Its index is gone, and with it the names of its files.
        return []
    # No bytes are the output of many jobs.
    spare.discard(store.digest.of(b""))
    return [one for one in spare if can_be_made(store, functions, unused.checksum, one)]


def can_be_made(store: Store, functions: Functions, job: str, without: str) -> bool:
    """Whether a job could run without this buffer, all that is missing being made by others, which could as well."""
    seen, stack = {job}, [job]
    while stack:
        try:
            needed = set(functions.needs(store, stack.pop()))
        except SeamlessError:
            return False
        if without in needed:
            return False
        for missing in _missing(store, needed):
            makers = [maker.checksum for maker in evictions.makers_of(store.database, missing)]
            if not makers:
                return False
            # The newest is the one that would be asked first.
            if makers[0] not in seen:
                seen.add(makers[0])
                stack.append(makers[0])
    return True


def _missing(store: Store, needed: Iterable[str]) -> list[str]:
    return [checksum for checksum in needed if not store.buffers.holds(checksum)]
