"""Tells plain functions from everything else that can be called."""

from __future__ import annotations

from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from .errors import NotAFunction


def plain_function(value: object) -> FunctionType:
    """The function itself, without decorators that declare what they wrap; NotAFunction for anything else.

    Decorators are no part of the code (see source.py), so those that replaced the function do not count either.
    """
    if not isinstance(value, FunctionType):
        raise NotAFunction(_explain(value))
    seen = {value}
    while isinstance(wrapped := getattr(value, "__wrapped__", None), FunctionType) and wrapped not in seen:
        seen.add(wrapped)
        value = wrapped
    return value


def _explain(value: object) -> str:
    """What the value is, and what to give instead."""
    name = getattr(value, "__qualname__", None) or repr(value)[:60]
    if isinstance(value, type):
        return f"{name} is a class, not a function: wrap a function that makes and uses it"
    if isinstance(value, MethodType):
        return f"{name} is a method: write a function that takes what it needs of the object as arguments"
    if isinstance(value, partial):
        return f"{name} is a partial: wrap the function itself and bind the arguments with .args"
    if isinstance(value, staticmethod | classmethod):
        return f"{name} is a {type(value).__name__}: define the function outside of the class"
    if isinstance(value, ModuleType):
        return f"{value.__name__} is a module, not a function"
    if isinstance(value, BuiltinFunctionType) or callable(value):
        return f"{name} ({type(value).__name__}) is no plain Python function: write a function that calls it"
    return f"{name} is no function, and no text"
