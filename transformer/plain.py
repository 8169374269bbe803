"""The `plain` form of JSON: two-space indent, sorted keys, UTF-8, one final newline.

Names that are not UTF-8 reach Python as lone surrogates, which orjson refuses; the standard
library writes and reads them as escapes.
"""

from __future__ import annotations

from typing import Any

import orjson

#: How orjson writes it.
OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def dump(value: object) -> bytes:
    """The buffer of a value of strings, numbers, lists and dicts."""
    try:
        return orjson.dumps(value, option=OPTIONS)
    except TypeError:
        import json

        return json.dumps(value, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"


def load(buffer: bytes) -> Any:
    """The value of a buffer; ValueError if it is not JSON."""
    try:
        return orjson.loads(buffer)
    except orjson.JSONDecodeError:
        import json

        return json.loads(buffer)
