"""Containers: trees of JSON types with arrays and bytes in them."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from arraycases import ARRAYS, PADDED, Array, is_same, written
from hypothesis import given
from hypothesis import strategies as st

from seamless.transformer.celltypes import deserialize, serialize
from seamless.transformer.celltypes.arrays import raw
from seamless.transformer.checksum import Checksum

HEX = "0123456789abcdef" * 4


def test_the_container_of_a_dict() -> None:
    value = {"b": [1, b"xy"], "a": np.arange(2, dtype="i2"), "c": {"n": float("nan"), "e": []}}
    leaf = '"identical": true, "shape": %s, "contiguous": true, "storage": "pure-binary"'
    form = (
        '{"type": "object", "properties": {'
        '"a": {"type": "array", "items": {"type": "integer", "bytesize": 2, "unsigned": false}, ' + leaf % "[2]" + "}, "
        '"b": {"type": "array", "items": ["integer", '
        '{"type": "array", "items": {"type": "string", "bytesize": 2}, ' + leaf % "[]" + "}], "
        '"identical": false, "shape": [2], "storage": "mixed-plain"}, '
        '"c": {"type": "object", "properties": {'
        '"e": {"type": "array", "items": null, "identical": true, "shape": [0]}, "n": "number"}}}}'
    )
    body = b'[[0, 4, 6], {"a": 0, "b": [1, 0], "c": {"e": [], "n": NaN}}]'
    assert written(value) == (
        b"\x94SEAMLESS-MIXED\x0bmixed-plain"
        + struct.pack("<I", len(form))
        + form.encode()
        + b"\x93SEAMLESS"
        + struct.pack("<QQ", len(body), 6)
        + body
        + b"\0\0\1\0xy"
    )


def form_of(value: object) -> Any:
    buffer = written([value, b""])
    (length,) = struct.unpack("<I", buffer[27:31])
    return json.loads(buffer[31 : 31 + length])["items"][0]


@pytest.mark.parametrize(
    ("array", "strides"),
    [
        (np.arange(6).reshape(2, 3), None),
        (np.array(5), None),
        (np.arange(6).reshape(2, 3).T, [8, 24]),
        (np.arange(10)[::2][:1], [16]),
        (np.broadcast_to(np.int32(1), (3,)), [0]),
        (np.zeros((0,)), [0]),
        (np.zeros((4, 3))[:0], [0, 0]),
    ],
)
def test_strides_of_inner_arrays_are_told_where_they_are_unusual(array: Array, strides: list[int] | None) -> None:
    form = form_of(array)
    assert (form["contiguous"], form.get("strides")) == (strides is None, strides)


@pytest.mark.parametrize(
    ("dtype", "element"),
    [
        ("?", {"type": "boolean", "bytesize": 1}),
        ("u4", {"type": "integer", "bytesize": 4, "unsigned": True}),
        ("f2", {"type": "number", "bytesize": 2}),
        ("S3", {"type": "string", "bytesize": 3}),
        ("U2", {"type": "string", "bytesize": 8, "encoding": "utf-32-le"}),
        ("M8[ms]", {"type": "datetime", "bytesize": 8, "unit": "ms"}),
        (
            PADDED,
            {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "bytesize": 1, "unsigned": False},
                    "b": {"type": "number", "bytesize": 8},
                },
                "bytesize": 16,
                "order": ["a", "b"],
            },
        ),
    ],
)
def test_elements_are_described(dtype: Any, element: object) -> None:
    assert form_of(np.zeros(1, dtype))["items"] == element


def test_sub_arrays_of_records_are_tuples() -> None:
    form = form_of(np.zeros(1, np.dtype([("v", "f8", (3, 2))], align=True)))
    number = {"type": "number", "bytesize": 8}
    assert form["items"]["properties"]["v"] == {"type": "tuple", "items": number, "identical": True, "shape": [3, 2]}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=4) | ARRAYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def normal(value: Any) -> Any:
    """What is to come back, in a form that can be compared."""
    if isinstance(value, dict):
        return {key: normal(child) for key, child in value.items()}
    if isinstance(value, list):
        return [normal(child) for child in value]
    if isinstance(value, bytes):
        return (f"|S{len(value)}", (), value)
    if isinstance(value, np.ndarray | np.generic):
        return (str(value.dtype), np.shape(value), bytes(raw(value)))
    return (type(value), value)


@given(st.lists(VALUES, min_size=1, max_size=3), st.binary(max_size=3))
def test_a_container_comes_back(values: list[Any], leaf: bytes) -> None:
    value = [*values, leaf]
    assert normal(deserialize(written(value))) == normal(value)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    value = {**value, "leaf": b"x"}
    backwards = dict(reversed(value.items()))
    assert written(value) == written(backwards)
    assert list(deserialize(written(value))) == sorted(value)


def test_dicts_with_other_orders_of_keys_are_alike() -> None:
    one, other = {"a": 1, "b": np.zeros(1)}, {"b": np.ones(1), "a": 2}
    assert form_of([one, other])["identical"] is True
    assert deserialize(written([one, other]))[1]["b"] == 1


def test_keys_that_are_no_strings_become_strings_as_in_json() -> None:
    array = np.arange(2)
    back = deserialize(written({10: array, 9: b"a", 1.5: None, True: 2}))
    assert {key: type(value).__name__ for key, value in back.items()} == {
        "1.5": "NoneType",
        "10": "ndarray",
        "9": "ndarray",
        "true": "int",
    }
    assert is_same(back["10"], array)
    for keys in ({1: array, "b": 2}, {(1, 2): array}, {b"a": array}, {float("nan"): 1, -float("nan"): array}):
        with pytest.raises(TypeError, match="key"):
            serialize(keys)


def test_checksums_and_tuples_inside_containers() -> None:
    back = deserialize(written((Checksum(HEX), (1, b"x"))))
    assert back[0] == HEX
    assert back[1][0] == 1
    assert isinstance(back[1], list)


def test_a_container_written_in_another_order_of_keys_is_read() -> None:
    """The original wrote keys as they came, and the leaves in the order of the sorted keys."""
    form = {
        "type": "object",
        "properties": {
            name: {
                "type": "array",
                "items": {"type": "integer", "bytesize": 1, "unsigned": True},
                "identical": True,
                "shape": [1],
                "contiguous": True,
                "storage": "pure-binary",
            }
            for name in "zam"
        },
    }
    encoded, body = json.dumps(form).encode(), b'[[0, 1, 2, 3], {"z": 0, "a": 0, "m": 0}]'
    buffer = (
        b"\x94SEAMLESS-MIXED\x0bmixed-plain"
        + struct.pack("<I", len(encoded))
        + encoded
        + b"\x93SEAMLESS"
        + struct.pack("<QQ", len(body), 3)
        + body
        + b"\2\3\1"
    )
    assert {key: array.tolist() for key, array in deserialize(buffer).items()} == {"z": [1], "a": [2], "m": [3]}
