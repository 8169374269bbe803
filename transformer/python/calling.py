"""Calls a function with pins: by keyword where that is possible, by position where the function wants it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from .pins import argument_key, argument_name, star_index


class Plan(NamedTuple):
    """How a function wants its arguments."""

    positional_only: tuple[str, ...]
    positional: tuple[str, ...]
    #: whether the pins are the keywords as they are
    direct: bool


def plan(arguments: ast.arguments) -> Plan:
    """The plan for a signature."""
    positional_only = _names(arguments.posonlyargs)
    positional = positional_only + _names(arguments.args)
    ordinary = all(argument_key(name) == name for name in positional + _names(arguments.kwonlyargs))
    return Plan(positional_only, positional, ordinary and not (positional_only or arguments.vararg or arguments.kwarg))


def invoke(function: Callable[..., Any], pins: Mapping[str, Any], plan: Plan) -> Any:
    """The value of the function."""
    if plan.direct:
        return function(**pins)
    args, kwargs = _spread(pins, plan, function)
    return function(*args, **kwargs)


def named(pins: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names that code without a signature knows."""
    return {argument_name(key): value for key, value in pins.items()}


def _names(arguments: Iterable[ast.arg]) -> tuple[str, ...]:
    return tuple(argument.arg for argument in arguments)


def _spread(pins: Mapping[str, Any], plan: Plan, function: Callable[..., Any]) -> tuple[list[Any], Mapping[str, Any]]:
    stars: dict[int, Any] = {}
    given: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for key, value in pins.items():
        if (index := star_index(key)) is not None:
            stars[index] = value
        else:
            (extras if key.startswith("**") else given)[argument_name(key)] = value
    # Once *args has a value, everything before it must go by position as well.
    names = plan.positional if stars else plan.positional_only
    count = len(names) if stars else max((place + 1 for place, name in enumerate(names) if name in given), default=0)
    args = [given.pop(name) if name in given else _default(function, plan, name) for name in names[:count]]
    return args + [stars[index] for index in sorted(stars)], {**given, **extras}


def _default(function: Callable[..., Any], plan: Plan, name: str) -> Any:
    """The default of a parameter that is skipped, though later ones must go by position."""
    defaults = (isinstance(function, FunctionType) and function.__defaults__) or ()
    place = plan.positional.index(name) - len(plan.positional) + len(defaults)
    if place < 0:
        raise TypeError(f"{getattr(function, '__name__', 'function')}() is missing the argument {name!r}")
    return defaults[place]
