"""The buffers of an argument. What is no value of its celltype is an error of the call, if that can be told there."""

from __future__ import annotations

from typing import Any

from seamless_queue.errors import SeamlessError

from . import session
from .buffer import Buffer
from .celltypes import Content, serialize
from .checksum import Checksum
from .specification import DIRECTORIES
from .transformation import Transformation


def pinned(key: str, value: Any, celltype: str) -> tuple[str, dict[str, Content]]:
    """The checksum of an argument, and by checksum the buffers that are not known to be in the store."""
    if isinstance(value, Checksum):
        return value.hex(), {}
    if isinstance(value, Buffer):
        checksum = value.get_checksum().hex()
        return checksum, {checksum: value.data}
    if isinstance(value, list | tuple | dict):
        _refuse_inside(key, value)
    contents: dict[str, Content] = {}
    try:
        content = _content(value, celltype, contents)
    except (TypeError, ValueError, FileNotFoundError, NotADirectoryError, SeamlessError) as exc:
        raise type(exc)(f"argument {key!r}: {exc}") from exc
    checksum = session.checksum_of(content)
    contents[checksum] = content
    return checksum, contents


def _content(value: Any, celltype: str, contents: dict[str, Content]) -> Content:
    """The buffer of an argument; others that it names are put into `contents`."""
    if celltype in DIRECTORIES:
        from . import folders

        return folders.index_of(value, contents)
    return serialize(value, celltype)


def _refuse_inside(key: str, value: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> None:
    """A transformation has no value yet, and its text is nobody's wish."""
    if any(isinstance(part, Transformation) for part in (value.values() if isinstance(value, dict) else value)):
        raise TypeError(f"argument {key!r} holds a transformation: pass each as an argument of its own (such as *args)")
