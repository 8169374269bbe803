"""Binding a call to keys, and calling a function with what comes back under them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless.transformer import specification
from seamless.transformer.python.namespace import prepare
from seamless.transformer.python.pins import (
    RESERVED,
    argument_key,
    argument_name,
    globals_key,
    module_key,
    module_name,
    star_index,
    star_key,
)
from seamless.transformer.python.signature import Keywords, Parameters

ORDINARY = "def f(a, b=10, *, c=3):\n    return [a, b, c]\n"
SIGNATURES = [
    ORDINARY,
    "def f(a, /, b):\n    return [a, b]\n",
    "def f(a=1, b=2, /, c=3):\n    return [a, b, c]\n",
    "def f(*args):\n    return list(args)\n",
    "def f(a, *args, k=1, **kw):\n    return [a, *args, k, kw]\n",
    "def f(a, b=5, *code, **result):\n    return [a, b, *code, result]\n",
    "def f(a, /, **kw):\n    return [a, kw]\n",
    "def f(code, result=2, *, __x=3, a_SCHEMA=4, main=5):\n    return [code, result, __x, a_SCHEMA, main]\n",
    "def f(code, /, **code_):\n    return [code, code_]\n",
    "def f():\n    return []\n",
    "lambda a, *b, c=1, **d: [a, b, c, d]\n",
]


def function(text: str) -> Any:
    if text.startswith("lambda"):
        return eval(text)
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    return namespace["f"]


NAMES = st.sampled_from(["a", "b", "c", "k", "code", "result", "__x", "a_SCHEMA", "main", "./code", "*args[0]", "x.y"])


@given(
    st.sampled_from(SIGNATURES),
    st.lists(st.integers(), max_size=12),
    st.dictionaries(NAMES, st.integers(), max_size=4),
)
def test_a_call_goes_through_its_keys_unchanged_or_fails_as_python_does(
    text: str, args: list[int], kwargs: dict[str, int]
) -> None:
    parameters = Parameters(function(text))
    try:
        expected = function(text)(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            parameters.bind(args, kwargs)
        return
    # A transformation is kept with sorted keys.
    pins = dict(sorted(parameters.bind(args, kwargs).items()))
    assert prepare(text).run(pins) == expected
    assert not {"code", "result"} & pins.keys()
    assert not any(key.startswith("__") for key in pins)


def test_only_what_is_given_is_bound() -> None:
    bind = Parameters(function(ORDINARY)).bind
    assert bind((1,), {}) == {"a": 1}
    assert bind((1, 10), {"c": 3}) == bind((), {"a": 1, "b": 10, "c": 3}) == {"a": 1, "b": 10, "c": 3}


def test_what_was_bound_before_counts_and_gives_way() -> None:
    bind = Parameters(function(ORDINARY)).bind
    assert bind((), {}, {"a": 1, "b": 3}) == {"a": 1, "b": 3}
    assert bind((2, 4), {}, {"b": 3}) == {"a": 2, "b": 4}
    assert bind((2,), {"b": 4}, {"a": 1, "b": 3, "c": 9}) == {"a": 2, "b": 4, "c": 9}
    gap = "def f(a=1, b=2, /):\n    return [a, b]\n"
    assert prepare(gap).run(Parameters(function(gap)).bind((), {}, {"b": 7})) == [1, 7]


def test_keys_of_unusual_parameters() -> None:
    bind = Parameters(function("def f(code, /, *args, **kw): pass")).bind
    assert bind((1, 2, 3), {"code": 4, "z": 5, "__z": 6}) == {
        "./code": 1,
        "*args[0]": 2,
        "*args[1]": 3,
        "**code": 4,
        "z": 5,
        "./__z": 6,
    }


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((1, 2, 3), {}, r"f\(\) takes 2 positional arguments but 3 were given"),
        ((), {}, r"f\(\) missing 1 required argument: 'a'"),
        ((1,), {"a": 2}, r"f\(\) got multiple values for argument 'a'"),
        ((1,), {"z": 2}, r"f\(\) got an unexpected keyword argument 'z'"),
    ],
)
def test_a_wrong_call_is_refused_in_pythons_words(args: Any, kwargs: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Parameters(function(ORDINARY)).bind(args, kwargs)


def test_a_positional_only_parameter_is_no_keyword() -> None:
    with pytest.raises(TypeError, match="positional-only argument 'a' passed as keyword"):
        Parameters(function("def f(a, /, b): pass")).bind((), {"a": 1, "b": 2})


def test_parameters_that_can_be_bound_by_name() -> None:
    ordinary, anything = Parameters(function(ORDINARY)), Parameters(function("def f(*a, **k): pass"))
    assert [ordinary.accepts(name) for name in "abcd"] == [True, True, True, False]
    assert [anything.accepts(name) for name in "akz"] == [False, False, True]


def test_a_text_takes_keywords_only() -> None:
    assert Keywords().bind((), {"a": 1, "code": 2}, {"b": 3}) == {"b": 3, "a": 1, "./code": 2}
    with pytest.raises(TypeError, match="no signature: pass its arguments by keyword"):
        Keywords().bind((1,), {})


def test_a_wrapped_function_has_the_parameters_of_what_it_wraps() -> None:
    import functools

    @functools.wraps(function(ORDINARY))
    def wrapper(*args: Any) -> None:
        """Something else."""

    assert Parameters(wrapper).bind((1,), {}) == {"a": 1}


@given(st.text(max_size=12))
def test_every_name_comes_back_from_its_key(name: str) -> None:
    assert argument_name(argument_key(name)) == name
    assert star_index(argument_key(name)) is None
    if name.isidentifier():
        assert argument_name(star_key(name, 12)) == name
        assert star_index(star_key(name, 12)) == 12
        assert module_name(module_key(name, ())) == name
        assert module_name(module_key(name, {name})) == name


def test_ordinary_names_are_their_own_keys() -> None:
    for name in ("x", "main", "_x", "a_SCHEMA", "META__x", "é", "x.y", "results", "x__"):
        assert argument_key(name) == name


def test_the_same_names_are_reserved_as_on_the_command_line() -> None:
    assert RESERVED == specification.RESERVED


def test_arguments_modules_and_globals_of_one_name_have_different_keys() -> None:
    taken = {argument_key("main")}
    keys = {*taken, module_key("main", taken)}
    assert keys == {"main", "@/main"}
    assert globals_key(keys) == globals_key({"@/main"}) == globals_key({"main"}) == "@globals"
    assert globals_key({"x"}) == "main"
    assert module_key("code", ()) == "@/code"


def test_binding_knows_what_inspect_knows() -> None:
    def check(probe: Callable[..., Any]) -> None:
        parameters = Parameters(probe)
        for name, parameter in inspect.signature(probe).parameters.items():
            collects = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            assert parameters.accepts(name) is not collects

    for text in SIGNATURES:
        check(function(text))
