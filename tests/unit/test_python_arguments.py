"""Arguments that are no values of their celltype: the call says so."""

from __future__ import annotations

import math
import textwrap

import pytest

from seamless.transformer import Transformation, delayed

CHECKSUM = "a" * 64
ARRAY = b"\x93NUMPY\x01\x00"


def taking(celltype: str):  # type: ignore[no-untyped-def]
    transformer = delayed(lambda x: x)
    transformer.celltypes.x = celltype
    return transformer


@pytest.mark.parametrize(
    ("celltype", "value", "says"),
    [
        ("binary", b"1", "these bytes are no array: use celltype bytes, or mixed for JSON"),
        ("binary", b'{"a": 1}', "these bytes are no array"),
        ("binary", ARRAY, "damaged npy buffer"),
        ("binary", None, "arrays of object cannot be stored"),
        ("deepcell", 1, "a deepcell is a dict of checksums, not int"),
        ("deepcell", None, "a deepcell is a dict of checksums, not NoneType"),
        ("deepcell", CHECKSUM, "a deepcell is a dict of checksums, not str"),
        ("folder", 1, "a directory is its path, or a dict of paths and bytes, not int"),
        ("python", "x =", "no Python code: invalid syntax"),
        ("int", "x", "invalid literal"),
        ("module", 1, r"a module is no argument of a function: declare it with \.modules\.x"),
    ],
)
def test_what_a_function_cannot_be_given(celltype: str, value: object, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^argument 'x': .*{says}"):
        taking(celltype)(value)


@pytest.mark.parametrize(
    ("celltype", "value"),
    [
        ("binary", b"abc"),
        ("binary", 1),
        ("deepcell", {"a": CHECKSUM, "b": [CHECKSUM]}),
        # Known to be wrong only by who runs it: what it is called is recorded.
        ("deepcell", {"a": 1}),
        ("folder", {"a": CHECKSUM}),
        ("python", "x = 1"),
    ],
)
def test_what_it_can_be_given(celltype: str, value: object) -> None:
    assert taking(celltype)(value).status == "Status: ready"


def test_modules_of_text() -> None:
    code = delayed("import x; result = x.dedent('  a')")
    code.celltypes.x = "module"
    assert code(x=textwrap).status == "Status: ready"
    for value in (1, {}, {"code": "x = 1"}, math):
        with pytest.raises(TypeError, match=r"^argument 'x': .*module"):
            code(x=value)


def test_bash_takes_bytes_as_they_are() -> None:
    code = delayed("cat x > RESULT", language="bash")
    code.celltypes.x = "binary"
    assert code(x=b"1").status == "Status: ready"


def test_transformations_are_made_by_calls() -> None:
    for given, named in (((), {}), ((lambda x: x, {}, {}, None), {}), ((), {"definition": None})):
        with pytest.raises(TypeError, match=r"^a Transformation is made by calling a delayed function"):
            Transformation(*given, **named)
