"""What transformations are called in lists."""

from __future__ import annotations

from seamless.transformer.labels import COMMAND_CHARACTERS, call
from seamless.transformer.python.pins import argument_key, star_key


def test_an_ordinary_call() -> None:
    assert call("square", ["x"]) == "square(x)"
    assert call("power", ["base", "./code", "**a", "main"]) == "power(base, ./code, **a, main)"
    assert call("nothing", []) == "nothing()"


def test_repeated_star_arguments_are_one() -> None:
    keys = [star_key("walks", index) for index in range(20_000)]
    assert call("mean", keys) == "mean(*walks: 20,000 arguments)"
    assert call("mean", ["first", *keys[:1], "last"]) == "mean(first, last, *walks: 1 argument)"


def test_no_name_is_longer() -> None:
    wide = call("wide", [f"parameter{number}" for number in range(1000)])
    assert len(wide) == COMMAND_CHARACTERS
    assert wide.startswith("wide(parameter0, parameter1")
    assert wide.endswith("…)")
    assert len(call("x" * 1000, ["a"])) == COMMAND_CHARACTERS


def test_keywords_of_text() -> None:
    """Of any name: one that begins with a star has a key that does not."""
    assert call("python code", [argument_key("*x"), argument_key("")]) == "python code(./*x, )"
