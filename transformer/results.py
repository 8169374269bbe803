"""Keeps what the code of a transformation returns, by celltype."""

from __future__ import annotations

from typing import Any

from seamless_queue.digest import is_checksum
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from .celltypes import serialize
from .celltypes.pieces import parts_of
from .kept import Kept, leaves_of

#: What the leaves of a value with this celltype are kept as.
LEAVES = {"deepcell": "mixed", "folder": "bytes"}


def stage_result(store: Store, value: Any, celltype: str, staged: Staged) -> Kept:
    """Keep a value's buffer; the leaves of a deep value are buffers of their own."""
    if celltype not in LEAVES:
        return Kept(_stage(store, value, celltype, staged))
    tree = _of_leaves(store, value, LEAVES[celltype], staged)
    return Kept(_stage(store, tree, celltype, staged), tuple(dict.fromkeys(leaves_of(tree))))


def _of_leaves(store: Store, value: Any, celltype: str, staged: Staged) -> Any:
    """The same tree of dicts and lists, with checksums in the place of leaves."""
    if isinstance(value, dict):
        return {name: _of_leaves(store, leaf, celltype, staged) for name, leaf in value.items()}
    if isinstance(value, list):
        return [_of_leaves(store, leaf, celltype, staged) for leaf in value]
    if isinstance(value, str) and is_checksum(value):
        return value
    return _stage(store, value, celltype, staged)


def _stage(store: Store, value: Any, celltype: str, staged: Staged) -> str:
    return store.buffers.stage_parts(parts_of(serialize(value, celltype)), staged)
