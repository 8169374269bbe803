"""Where the text lies that a function or a class was compiled from.

Files, zip archives, notebooks, IPython, doctests and the prompt of Python 3.13 all answer through `linecache`.
`python -c` does so from 3.13 on; before, the command line still has the text.
"""

from __future__ import annotations

import ast
import linecache
import sys
from functools import lru_cache
from types import CodeType
from typing import Any

from .errors import SourceUnavailable
from .text import quiet

#: The file that Python gives to `-c` and to `exec`.
STRING = "<string>"
#: Options of the interpreter that take the next word as their value.
_WITH_VALUE = frozenset("WX")
_REMEDY = "put it into a file, or pass the code as text"


def text_of(code: CodeType, namespace: dict[str, Any], name: str) -> str:
    """The text that a code object is from, as it is now; SourceUnavailable if there is none."""
    # Private, and the only way to tell the inputs of a prompt apart from Python 3.13.1 on.
    registered = getattr(linecache, "_getlines_from_code", None)
    lines = registered(code) if registered else None
    return _joined(lines) if lines else text_in(code.co_filename, namespace, name)


def text_in(filename: str, namespace: dict[str, Any], name: str) -> str:
    """The text of a file, real or not, that code with this namespace is from."""
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, namespace)
    text = _joined(lines) if lines else _command() if filename == STRING else None
    if not text:
        raise SourceUnavailable(f"the source of {name} cannot be found, it is from {filename}: {_REMEDY}")
    return text


def is_pseudo(filename: str) -> bool:
    """Whether a file is only called so, and other code may have the same one."""
    return filename.startswith("<")


@lru_cache(maxsize=8)
def tree_of(text: str) -> ast.Module | None:
    """The tree of a text; None if it is no Python (any more)."""
    with quiet():
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            return None


def _joined(lines: list[str]) -> str:
    return "".join(lines).replace("\r\n", "\n")


def _command() -> str | None:
    """What `python -c` was given; None if the process was started in another way."""
    words = iter(sys.orig_argv[1:])
    for word in words:
        if not word.startswith("-") or word == "-":
            return None
        if word == "--check-hash-based-pycs":
            next(words, None)
        elif not word.startswith("--"):
            before, found, after = word.partition("c")
            # In -Wc and -Xc the letter belongs to the value of the option before it.
            if found and _WITH_VALUE.isdisjoint(before):
                return after or next(words, None)
            if word[-1] in _WITH_VALUE:
                next(words, None)
    return None
