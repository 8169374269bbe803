"""Whether jobs could be run again, told of many at once where nothing is missing, and step by step elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from ..broker import evictions
from ..clerk import Functions
from ..store import Store
from .needed import named_in

CONTENTS = """SELECT lower(hex(checksum)), content FROM buffers
    WHERE checksum IN (SELECT unhex(value) FROM json_each(?))"""
HELD = "SELECT lower(hex(checksum)) FROM buffers WHERE checksum IN (SELECT unhex(value) FROM json_each(?))"


class Runnable:
    """What jobs need to be run again. What is `going` counts as gone; others may add to it."""

    def __init__(self, store: Store, functions: Functions, going: AbstractSet[str]) -> None:
        self._store = store
        self._functions = functions
        self._going = going
        self._held: set[str] = set()
        self._plain: dict[str, set[str]] = {}

    def look_at(self, jobs: Iterable[str]) -> None:
        """Look at these, which will be asked for next; what was looked at before is forgotten."""
        rows = self._store.database.rows(CONTENTS, (json.dumps(list(jobs)),))
        self._plain = {job: {job, *named} for job, content in rows if (named := self._named(content)) is not None}
        asked = set().union(*self._plain.values())
        self._held = {row[0] for row in self._store.database.rows(HELD, (json.dumps(list(asked)),))}
        self._held.update(one for one in asked - self._held if self._store.buffers.holds(one))

    def _named(self, content: bytes) -> set[str] | None:
        """What an identity names, maybe more than it needs; None if indices among its inputs name more."""
        named = set(named_in(content))
        if named.issuperset(self._functions.mentions(self._store, content)):
            return {one.hex() for one in named}
        return None

    def needs(self, job: str) -> set[str] | None:
        """All that is needed to run a job, what has to be made first included; None if something nobody can make."""
        plain = self._plain.get(job)
        if plain is not None and plain <= self._held and plain.isdisjoint(self._going):
            return plain
        return self._needs_at_any_depth(job)

    def _needs_at_any_depth(self, job: str) -> set[str] | None:
        """As `scratch.can_be_made`, for all files of a result at once."""
        seen, stack, found = {job}, [job], set[str]()
        while stack:
            needs = set(self._functions.needs(self._store, stack.pop())) - found
            found |= needs
            for missing in (one for one in needs if one in self._going or not self._store.buffers.holds(one)):
                maker = evictions.maker_of(self._store.database, missing)
                if maker is None:
                    return None
                if maker.checksum not in seen:
                    seen.add(maker.checksum)
                    stack.append(maker.checksum)
        return found
