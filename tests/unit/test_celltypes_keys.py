"""Keys of dicts that have no form in JSON."""

from __future__ import annotations

import pytest

from seamless.transformer.celltypes import serialize


@pytest.mark.parametrize("celltype", ["mixed", "plain"])
@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, 5: 2},
        {5: 2, "a": None},
        [{"k": {"a": 1, 5: 2}}],
        {"a": 1, None: 2},
        {(1, 2): 3},
        {b"a": 1},
        {"a": b"1", 5: 2},
    ],
)
def test_keys_that_json_does_not_have_are_named(value: object, celltype: str) -> None:
    with pytest.raises(
        TypeError, match=r"the keys? .*(5 \(int\)|None \(NoneType\)|\(1, 2\) \(tuple\)|b'a' \(bytes\))"
    ) as caught:
        serialize(value, celltype)
    assert caught.value.__suppress_context__
    assert "<" not in str(caught.value)


def test_other_errors_are_not_put_down_to_keys() -> None:
    circle: list[object] = [{"a": 1}, object()]
    circle.append(circle)
    for celltype in ("mixed", "plain"):
        with pytest.raises(TypeError, match=r"^(?!.*key)"):
            serialize([{"a": 1, "b": [object()]}], celltype)
        with pytest.raises((TypeError, ValueError, RecursionError)):
            serialize(circle, celltype)
