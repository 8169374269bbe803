"""What the code of a transformation receives for a pin, by celltype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seamless_queue.digest import is_checksum
from seamless_queue.store import Store

from . import directories, plain
from .celltypes import deserialize
from .checksum import Checksum


def received(store: Store, content: bytes | memoryview, celltype: str) -> Any:
    """The value of a pin: of a deep celltype checksums, of a folder the files' bytes. Marks are left out."""
    if celltype == "deepcell":
        return _with_leaves(plain.load(bytes(content)), Checksum)
    if celltype in ("folder", "deepfolder"):
        leaf = Checksum if celltype == "deepfolder" else lambda checksum: bytes(store.buffers.view(checksum))
        return _with_leaves(_files(plain.load(bytes(content))), leaf)
    return deserialize(content, celltype)


def _files(tree: Any) -> Any:
    """A directory without what is said about its files."""
    return directories.without_marks(tree) if isinstance(tree, dict) else tree


def _with_leaves(tree: Any, leaf: Callable[[str], Any]) -> Any:
    """The same tree of dicts and lists, with something else in the place of checksums."""
    if isinstance(tree, dict):
        return {name: _with_leaves(part, leaf) for name, part in tree.items()}
    if isinstance(tree, list):
        return [_with_leaves(part, leaf) for part in tree]
    if not isinstance(tree, str) or not is_checksum(tree):
        raise ValueError(f"a deep value holds checksums, not {tree!r}")
    return leaf(tree)
