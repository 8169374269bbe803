"""The celltype `bytes`: bytes as they are, and the bytes behind other values."""

from __future__ import annotations

from .foreign import is_array
from .pieces import Content, gather
from .texts import legible


def write(value: object) -> Content:
    """Bytes as they are; the memory of an array in C order; else the text of the value without final newlines."""
    if isinstance(value, bytes):
        return gather((value,))
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if is_array(value):
        from . import arrays

        return gather((arrays.raw(value),))
    if hasattr(value, "tobytes"):
        return bytes(value.tobytes())
    return legible(value).rstrip("\n").encode()


def read(content: bytes | memoryview) -> bytes:
    """The bytes themselves."""
    return bytes(content)
