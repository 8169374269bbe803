"""Writes plain values as Python code that gives them back, the same code for equal values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .errors import NotAConstant

_PLAIN = (type(None), bool, int, str, bytes, type(...), bytearray, range)


def literal(value: object) -> str:
    """The value as an expression, as `repr` writes it; NotAConstant if that would not give it back.

    Sets are sorted, for their own order differs between processes. Subclasses are refused: numpy's floats are floats.
    """
    try:
        return _literal(value)
    except RecursionError:
        raise NotAConstant(f"a {type(value).__name__} that contains itself cannot be written as code") from None


def _literal(value: Any) -> str:
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    writer = _WRITERS.get(kind)
    if writer is None:
        raise NotAConstant(f"a value of type {kind.__name__} cannot be written as code")
    return writer(value)


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else f"float({str(value)!r})"


def _complex(value: complex) -> str:
    finite = math.isfinite(value.real) and math.isfinite(value.imag)
    # The repr of a negative zero part does not evaluate back.
    if finite and repr(eval(repr(value))) == repr(value):
        return repr(value)
    return f"complex({_float(value.real)}, {_float(value.imag)})"


def _tuple(value: tuple[Any, ...]) -> str:
    return f"({_joined(value)},)" if len(value) == 1 else f"({_joined(value)})"


def _dict(value: dict[Any, Any]) -> str:
    return "{" + ", ".join(f"{_literal(key)}: {_literal(entry)}" for key, entry in value.items()) + "}"


def _set(value: set[Any]) -> str:
    return "{" + _joined(_sorted(value)) + "}" if value else "set()"


def _frozenset(value: frozenset[Any]) -> str:
    return "frozenset({" + _joined(_sorted(value)) + "})" if value else "frozenset()"


def _joined(values: Iterable[Any]) -> str:
    return ", ".join(map(_literal, values))


def _sorted(values: Iterable[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (type(value).__name__, _literal(value)))


_WRITERS: dict[type, Callable[[Any], str]] = {
    float: _float,
    complex: _complex,
    tuple: _tuple,
    list: lambda value: f"[{_joined(value)}]",
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
}
