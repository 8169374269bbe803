"""The header of the npy format, always as NumPy has written it since 1.23.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

    b"\\x93NUMPY"  u8 major  u8 minor  u16 (version 1) or u32 length  header
    header: a Python dict of descr, fortran_order and shape, then blanks and a newline up to a multiple of 64 bytes
"""

from __future__ import annotations

import re
import struct
from typing import Any, NamedTuple

MAGIC = b"\x93NUMPY"
_ALIGNMENT = 64
#: NumPy leaves room for the first extent to grow to so many digits in place.
_GROWTH_DIGITS = 21
#: What all but records have: nothing needs to be evaluated.
_SIMPLE = re.compile(
    r"\{'descr': '([^'\\]+)', 'fortran_order': (True|False), 'shape': \(((?:[0-9]+,)?|[0-9]+(?:, [0-9]+)+)\), \} *\n"
)
#: Length format and encoding by version.
_VERSIONS = {1: ("<H", "latin1"), 2: ("<I", "latin1"), 3: ("<I", "utf-8")}


class Header(NamedTuple):
    """What a header says, and where the data begin."""

    descr: Any
    fortran: bool
    shape: tuple[int, ...]
    offset: int


def encoded(descr: object, fortran: bool, shape: tuple[int, ...]) -> bytes:
    """The header of an array: `descr` as in `numpy.dtype.descr` for records, `numpy.dtype.str` for all else."""
    text = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    if shape:
        text += " " * (_GROWTH_DIGITS - len(str(shape[-1 if fortran else 0])))
    for version, (length_format, encoding) in _VERSIONS.items():
        try:
            header = text.encode(encoding)
            start = MAGIC + bytes((version, 0))
            length = len(start) + struct.calcsize(length_format) + len(header) + 1
            blanks = _ALIGNMENT - length % _ALIGNMENT
            return start + struct.pack(length_format, len(header) + 1 + blanks) + header + b" " * blanks + b"\n"
        except (UnicodeEncodeError, struct.error):
            continue
    raise ValueError("the dtype cannot be written: a field name is no Unicode text")


def bytes_header(length: int) -> bytes:
    """The header of so many bytes, as a 0-d array."""
    return encoded(f"|S{length}", False, ())


def parsed(content: bytes | memoryview) -> Header:
    """What the header at the start of a buffer says; ValueError if it cannot be read."""
    try:
        length_format, encoding = _VERSIONS[content[len(MAGIC)]]
        start = len(MAGIC) + 2
        offset = start + struct.calcsize(length_format)
        (length,) = struct.unpack(length_format, content[start:offset])
        text = str(content[offset : offset + length], encoding)
        return Header(*(_simple(text) or _evaluated(text)), offset + length)
    except (KeyError, IndexError, struct.error, SyntaxError, TypeError, MemoryError, RecursionError) as exc:
        raise ValueError(f"damaged npy buffer: its header cannot be read ({exc})") from exc


def _simple(text: str) -> tuple[Any, bool, tuple[int, ...]] | None:
    found = _SIMPLE.fullmatch(text)
    if found is None:
        return None
    return found[1], found[2] == "True", tuple(int(extent) for extent in found[3].split(",") if extent)


def _evaluated(text: str) -> tuple[Any, bool, tuple[int, ...]]:
    import ast

    fields = ast.literal_eval(text.strip())
    descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    if not isinstance(fortran, bool) or not all(isinstance(extent, int) and extent >= 0 for extent in shape):
        raise ValueError(f"damaged npy buffer: order {fortran!r}, shape {shape!r}")
    return descr, fortran, tuple(shape)
