"""Reads buffers for comparison: those that are there, and not too large."""

from __future__ import annotations

from typing import Any, NamedTuple

from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from .. import plain, provenance
from .texts import MOST_BYTES

#: Indexes may be larger than what is compared line by line.
_MOST_INDEX_BYTES = 64 << 20


class Contents(NamedTuple):
    """The buffers of a store, and those that a command has staged and not written."""

    store: Store
    staged: Staged

    def read(self, checksum: str) -> bytes:
        """All bytes; a SeamlessError if they are not there."""
        small = self.staged.small.get(checksum)
        return self.store.buffers.read(checksum) if small is None else small

    def size(self, checksum: str) -> int | None:
        """How many bytes it has; None if they are not there."""
        if checksum in self.staged.small:
            return len(self.staged.small[checksum])
        try:
            return self.store.buffers.size(checksum)
        except SeamlessError:
            return None

    def text(self, checksum: str | None, most: int = MOST_BYTES) -> bytes | None:
        """The bytes; None if they are not there, or are too many."""
        if checksum is None:
            return None
        size = self.size(checksum)
        if size is None or size > most:
            return None
        try:
            return self.read(checksum)
        except SeamlessError:
            return None

    def value(self, checksum: str | None) -> Any:
        """What a JSON buffer holds; None if it cannot be had."""
        content = self.text(checksum, _MOST_INDEX_BYTES)
        try:
            return None if content is None else plain.load(content)
        except ValueError:
            return None

    def parts(self, identity: str) -> provenance.Parts | None:
        """What an identity consists of; None if it cannot be had."""
        try:
            return provenance.parts(provenance.identity(self.read, identity))
        except SeamlessError:
            return None
