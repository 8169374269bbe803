"""What the code of a transformation receives for a pin, by celltype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seamless_queue.digest import is_checksum
from seamless_queue.store import Store

from . import plain
from .celltypes import deserialize
from .checksum import Checksum


def received(store: Store, content: bytes | memoryview, celltype: str) -> Any:
    """The value of a pin: of a deep celltype checksums, of a folder the files' bytes."""
    if celltype in ("deepcell", "deepfolder"):
        return _with_leaves(plain.load(bytes(content)), Checksum)
    if celltype == "folder":
        return _with_leaves(plain.load(bytes(content)), lambda checksum: bytes(store.buffers.view(checksum)))
    return deserialize(content, celltype)


def _with_leaves(tree: Any, leaf: Callable[[str], Any]) -> Any:
    """The same tree of dicts and lists, with something else in the place of checksums."""
    if isinstance(tree, dict):
        return {name: _with_leaves(part, leaf) for name, part in tree.items()}
    if isinstance(tree, list):
        return [_with_leaves(part, leaf) for part in tree]
    if not isinstance(tree, str) or not is_checksum(tree):
        raise ValueError(f"a deep value holds checksums, not {tree!r}")
    return leaf(tree)
