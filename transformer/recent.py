"""What this process has seen lately: results and errors by identity, small buffers by checksum. Bounded."""

from __future__ import annotations

from typing import TypeVar

V = TypeVar("V")

#: So many results are remembered; each takes some 300 bytes.
RESULTS = 20_000
#: So many bytes of buffers, none larger than a thousandth of it.
BUFFER_BYTES = 64 << 20
#: So many errors are kept for whoever asked.
ERRORS = 100
#: What an entry takes beside its content.
ENTRY_BYTES = 2000


class RecentResults:
    """Result checksums by identity, the oldest forgotten first."""

    def __init__(self, at_most: int = RESULTS) -> None:
        self._results: dict[str, str] = {}
        self._at_most = at_most

    def get(self, identity: str) -> str | None:
        """The result's checksum, if it is remembered."""
        return self._results.get(identity)

    def put(self, identity: str, result: str) -> None:
        """Remember it."""
        results = self._results
        results[identity] = result
        if len(results) > self._at_most:
            _drop_oldest(results)

    def has_result(self, result: str) -> bool:
        """Whether this is the result of something; it looks at all of them."""
        return result in self._results.values()

    def forget(self, identity: str) -> None:
        """Its bytes are gone."""
        self._results.pop(identity, None)

    def clear(self) -> None:
        """Forget all."""
        self._results.clear()


class RecentBuffers:
    """Contents by checksum, the oldest forgotten first."""

    def __init__(self, at_most: int = BUFFER_BYTES) -> None:
        self._contents: dict[str, bytes] = {}
        self._at_most = at_most
        self._size = 0

    def get(self, checksum: str) -> bytes | None:
        """The bytes, if they are remembered."""
        return self._contents.get(checksum)

    def put(self, checksum: str, content: bytes) -> None:
        """Remember them, unless they are too large."""
        if len(content) * 1000 > self._at_most or checksum in self._contents:
            return
        self._contents[checksum] = content
        self._size += len(content) + ENTRY_BYTES
        while self._size > self._at_most:
            dropped = _drop_oldest(self._contents)
            self._size -= len(dropped) + ENTRY_BYTES if dropped is not None else 0

    def clear(self) -> None:
        """Forget all."""
        self._contents.clear()
        self._size = 0


class RecentErrors:
    """Exceptions of code that ran in this process, by identity, until somebody takes them."""

    def __init__(self, at_most: int = ERRORS) -> None:
        self._errors: dict[str, BaseException] = {}
        self._at_most = at_most

    def put(self, identity: str, error: BaseException) -> None:
        """The code of a transformation raised this."""
        self._errors[identity] = error
        if len(self._errors) > self._at_most:
            _drop_oldest(self._errors)

    def take(self, identity: str) -> BaseException | None:
        """The same, once."""
        return self._errors.pop(identity, None)


def _drop_oldest(entries: dict[str, V]) -> V | None:
    # Another thread may be dropping as well.
    oldest = next(iter(entries), None)
    return entries.pop(oldest, None) if oldest is not None else None
