"""Adds to the errors of user code what to do about them, where the reason is that it runs away from its module."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any

from .bundles import DIRECTORY


def explain(error: BaseException, namespace: dict[str, Any]) -> None:
    """Rewrite the message of an error, if the code of a transformation raised it itself."""
    if isinstance(error, OSError):
        _explain_file(error)
    elif _is_raised_in(error.__traceback__, namespace):
        if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
            _explain_name(error)
        elif isinstance(error, ImportError) and "relative import" in str(error):
            error.args = (f"{error}: modules of the transformation are declared with .modules",)
            error.msg = error.args[0]


def _explain_name(error: NameError) -> None:
    name = getattr(error, "name", None)
    if name:
        error.args = (_undefined(name),)


def _undefined(name: str) -> str:
    return (
        f"name {name!r} is not defined in the transformation: import it inside the function if it is a module,"
        f" else pass it as an argument, or declare it with .globals.{name}"
    )


# -- where the module of the function is there ------------------------------------------------
def modules_named(function: FunctionType) -> dict[str, str]:
    """The names in the code of a function that are modules where it was defined, and what these are called."""
    found: dict[str, str] = {}
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        waiting.extend(const for const in code.co_consts if isinstance(const, CodeType))
        values = ((name, function.__globals__.get(name)) for name in code.co_names)
        found.update((name, value.__name__) for name, value in values if isinstance(value, ModuleType))
    return found


def with_modules(text: str, modules: Mapping[str, str]) -> str:
    """The text of an error, with what to do about names that are known to be modules."""
    for name, real in modules.items():
        statement = f"import {real}" if name == real else f"import {real} as {name}"
        text = text.replace(
            _undefined(name),
            f"name {name!r} is not defined in the transformation: write `{statement}` inside the function"
            f" (a module of your own may be declared with .modules.{name})",
        )
    return text


def _explain_file(error: OSError) -> None:
    if str(error.filename).startswith(f"{DIRECTORY}/"):
        error.add_note("The modules of a transformation are in memory: read their files with importlib.resources.")


def _is_raised_in(traceback: TracebackType | None, namespace: dict[str, Any]) -> bool:
    """Whether the innermost frame belongs to the code or to one of its modules."""
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    return frame.f_globals is namespace or frame.f_code.co_filename.startswith(f"{DIRECTORY}/")
