"""The celltypes `text`, `python`, `ipython` and `yaml`: UTF-8 that ends with one newline."""

from __future__ import annotations

import re
import warnings
from typing import Any

from .foreign import is_array

#: How objects without a text of their own are shown: <Thing object at 0x7f0123456789>.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")


def write(value: object) -> bytes:
    """The text of a value (bytes are decoded), with one final newline; it is not parsed."""
    return legible(decoded(value)).rstrip("\n").encode() + b"\n"


def read(content: bytes | memoryview) -> str:
    """The text without its final newlines; ValueError if it is not UTF-8."""
    return str(content, "utf-8").rstrip("\n")


def read_python(content: bytes | memoryview) -> str:
    """The same; ValueError if it is not Python."""
    import ast

    text = read(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, MemoryError, RecursionError) as exc:
            raise ValueError(f"no Python code: {exc}") from exc
    return text


def read_yaml(content: bytes | memoryview) -> str:
    """The same; ValueError if it is not YAML."""
    import yaml

    text = read(content)
    try:
        for _ in yaml.compose_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except (yaml.YAMLError, RecursionError) as exc:
        raise ValueError(f"no YAML: {exc}") from exc
    return text


def decoded(value: Any) -> Any:
    """Bytes as text, all else as it is."""
    return value.decode() if isinstance(value, bytes) else value


def legible(value: object) -> str:
    """`str(value)`; TypeError if that leaves something out, or is another text in another process."""
    if isinstance(value, str):
        return str(value)
    text = str(value)
    if _is_fleeting(value) or _ADDRESS.search(text):
        raise TypeError(f"str() of a {type(value).__name__} does not say all that it is: convert it to text yourself")
    return text


def _is_fleeting(value: object) -> bool:
    """Sets have no order; NumPy leaves the middle of an array out."""
    if isinstance(value, set | frozenset):
        return len(value) > 1 or any(map(_is_fleeting, value))
    if isinstance(value, dict):
        return any(map(_is_fleeting, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_fleeting, value))
    return is_array(value)
