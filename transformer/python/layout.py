"""Cuts a definition out of its file and moves it to the left margin.

The margin is removed as `textwrap.dedent` does it, which is what others put into their identities. That also changes
strings over several lines; where one of them is more than a docstring, its lines are left alone instead.
"""

from __future__ import annotations

import ast
import textwrap
from typing import TypeGuard

from .text import quiet

Block = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def block_text(text: str, node: ast.AST, *, keep_decorators: bool) -> str:
    """A function or class with one newline at the end."""
    assert isinstance(node, Block)
    lines = text.split("\n")
    first, last = _start(node, keep_decorators), _end(lines, node)
    piece = "\n".join(lines[first - 1 : last])
    moved = textwrap.dedent(piece)
    if (moved != piece or node.col_offset) and not _means_the_same(moved, node):
        moved = "\n".join(_moved(lines, first, last, node))
    return moved.rstrip("\n") + "\n"


def expression_text(text: str, node: ast.AST) -> str | None:
    """An expression as it is written; None if its place is not known exactly (in an f-string, before Python 3.12)."""
    written = segment(text, node)
    for candidate in (written, f"({written})"):
        if _is_expression(candidate, node):
            return candidate.rstrip("\n") + "\n"
    return None


def segment(text: str, node: ast.AST) -> str:
    """What is written at a node's place."""
    assert isinstance(node, ast.expr | ast.stmt)
    lines = text.split("\n")[node.lineno - 1 : node.end_lineno]
    # Columns count bytes. The end first: on a single line it would move with the beginning.
    lines[-1] = lines[-1].encode()[: node.end_col_offset].decode()
    lines[0] = lines[0].encode()[node.col_offset :].decode()
    return "\n".join(lines)


def _start(node: Block, keep_decorators: bool) -> int:
    """The first line; a comment between the last decorator and the definition belongs to it."""
    if not node.decorator_list:
        return node.lineno
    if keep_decorators:
        return node.decorator_list[0].lineno
    return (node.decorator_list[-1].end_lineno or 0) + 1


def _end(lines: list[str], node: Block) -> int:
    """The last line; comments after it belong to it if they are indented like the body."""
    last = node.end_lineno or node.lineno
    indentation = node.body[0].col_offset
    if not lines[node.body[0].lineno - 1][:indentation].isspace():
        return last
    for number, line in enumerate(lines[last:], last + 1):
        content = line.lstrip()
        if content and not content.startswith("#"):
            break
        if content and len(line) - len(content) >= indentation:
            last = number
    return last


def _means_the_same(moved: str, node: Block) -> bool:
    """Whether moving the text has changed no string but docstrings."""
    try:
        with quiet():
            tree = ast.parse(moved)
    except (SyntaxError, ValueError):
        return False
    again = tree.body[0] if len(tree.body) == 1 else None
    return isinstance(again, Block) and _constants(again) == _constants(node)


def _constants(node: Block) -> list[object]:
    """What stands in the body, docstrings and decorators aside."""
    ignored = {id(part) for decorator in node.decorator_list for part in ast.walk(decorator)}
    for part in ast.walk(node):
        if isinstance(part, Block) and isinstance(part.body[0], ast.Expr):
            ignored.add(id(part.body[0].value))
    found = [part for part in ast.walk(node) if isinstance(part, ast.Constant) and id(part) not in ignored]
    return [part.value for part in found if isinstance(part.value, str | bytes)]


def _moved(lines: list[str], first: int, last: int, node: Block) -> list[str]:
    """The lines without the margin, save those that begin within a string."""
    within: set[int] = set()
    for part in ast.walk(node):
        if _is_string(part):
            within.update(range(part.lineno + 1, (part.end_lineno or 0) + 1))
    margin = lines[node.lineno - 1][: node.col_offset]
    numbered = enumerate(lines[first - 1 : last], first)
    return [line if number in within else _without(line, margin) for number, line in numbered]


def _is_string(node: ast.AST) -> TypeGuard[ast.expr]:
    # By name, because Python has template strings from 3.14 on.
    if type(node).__name__ in ("JoinedStr", "TemplateStr"):
        return True
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _without(line: str, margin: str) -> str:
    return line[len(margin) :] if line.startswith(margin) else line.lstrip()


def _is_expression(text: str, node: ast.AST) -> bool:
    try:
        with quiet():
            return ast.dump(ast.parse(text, mode="eval").body) == ast.dump(node)
    except (SyntaxError, ValueError):
        return False
