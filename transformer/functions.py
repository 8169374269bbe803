"""What the queue is given to make sense of bytes (see seamless_queue.clerk.Functions)."""

from __future__ import annotations

import os

from seamless_queue.buffers import Staged
from seamless_queue.store import Store

from . import directories, plain
from .bash import execute
from .delivery import deliver
from .keying import key

__all__ = ["NAME", "deliver", "execute", "intake", "key"]

#: How a worker finds this module.
NAME = __name__


def intake(store: Store, path: str, staged: Staged) -> str:
    """Keep a user's file, or directory as an index, as it is now; its checksum."""
    if os.path.isdir(path):
        return store.buffers.stage(plain.dump(directories.stage(store, path, staged)), staged)
    return store.buffers.stage_file(path, staged)
