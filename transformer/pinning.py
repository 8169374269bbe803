"""The buffers of an argument. What is no value of its celltype is an error of the call, if that can be told there."""

from __future__ import annotations

from typing import Any

from seamless_queue.errors import SeamlessError

from . import plain, session
from .buffer import Buffer
from .celltypes import Content, deserialize, serialize
from .checksum import Checksum
from .transformation import Transformation

#: What a value of these celltypes is for a command or a function: a directory.
DIRECTORIES = ("folder", "deepfolder")


def pinned(key: str, value: Any, celltype: str, language: str = "python") -> tuple[str, dict[str, Content]]:
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
        content = _content(key, value, celltype, contents)
        if language == "python":
            _check(value, content, celltype)
    except (TypeError, ValueError, FileNotFoundError, NotADirectoryError, SeamlessError) as exc:
        raise type(exc)(f"argument {key!r}: {exc}") from exc
    digest = session.digest()
    checksum = digest.of(content) if isinstance(content, bytes) else digest.of_parts(content.parts)
    contents[checksum] = content
    return checksum, contents


def _content(key: str, value: Any, celltype: str, contents: dict[str, Content]) -> Content:
    """The buffer of an argument; others that it names are put into `contents`."""
    if celltype in DIRECTORIES:
        from . import folders

        return folders.index_of(value, contents)
    if celltype == "module":
        from .python.definitions import definition_of

        return plain.dump(definition_of(value, key))
    return serialize(value, celltype)


def _check(value: Any, content: Content, celltype: str) -> None:
    """TypeError or ValueError for what the code could not be given."""
    if celltype == "deepcell" and not isinstance(value, dict | list | tuple):
        raise TypeError(f"a deepcell is a dict of checksums, not {type(value).__name__}")
    if celltype == "python":
        deserialize(content, celltype)
    if celltype == "binary" and isinstance(value, bytes):
        try:
            deserialize(content, celltype)
        except TypeError:
            raise TypeError("these bytes are no array: use celltype bytes, or mixed for JSON") from None


def _refuse_inside(key: str, value: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> None:
    """A transformation has no value yet, and its text is nobody's wish."""
    if any(isinstance(part, Transformation) for part in (value.values() if isinstance(value, dict) else value)):
        raise TypeError(f"argument {key!r} holds a transformation: pass each as an argument of its own (such as *args)")
