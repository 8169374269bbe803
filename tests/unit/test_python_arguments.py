"""Arguments and their celltypes: what the call refuses, and what only shows when it is run."""

from __future__ import annotations

import pytest

from seamless.transformer import Transformation, delayed

CHECKSUM = "a" * 64


def taking(celltype: str):  # type: ignore[no-untyped-def]
    transformer = delayed(lambda x: x)
    transformer.celltypes.x = celltype
    return transformer


@pytest.mark.parametrize(
    ("celltype", "value", "says"),
    [
        ("binary", None, "arrays of object cannot be stored"),
        ("folder", 1, "a directory is its path, or a dict of paths and bytes, not int"),
        ("int", "x", "invalid literal"),
    ],
)
def test_what_a_function_cannot_be_given(celltype: str, value: object, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^argument 'x': .*{says}"):
        taking(celltype)(value)


@pytest.mark.parametrize(
    ("celltype", "value"),
    [
        ("binary", b"1"),
        ("binary", b"abc"),
        ("binary", 1),
        ("deepcell", {"a": 1}),
        ("folder", {"a": CHECKSUM}),
        ("module", {"code": "x = 1"}),
        ("python", "x ="),
    ],
)
def test_only_its_buffer_is_made(celltype: str, value: object) -> None:
    """What is no value of the celltype is found by who reads it: an identity asks for its bytes only."""
    assert taking(celltype)(value).status == "Status: ready"


def test_transformations_are_made_by_calls() -> None:
    for given, named in (((), {}), ((lambda x: x, {}, {}, None), {}), ((), {"definition": None})):
        with pytest.raises(TypeError, match=r"^a Transformation is made by calling a delayed function"):
            Transformation(*given, **named)
