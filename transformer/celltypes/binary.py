"""The celltype `binary`: an array, or what NumPy makes one of, in the npy format; bytes stay as they are."""

from __future__ import annotations

from typing import Any

from . import mixedjson
from .header import MAGIC
from .mixed import CONTAINER_MAGIC
from .pieces import Content, gather


def write(value: object) -> Content:
    """The npy buffer of `np.array(value)`; bytes as they are, unchecked."""
    if isinstance(value, bytes):
        return gather((value,))
    from . import arrays

    return arrays.write(arrays.array_of(value))


def read(content: bytes | memoryview) -> Any:
    """The array of an npy buffer; other text that is no JSON comes as a 0-d array of bytes."""
    from . import arrays

    start = bytes(content[: len(CONTAINER_MAGIC)])
    if start.startswith(MAGIC):
        return arrays.read(content)
    if start == CONTAINER_MAGIC or _is_json(content):
        raise TypeError("the buffer holds no array: read it with celltype mixed")
    return arrays.of_bytes(content)


def _is_json(content: bytes | memoryview) -> bool:
    import json

    try:
        mixedjson.load(content)
    except json.JSONDecodeError:
        return False
    return True
