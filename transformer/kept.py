"""What was kept of a result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from seamless_queue.digest import is_checksum


class Kept(NamedTuple):
    """The checksum of a result; of one that names other buffers, theirs as well."""

    checksum: str
    members: tuple[str, ...] = ()


def leaves_of(tree: Any) -> Iterator[str]:
    """The checksums that a deep value names."""
    if isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves_of(part)
    elif isinstance(tree, str) and is_checksum(tree):
        yield tree
