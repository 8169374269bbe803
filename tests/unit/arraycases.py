"""Arrays for tests, and what it means that one is the same as another."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis.extra import numpy as hnp

from seamless.transformer.celltypes import serialize
from seamless.transformer.celltypes.arrays import raw
from seamless.transformer.celltypes.dtypes import aligned
from seamless.transformer.celltypes.pieces import in_one

Array = np.ndarray[Any, np.dtype[Any]]
PADDED = np.dtype([("a", "i1"), ("b", "f8")], align=True)

SIMPLE = (
    hnp.scalar_dtypes().filter(lambda dtype: dtype.str[0] != ">")
    | hnp.byte_string_dtypes(endianness="<", min_len=1, max_len=4)
    | hnp.unicode_string_dtypes(endianness="<", min_len=1, max_len=3)
)
RECORDS = hnp.array_dtypes(SIMPLE, max_size=3).map(aligned)
ARRAYS = hnp.arrays(SIMPLE | RECORDS, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))


def written(value: object, celltype: str = "mixed") -> bytes:
    """The buffer, in one."""
    return bytes(in_one(serialize(value, celltype)))


def is_same(one: Any, other: Any) -> bool:
    """Equal to the last bit, padding aside."""
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and bytes(raw(one)) == bytes(raw(other))
