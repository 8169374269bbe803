"""What can go wrong where bytes have a meaning.

    SeamlessError                   seamless_queue.errors
    ├── CacheMissError
    └── TransformationError         also a RuntimeError

The cause of a TransformationError is the error of the user's code: the very exception where it ran in this
process, its traceback as text (RemoteTraceback) where it ran in another.
"""

from __future__ import annotations

from seamless_queue.errors import SeamlessError


class CacheMissError(SeamlessError):
    """No bytes with this checksum are known."""


class TransformationError(SeamlessError, RuntimeError):
    """The transformation failed."""


class RemoteTraceback(Exception):
    """The traceback of an error in another process, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n\n{self.text.rstrip()}\n"


def describe_failure(exc: BaseException) -> str:
    """One line about an error."""
    text = str(exc).strip()
    return f"{type(exc).__name__}: {text.splitlines()[0]}" if text else type(exc).__name__


def failure_of(name: str, error: str, exception: BaseException | None) -> TransformationError:
    """The error of a failed transformation: its first line says what happened, its cause where."""
    summary, _, traceback = error.partition("\n")
    failure = TransformationError(f"{name} failed: {summary}")
    if exception is not None:
        failure.__cause__ = exception
    elif traceback:
        failure.__cause__ = RemoteTraceback(traceback)
    return failure
