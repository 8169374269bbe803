"""The celltype `mixed`: any value of JSON types, arrays and bytes.

no array and no bytes inside    JSON                    mixedjson.py
one array, record or bytes      npy                     arrays.py, header.py
all else                        the container format    containers.py
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import orjson

from . import mixedjson
from .foreign import BinaryInside, is_array
from .header import MAGIC, bytes_header
from .pieces import Content, gather

#: How a container begins.
CONTAINER_MAGIC = b"\x94SEAMLESS-MIXED"


def write(value: object) -> Content:
    """The buffer of a value; TypeError for types that have no form."""
    scalar = _SCALARS.get(type(value))
    if scalar is not None:
        return scalar(value)
    if isinstance(value, bytes):
        return _bytes(value)
    if is_array(value):
        from . import arrays

        return arrays.write(value)
    try:
        return mixedjson.dump(value)
    except BinaryInside:
        from . import containers

        return containers.write(value)


def read(content: bytes | memoryview) -> Any:
    """The value of a buffer; what is no JSON, but UTF-8, comes as a 0-d array of bytes."""
    start = bytes(content[: len(CONTAINER_MAGIC)])
    if start.startswith(MAGIC):
        from . import arrays

        return arrays.read(content)
    if start == CONTAINER_MAGIC:
        from . import containers

        return containers.read(content)
    return _json_or_bytes(content)


def _json_or_bytes(content: bytes | memoryview) -> Any:
    try:
        return mixedjson.load(content)
    except ValueError as exc:
        import json

        if not isinstance(exc, json.JSONDecodeError):
            raise
    from . import arrays

    return arrays.of_bytes(content)


def _bytes(value: bytes) -> Content:
    return gather((bytes_header(len(value)), value))


def _str(value: str) -> bytes:
    if value.isascii() and "\x7f" not in value:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    import json

    return json.dumps(value).encode("ascii") + b"\n"


def _float(value: float) -> bytes:
    if isfinite(value):
        return b"%a\n" % value
    return b"NaN\n" if value != value else b"Infinity\n" if value > 0 else b"-Infinity\n"


def _int(value: int) -> bytes:
    return b"%d\n" % value


def _bool(value: bool) -> bytes:
    return b"true\n" if value else b"false\n"


def _none(value: None) -> bytes:
    return b"null\n"


_SCALARS: dict[type, Callable[[Any], Content]] = {
    str: _str,
    int: _int,
    float: _float,
    bool: _bool,
    type(None): _none,
    bytes: _bytes,
}
