"""Celltypes: what JSON, text and bytes a value becomes, what is refused, and what comes back."""

from __future__ import annotations

import collections
import enum
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless.transformer.celltypes import CELLTYPES, Pieces, celltype_named, deserialize, serialize
from seamless.transformer.celltypes.pieces import LARGE_BYTES, gather, in_one
from seamless.transformer.checksum import Checksum

HEX = "0123456789abcdef" * 4
Point = collections.namedtuple("Point", "x y")
NAN, INFINITY = float("nan"), float("inf")

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


# -- names --------------------------------------------------------------------------------------
def test_every_celltype_has_its_name() -> None:
    expected = "mixed plain binary text python ipython yaml str int float bool bytes checksum"
    assert " ".join(CELLTYPES) == f"{expected} deepcell folder deepfolder module"
    assert [celltype_named(name) for name in CELLTYPES] == list(CELLTYPES)


@pytest.mark.parametrize(("kind", "name"), [(str, "str"), (int, "int"), (float, "float"), (bool, "bool")])
def test_python_types_are_names_too(kind: type, name: str) -> None:
    assert celltype_named(kind) == name
    assert serialize(1, kind) == serialize(1, name)


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        ("Plain", "unknown celltype 'Plain': did you mean 'plain'"),
        ("nonexistent", "choose one of mixed, plain"),
        (list, "not <class 'list'>"),
        (None, "not None"),
        (["plain"], "not \\['plain'\\]"),
    ],
)
def test_an_unknown_celltype_is_an_error_that_names_the_nearest(unknown: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        serialize(1, unknown)
    with pytest.raises(TypeError, match=message):
        deserialize(b"1\n", unknown)


def test_numpy_is_imported_when_the_first_array_is_met() -> None:
    program = """
import sys
from seamless.transformer.celltypes import serialize, deserialize
for value in (1, "é", 1e-7, None, [1, {"a": 2.5}], b"abc", {"a": b"abc"}):
    serialize(value)
for buffer in (b"1\\n", b"NaN\\n", b'{"a": [1]}'):
    deserialize(buffer)
assert "numpy" not in sys.modules
deserialize(serialize(b"abc"))
assert "numpy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# -- plain --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "buffer"),
    [
        ({}, "{}"),
        ([], "[]"),
        (None, "null"),
        ((1, Point(2, [3])), "[\n  1,\n  [\n    2,\n    [\n      3\n    ]\n  ]\n]"),
        ({"\U0001f600": 1, "\uffff": 2, "e": 3, "": 4}, '{\n  "": 4,\n  "e": 3,\n  "\uffff": 2,\n  "\U0001f600": 1\n}'),
        ("é \u2028\x7f\x01\n/", '"é \u2028\x7f\\u0001\\n/"'),
        ({"a": Checksum(HEX)}, f'{{\n  "a": "{HEX}"\n}}'),
        (2**64 - 1, "18446744073709551615"),
        (1e-5, "0.00001"),
        (1e-7, "1e-7"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1.5e300, "1.5e+300"),
        (-0.0, "-0.0"),
    ],
)
def test_plain_is_indented_sorted_json(value: object, buffer: str) -> None:
    assert serialize(value, "plain") == buffer.encode() + b"\n"


@pytest.mark.parametrize("celltype", ["plain", "checksum", "deepcell", "folder", "deepfolder", "module"])
@given(value=PLAIN)
def test_plain_values_come_back(celltype: str, value: object) -> None:
    assert deserialize(serialize(value, celltype), celltype) == value


@pytest.mark.parametrize(
    "value",
    [2**64, -(2**63) - 1, {1: 2}, {None: 1}, "\ud800", b"ab", bytearray(b"ab"), {1}, 1j, len, object(), [b"ab"]],
)
def test_plain_refuses_what_json_does_not_have(value: object) -> None:
    with pytest.raises(TypeError):
        serialize(value, "plain")


@pytest.mark.parametrize("value", [NAN, [None, INFINITY], {"a": (1, -INFINITY)}])
def test_plain_refuses_nan_instead_of_writing_null(value: object) -> None:
    with pytest.raises(ValueError, match="use celltype mixed"):
        serialize(value, "plain")


def test_a_missing_value_is_no_nan() -> None:
    assert serialize([None, 1.5, "null"], "plain") == b'[\n  null,\n  1.5,\n  "null"\n]\n'


@pytest.mark.parametrize(
    "buffer", [b"", b"\n", b"NaN", b"-Infinity", b"007", b"[1,]", b"\xe9", b"1\n2\n", b"\xef\xbb\xbf1"]
)
def test_what_is_no_json_is_an_error_that_can_be_raised_anew(buffer: bytes) -> None:
    with pytest.raises(ValueError, match="no buffer of celltype plain") as caught:
        deserialize(buffer, "plain")
    # Not a class of error whose constructor wants more than a message.
    assert caught.type is ValueError


@pytest.mark.parametrize("buffer", [HEX.encode(), f"{HEX}\n".encode(), f'"{HEX}"\n'.encode(), HEX.upper().encode()])
def test_a_checksum_may_stand_bare(buffer: bytes) -> None:
    assert deserialize(buffer, "checksum") == HEX


# -- scalars ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("celltype", "value", "buffer", "back"),
    [
        ("str", 1.0, '"1.0"', "1.0"),
        ("str", True, "true", "True"),
        ("str", None, '"None"', "None"),
        ("str", b"ab", "\"b'ab'\"", "b'ab'"),
        ("str", "é\n", '"é\\n"', "é\n"),
        ("int", "12", "12", 12),
        ("int", b"12", "12", 12),
        ("int", 3.9, "3", 3),
        ("int", True, "1", 1),
        ("int", 2**63, "9223372036854775808", 2**63),
        ("float", "12", "12.0", 12.0),
        ("float", 10**30, "1e+30", 1e30),
        ("float", 1e-7, "1e-7", 1e-7),
        ("bool", "false", "true", True),
        ("bool", b"", "false", False),
        ("bool", NAN, "true", True),
    ],
)
def test_scalars_are_converted(celltype: str, value: object, buffer: str, back: object) -> None:
    written = serialize(value, celltype)
    assert (written, deserialize(in_one(written), celltype)) == (buffer.encode() + b"\n", back)


@pytest.mark.parametrize(
    ("celltype", "value"),
    [("int", "1.5"), ("int", None), ("int", 2**64), ("int", INFINITY), ("int", b"\xff"), ("float", "x"), ("float", "")],
)
def test_what_cannot_be_converted_is_an_error(celltype: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        serialize(value, celltype)


@pytest.mark.parametrize("value", [NAN, "inf", -INFINITY])
def test_a_float_that_json_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="use celltype mixed"):
        serialize(value, "float")


@pytest.mark.parametrize(
    ("celltype", "buffer", "value"),
    [
        ("int", b"1e3\n", 1000),
        ("int", b"true\n", True),
        ("int", b'"12"', 12),
        ("int", b" 18446744073709551617 ", 2**64 + 1),
        ("float", b" 12 \n", 12.0),
        ("str", b"null\n", "None"),
        ("str", b"[\n  1\n]\n", "[1]"),
        ("bool", b'"abc"', True),
        ("bool", b"null", False),
    ],
)
def test_scalars_are_read_from_any_json(celltype: str, buffer: bytes, value: object) -> None:
    read = deserialize(buffer, celltype)
    assert (read, type(read)) == (value, type(value))


# -- text and bytes -----------------------------------------------------------------------------
@pytest.mark.parametrize("celltype", ["text", "python", "ipython", "yaml"])
def test_text_ends_with_one_newline(celltype: str) -> None:
    assert serialize("\n x\r\n\n\n", celltype) == b"\n x\r\n"
    assert serialize(b"ab\n\n", celltype) == b"ab\n"
    assert serialize([1, "é"], celltype) == "[1, 'é']\n".encode()


@given(st.text())
def test_text_comes_back_without_its_final_newlines(text: str) -> None:
    assert deserialize(serialize(text, "text"), "text") == text.rstrip("\n")


@pytest.mark.parametrize(
    ("celltype", "text"),
    [
        ("python", "x = ("),
        ("python", " 12"),
        ("python", "007"),
        ("python", "a\0b"),
        ("yaml", '{"a": '),
        ("yaml", "*x"),
        ("yaml", "\1"),
    ],
)
def test_code_is_checked_when_it_is_read(celltype: str, text: str) -> None:
    buffer = in_one(serialize(text, celltype))
    with pytest.raises(ValueError, match=r"^no "):
        deserialize(buffer, celltype)


@pytest.mark.parametrize(
    ("celltype", "text"),
    [
        ("python", "def f(x):\n    return x"),
        ("python", "x = '\\d'"),
        ("ipython", "%time x"),
        ("yaml", "a: 1\nb: [x, y]"),
    ],
)
def test_code_that_can_be_read_comes_back_as_text(celltype: str, text: str) -> None:
    assert deserialize(serialize(text, celltype), celltype) == text


class Thing:
    """Has no text of its own."""


@pytest.mark.parametrize("celltype", ["text", "str", "bytes"])
@pytest.mark.parametrize("value", [Thing(), [Thing()], (i for i in [1]), {"a", "b"}, [{1, 2}]])
def test_what_has_another_text_in_each_process_is_refused(celltype: str, value: object) -> None:
    with pytest.raises(TypeError, match="convert it to text yourself"):
        serialize(value, celltype)


def test_text_that_is_not_utf_8_is_an_error() -> None:
    for function, value in ((serialize, "\ud800"), (serialize, b"\xff"), (deserialize, b"\xff")):
        with pytest.raises(ValueError, match="celltype text"):
            function(value, "text")  # type: ignore[operator]


@given(st.binary())
def test_bytes_come_back_as_they_are(value: bytes) -> None:
    assert serialize(value, "bytes") == value
    read = deserialize(memoryview(value), "bytes")
    assert (read, type(read)) == (value, bytes)


@pytest.mark.parametrize(
    ("value", "buffer"),
    [
        ("abc\n\n", b"abc"),
        (1.5, b"1.5"),
        ([1, "a"], b"[1, 'a']"),
        (bytearray(b"a\0"), b"a\0"),
        (memoryview(b"ab"), b"ab"),
    ],
)
def test_other_values_have_bytes_too(value: object, buffer: bytes) -> None:
    assert serialize(value, "bytes") == buffer


# -- mixed, as far as it is JSON ------------------------------------------------------------------
STRANGE_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["\x7f", "null", "NaN", "e-7", " 0.00001"]
)
FLOATS = (
    st.floats() | st.floats(-1e-3, 1e-3) | st.sampled_from([1e-4, 9.9e-5, 1e-5, 1e-9, 1e-10, 1e16, 9999999999999998.0])
)
MIXED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS | STRANGE_TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(STRANGE_TEXT, inner, max_size=4)
        | st.dictionaries(st.integers() | st.booleans() | st.floats(allow_nan=False), inner, max_size=3)
    ),
    max_leaves=12,
)


def as_python_writes(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


@given(MIXED)
def test_mixed_is_written_and_read_as_pythons_json_does(value: object) -> None:
    buffer = as_python_writes(value)
    assert serialize(value) == buffer
    # Compared as text, because nan equals nothing and True equals 1.
    assert repr(deserialize(buffer)) == repr(json.loads(buffer))


@given(MIXED)
def test_other_spellings_of_json_are_read_as_pythons_json_does(value: object) -> None:
    buffer = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    assert repr(deserialize(buffer)) == repr(json.loads(buffer))


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    """A string of another class."""


@pytest.mark.parametrize("value", [Level.HIGH, [Level.HIGH], Text("x"), {"p": Point(1, [Text("x")])}])
def test_subclasses_are_written_as_what_they_are(value: object) -> None:
    assert serialize(value) == as_python_writes(value)


class Color(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "value", [Color.RED, [Color.RED], {1}, 1j, object(), bytearray(b"a"), {(1, 2): 3}, {1: "a", "b": 2}, len, {b"a": 1}]
)
def test_mixed_refuses_other_types(value: object) -> None:
    with pytest.raises(TypeError):
        serialize(value)


def test_a_circle_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        serialize(circle)


def test_checksums_inside_become_strings() -> None:
    assert serialize({"a": [Checksum(HEX)]}) == as_python_writes({"a": [HEX]})


# -- pieces ---------------------------------------------------------------------------------------
@given(st.lists(st.sampled_from([b"", b"abc", b"x" * LARGE_BYTES, memoryview(b"y" * LARGE_BYTES), memoryview(b"z")])))
def test_pieces_are_the_same_bytes_and_large_parts_are_not_copied(parts: list[bytes | memoryview]) -> None:
    gathered = gather(parts)
    assert len(gathered) == sum(map(len, parts))
    assert bytes(in_one(gathered)) == b"".join(parts)
    kept = gathered.parts if isinstance(gathered, Pieces) else (gathered,)
    for part in parts:
        assert len(part) < LARGE_BYTES or any(part is other for other in kept)


def test_a_view_that_is_read_from_cannot_be_written_to() -> None:
    view = in_one(memoryview(bytearray(b"abc")))
    assert isinstance(view, memoryview)
    assert view.readonly
