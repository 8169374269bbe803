"""Tells which piece of a source a function was compiled from, and whether it still is there.

The source is compiled once more, and the code objects are compared. The whole source, because a function's code
depends on what the module imports. A notebook compiles its statements one by one, so that is tried as well.
"""

from __future__ import annotations
import __future__ as futures_known

import ast
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

from .text import quiet

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
LAMBDA = "<lambda>"

#: The flags with which the surroundings of a function were compiled, as its own code object keeps them.
_FUTURES = sum({getattr(futures_known, name).compiler_flag for name in futures_known.all_feature_names})
_NESTED = 0x10


class Place(NamedTuple):
    """A definition in a source."""

    node: Definition
    #: as `__qualname__` would be
    path: str

    @property
    def first_line(self) -> int:
        """Where it begins, decorators included."""
        return _first_line(self.node)


def places(tree: ast.Module, line: int | None = None) -> Iterator[Place]:
    """All definitions of a source, or only those around a line; outer ones first."""
    return _places(tree, "", line)


def place_at(tree: ast.Module, line: int, code: CodeType) -> list[Place]:
    """The definitions that begin in a line and may be those of a code object."""
    found = [place for place in places(tree, line) if place.first_line == line and _name(place) == code.co_name]
    for told_apart in (_spans, _computes):
        if len(found) > 1:
            found = [place for place in found if told_apart(place.node, code)] or found
    return found


def lines_of(tree: ast.Module, code: CodeType) -> set[int]:
    """Where the same code begins in a source; empty if it is no longer there."""
    bare, line = _bare(code), code.co_firstlineno
    futures = code.co_flags & _FUTURES
    lines = {again.co_firstlineno for again in _codes(tree, futures) if _is_same(again, code, bare)}
    for statement in tree.body if not lines else ():
        if _surrounds(statement, line):
            alone = _compiled(ast.Module([statement], []), futures)
            lines |= {again.co_firstlineno for again in alone if _is_same(again, code, bare)}
    return lines


def takes_the_same(place: Place, code: CodeType) -> bool:
    """Whether at least the arguments are the same: all that can be asked of code that an import hook rewrites."""
    if isinstance(place.node, ast.ClassDef):
        return False
    arguments = place.node.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names == list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _first_line(node: ast.AST) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    lines: list[int] = [part.lineno for part in (node, *decorators) if isinstance(part, ast.expr | ast.stmt)]
    return min(lines)


def _surrounds(node: ast.AST, line: int) -> bool:
    """Whether a line is within a node, as far as the node knows its lines."""
    last: int | None = getattr(node, "end_lineno", None)
    return not isinstance(node, ast.expr | ast.stmt) or last is None or _first_line(node) <= line <= last


def _places(node: ast.AST, path: str, line: int | None) -> Iterator[Place]:
    for child in ast.iter_child_nodes(node):
        if line is not None and not _surrounds(child, line):
            continue
        inner = path
        if isinstance(child, Definition):
            place = Place(child, path + (LAMBDA if isinstance(child, ast.Lambda) else child.name))
            yield place
            inner = f"{place.path}." if isinstance(child, ast.ClassDef) else f"{place.path}.<locals>."
        yield from _places(child, inner, line)


def _name(place: Place) -> str:
    return LAMBDA if isinstance(place.node, ast.Lambda) else place.node.name


def _spans(node: Definition, code: CodeType) -> bool:
    """Whether the instructions come from exactly this lambda, where several share a line."""
    body = node.body if isinstance(node, ast.Lambda) else node
    spots = {(line, column, last, end) for line, last, column, end in code.co_positions()}
    return (body.lineno, body.col_offset, body.end_lineno, body.end_col_offset) in spots


def _computes(node: Definition, code: CodeType) -> bool:
    """Whether this lambda does the same, where its instructions tell no columns (constants in Python 3.12)."""
    if not isinstance(node, ast.Lambda):
        return True
    bare = _bare(code)
    alone = ast.Module([ast.copy_location(ast.Expr(node), node)], [])
    return any(_is_same(again, code, bare) for again in _compiled(alone, code.co_flags & _FUTURES))


@lru_cache(maxsize=8)
def _codes(tree: ast.Module, futures: int) -> tuple[CodeType, ...]:
    return _compiled(tree, futures)


def _compiled(tree: ast.Module, futures: int) -> tuple[CodeType, ...]:
    """All code objects of a source; none if it cannot be compiled."""
    flags = futures | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        with quiet():
            return tuple(_inner(compile(tree, "", "exec", flags, dont_inherit=True)))
    except (SyntaxError, ValueError):
        return ()


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)


def _is_same(again: CodeType, code: CodeType, bare: CodeType) -> bool:
    return again.co_name == code.co_name and again.co_names == code.co_names and _bare(again) == bare


def _bare(code: CodeType) -> CodeType:
    """The code without what says only where it stands."""
    return code.replace(
        co_filename="",
        co_firstlineno=1,
        co_linetable=b"",
        co_qualname="",
        co_flags=code.co_flags & ~_NESTED,
        co_consts=tuple(_bare(const) if isinstance(const, CodeType) else const for const in code.co_consts),
    )
