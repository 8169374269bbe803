"""Which arguments a function takes, read off its code: `inspect` would cost milliseconds, binding costs a microsecond.

Defaults are no arguments: they live in the code. What is bound are keys, see pins.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any, NoReturn

from .pins import argument_key, keyword_key, star_key
from .unwrapping import plain_function

_NOTHING: Mapping[str, Any] = {}
_VARARGS, _VARKEYWORDS = 0x04, 0x08


class Keywords:
    """The parameters of code that is given as text: any, by name."""

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], bound: Mapping[str, Any] = _NOTHING
    ) -> dict[str, Any]:
        """The arguments of a call by key, over those that were `bound` by key before."""
        if args:
            raise TypeError("code given as text has no signature: pass its arguments by keyword")
        return {**bound, **{argument_key(name): value for name, value in kwargs.items()}}

    def accepts(self, name: str) -> bool:
        """Whether an argument can be bound by this name."""
        return True


class Parameters:
    """The parameters of a function."""

    __slots__ = (
        "_double",
        "_keyword_only",
        "_name",
        "_names",
        "_ordinary",
        "_positional",
        "_positional_only",
        "_required",
        "_star",
    )

    def __init__(self, function: object) -> None:
        plain = plain_function(function)
        code = plain.__code__
        self._name = plain.__name__
        self._positional = code.co_varnames[: code.co_argcount]
        self._positional_only = frozenset(self._positional[: code.co_posonlyargcount])
        self._keyword_only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        self._star, self._double = _collectors(code)
        self._names = frozenset(self._positional + self._keyword_only)
        self._required = frozenset(map(argument_key, self._names - _with_default(plain, self._positional)))
        unusual = self._star or self._double or self._positional_only
        self._ordinary = not unusual and all(argument_key(name) == name for name in self._names)

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], bound: Mapping[str, Any] = _NOTHING
    ) -> dict[str, Any]:
        """The arguments of a call by key, over those that were `bound` by key before; TypeError as from a call."""
        if not self._ordinary:
            return self._bind_unusual(args, kwargs, bound)
        if len(args) > len(self._positional):
            self._refuse_surplus(len(args))
        given = dict(zip(self._positional, args, strict=False))
        if kwargs:
            if not (given.keys().isdisjoint(kwargs) and kwargs.keys() <= self._names):
                self._refuse_keyword(given, kwargs)
            given.update(kwargs)
        if bound:
            given = {**bound, **given}
        if not given.keys() >= self._required:
            self._refuse_missing(given)
        return given

    def accepts(self, name: str) -> bool:
        """Whether an argument can be bound by this name."""
        return name in self._names or (self._double is not None and name not in (self._star, self._double))

    def _bind_unusual(self, args: Sequence[Any], kwargs: Mapping[str, Any], bound: Mapping[str, Any]) -> dict[str, Any]:
        count = len(self._positional)
        if len(args) > count and self._star is None:
            self._refuse_surplus(len(args))
        given = dict(zip(self._positional, args, strict=False))
        pins = {**bound, **{argument_key(name): value for name, value in given.items()}}
        if self._star is not None:
            pins.update((star_key(self._star, index), value) for index, value in enumerate(args[count:]))
        for name, value in kwargs.items():
            pins[self._keyword(name, given)] = value
        if not pins.keys() >= self._required:
            self._refuse_missing(pins)
        return pins

    def _keyword(self, name: str, given: Mapping[str, Any]) -> str:
        """The key of a keyword argument."""
        if name in self._names and name not in self._positional_only:
            if name in given:
                self._refuse_keyword(given, {name: None})
        elif self._double is None:
            self._refuse_keyword({}, {name: None})
        return keyword_key(name) if name in self._positional_only else argument_key(name)

    # -- what Python says about a wrong call ---------------------------------------------------
    def _refuse_surplus(self, count: int) -> NoReturn:
        allowed = len(self._positional)
        takes = f"takes {allowed} positional argument{'' if allowed == 1 else 's'}"
        raise TypeError(f"{self._name}() {takes} but {count} {'was' if count == 1 else 'were'} given")

    def _refuse_keyword(self, given: Mapping[str, Any], kwargs: Mapping[str, Any]) -> NoReturn:
        for name in kwargs:
            if name in given:
                raise TypeError(f"{self._name}() got multiple values for argument {name!r}")
            if name in self._positional_only:
                raise TypeError(f"{self._name}() got the positional-only argument {name!r} passed as keyword argument")
            if name not in self._names:
                raise TypeError(f"{self._name}() got an unexpected keyword argument {name!r}")
        raise AssertionError(f"{self._name}() takes {list(kwargs)}")

    def _refuse_missing(self, pins: Mapping[str, Any]) -> NoReturn:
        names = [name for name in self._positional + self._keyword_only if argument_key(name) in self._required]
        missing = [repr(name) for name in names if argument_key(name) not in pins]
        plural = "" if len(missing) == 1 else "s"
        raise TypeError(f"{self._name}() missing {len(missing)} required argument{plural}: {', '.join(missing)}")


def _collectors(code: CodeType) -> tuple[str | None, str | None]:
    """The names of `*args` and of `**kwargs`."""
    rest = iter(code.co_varnames[code.co_argcount + code.co_kwonlyargcount :])
    star = next(rest) if code.co_flags & _VARARGS else None
    return star, next(rest) if code.co_flags & _VARKEYWORDS else None


def _with_default(function: FunctionType, positional: Sequence[str]) -> set[str]:
    count = len(function.__defaults__ or ())
    return {*positional[len(positional) - count :], *(function.__kwdefaults__ or ())}
