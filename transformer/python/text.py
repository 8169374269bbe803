"""What kind of Python a text is.

One function definition is called with the arguments, so is a lambda; an expression has a value; everything
else is a block that sets `result`.
"""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from types import CodeType
from typing import TypeVar

from .errors import BadCode

T = TypeVar("T")

#: What code is called as a module; and, if it has modules, their package.
NAME = "__transformation__"
#: How the names begin that tracebacks give to code.
FILE_PREFIX = "<transformation"


class Kind(Enum):
    """How a text is executed."""

    #: one `def`, called with the arguments
    FUNCTION = "function"
    #: a lambda expression, called with the arguments
    LAMBDA = "lambda"
    #: any other expression
    EXPRESSION = "expression"
    #: statements that set `result`
    BLOCK = "block"


def check(text: str) -> Kind:
    """The kind of a text; BadCode if it is no Python."""
    tree, kind = parse(text)
    compiled(tree)
    return kind


def parse(text: str, filename: str = f"{FILE_PREFIX}>") -> tuple[ast.Module, Kind]:
    """The tree and the kind of a text; BadCode if it is no Python."""
    with quiet():
        tree = _translated(lambda: ast.parse(text, filename))
    if not tree.body:
        raise BadCode("the code is empty: write a function, an expression, or statements that set `result`")
    return tree, _kind(tree)


def compiled(tree: ast.Module | ast.Expression, filename: str = f"{FILE_PREFIX}>") -> CodeType:
    """The code object of a tree; BadCode if it breaks one of the rules that the grammar does not know."""
    mode = "exec" if isinstance(tree, ast.Module) else "eval"
    with quiet():
        return _translated(lambda: compile(tree, filename, mode, dont_inherit=True))


# The filters of warnings belong to the process: two threads that put them back in the wrong order would lose them.
_filters = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Whoever imported the code was warned of its oddities already, and would be warned again, without a place."""
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _kind(tree: ast.Module) -> Kind:
    if len(tree.body) > 1:
        return Kind.BLOCK
    match tree.body[0]:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return Kind.FUNCTION
        case ast.Expr(value=ast.Lambda()):
            return Kind.LAMBDA
        case ast.Expr():
            return Kind.EXPRESSION
    return Kind.BLOCK


def _translated(action: Callable[[], T]) -> T:
    try:
        return action()
    except SyntaxError as exc:
        line = f": {exc.text.strip()}" if exc.text else ""
        error = BadCode(f"line {exc.lineno} of the code is no Python, {exc.msg}{line}")
        error.lineno, error.offset = exc.lineno, exc.offset
        raise error from exc
    except ValueError as exc:
        # So the first versions of Python 3.11 say that there is a NUL in it.
        raise BadCode(f"the code is no Python: {exc}") from exc
    except RecursionError as exc:
        raise BadCode("the code is nested too deeply to be compiled") from exc
