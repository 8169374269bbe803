"""Says which keys of a dict have no form in JSON; only looked for when a value was refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def not_strings(value: object) -> str | None:
    """What is wrong with a dict that has other keys than strings; None if there is no such dict."""
    for key in (key for one in _dicts(value) for key in one):
        if not isinstance(key, str):
            return f"the keys of a dict must be strings, not {_told(key)}: convert them"
    return None


def not_sortable(value: object) -> str | None:
    """What is wrong with a dict whose keys JSON has no form or no order for; None if there is no such dict."""
    for one in _dicts(value):
        first = next(iter(one), None)
        for key in one:
            if not (key is None or isinstance(key, str | int | float)):
                return f"the keys of a dict must be strings, numbers, bools or None, not {_told(key)}"
            if _kind(key) != _kind(first):
                return f"the keys {_told(first)} and {_told(key)} of a dict cannot be sorted: make all of them strings"
    return None


def _kind(key: object) -> str:
    """Keys of one kind can be sorted."""
    return "text" if isinstance(key, str) else "nothing" if key is None else "number"


def _told(key: object) -> str:
    return f"{key!r:.60} ({type(key).__name__})"


def _dicts(value: object) -> Iterator[dict[Any, Any]]:
    """All dicts in a tree, each once."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list | tuple) and id(one) not in seen:
            seen.add(id(one))
            if isinstance(one, dict):
                yield one
            waiting.extend(one.values() if isinstance(one, dict) else one)
