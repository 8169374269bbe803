"""Copies a large file and hashes the copy in one go: while a part is hashed, the next one is copied."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

from .digest import Digest
from .filesystems import copy_part

#: What is copied, and then hashed, at once; a multiple of every page size.
PART_BYTES = 32 << 20

#: Called with the number of bytes that have been copied.
Advance = Callable[[int], None]


def copy_hashed(source: int, target: int, size: int, digest: Digest, advance: Advance | None = None) -> str:
    """Copy a file of `size` bytes between descriptors; the checksum of what the target holds now."""
    from concurrent.futures import Future, ThreadPoolExecutor

    hasher, done = digest.new_for_large(), 0
    with ThreadPoolExecutor(1) as pool:
        before: Future[None] | None = None
        while count := copy_part(source, target, done, min(PART_BYTES, size - done)):
            if before is not None:
                # One part ahead is enough: what was copied last is still in the caches.
                before.result()
            before = pool.submit(_hash_part, hasher, target, done, count)
            done += count
            if advance is not None:
                advance(count)
        if before is not None:
            before.result()
    return str(hasher.hexdigest())


def _hash_part(hasher: Any, descriptor: int, offset: int, count: int) -> None:
    with mmap.mmap(descriptor, count, offset=offset, prot=mmap.PROT_READ) as mapped:
        hasher.update(mapped)
