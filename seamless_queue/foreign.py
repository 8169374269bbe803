"""Inputs promised by .FUTUREs of other stores and tools: all that is known of them are files.

The rule: once X.FUTURE has gone away, X (or X.CHECKSUM) must be newer than it; one that nobody
touches any more is stale.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from .broker import progress
from .broker.records import Consequences
from .clerk import Clerk, Functions
from .errors import SeamlessError, StaleFuture
from .filesystems import is_disk_full
from .sidecars import CHECKSUM, STALE_SECONDS, read_future
from .staged import Staged
from .store import Store

#: How far a file's time may lag behind the clock.
GRAIN_SECONDS = 2.0


class ForeignFutures:
    """Remembers since when each path has been promised."""

    def __init__(self) -> None:
        self._created: dict[str, float] = {}

    def arrived(self, path: str) -> bool:
        """Whether what X.FUTURE promised is there; SeamlessError once it is sure not to come."""
        future = read_future(path)
        if future is None:
            return self._after_its_end(path)
        self._created.setdefault(path, future.created or 0.0)
        if future.is_stale():
            raise StaleFuture(
                f"stale future {path}.FUTURE: nobody has touched it for {STALE_SECONDS:.0f} s; "
                "remove it if its job is dead"
            )
        return False

    def look(self, clerk: Clerk, watched: Iterable[tuple[int, int, bytes]]) -> None:
        """See which of these have come (dependency, request, path), and do what follows."""
        for dependency_id, request_id, path in watched:
            clerk.handle(look_at(clerk.store, clerk.functions, self, dependency_id, request_id, os.fsdecode(path)))

    def _after_its_end(self, path: str) -> bool:
        created = self._created.pop(path, 0.0)
        if any(_changed_since(name, created) for name in (path, path + CHECKSUM)):
            return True
        raise SeamlessError(f"{path}.FUTURE went away, but {path} was not written")


def look_at(
    store: Store,
    functions: Functions,
    futures: ForeignFutures,
    dependency_id: int,
    request_id: int,
    path: str,
) -> Consequences:
    """See whether the input has come; if so the request may be keyed, if it never will it fails."""
    staged = Staged()
    try:
        if not futures.arrived(path):
            return Consequences()
        checksum = functions.intake(store, path, staged)
    except (SeamlessError, OSError) as exc:
        if is_disk_full(exc):
            raise
        with store.database.transaction() as connection:
            return progress.fail_request(connection, request_id, str(exc))
    with store.database.transaction() as connection:
        staged.write(connection)
        return progress.resolve_watched(connection, [(dependency_id, request_id)], checksum)


def _changed_since(path: str, moment: float) -> bool:
    try:
        return os.stat(path).st_mtime >= moment - GRAIN_SECONDS
    except OSError:
        return False
