"""A set of very many checksums in little memory, that may take a stranger for a member, never a member for a stranger.

A Bloom filter: checksums are evenly distributed, so that three parts of one are three places in a table. Which parts
is chosen at random: what one collection keeps by mistake, the next one finds.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

#: One byte per place; of four million checksums one stranger in two hundred is taken for a member.
PLACES = 1 << 26
#: How many parts of a checksum count.
PARTS = 3
#: So many are collected before they are entered.
BATCH = 20_000
CHECKSUM_BYTES = 32


class Marks:
    """Checksums, as 32 bytes each."""

    def __init__(self) -> None:
        import numpy as np

        self._np = np
        # Zeros that nobody has touched take no memory.
        self._table = np.zeros(PLACES, np.uint8)
        self._parts = random.sample(range(CHECKSUM_BYTES // 4), PARTS)
        self._new: list[bytes] = []

    def add(self, checksums: Iterable[bytes]) -> None:
        """Enter these."""
        self._new.extend(checksums)
        if len(self._new) >= BATCH:
            self._enter()

    def add_all(self, checksums: bytes) -> None:
        """Enter many, one after the other in one piece."""
        if checksums:
            self._table[self._places(checksums).ravel()] = 1

    def has(self, checksum: bytes) -> bool:
        """Whether it is there, or seems to be."""
        return self.among([checksum])[0]

    def among(self, checksums: Sequence[bytes]) -> list[bool]:
        """The same for many."""
        self._enter()
        if not checksums:
            return []
        places = self._places(b"".join(checksums))
        return (self._table[places] != 0).all(axis=1).tolist()  # type: ignore[no-any-return]

    def _enter(self) -> None:
        if self._new:
            self.add_all(b"".join(self._new))
            self._new.clear()

    def _places(self, checksums: bytes) -> Any:
        words = self._np.frombuffer(checksums, ">u4").reshape(-1, CHECKSUM_BYTES // 4)
        return words[:, self._parts] & (PLACES - 1)
