"""What elements an array may have, and how a container describes them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

#: How a container calls the kinds of elements.
_TYPES = {
    "b": "boolean",
    "i": "integer",
    "u": "integer",
    "f": "number",
    "c": "complex",
    "S": "string",
    "U": "string",
    "M": "datetime",
    "m": "timedelta",
}
_CHARACTERS = {"boolean": "?", "number": "f", "complex": "c", "datetime": "M8", "timedelta": "m8"}

#: How many bytes of a long double count; the rest of its 12 or 16 is padding.
_LONG_BYTES = 10 if np.finfo(np.longdouble).nmant == 63 else np.dtype(np.longdouble).itemsize


def check(dtype: np.dtype[Any]) -> None:
    """TypeError unless arrays of this dtype mean the same everywhere."""
    if dtype.subdtype is not None:
        check(dtype.subdtype[0])
    elif dtype.names is not None:
        if not dtype.names or aligned(dtype) != dtype:
            raise TypeError(f"records must be laid out as by np.dtype(..., align=True), not as {dtype}")
        for name in dtype.names:
            check(dtype[name])
    elif dtype.kind not in _TYPES:
        raise TypeError(f"arrays of {dtype} cannot be stored: convert to numbers, bytes or strings")
    elif dtype.str[0] == ">":
        raise TypeError(f"{dtype} is big-endian: convert with array.astype({dtype.newbyteorder('<').str!r})")


def aligned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same fields where a C compiler would lay them."""
    if dtype.subdtype is not None:
        return np.dtype((aligned(dtype.subdtype[0]), dtype.subdtype[1]))
    if dtype.names is None:
        return dtype
    return np.dtype([(name, aligned(dtype[name])) for name in dtype.names], align=True)


def descr(dtype: np.dtype[Any]) -> object:
    """What an npy header says of it."""
    return dtype.str if dtype.names is None else dtype.descr


@lru_cache(maxsize=64)
def gaps(dtype: np.dtype[Any]) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Which bytes of an element mean nothing; None if all count."""
    if dtype.names is None and dtype.char not in "gG":
        return None
    unused = _unused(dtype)
    return unused if unused.any() else None


def _unused(dtype: np.dtype[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if dtype.subdtype is not None:
        return np.tile(_unused(dtype.subdtype[0]), int(np.prod(dtype.subdtype[1])))
    unused = np.zeros(dtype.itemsize, bool)
    if dtype.char in "gG":
        halves = unused.reshape(-1, np.dtype(np.longdouble).itemsize)
        halves[:, slice(None, -_LONG_BYTES) if dtype.str[0] == ">" else slice(_LONG_BYTES, None)] = True
    elif dtype.fields is not None:
        unused[:] = True
        for field, offset, *_ in dtype.fields.values():
            unused[offset : offset + field.itemsize] = _unused(field)
    return unused


def form_of(dtype: np.dtype[Any]) -> dict[str, Any]:
    """How a container describes an element."""
    if dtype.subdtype is not None:
        element, shape = dtype.subdtype
        return {"type": "tuple", "items": form_of(element), "identical": True, "shape": list(shape)}
    if dtype.names is not None:
        properties = {name: form_of(dtype[name]) for name in dtype.names}
        return {"type": "object", "properties": properties, "bytesize": dtype.itemsize, "order": list(dtype.names)}
    form: dict[str, Any] = {"type": _TYPES[dtype.kind], "bytesize": dtype.itemsize}
    if dtype.kind in "iu":
        form["unsigned"] = dtype.kind == "u"
    elif dtype.kind == "U":
        form["encoding"] = "utf-32-le"
    elif dtype.kind in "Mm":
        # <M8[25s] is counted in units of 25s, <M8 in none.
        form["unit"] = dtype.str[4:-1]
    return form


def dtype_of(form: dict[str, Any]) -> np.dtype[Any]:
    """The elements that a container describes."""
    kind = form["type"]
    if kind == "tuple":
        return np.dtype((dtype_of(form["items"]), tuple(form["shape"])))
    if kind == "object":
        return np.dtype([(name, dtype_of(form["properties"][name])) for name in form["order"]], align=True)
    return np.dtype("<" + _code(kind, form))


def _code(kind: str, form: dict[str, Any]) -> str:
    size = int(form["bytesize"])
    if kind == "string":
        return f"U{size // 4}" if "encoding" in form else f"S{size}"
    if kind == "integer":
        return f"{'u' if form['unsigned'] else 'i'}{size}"
    if kind in ("datetime", "timedelta"):
        return _CHARACTERS[kind] + (f"[{form['unit']}]" if form["unit"] else "")
    return _CHARACTERS[kind] if kind == "boolean" else f"{_CHARACTERS[kind]}{size}"
