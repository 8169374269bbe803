"""The container format of celltype `mixed`: a tree of JSON types with arrays and bytes in it.

    b"\\x94SEAMLESS-MIXED"  u8 length  storage of the whole
    u32 length  form: JSON that describes the types
    b"\\x93SEAMLESS"  u64 length of body  u64 length of data
    body: JSON, [[0, end, end, ...], value with 0 for each leaf]     data: the leaves, one after the other

All integers are little-endian, leaves come in the order of the sorted keys. Keys are written sorted, so that
equal values have equal bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from . import keys
from .foreign import is_array, jsonable
from .mixed import CONTAINER_MAGIC as MAGIC
from .pieces import Content, gather

_BODY_MAGIC = b"\x93SEAMLESS"
_MIXED, _BINARY = "mixed-plain", "pure-binary"


class Node(NamedTuple):
    """A value, described: `storage` is None where there is nothing but JSON types in it."""

    form: Any
    value: Any
    storage: str | None = None

    @property
    def form_as_child(self) -> Any:
        return self.form if self.storage is None else {**self.form, "storage": self.storage}


# -- writing ----------------------------------------------------------------------------------
def write(value: object) -> Content:
    """The buffer of a list or dict with arrays or bytes in it; TypeError for what has no form."""
    leaves: list[bytes | memoryview] = []
    node = _described(value, leaves)
    form = json.dumps(node.form).encode("ascii")
    ends = list(accumulate(map(len, leaves), initial=0))
    body = json.dumps([ends, node.value]).encode("ascii")
    storage = _MIXED.encode("ascii")
    head = (
        MAGIC + struct.pack("<B", len(storage)) + storage + struct.pack("<I", len(form)) + form,
        _BODY_MAGIC + struct.pack("<QQ", len(body), ends[-1]) + body,
    )
    return gather((*head, *leaves))


def _described(value: Any, leaves: list[bytes | memoryview]) -> Node:
    if isinstance(value, dict):
        return _dict(value, leaves)
    if isinstance(value, list | tuple):
        return _list(value, leaves)
    if isinstance(value, bytes):
        leaves.append(value)
        return Node(_array_form({"type": "string", "bytesize": len(value)}, ()), 0, _BINARY)
    if is_array(value):
        return _array(value, leaves)
    return _scalar(value)


def _scalar(value: Any) -> Node:
    if value is None:
        return Node("null", None)
    for kind, name in ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number")):
        if isinstance(value, kind):
            return Node(name, value)
    return _scalar(jsonable(value))


def _dict(value: dict[Any, Any], leaves: list[bytes | memoryview]) -> Node:
    # Sorted twice: keys that cannot be compared are refused as in JSON, keys that can are written as strings.
    named = {_key(key): value[key] for key in _sorted(value)}
    if len(named) < len(value):
        raise TypeError(f"two keys become the same string: {', '.join(map(repr, value))}")
    children = {name: _described(named[name], leaves) for name in sorted(named)}
    form: dict[str, Any] = {"type": "object"}
    if children:
        form["properties"] = {name: child.form_as_child for name, child in children.items()}
    return Node(form, {name: child.value for name, child in children.items()}, _storage(children.values()))


def _sorted(value: dict[Any, Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        if (why := keys.not_sortable(value)) is not None:
            raise TypeError(why) from None
        raise


def _list(value: Sequence[Any], leaves: list[bytes | memoryview]) -> Node:
    children = [_described(child, leaves) for child in value]
    forms = [child.form_as_child for child in children]
    identical = all(form == forms[0] for form in forms)
    items = (forms[0] if forms else None) if identical else forms
    form = {"type": "array", "items": items, "identical": identical, "shape": [len(forms)]}
    return Node(form, [child.value for child in children], _storage(children))


def _storage(children: Any) -> str | None:
    return _MIXED if any(child.storage is not None for child in children) else None


def _array(value: Any, leaves: list[bytes | memoryview]) -> Node:
    from . import arrays, dtypes

    array = arrays.array_of(value)
    dtypes.check(array.dtype)
    leaves.append(arrays.raw(array))
    form = _array_form(dtypes.form_of(array.dtype), array.shape, array.strides, array.dtype.itemsize)
    return Node(form, 0, _BINARY)


def _array_form(
    element: dict[str, Any], shape: tuple[int, ...], strides: tuple[int, ...] = (), itemsize: int = 0
) -> dict[str, Any]:
    form = {"type": "array", "items": element, "identical": True, "shape": list(shape)}
    if 0 in shape:
        # What NumPy says of the strides of nothing has changed between its versions.
        return {**form, "contiguous": False, "strides": [0] * len(shape)}
    dense = tuple(accumulate(reversed(shape[1:]), int.__mul__, initial=itemsize))[::-1]
    if not shape or strides == dense:
        return {**form, "contiguous": True}
    return {**form, "contiguous": False, "strides": list(strides)}


def _key(key: object) -> str:
    """A key as Python's json writes it."""
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, int | float):
        return json.dumps(key)
    raise TypeError(f"keys must be strings, numbers, bools or None, not {type(key).__name__}")


# -- reading ----------------------------------------------------------------------------------
def read(content: bytes | memoryview) -> Any:
    """The value of a container; ValueError if it is damaged."""
    try:
        storage, form, (ends, value), data = _parsed(memoryview(content))
        leaves = (data[begin:end] for begin, end in pairwise(ends))
        return _restored(value, form, storage, leaves)
    except (ValueError, TypeError, LookupError, AttributeError, StopIteration, RecursionError, struct.error) as exc:
        raise ValueError(f"damaged buffer of celltype mixed: {exc}") from exc


def _parsed(content: memoryview) -> tuple[str, Any, Any, memoryview]:
    """Storage, form, body and data."""
    position = len(MAGIC)

    def take(length: int) -> bytes:
        nonlocal position
        position += length
        if position > len(content):
            raise ValueError("it ends too early")
        return bytes(content[position - length : position])

    storage = take(take(1)[0]).decode("ascii")
    form = json.loads(take(struct.unpack("<I", take(4))[0]))
    if take(len(_BODY_MAGIC)) != _BODY_MAGIC:
        raise ValueError("there is no body")
    length, data_length = struct.unpack("<QQ", take(16))
    body = json.loads(take(length))
    if len(content) - position != data_length:
        raise ValueError("its data end too early or too late")
    return storage, form, body, content[position:]


def _restored(value: Any, form: Any, storage: str | None, leaves: Iterator[memoryview]) -> Any:
    if storage == _BINARY:
        return _restored_array(form, next(leaves))
    if storage != _MIXED:
        return value
    if form["type"] == "object":
        # Leaves come in the order of the sorted keys, whatever the order of the keys is.
        restored = {name: _restored_child(value[name], form["properties"][name], leaves) for name in sorted(value)}
        return {name: restored[name] for name in value}
    forms = [form["items"]] * len(value) if form["identical"] else form["items"]
    return [_restored_child(child, of_child, leaves) for child, of_child in zip(value, forms, strict=True)]


def _restored_child(value: Any, form: Any, leaves: Iterator[memoryview]) -> Any:
    return _restored(value, form, form.get("storage") if isinstance(form, dict) else None, leaves)


def _restored_array(form: dict[str, Any], leaf: memoryview) -> Any:
    from . import arrays, dtypes

    dtype = dtypes.dtype_of(form["items"])
    return arrays.unwrapped(arrays.view(leaf, 0, dtype, tuple(form["shape"])))
