"""Globals as the source of a module `main`: the text, and that it gives back what was put in."""

from __future__ import annotations

import base64
import json
import math
import os
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless.transformer.python.errors import NotAConstant
from seamless.transformer.python.globals import HEADER, main_module_text
from seamless.transformer.python.literals import literal
from seamless.transformer.python.modules import load
from seamless.transformer.python.source import code_text


def helper(x: int) -> int:
    # help
    return x * 100


def other(x: int) -> int:
    return x * 7


class Four:
    z = 4

    def m(self) -> int:
        return self.z


increment = lambda x: x + 1  # noqa: E731
HELPER = "def helper(x: int) -> int:\n    # help\n    return x * 100\n"
OTHER = "def other(x: int) -> int:\n    return x * 7\n"


@dataclass
class Transformer:
    """What is asked of an object of `direct` or `delayed`."""

    code: str
    mode: str = "delayed"
    language: str = "python"
    celltypes: dict[str, str] = field(default_factory=dict)
    args: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    globals: dict[str, Any] = field(default_factory=dict)


def main_of(values: dict[str, Any]) -> Any:
    """The module that the text makes."""
    return load("main", {"code": main_module_text(values), "language": "python", "type": "interpreted"})


# -- the text --------------------------------------------------------------------------------
def test_names_are_sorted_and_each_has_its_source() -> None:
    values = {"helper": helper, "CONST": 3, "B": {"k": (2,)}, "__dropped__": 1}
    assert main_module_text(values) == f"{HEADER}\nB = {{'k': (2,)}}\n\nCONST = 3\n\n{HELPER}"
    assert main_module_text(dict(reversed(values.items()))) == main_module_text(values)


def test_a_function_under_another_name_is_bound_twice() -> None:
    assert main_module_text({"helper": other}) == f"{HEADER}\n{OTHER}helper = other\n"
    assert main_of({"helper": other}).helper(1) == 7


def test_a_renamed_function_does_not_take_the_name_of_another_global() -> None:
    main = main_of({"other": helper, "zhelper": other, "helper": 5})
    assert (main.other(1), main.zhelper(1), main.helper) == (100, 7, 5)
    main = main_of({"other": helper, "helper": other})
    assert (main.other(1), main.helper(1)) == (100, 7)


def test_lambdas_and_classes() -> None:
    assert main_module_text({"K": increment}) == f"{HEADER}\nK = lambda x: x + 1\n"
    main = main_of({"K": increment, "Four": Four, "Other": Four})
    assert (main.K(1), main.Four().m(), main.Other().m()) == (2, 4, 4)


def test_what_comes_with_python_is_imported() -> None:
    values = {"root": math.sqrt, "int": int, "OrderedDict": OrderedDict, "dataclass": dataclass}
    assert "\nfrom math import sqrt as root\n" in main_module_text(values)
    main = main_of(values)
    assert (main.root(4), main.int, main.OrderedDict, main.dataclass) == (2.0, int, OrderedDict, dataclass)


# -- direct and delayed ----------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["direct", "delayed"])
def test_a_transformer_is_made_anew(mode: str) -> None:
    text = main_module_text(
        {"sub": Transformer(code_text(helper), mode), "inc": Transformer("lambda x: x + 1\n", mode)}
    )
    assert f"import {mode} as __{mode}__\n{HELPER}sub = __{mode}__(helper)\n" in text
    assert f"inc = __{mode}__(lambda x: x + 1)\n" in text
    compile(text, "main", "exec")


def test_a_transformer_given_as_text_stays_text() -> None:
    text = main_module_text({"a": Transformer("x + 1\n"), "b": Transformer("echo 1 > RESULT\n", language="bash")})
    assert "a = __delayed__('x + 1\\n')\n" in text
    assert "b = __delayed__('echo 1 > RESULT\\n', 'bash')\n" in text


def test_what_enters_the_identities_of_a_transformer_goes_with_it() -> None:
    inner = Transformer(code_text(other), "direct")
    module = {"code": "K = 1", "language": "python", "type": "interpreted"}
    sub = Transformer(
        code_text(helper), "delayed", "python", {"x": "text"}, {"x": 3}, {"m": module}, {"inner": inner, "C": 5}
    )
    text = main_module_text({"sub": sub, "other": 17})
    for line in (
        "sub = __delayed__(helper)",
        "inner = __direct__(other)",
        "C = 5",
        "sub.celltypes['x'] = 'text'",
        "sub.args['x'] = 3",
        f"sub.modules['m'] = {module!r}",
        "sub.globals['inner'] = inner",
        "sub.globals['C'] = C",
    ):
        assert f"{line}\n" in text
    assert text.rindex("def other") < text.index("other = 17\n")


# -- constants -------------------------------------------------------------------------------
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.frozensets(st.integers() | st.text(max_size=3)),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(PLAIN)
def test_constants_come_back(value: object) -> None:
    written = literal(value)
    again = eval(written)
    assert type(again) is type(value)
    assert literal(again) == written
    assert repr(again) == repr(value) or isinstance(value, frozenset | tuple | list | dict)
    if "float('nan')" not in written:
        assert again == value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.binary(), st.lists, max_leaves=6))
def test_constants_are_written_as_repr_writes_them(value: object) -> None:
    assert literal(value) == repr(value)


def test_sets_are_sorted() -> None:
    assert literal({10, 2, 1}) == "{1, 2, 10}"
    assert literal({"b", 1, "a"}) == "{1, 'a', 'b'}"
    assert literal([set(), frozenset()]) == "[set(), frozenset()]"


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    "value",
    [
        np.arange(3),
        np.float64(1.5),
        [1, {"k": np.int32(2)}],
        object(),
        Level.HIGH,
        namedtuple("Point", "x")(1),
        OrderedDict(a=1),
        open,
    ],
)
def test_other_values_are_refused_with_the_remedy(value: object) -> None:
    if value is open:
        assert main_of({"open": value}).open is open
        return
    with pytest.raises(NotAConstant, match=r"the global G cannot be kept.*pass it as an argument instead"):
        main_module_text({"G": value})


def test_modules_impossible_names_and_circles_are_refused() -> None:
    with pytest.raises(NotAConstant, match="the global np is a module: import it inside the function"):
        main_module_text({"np": np})
    with pytest.raises(NotAConstant, match="'a b' cannot be the name"):
        main_module_text({"a b": 1})
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(NotAConstant, match="contains itself"):
        main_module_text({"circle": circle})
    sub = Transformer(code_text(helper))
    sub.globals["sub"] = sub
    with pytest.raises(NotAConstant, match="the globals contain themselves"):
        main_module_text({"sub": sub})


# -- recorded --------------------------------------------------------------------------------
CONFORMANCE = os.environ.get("SEAMLESS_CONFORMANCE")


@pytest.mark.skipif(CONFORMANCE is None, reason="SEAMLESS_CONFORMANCE names no directory of recorded facts")
def test_recorded_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CONFORMANCE is not None
    monkeypatch.syspath_prepend(tmp_path)
    vectors = json.loads(Path(CONFORMANCE, "transformations.json").read_text())["vectors"]
    for one in vectors:
        if "globals" not in one or "docs_expect" in one:
            continue
        name = f"recorded_{one['id'].replace('-', '_')}"
        source = one["module"].replace("from seamless.transformer import delayed, direct", "delayed = direct = id")
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
        values = {key: eval(value, {"mod": __import__(name)}) for key, value in one["globals"].items()}
        recorded = json.loads(base64.b64decode(one["expect"]["pins"]["main"]["b64"]))
        assert main_module_text(values) == recorded["code"], one["id"]
