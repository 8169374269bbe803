"""Arrays as npy buffers, and as read-only views of bytes. Importing this imports NumPy."""

from __future__ import annotations

import math
import sys
from typing import Any, Literal

import numpy as np

from . import dtypes
from .header import encoded, parsed
from .pieces import Content, gather

Array = np.ndarray[Any, np.dtype[Any]]


def array_of(value: object) -> Array:
    """What NumPy makes of a value; TypeError for a masked array, whose mask would be lost."""
    _refuse_masked(value)
    return np.asarray(value)


def write(value: object) -> Content:
    """The npy buffer of an array or record; TypeError if its elements cannot be stored.

    C and Fortran order are kept, so that neither needs a copy; anything else is written in C order.
    """
    array = array_of(value)
    dtypes.check(array.dtype)
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    head = encoded(dtypes.descr(array.dtype), fortran, array.shape)
    return gather((head, raw(array.T if fortran else array)))


def raw(value: object) -> bytes | memoryview:
    """The elements in C order, bytes between them set to zero; a view of the array's memory where that is possible."""
    array = array_of(value)
    if array.dtype.hasobject:
        raise TypeError("the bytes of an array of Python objects are addresses: convert it")
    if array.size == 0 or array.dtype.itemsize == 0:
        return b""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    unused = dtypes.gaps(array.dtype)
    if unused is not None:
        flat = np.where(unused, np.uint8(0), flat.reshape(-1, array.dtype.itemsize)).reshape(-1)
    return flat.data.toreadonly()


def read(content: bytes | memoryview) -> Any:
    """The array of an npy buffer, a scalar if it has no dimensions; ValueError if it is damaged."""
    header = parsed(content)
    try:
        dtype = np.lib.format.descr_to_dtype(header.descr)
    except (TypeError, ValueError, IndexError) as exc:
        raise ValueError(f"damaged npy buffer: {header.descr!r} is no dtype") from exc
    return unwrapped(view(content, header.offset, dtype, header.shape, header.fortran))


def view(
    content: bytes | memoryview, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool = False
) -> Array:
    """The array that begins at this offset, read-only; copied only if it is not aligned.

    Records come in the layout of `np.dtype(..., align=True)`, so that they can be written again.
    """
    if dtype.hasobject:
        raise ValueError("the buffer holds Python objects, which are not read")
    end = offset + math.prod(shape) * dtype.itemsize
    if end > len(content):
        raise ValueError(f"damaged buffer: it ends before the array of shape {shape} does")
    order: Literal["C", "F"] = "F" if fortran else "C"
    array: Array = np.ndarray(shape, dtype, content, offset, order=order)
    if not array.flags.aligned:
        array = np.ndarray(shape, dtype, bytes(content[offset:end]), order=order)
    return array if dtype.names is None else _laid_out(array, dtypes.aligned(dtype))


def _laid_out(array: Array, layout: np.dtype[Any]) -> Array:
    if layout == array.dtype:
        return array.view(layout)
    # Not astype, which leaves what it likes between the fields.
    copied = np.zeros_like(array, layout)
    copied[...] = array
    copied.setflags(write=False)
    return copied


def unwrapped(array: Array) -> Any:
    """A 0-d array as a scalar of NumPy; strings stay arrays, because a scalar would drop final NULs."""
    return array[()] if array.ndim == 0 and array.dtype.kind not in "SU" else array


def of_bytes(content: bytes | memoryview) -> Array:
    """Bytes as a 0-d array."""
    if not len(content):
        return np.array(b"")
    return view(content, 0, np.dtype(f"S{len(content)}"), ())


def _refuse_masked(value: object) -> None:
    # Without this module there are no masked arrays.
    masked: Any = sys.modules.get("numpy.ma")
    if masked is None:
        return
    if isinstance(value, masked.MaskedArray):
        raise TypeError("a masked array cannot be stored: pass array.data and array.mask, or array.filled(...)")
    if isinstance(value, list | tuple):
        for child in value:
            _refuse_masked(child)
