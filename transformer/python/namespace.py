"""Runs Python code with its arguments, in a namespace of its own.

prepare(text) ──▶ Runnable         compiled once; what may be kept from run to run
Runnable.run(pins, modules)        a new namespace, new modules, the function defined anew: what one run leaves in
                                   its defaults or globals, the next one must not find
"""

from __future__ import annotations

import ast
import builtins
import linecache
import sys
from collections import deque
from collections.abc import Mapping
from types import CodeType, ModuleType
from typing import Any
from zlib import crc32

from . import calling
from .errors import NotRunnable
from .text import FILE_PREFIX, NAME, Kind, compiled, parse

_RESULT = "result"
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
#: How many codes tracebacks can quote; beyond that the oldest is forgotten.
_QUOTED_LIMIT = 1024
_quoted: deque[str] = deque()
# Dataclasses look up the module of a class, and fail where there is none.
sys.modules.setdefault(NAME, ModuleType(NAME))
_NO_MODULES: Mapping[str, Mapping[str, Any]] = {}


class Runnable:
    """Compiled code."""

    __slots__ = ("_code", "_name", "_plan", "_refusal", "kind")

    def __init__(self, text: str) -> None:
        tree, self.kind = parse(text)
        self._name = _name(tree, self.kind)
        filename = f"{FILE_PREFIX} {self._name} {crc32(text.encode('utf-8', 'backslashreplace')):08x}>"
        self._plan = _plan(tree, self.kind)
        self._code = compiled(_executable(tree, self.kind), filename)
        self._refusal = _refusal(self._code, self.kind, self._name)
        _quote(filename, text)

    def run(self, pins: Mapping[str, Any], modules: Mapping[str, Mapping[str, Any]] = _NO_MODULES) -> Any:
        """The value of the code with these arguments (by key, see pins.py) and definitions of modules.

        Whatever the code raises comes out as it is, with a remedy in its message where there is one.
        """
        if self._refusal is not None:
            raise NotRunnable(self._refusal)
        if modules:
            return self._run_with_modules(pins, modules)
        return self._run({"__name__": NAME, "__package__": "", "__builtins__": builtins}, pins)

    def _run_with_modules(self, pins: Mapping[str, Any], modules: Mapping[str, Mapping[str, Any]]) -> Any:
        from .modules import Workspace

        with Workspace(modules) as workspace:
            return self._run(workspace.namespace(), pins)

    def _run(self, namespace: dict[str, Any], pins: Mapping[str, Any]) -> Any:
        try:
            return self._evaluate(namespace, pins)
        except (NameError, ImportError, OSError) as exc:
            from .remedies import explain

            explain(exc, namespace)
            raise

    def _evaluate(self, namespace: dict[str, Any], pins: Mapping[str, Any]) -> Any:
        if self.kind is Kind.FUNCTION:
            exec(self._code, namespace)
            return calling.invoke(namespace[self._name], pins, self._plan)
        if self.kind is Kind.LAMBDA:
            return calling.invoke(eval(self._code, namespace), pins, self._plan)
        namespace.update(calling.named(pins))
        if self.kind is Kind.EXPRESSION:
            return eval(self._code, namespace)
        exec(self._code, namespace)
        if _RESULT not in namespace:
            raise NotRunnable(f"the code sets no `{_RESULT}`: write a single function or expression, or set it")
        return namespace[_RESULT]


def prepare(text: str) -> Runnable:
    """Compile code; BadCode if it is no Python."""
    return Runnable(text)


def _name(tree: ast.Module, kind: Kind) -> str:
    first = tree.body[0]
    return (
        first.name
        if isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef) and kind is Kind.FUNCTION
        else kind.value
    )


def _plan(tree: ast.Module, kind: Kind) -> calling.Plan:
    match tree.body[0]:
        case ast.FunctionDef(args=arguments) | ast.AsyncFunctionDef(args=arguments) if kind is Kind.FUNCTION:
            return calling.plan(arguments)
        case ast.Expr(value=ast.Lambda(args=arguments)) if kind is Kind.LAMBDA:
            return calling.plan(arguments)
    return calling.Plan((), (), True)


def _executable(tree: ast.Module, kind: Kind) -> ast.Module | ast.Expression:
    first = tree.body[0]
    if isinstance(first, ast.Expr) and kind is not Kind.BLOCK:
        return ast.Expression(first.value)
    if isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef) and kind is Kind.FUNCTION:
        _drop_annotations(first)
    return tree


def _drop_annotations(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Annotations name what the module imports, which is not there, and are of no use to a running function."""
    function.returns = None
    arguments = function.args
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if one is not None:
            one.annotation = None


def _refusal(code: CodeType, kind: Kind, name: str) -> str | None:
    """Why the function cannot have a result; None if it can."""
    if kind not in (Kind.FUNCTION, Kind.LAMBDA):
        return None
    title = "<lambda>" if kind is Kind.LAMBDA else name
    flags = next((one.co_flags for one in code.co_consts if isinstance(one, CodeType) and one.co_name == title), 0)
    if flags & (_COROUTINE | _ASYNC_GENERATOR):
        return f"{name} is async, and nothing awaits it: make it a plain function, with asyncio.run inside"
    if flags & _GENERATOR:
        return f"{name} is a generator, which is no value: return a list instead"
    return None


def _quote(filename: str, text: str) -> None:
    """Let tracebacks quote the code, and functions that are defined in it have a source."""
    if filename not in linecache.cache:
        _quoted.append(filename)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    if len(_quoted) > _QUOTED_LIMIT:
        linecache.cache.pop(_quoted.popleft(), None)
