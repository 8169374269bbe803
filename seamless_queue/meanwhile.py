"""Something that is computed by another thread meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Meanwhile(Generic[T]):
    """Starts at once; `result` waits for it."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self._error: BaseException | None = None
        self._value: list[T] = []
        self._thread = threading.Thread(target=self._run, name="seamless-hashing", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value.append(self._compute())
        except BaseException as exc:
            self._error = exc

    def result(self) -> T:
        """The value, or the error that came instead."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value[0]
