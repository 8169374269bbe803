"""Bytes as Python users see them: what a value becomes, and what a checksum stands for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

from seamless_queue.filesystems import write_atomically

from .celltypes import Content, Pieces, deserialize, serialize
from .celltypes.pieces import gather
from .checksum import Checksum

if TYPE_CHECKING:
    from collections.abc import Callable


class Buffer:
    """Bytes with a checksum. Immutable; equal if the bytes are equal.

    Made from a value and its celltype, or from bytes alone (a read-only memoryview is not copied). A known checksum
    is believed. A large array lends its memory until `content` is asked for: if it is changed between its checksum
    and its use, the Buffer says so instead of giving wrong bytes.
    """

    __slots__ = ("_checksum", "_data", "_is_lent")
    _data: Content
    _checksum: Checksum | None
    _is_lent: bool

    def __init__(
        self, value: object, celltype: object = None, *, checksum: Checksum | str | bytes | None = None
    ) -> None:
        data = _raw(value) if celltype is None else _serialized(value, celltype)
        is_lent = celltype is not None and isinstance(data, Pieces)
        self._set(data, None if checksum is None else Checksum(checksum), is_lent)

    @classmethod
    async def from_async(cls, value: object, celltype: object = None) -> Buffer:
        """`Buffer(value, celltype)` without blocking the event loop; do not change the value meanwhile."""
        import asyncio

        return await asyncio.to_thread(cls, value, celltype)

    # -- bytes --------------------------------------------------------------------------------
    @property
    def content(self) -> bytes:
        """All bytes in one."""
        if isinstance(self._data, Pieces):
            joined = self._data.join()
            self._require_checksum_of(joined)
            self._set(joined, self._checksum, False)
            return joined
        return self._data

    @property
    def data(self) -> Content:
        """The bytes as they lie in memory."""
        self._require_checksum_of(self._data)
        return self._data

    def decode(self) -> str:
        """The bytes as UTF-8 text."""
        return self.content.decode()

    def get_value(self, celltype: object) -> Any:
        """The value in a celltype; TypeError or ValueError if there is none. Arrays are read-only."""
        return deserialize(self.content if self._is_lent else self._data, celltype)

    async def get_value_async(self, celltype: object) -> Any:
        """The same, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.get_value, celltype)

    # -- the checksum ---------------------------------------------------------------------------
    def get_checksum(self) -> Checksum:
        """The checksum, computed once."""
        if self._checksum is None:
            self._set(self._data, _checksum_of(self._data), self._is_lent)
        assert self._checksum is not None
        return self._checksum

    @property
    def checksum(self) -> Checksum:
        """The same."""
        return self.get_checksum()

    async def get_checksum_async(self) -> Checksum:
        """The same, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.get_checksum)

    # -- files and the store --------------------------------------------------------------------
    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Buffer:
        """The content of a file."""
        with open(file, "rb") as opened:
            return cls(opened.read())

    def save(self, file: str | os.PathLike[str]) -> None:
        """Put the bytes in place of a file."""
        write_atomically(os.fspath(file), self.content)

    def write(self) -> bool:
        """Put the bytes into the store, where the checksum finds them; whether they are there now."""
        from . import session

        return session.keep(self.data, self.get_checksum().hex())

    def incref(self) -> None:
        """Put the bytes into the store, which keeps them."""
        self.write()

    def tempref(self) -> None:
        """The same."""
        self.write()

    def decref(self) -> None:
        """Does nothing: the store forgets nothing on its own."""

    # -- as a value -----------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Buffer):
            return NotImplemented
        return self is other or (len(self) == len(other) and self.content == other.content)

    def __hash__(self) -> int:
        return hash(self.get_checksum())

    def __repr__(self) -> str:
        return f"<Buffer: {len(self)} bytes>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Buffer cannot be changed")

    def __reduce__(self) -> tuple[Callable[[bytes], Buffer], tuple[bytes]]:
        return Buffer, (self.content,)

    def _set(self, data: Content, checksum: Checksum | None, is_lent: bool) -> None:
        object.__setattr__(self, "_data", data)
        object.__setattr__(self, "_checksum", checksum)
        object.__setattr__(self, "_is_lent", is_lent)

    def _require_checksum_of(self, data: Content) -> None:
        """ValueError if a lent array was changed since its checksum was taken."""
        if self._is_lent and self._checksum is not None and _checksum_of(data) != self._checksum:
            raise ValueError("the array was changed after the checksum of its Buffer was taken: make a new Buffer")


def _serialized(value: object, celltype: object) -> Content:
    if isinstance(value, Checksum):
        raise TypeError("a Checksum is no value: use checksum.resolve(), or checksum.hex() for its text")
    return serialize(value.content if isinstance(value, Buffer) else value, celltype)


def _raw(value: object) -> Content:
    if isinstance(value, Buffer):
        return value.content
    if isinstance(value, memoryview) and value.readonly and value.c_contiguous and value.nbytes:
        return gather((value.cast("B"),))
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"a Buffer without celltype is made from bytes, not {type(value).__name__}: name a celltype")


def _checksum_of(data: Content) -> Checksum:
    from . import session

    return Checksum(session.checksum_of(data))
