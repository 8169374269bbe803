"""Tells NumPy's values without importing NumPy: before anybody has imported it there are none."""

from __future__ import annotations

import sys
from typing import Any

from ..checksum import Checksum


class BinaryInside(Exception):
    """There is something in the value that JSON cannot hold: an array, a record, or bytes."""


def is_array(value: object) -> bool:
    """Whether this is an array or a record of NumPy."""
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.void))


def jsonable(value: Any) -> int | float | str:
    """What Python's json is given for a value it does not know: a Checksum, an integer or float of NumPy.

    BinaryInside for what belongs into an array, TypeError for all else.
    """
    if isinstance(value, Checksum):
        return value.hex()
    if isinstance(value, bytes) or is_array(value):
        raise BinaryInside
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        # NumPy counts timedelta64 among the integers.
        if isinstance(value, numpy.integer) and not isinstance(value, numpy.timedelta64):
            return int(value)
        if isinstance(value, numpy.floating):
            return _exact(value)
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} has no form in celltype mixed: convert it")


def _exact(value: Any) -> float:
    number = float(value)
    if number != value and value == value:
        raise TypeError(f"{value!r} has more digits than a float: make it an array of one element")
    return number
