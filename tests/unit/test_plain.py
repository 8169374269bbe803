"""The `plain` form of JSON: one way to write a value, whatever strings it holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless.transformer import plain

TEXT = st.text(st.characters(exclude_categories=())) | st.binary(max_size=9).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_the_form_is_indented_sorted_and_ends_with_a_newline() -> None:
    assert plain.dump({"b": 1, "a": ["é", None]}) == '{\n  "a": [\n    "é",\n    null\n  ],\n  "b": 1\n}\n'.encode()


@given(VALUES)
def test_every_value_comes_back_lone_surrogates_too(value: object) -> None:
    assert plain.load(plain.dump(value)) == value


@given(st.dictionaries(TEXT, st.integers(), max_size=6))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))
    assert plain.dump(value) == plain.dump(backwards)


def test_a_name_that_is_not_utf_8_is_written_as_an_escape() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert plain.dump(name) == b'"caf\\udce9"\n'
    assert plain.load(b'"caf\\udce9"\n') == name


def test_what_is_not_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        plain.load(b"{")
    with pytest.raises(json.JSONDecodeError):
        plain.load(b"")
