"""What the code of a transformation receives for a pin, by celltype."""

from __future__ import annotations

from typing import Any

from seamless_queue.store import Store

from . import plain
from .celltypes import deserialize
from .checksum import Checksum


def received(store: Store, content: bytes | memoryview, celltype: str) -> Any:
    """The value of a pin: of a deep celltype checksums, of a folder the files' bytes."""
    if celltype in ("deepcell", "deepfolder"):
        return {name: Checksum(checksum) for name, checksum in plain.load(bytes(content)).items()}
    if celltype == "folder":
        return {name: bytes(store.buffers.view(checksum)) for name, checksum in plain.load(bytes(content)).items()}
    return deserialize(content, celltype)
