"""Names of arguments, modules and globals as keys of a transformation, and back.

argument x                           x             ordinary names are their own keys
argument code, result, __x           ./code        as on the command line: the bare key means something else
f(1, 2) of f(*args)                  *args[0]      a key for each value
f(1, a=2) of f(a, /, **kw)           **a           beside the positional-only parameter, which has the key a
module x beside an argument x        @/x
globals                              main          @globals where an argument or a module has that name
"""

from __future__ import annotations

from collections.abc import Container

#: Keys of a transformation that no input can have; the same as in specification.py, whose imports are not needed here.
RESERVED = frozenset({"code", "result"})
#: The module that holds the globals, as others know it.
MAIN = "main"
#: Its key where `main` is taken.
GLOBALS = "@globals"

_ARGUMENT, _MODULE = "./", "@/"
#: What a key of our own may begin with. No parameter is called so, but a keyword of **kwargs may be.
_MARKS = ("__", _ARGUMENT, "@", "*")


def argument_key(name: str) -> str:
    """The key of an argument."""
    return _ARGUMENT + name if name in RESERVED or name.startswith(_MARKS) else name


def star_key(parameter: str, index: int) -> str:
    """The key of one value of `*parameter`."""
    return f"*{parameter}[{index}]"


def keyword_key(name: str) -> str:
    """The key of a keyword that is called like a positional-only parameter."""
    return f"**{name}"


def argument_name(key: str) -> str:
    """The parameter that a key stands for: `args` for all of `*args[0]`, `*args[1]`, …"""
    if key.startswith("**"):
        return key[2:]
    return key[1 : key.index("[")] if key.startswith("*") else key.removeprefix(_ARGUMENT)


def star_index(key: str) -> int | None:
    """The place of a value within `*args`; None for every other key."""
    return int(key[key.rindex("[") + 1 : -1]) if key.startswith("*") and not key.startswith("**") else None


def module_key(name: str, arguments: Container[str]) -> str:
    """The key of a module, given the keys of all arguments."""
    return _MODULE + name if name in arguments or argument_key(name) != name else name


def globals_key(taken: Container[str]) -> str:
    """The key of the globals, given the keys of all arguments and modules."""
    return GLOBALS if MAIN in taken or _MODULE + MAIN in taken else MAIN


def module_name(key: str) -> str:
    """The name of a module; the globals stay `@globals` where they are called so."""
    return key.removeprefix(_MODULE)
