"""What bytes mean: a celltype says how a value becomes a buffer, and a buffer a value.

    mixed                               JSON, an array, or a container of both        mixed.py
    binary                              an array in NumPy's npy format                binary.py
    plain, deepcell, folder,
    deepfolder, module, checksum        JSON, a tree of strings, numbers, lists       strictjson.py
    str, int, float, bool               one JSON scalar                               scalars.py
    text, python, ipython, yaml         UTF-8 text that ends with one newline         texts.py
    bytes                               anything                                      rawbytes.py

Equal bytes have equal checksums, whatever their celltype. The bytes of a value depend on nothing but the value:
not on the order of keys, the hash seed, or the version of NumPy or orjson. Of the memory of an array its C or
Fortran order counts, inside a container its strides.

NumPy is imported when the first array is met. Arrays that come from a buffer are read-only views of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from . import binary, mixed, rawbytes, scalars, strictjson, texts
from .pieces import Content, Pieces, in_one

__all__ = ["CELLTYPES", "Content", "Pieces", "celltype_named", "deserialize", "serialize"]


class Celltype(NamedTuple):
    """How a value is written and read."""

    write: Callable[[Any], Content]
    read: Callable[[bytes | memoryview], Any]


_PLAIN = Celltype(strictjson.write, strictjson.read)
_TABLE = {
    "mixed": Celltype(mixed.write, mixed.read),
    "plain": _PLAIN,
    "binary": Celltype(binary.write, binary.read),
    "text": Celltype(texts.write, texts.read),
    "python": Celltype(texts.write, texts.read_python),
    "ipython": Celltype(texts.write, texts.read),
    "yaml": Celltype(texts.write, texts.read_yaml),
    "str": Celltype(scalars.write_str, scalars.read_str),
    "int": Celltype(scalars.write_int, scalars.read_int),
    "float": Celltype(scalars.write_float, scalars.read_float),
    "bool": Celltype(scalars.write_bool, scalars.read_bool),
    "bytes": Celltype(rawbytes.write, rawbytes.read),
    "checksum": Celltype(strictjson.write, strictjson.read_checksum),
    "deepcell": _PLAIN,
    "folder": _PLAIN,
    "deepfolder": _PLAIN,
    "module": _PLAIN,
}
_PYTHON_TYPES: dict[Any, str] = {str: "str", int: "int", float: "float", bool: "bool", bytes: "bytes"}

#: The names of all celltypes.
CELLTYPES = tuple(_TABLE)


def celltype_named(name_or_type: object) -> str:
    """The celltype that is meant by its name, or by str, int, float, bool or bytes; TypeError if there is none."""
    if isinstance(name_or_type, str):
        if name_or_type in _TABLE:
            return name_or_type
        import difflib

        near = difflib.get_close_matches(name_or_type.lower(), CELLTYPES, 1)
        advice = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(CELLTYPES)}"
        raise TypeError(f"unknown celltype {name_or_type!r}: {advice}")
    if isinstance(name_or_type, type) and name_or_type in _PYTHON_TYPES:
        return _PYTHON_TYPES[name_or_type]
    raise TypeError(f"a celltype is a name or one of str, int, float, bool, bytes, not {name_or_type!r}")


def serialize(value: object, celltype: object = "mixed") -> Content:
    """The buffer of a value; TypeError or ValueError if the celltype has none for it.

    A large array is not copied: it lends its memory, and must not be changed while the content is in use.
    """
    try:
        return _celltype(celltype).write(value)
    except UnicodeError as exc:
        # Its class needs five arguments: nobody could put another message around it.
        raise ValueError(f"no text in celltype {celltype}: {exc}") from exc


def deserialize(content: bytes | memoryview | Pieces, celltype: object = "mixed") -> Any:
    """The value of a buffer; TypeError or ValueError if it has none in this celltype.

    Arrays are read-only; where their alignment allows it they share the memory of `content`.
    """
    try:
        return _celltype(celltype).read(in_one(content))
    except (UnicodeError, orjson.JSONDecodeError) as exc:
        raise ValueError(f"no buffer of celltype {celltype}: {exc}") from exc


def _celltype(name_or_type: object) -> Celltype:
    try:
        return _TABLE[name_or_type]  # type: ignore[index]
    except (KeyError, TypeError):
        return _TABLE[celltype_named(name_or_type)]
