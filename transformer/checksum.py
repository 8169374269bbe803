"""A checksum as Python users see it: the name of bytes, and a way to get them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NoReturn

from seamless_queue import sidecars
from seamless_queue.errors import BufferCorrupt
from seamless_queue.filesystems import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

_HEX = re.compile(r"[0-9a-fA-F]{64}")
#: `bytes` is also the name of a method.
_Bytes = bytes


class Checksum:
    """The checksum of a buffer: 32 bytes, shown as 64 lower-case hex digits. Immutable.

    Made from 64 hex digits, 32 bytes or another Checksum; ValueError for anything else. It equals its hex string.
    """

    __slots__ = ("_hex",)
    _hex: str

    def __init__(self, checksum: str | _Bytes | Checksum) -> None:
        object.__setattr__(self, "_hex", _hex_of(checksum))

    # -- what it is ---------------------------------------------------------------------------
    def hex(self) -> str:
        """64 lower-case hex digits."""
        return self._hex

    def bytes(self) -> _Bytes:
        """32 bytes."""
        return _Bytes.fromhex(self._hex)

    def __str__(self) -> str:
        return self._hex

    def __repr__(self) -> str:
        return repr(self._hex)

    def __hash__(self) -> int:
        return hash(self._hex)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Checksum | str):
            return self._hex == str(other)
        return NotImplemented

    def __lt__(self, other: Checksum) -> bool:
        return self._hex < other._hex if isinstance(other, Checksum) else NotImplemented

    def __le__(self, other: Checksum) -> bool:
        return self._hex <= other._hex if isinstance(other, Checksum) else NotImplemented

    def __gt__(self, other: Checksum) -> bool:
        return self._hex > other._hex if isinstance(other, Checksum) else NotImplemented

    def __ge__(self, other: Checksum) -> bool:
        return self._hex >= other._hex if isinstance(other, Checksum) else NotImplemented

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Checksum cannot be changed")

    def __reduce__(self) -> tuple[Callable[[str], Checksum], tuple[str]]:
        return Checksum, (self._hex,)

    # -- files --------------------------------------------------------------------------------
    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Checksum:
        """The checksum in FILE.CHECKSUM; FileNotFoundError if there is none, SeamlessError if it holds no checksum."""
        path = _without_suffix(file)
        found = sidecars.read_checksum(path)
        if found is None:
            raise FileNotFoundError(f"there is no file {path}{sidecars.CHECKSUM}")
        return cls(found)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write FILE.CHECKSUM: 64 hex digits and a newline."""
        write_atomically(_without_suffix(file) + sidecars.CHECKSUM, self._hex.encode("ascii") + b"\n")

    # -- the bytes ----------------------------------------------------------------------------
    def resolve(self, celltype: object = None) -> Any:
        """The Buffer with this checksum, or its value in a celltype; CacheMissError if nobody has it."""
        from . import session
        from .buffer import Buffer

        buffer = Buffer(session.read(self._hex), checksum=self)
        return buffer if celltype is None else buffer.get_value(celltype)

    async def resolution(self, celltype: object = None) -> Any:
        """The same, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.resolve, celltype)

    def fingertip_sync(self, celltype: object = None) -> Any:
        """As `resolve`, but if the bytes are gone, the job that made them is run again.

        CacheMissError if no recorded job has made them; NotReproducible if its job gives something else now.
        """
        return self._brought(celltype, blocking=False)

    async def fingertip(self, celltype: object = None) -> Any:
        """The same, without blocking the event loop; in the code of a job, by running what is needed."""
        import asyncio

        from . import session

        if session.current().frame is not None:
            # There may be nobody else who would.
            return self._brought(celltype, blocking=True)
        return await asyncio.to_thread(self.fingertip_sync, celltype)

    def _brought(self, celltype: object, *, blocking: bool) -> Any:
        from . import session
        from .errors import CacheMissError

        try:
            return self.resolve(celltype)
        except (CacheMissError, BufferCorrupt):
            from .recovery import bring

            bring(session.current(), self._hex, blocking=blocking)
            return self.resolve(celltype)

    def find(self) -> str | None:
        """Where the bytes are; None if nowhere."""
        from . import session

        return session.locate(self._hex)

    # -- kept for programs written for the original: the store forgets nothing on its own --------
    def incref(self) -> None:
        """Does nothing."""

    def decref(self) -> None:
        """Does nothing."""

    def tempref(self) -> None:
        """Does nothing."""


def _hex_of(checksum: object) -> str:
    if isinstance(checksum, Checksum):
        return checksum.hex()
    if isinstance(checksum, _Bytes) and len(checksum) == 32:
        return checksum.hex()
    if isinstance(checksum, str) and _HEX.fullmatch(checksum):
        return checksum.lower()
    raise ValueError(f"a checksum is 64 hex digits or 32 bytes, not {checksum!r:.100}")


def _without_suffix(file: str | os.PathLike[str]) -> str:
    return os.fspath(file).removesuffix(sidecars.CHECKSUM)
