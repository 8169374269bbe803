"""Bytes in several parts, so that a large array is hashed and written where it lies."""

from __future__ import annotations

from collections.abc import Iterable

#: From this size on a part is not copied.
LARGE_BYTES = 1 << 16


class Pieces:
    """Bytes as a sequence of parts, each bytes or a flat memoryview of bytes.

    A part may be a view of an array's own memory: whoever changes that array changes these bytes.
    """

    __slots__ = ("_length", "parts")

    def __init__(self, parts: Iterable[bytes | memoryview]) -> None:
        self.parts = tuple(parts)
        self._length = sum(map(len, self.parts))

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<Pieces: {self._length} bytes in {len(self.parts)} parts>"

    def join(self) -> bytes:
        """All bytes, copied into one."""
        return b"".join(self.parts)


#: What a value becomes: in several parts where that spares a copy.
Content = bytes | Pieces


def gather(parts: Iterable[bytes | memoryview]) -> Content:
    """These parts one after the other: small neighbours are copied together, large parts stay where they are."""
    gathered: list[bytes | memoryview] = []
    small: list[bytes | memoryview] = []
    for part in parts:
        if len(part) < LARGE_BYTES:
            small.append(part)
        else:
            gathered += (b"".join(small), part)
            small = []
    kept = [part for part in (*gathered, b"".join(small)) if len(part)] or [b""]
    return kept[0] if len(kept) == 1 and isinstance(kept[0], bytes) else Pieces(kept)


def in_one(content: bytes | memoryview | Pieces) -> bytes | memoryview:
    """The same bytes in one part that cannot be written to, copied only where there are several."""
    if isinstance(content, Pieces):
        content = content.parts[0] if len(content.parts) == 1 else content.join()
    return content.toreadonly() if isinstance(content, memoryview) else content


def parts_of(content: bytes | memoryview | Pieces) -> tuple[bytes | memoryview, ...]:
    """The same bytes as a sequence of parts."""
    return content.parts if isinstance(content, Pieces) else (content,)
