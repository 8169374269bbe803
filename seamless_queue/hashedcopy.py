"""Copies a large file and hashes the copy in one go: while a part is hashed, the next one is copied."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import partial
from typing import Any

from .digest import Digest
from .filesystems import copy_part
from .meanwhile import Meanwhile

#: What is copied, and then hashed, at once; a multiple of every page size.
PART_BYTES = 32 << 20

#: Called with the number of bytes that have been copied.
Advance = Callable[[int], None]


def copy_hashed(source: int, target: int, size: int, digest: Digest, advance: Advance | None = None) -> str:
    """Copy a file of `size` bytes between descriptors; the checksum of what the target holds now."""
    hasher, done = digest.new_for_large(), 0
    before: Meanwhile[None] | None = None
    try:
        while count := copy_part(source, target, done, min(PART_BYTES, size - done)):
            if before is not None:
                # One part ahead is enough: what was copied last is still in the caches.
                before.result()
            before = Meanwhile(partial(_hash_part, hasher, target, done, count))
            done += count
            if advance is not None:
                advance(count)
    finally:
        # The descriptor is the caller's, who closes it.
        if before is not None:
            before.result()
    return str(hasher.hexdigest())


def _hash_part(hasher: Any, descriptor: int, offset: int, count: int) -> None:
    with mmap.mmap(descriptor, count, offset=offset, prot=mmap.PROT_READ) as mapped:
        hasher.update(mapped)
