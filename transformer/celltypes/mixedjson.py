"""JSON as Python's own json writes it: indented, sorted, ASCII, with NaN and integers of any size.

orjson writes the same bytes many times faster, save for a few things that can be told from what it wrote.
"""

from __future__ import annotations

import marshal
import re
from typing import Any

import orjson

from . import keys
from .foreign import BinaryInside, jsonable
from .strictjson import has_nonfinite

_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
#: 1e-7, which Python's json writes as 1e-07.
_SHORT_EXPONENT = re.compile(rb"e-\d\D")
_ANY_DIGIT = bytes.maketrans(b"123456789", b"000000000")
#: Integers with fewer digits fit into 64 bits.
_MANY_DIGITS = b"0" * 19


def dump(value: object) -> bytes:
    """The buffer of a tree of strings, numbers, lists and dicts.

    BinaryInside if there is an array in it, or bytes; TypeError for other types.
    """
    text = _written_by_orjson(value)
    if text is not None:
        return text
    import json

    try:
        return json.dumps(value, indent=2, sort_keys=True, default=jsonable).encode("ascii") + b"\n"
    except TypeError:
        if (why := keys.not_sortable(value)) is not None:
            raise TypeError(why) from None
        raise


def load(content: bytes | memoryview) -> Any:
    """The value of a JSON buffer; UnicodeDecodeError if it is not UTF-8, JSONDecodeError if it is no JSON."""
    try:
        if not has_many_digits(content):
            return orjson.loads(content)
    except orjson.JSONDecodeError:
        # Python's json knows NaN and lone surrogates as well.
        pass
    import json

    return json.loads(str(content, "utf-8"))


def has_many_digits(content: bytes | memoryview) -> bool:
    """Whether there may be an integer that orjson would read as a float."""
    return len(content) > len(_MANY_DIGITS) and _MANY_DIGITS in bytes(content).translate(_ANY_DIGIT)


def _written_by_orjson(value: Any) -> bytes | None:
    """What orjson writes, None where Python's json would write something else."""
    try:
        text = orjson.dumps(value, default=_only_binary, option=_OPTIONS)
        # orjson also takes subclasses, enums, dates and the like. What marshal takes as well is of the
        # built-in types, and what of these JSON has no form for, orjson has refused.
        marshal.dumps(value, 2)
    except (TypeError, ValueError) as exc:
        if isinstance(exc.__cause__, BinaryInside):
            raise exc.__cause__ from None
        return None
    # DEL is ASCII, and yet escaped by Python's json.
    if not text.isascii() or b"\x7f" in text or _has_small_numbers(text) or (b"null" in text and has_nonfinite(value)):
        return None
    return text


def _has_small_numbers(text: bytes) -> bool:
    """Whether it may hold a float between 1e-10 and 1e-4, which Python's json writes otherwise: 0.00001 as 1e-05."""
    # Before a number there is a blank, its sign, or nothing.
    has_zeros = b" 0.0000" in text or b"-0.0000" in text or text.startswith(b"0.0000")
    return has_zeros or _SHORT_EXPONENT.search(text) is not None


def _only_binary(value: object) -> object:
    jsonable(value)
    raise TypeError
