"""Arrays: alone as npy, and what is kept of them."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from arraycases import ARRAYS, PADDED, SIMPLE, Array, is_same, written
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seamless.transformer.celltypes import Pieces, deserialize, serialize
from seamless.transformer.celltypes.arrays import raw


def orders(array: Array) -> st.SearchStrategy[Array]:
    """The same values, otherwise laid out; or every second of them, from behind."""
    return st.sampled_from([array, np.asfortranarray(array), array.T, *([array[::-2]] if array.ndim else [])])


def as_numpy_writes(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


# -- npy ------------------------------------------------------------------------------------------
@given(hnp.arrays(SIMPLE, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=12)).flatmap(orders))
def test_an_array_is_written_as_numpy_does(array: Array) -> None:
    assert written(array) == written(array, "binary") == as_numpy_writes(array)


# NumPy warns where it takes another version for a header that is too long.
@pytest.mark.filterwarnings("ignore:Stored array in format 2.0")
@pytest.mark.parametrize("fields", [1, 50, 4000])
def test_the_header_of_records_is_numpys_whatever_its_length(fields: int) -> None:
    dtype = np.dtype([(f"name{number}", "i4") for number in range(fields)], align=True)
    array = np.zeros(1, dtype)
    assert written(array) == as_numpy_writes(array)


def test_names_that_are_not_latin_are_written_in_version_3() -> None:
    array = np.ones(2, np.dtype([("中", "f8")], align=True))
    buffer = written(array)
    assert buffer[6:8] == b"\3\0"
    assert is_same(np.load(io.BytesIO(buffer)), array)
    assert is_same(deserialize(buffer), array)


@given(ARRAYS.flatmap(orders))
def test_an_array_comes_back_and_is_the_same_buffer_again(array: Array) -> None:
    buffer = written(array, "binary")
    value = deserialize(buffer, "binary")
    assert is_same(value, array)
    assert written(value, "binary") == buffer


def test_c_and_fortran_order_are_kept_and_strides_are_not() -> None:
    array = np.arange(6).reshape(2, 3)
    assert deserialize(written(array)).flags.c_contiguous
    assert deserialize(written(array.T)).flags.f_contiguous
    assert written(array.T) != written(np.ascontiguousarray(array.T))
    assert written(array[:, ::2]) == written(np.ascontiguousarray(array[:, ::2]))


@pytest.mark.parametrize("shape", [(300, 300), (1, 90_000), (90_000,)])
def test_a_large_array_lends_its_memory(shape: tuple[int, ...]) -> None:
    array = np.arange(90_000.0).reshape(shape)
    for ordered in (array, array.T):
        content = serialize(ordered)
        assert isinstance(content, Pieces)
        assert len(content.parts) == 2
        assert np.shares_memory(np.frombuffer(content.parts[1], "u1"), array)
    container = serialize({"x": array, "y": array, "n": 1})
    assert isinstance(container, Pieces)
    assert [np.shares_memory(np.frombuffer(part, "u1"), array) for part in container.parts] == [False, True, True]


def test_an_array_from_a_buffer_is_a_read_only_view() -> None:
    buffer = written(np.arange(10))
    for content in (buffer, memoryview(bytearray(buffer))):
        value = deserialize(content)
        assert np.shares_memory(value, np.frombuffer(content, "u1"))
        with pytest.raises(ValueError, match="read-only"):
            value[0] = 1
    inner = deserialize(written(["odd", np.arange(10.0), b"x", np.ones(3, PADDED)]))
    assert [array.flags.writeable for array in inner[1:]] == [False, False, False]
    assert inner[1].flags.aligned


@pytest.mark.parametrize(
    "value", [np.int64(5), np.float32(0.1), np.bool_(True), np.complex64(1j), np.datetime64(5, "s")]
)
def test_an_array_without_dimensions_comes_back_as_a_scalar(value: np.generic) -> None:
    back = deserialize(written(np.array(value)))
    assert (back, type(back)) == (value, type(value))


def test_a_record_comes_back_as_a_record() -> None:
    record = np.array([(1, 2.5)], PADDED)[0]
    back = deserialize(written(record))
    assert isinstance(back, np.void)
    assert back.item() == (1, 2.5)


@pytest.mark.parametrize(
    ("celltype", "value", "dtype"),
    [
        ("binary", [1, 2.5], "f8"),
        ("binary", [True], "?"),
        ("binary", ["ab", "c"], "<U2"),
        ("binary", bytearray(b"ab"), "u1"),
    ],
)
def test_binary_takes_what_numpy_makes_an_array_of(celltype: str, value: object, dtype: str) -> None:
    assert is_same(deserialize(written(value, celltype), celltype), np.array(value, dtype))


@pytest.mark.parametrize("value", [[[1, 2], [3]], [1, None], {"a": 1}, 2**70, object()])
def test_binary_refuses_what_numpy_has_no_numbers_for(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        serialize(value, "binary")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([None]), "cannot be stored"),
        (np.zeros(1, "V4"), "cannot be stored"),
        (np.zeros(1, ">f8"), "convert with array.astype"),
        (np.zeros(1, [("a", "i1"), ("b", "f8")]), "align=True"),
        (np.zeros(1, np.dtype([("a", ">i4")], align=True)), "big-endian"),
        (np.zeros(1, np.dtype([("a", "O")], align=True)), "cannot be stored"),
        (np.zeros(1, []), "align=True"),
        (np.ma.array([1, 2], mask=[0, 1]), "masked array"),
    ],
)
@pytest.mark.parametrize("celltype", ["binary", "mixed"])
def test_arrays_that_would_not_come_back_the_same_are_refused(array: Array, message: str, celltype: str) -> None:
    with pytest.raises(TypeError, match=message):
        serialize(array, celltype)
    if celltype == "mixed":
        with pytest.raises(TypeError, match=message):
            serialize({"a": array}, celltype)


@pytest.mark.parametrize("celltype", ["binary", "bytes"])
def test_a_masked_array_is_refused_wherever_its_mask_would_be_lost(celltype: str) -> None:
    masked = np.ma.array([1, 2], mask=[0, 1])
    for value in (masked, *([[masked, masked]] if celltype == "binary" else [])):
        with pytest.raises(TypeError, match="masked"):
            serialize(value, celltype)


# -- what is kept ---------------------------------------------------------------------------------
@pytest.mark.parametrize("celltype", ["binary", "mixed", "bytes"])
def test_padding_is_zero_whatever_the_memory_held(celltype: str) -> None:
    dirty, clean = np.full(48, 255, "u1").view(PADDED), np.zeros(3, PADDED)
    for array in (dirty, clean):
        array["a"], array["b"] = 1, 2.5
    assert dirty.tobytes() != clean.tobytes()
    assert written(dirty, celltype) == written(clean, celltype)
    nested = np.dtype([("v", PADDED, (2,)), ("n", "i1")], align=True)
    dirty = np.full(nested.itemsize, 255, "u1").view(nested)
    dirty["v"] = np.zeros(2, PADDED)
    assert raw(dirty)[-8:] == b"\xff" + bytes(7)


def test_padding_of_long_doubles_is_zero() -> None:
    for dtype in ("longdouble", "clongdouble"):
        dirty = np.full(np.dtype(dtype).itemsize * 2, 255, "u1").view(dtype)
        dirty[:] = 1
        assert written(dirty) == written(np.ones(2, dtype))
        assert is_same(deserialize(written(dirty)), np.ones(2, dtype))


@pytest.mark.parametrize("value", [b"", b"\0", b"a\0", b"a\0\0", b"abc"])
def test_bytes_keep_their_final_nuls(value: bytes) -> None:
    for back in (deserialize(written(value)), deserialize(written({"x": [1, value]}))["x"][1]):
        assert back.dtype == f"S{len(value)}" or not value
        assert back.tobytes() == value
    assert deserialize(written(value)).shape == ()


def test_no_two_byte_strings_are_the_same_buffer() -> None:
    values = [b"", b"\0", b"\0\0", b"a", b"a\0"]
    assert len({written(value) for value in values}) == len({written([value]) for value in values}) == len(values)


def test_strings_keep_all_elements_and_characters() -> None:
    array = np.array([["ab", "c\0\U0001f600"]])
    assert is_same(deserialize(written(array)), array)
    assert is_same(deserialize(written({"a": array}))["a"], array)
    assert deserialize(written("abc", "binary"), "binary").item() == "abc"


@pytest.mark.parametrize("dtype", ["c8", "c16", "M8[s]", "m8[25us]", "M8[D]", "M8", "m8"])
def test_complex_numbers_and_times_come_back(dtype: str) -> None:
    array = np.arange(3).astype(dtype)
    assert is_same(deserialize(written(array)), array)
    assert is_same(deserialize(written({"a": array}))["a"], array)


def test_records_come_back_in_a_layout_that_can_be_written_again() -> None:
    packed = np.ones(2, [("a", "i1"), ("b", "f8")])
    value = deserialize(as_numpy_writes(packed))
    assert value.dtype == PADDED
    assert value.tolist() == packed.tolist()
    assert written(value) == written(packed.astype(PADDED))


@pytest.mark.parametrize(
    ("value", "buffer"),
    [
        (np.int8(1), b"1\n"),
        (np.uint64(2**63), b"9223372036854775808\n"),
        (np.float64(0.1), b"0.1\n"),
        (np.float32(0.1), b"0.10000000149011612\n"),
        (np.float64("nan"), b"NaN\n"),
        (np.longdouble(1.5), b"1.5\n"),
        (np.str_("é"), b'"\\u00e9"\n'),
        ({"a": [np.int16(3), np.float16(0.5)]}, b'{\n  "a": [\n    3,\n    0.5\n  ]\n}\n'),
    ],
)
def test_numbers_of_numpy_are_numbers(value: object, buffer: bytes) -> None:
    assert written(value) == buffer


@pytest.mark.parametrize("value", [np.bool_(True), np.complex64(1j), np.datetime64(1, "s"), np.timedelta64(1, "s")])
def test_other_scalars_of_numpy_are_refused(value: object) -> None:
    for nested in (value, [value], {"a": value, "b": np.zeros(1)}):
        with pytest.raises(TypeError, match="convert it"):
            serialize(nested)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="long doubles are doubles here")
def test_a_long_double_is_not_rounded() -> None:
    with pytest.raises(TypeError, match="array of one element"):
        serialize(np.longdouble(1) / 3)


@pytest.mark.parametrize("celltype", ["text", "str", "yaml"])
def test_an_array_has_no_text(celltype: str) -> None:
    for value in (np.arange(3), {"a": [np.arange(3)]}):
        with pytest.raises(TypeError, match="convert it to text yourself"):
            serialize(value, celltype)


def test_the_bytes_of_an_array_are_its_memory_in_c_order() -> None:
    array = np.arange(6, dtype=">i2").reshape(2, 3)
    assert written(np.asfortranarray(array), "bytes") == array.tobytes()
    assert written(np.float32(1.5), "bytes") == struct.pack("<f", 1.5)
    with pytest.raises(TypeError, match="addresses"):
        serialize(np.array([None]), "bytes")


# -- what is read ---------------------------------------------------------------------------------
@pytest.mark.parametrize("buffer", [b"abc", b"\nabc\n\n", b"[1,]", b"007\n", b"\xef\xbb\xbf12", b""])
@pytest.mark.parametrize("celltype", ["mixed", "binary"])
def test_text_that_is_no_json_is_read_as_bytes(buffer: bytes, celltype: str) -> None:
    value = deserialize(buffer, celltype)
    assert (value.dtype.kind, value.shape, value.item()) == ("S", (), buffer)


@pytest.mark.parametrize("buffer", [b'"abc"', b"12\n", b"NaN\n", written({"a": np.zeros(1)})])
def test_binary_does_not_read_other_values(buffer: bytes) -> None:
    with pytest.raises(TypeError, match="holds no array"):
        deserialize(buffer, "binary")


@pytest.mark.parametrize("celltype", ["mixed", "binary"])
def test_other_bytes_are_an_error(celltype: str) -> None:
    with pytest.raises(ValueError, match="utf-8"):
        deserialize(b"\xe9\n", celltype)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy_is_read(version: tuple[int, int]) -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.arange(3), version=version)
    assert is_same(deserialize(file.getvalue()), np.arange(3))


@pytest.mark.parametrize("value", [np.arange(3), {"a": np.arange(3), "b": [b"xy", 1]}])
def test_a_damaged_buffer_is_an_error_and_never_another(value: object) -> None:
    buffer = written(value)
    for length in range(7, len(buffer)):
        with pytest.raises((ValueError, TypeError)):
            deserialize(buffer[:length], "binary" if isinstance(value, np.ndarray) else "mixed")


@given(st.data())
def test_a_changed_byte_gives_a_value_or_a_plain_error(data: st.DataObject) -> None:
    buffer = bytearray(written({"a": np.arange(2, dtype="i2"), "b": [b"xy", {"c": np.ones(1, PADDED)}]}))
    buffer[data.draw(st.integers(0, len(buffer) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError, TypeError):
        deserialize(bytes(buffer))


def test_python_objects_are_not_read() -> None:
    file = io.BytesIO()
    np.save(file, np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match="objects"):
        deserialize(file.getvalue())
