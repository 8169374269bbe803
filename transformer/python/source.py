"""The identity text of functions and classes: their source as it is written, moved to the left margin.

Comments, blank lines and annotations are part of it, decorators are not (those of a class are, they make it what it
is). Where the file no longer holds what was imported, there is no text: it would not be the text of what runs.
"""

from __future__ import annotations

import ast
import sys
from types import CodeType, FunctionType

from .errors import SourceChanged, SourceUnavailable
from .layout import block_text, expression_text, segment
from .matching import LAMBDA, Place, lines_of, place_at, places, takes_the_same
from .origin import STRING, is_pseudo, text_in, text_of, tree_of
from .unwrapping import plain_function

#: Loaders that compile a file as it is; all others may rewrite it first, as pytest does with assertions.
_PLAIN_LOADERS = ("_frozen_importlib_external", "importlib", "zipimport", "runpy", __name__.rpartition(".")[0])


def code_text(function: object) -> str:
    """The identity text of a plain Python function; NotAFunction or SourceUnavailable if it has none."""
    plain = plain_function(function)
    text, place = _located(plain)
    if isinstance(place.node, ast.Lambda):
        return _lambda_text(text, place, plain)
    return block_text(text, place.node, keep_decorators=False)


def defined_name(function: object) -> str | None:
    """The name that the identity text defines; None for a lambda."""
    name = plain_function(function).__code__.co_name
    return None if name == LAMBDA else name


def class_text(cls: type) -> str:
    """The source of a class, decorators included; SourceUnavailable if it has none."""
    text = _class_source(cls)
    tree = tree_of(text)
    found = [] if tree is None else [place for place in places(tree) if place.path == cls.__qualname__]
    kept = [place.node for place in found if isinstance(place.node, ast.ClassDef) and _holds(place, cls, tree)]
    title = f"class {cls.__qualname__} of {cls.__module__}"
    if not found:
        raise SourceUnavailable(f"the source of {title} cannot be found: write it into a file, and import that again")
    if not kept:
        raise SourceChanged(f"{title} is not what was imported: {_RELOAD}")
    return block_text(text, kept[-1], keep_decorators=True)


_RELOAD = "the source was edited since, restart Python or reload the module"


# -- functions -------------------------------------------------------------------------------
def _located(function: FunctionType) -> tuple[str, Place]:
    """The source that a function is from, and its place there."""
    code = function.__code__
    text = text_of(code, function.__globals__, _title(function))
    tree = tree_of(text)
    if tree is None:
        raise _mismatch(function)
    found = place_at(tree, code.co_firstlineno, code)
    lines = lines_of(tree, code)
    if code.co_firstlineno not in lines and not (_is_rewritten(function) and _resembles(found, code)):
        # Edits elsewhere in the file have moved it: the same code, a few lines up or down.
        found = [place for line in lines for place in place_at(tree, line, code)]
    if len({segment(text, place.node) for place in found}) > 1:
        raise SourceUnavailable(f"{_title(function)} cannot be told from others like it: define it with `def`")
    if not found:
        raise _mismatch(function)
    return text, found[0]


def _resembles(found: list[Place], code: CodeType) -> bool:
    return bool(found) and takes_the_same(found[0], code)


def _is_rewritten(function: FunctionType) -> bool:
    """Whether the loader of the function's module may have compiled something else than the file."""
    spec = function.__globals__.get("__spec__")
    loader = getattr(spec, "loader", None) or function.__globals__.get("__loader__")
    kind = loader if isinstance(loader, type) else type(loader)
    return loader is not None and not kind.__module__.startswith(_PLAIN_LOADERS)


def _lambda_text(text: str, place: Place, function: FunctionType) -> str:
    written = expression_text(text, place.node)
    if written is None:
        raise SourceUnavailable(f"{_title(function)} cannot be cut out of its line: define it with `def`")
    return written


def _title(function: FunctionType) -> str:
    code = function.__code__
    return f"{function.__qualname__} (line {code.co_firstlineno} of {code.co_filename})"


def _mismatch(function: FunctionType) -> SourceUnavailable:
    if is_pseudo(function.__code__.co_filename):
        return SourceUnavailable(f"the source of {_title(function)} cannot be found: pass the code as text")
    return SourceChanged(f"{_title(function)} is not what was imported: {_RELOAD}")


# -- classes ---------------------------------------------------------------------------------
def _class_source(cls: type) -> str:
    """The text of the file that a class is from."""
    title = f"class {cls.__qualname__}"
    for function in _own_functions(cls):
        return text_of(function.__code__, function.__globals__, title)
    module = sys.modules.get(cls.__module__)
    return text_in(getattr(module, "__file__", None) or STRING, vars(module) if module else {}, title)


def _own_functions(cls: type) -> list[FunctionType]:
    """The functions that the body of the class defines; others may have been put in by decorators."""
    values = [getattr(value, "__func__", value) for value in vars(cls).values()]
    functions = [value for value in values if isinstance(value, FunctionType)]
    return [function for function in functions if function.__code__.co_qualname == _method_path(cls, function)]


def _method_path(cls: type, function: FunctionType) -> str:
    return f"{cls.__qualname__}.{function.__code__.co_name}"


def _holds(place: Place, cls: type, tree: ast.Module | None) -> bool:
    """Whether the methods of a class are those in this place."""
    assert tree is not None
    span = range(place.node.lineno, (place.node.end_lineno or 0) + 1)
    return all(not lines_of(tree, function.__code__).isdisjoint(span) for function in _own_functions(cls))
