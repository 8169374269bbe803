"""The celltypes `str`, `int`, `float` and `bool`: the value converted with the Python type, as JSON."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

import orjson

from .texts import decoded, legible

_INTEGER = re.compile(rb"\s*(-?[0-9]{19,})\s*")


def _write(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def write_str(value: object) -> bytes:
    """A JSON string of `str(value)`; a bool stays a bool."""
    return _write(value if isinstance(value, bool) else legible(value))


def write_int(value: Any) -> bytes:
    """A JSON integer; TypeError beyond 64 bits."""
    return _write(int(decoded(value)))


def write_float(value: Any) -> bytes:
    """A JSON number; ValueError for nan and infinity, which JSON does not have."""
    number = float(decoded(value))
    if not isfinite(number):
        raise ValueError(f"{number} is no JSON number: use celltype mixed")
    return _write(number)


def write_bool(value: object) -> bytes:
    """`true` or `false`."""
    return _write(bool(decoded(value)))


def read_str(content: bytes | memoryview) -> str:
    """`str` of the JSON value."""
    return str(orjson.loads(content))


def read_int(content: bytes | memoryview) -> int:
    """`int` of the JSON value; true and false stay what they are."""
    value = orjson.loads(content)
    if isinstance(value, int):
        return value
    # Beyond 64 bits orjson gives a float, which has lost digits.
    digits = _INTEGER.fullmatch(content)
    return int(digits[1] if digits else value)


def read_float(content: bytes | memoryview) -> float:
    """`float` of the JSON value."""
    return float(orjson.loads(content))


def read_bool(content: bytes | memoryview) -> bool:
    """`bool` of the JSON value."""
    return bool(orjson.loads(content))
