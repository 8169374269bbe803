"""The celltype `plain` and its kin: JSON as in `transformer.plain`, and refused where that would lose something.

Written by orjson: two-space indent, keys sorted by their UTF-8 bytes, floats as `1e-7`, `0.00001`, `1e+16`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from math import isfinite
from typing import Any

import orjson

from .. import plain
from ..checksum import Checksum
from . import keys

_LEAVES = frozenset({str, int, bool, type(None)})
_BARE_CHECKSUM = re.compile(rb"[0-9a-fA-F]{64}\n*")


def write(value: object) -> bytes:
    """The buffer of a tree of strings, numbers, lists and dicts; a Checksum counts as its hex string.

    TypeError for other types, keys that are no strings, and integers beyond 64 bits; ValueError for nan and infinity.
    """
    try:
        text = orjson.dumps(value, default=_foreign, option=plain.OPTIONS)
    except TypeError:
        if (why := keys.not_strings(value)) is not None:
            raise TypeError(why) from None
        raise
    if b"null" in text and has_nonfinite(value):
        raise ValueError("nan and infinity are no JSON numbers: use celltype mixed, or None for a missing value")
    return text


def read(content: bytes | memoryview) -> Any:
    """The value of a JSON buffer; ValueError if it is none."""
    return orjson.loads(content)


def read_checksum(content: bytes | memoryview) -> Any:
    """The same, or the checksum that stands there as bare hex digits."""
    if 64 <= len(content) < 80 and _BARE_CHECKSUM.fullmatch(content):
        return str(content, "ascii").rstrip("\n").lower()
    return read(content)


def has_nonfinite(value: object) -> bool:
    """Whether there is a nan or an infinity in it, for which orjson writes null."""
    if isinstance(value, float):
        return not isfinite(value)
    return type(value) not in _LEAVES and any(map(has_nonfinite, _children(value)))


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple):
        return value
    if hasattr(value, "__dataclass_fields__"):
        return [getattr(value, name, None) for name in value.__dataclass_fields__]
    return [value.value] if isinstance(value, Enum) else ()


def _foreign(value: object) -> object:
    if isinstance(value, Checksum):
        return value.hex()
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"no JSON value: {type(value).__name__}")
