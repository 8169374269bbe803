"""Reads a package off the disk: all of its files, whether they have been imported or not.

Left out is what Python and editors leave behind. Whatever else would be missing where the code runs, is an error.
"""

from __future__ import annotations

import ast
import os
from base64 import b64encode
from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import decode_source
from typing import Any, NamedTuple

from .errors import NotAModule
from .origin import tree_of

#: A definition is a single buffer that every job of the transformation reads.
DATA_LIMIT_BYTES = 64 << 20
_INIT = "__init__"
_LEFT_BEHIND = (".pyc", ".pyo", "~")


class Package(NamedTuple):
    """The files of a package."""

    #: by module path: {"code", "language", "dependencies"}
    code: dict[str, dict[str, Any]]
    #: base64, by path with "/"
    data: dict[str, str]


def read(directories: Iterable[str], name: str) -> Package:
    """The package whose modules lie in these directories (several, if it is a namespace package)."""
    package = Package({}, {})
    size = 0
    for path, file in _files(directories):
        content = _content(file, name)
        module = _module_path(path)
        source = _decoded(content) if module else None
        if module and source is not None:
            package.code.setdefault(module, entry(module, source))
        else:
            size += len(content)
            package.data.setdefault(path, b64encode(content).decode())
        if size > DATA_LIMIT_BYTES:
            raise NotAModule(
                f"the data files of package {name} have more than {DATA_LIMIT_BYTES >> 20} MiB: pass them as arguments"
            )
    if not package.code:
        raise NotAModule(f"package {name} has no source files on disk: import it inside the function")
    return package


def entry(module: str, source: str) -> dict[str, Any]:
    """What the definition says of one file."""
    return {"code": source, "language": "python", "dependencies": dependencies(module, source)}


def normalised(source: str) -> str:
    """A source without the newlines at both ends."""
    return source.replace("\r\n", "\n").strip("\n")


def dependencies(module: str, source: str) -> list[str]:
    """The modules of the package that a file imports by relative imports at top level, from the package's root."""
    tree = tree_of(source)
    statements = tree.body if tree is not None else ()
    imports = [one for one in statements if isinstance(one, ast.ImportFrom) and one.level]
    # `sub.__init__` and `sub.leaf` have the same parent: dots count from the directory.
    return sorted({_dependency(module.split(".")[:-1], one) for one in imports})


def _dependency(parents: list[str], statement: ast.ImportFrom) -> str:
    base = parents[: max(0, len(parents) - statement.level + 1)]
    return "." + ".".join([*base, statement.module or _INIT])


def _files(directories: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Path within the package and path on disk of every file, sorted; links are followed, once each."""
    for top in directories:
        seen: set[str] = set()
        for directory, subdirectories, names in os.walk(top, followlinks=True):
            seen.add(os.path.realpath(directory))
            subdirectories[:] = [
                one for one in sorted(subdirectories) if _wanted(one) and _real(directory, one) not in seen
            ]
            for name in sorted(filter(_wanted, names)):
                file = os.path.join(directory, name)
                yield os.path.relpath(file, top).replace(os.sep, "/"), file


def _wanted(name: str) -> bool:
    return name != "__pycache__" and not name.startswith(".") and not name.endswith(_LEFT_BEHIND)


def _real(directory: str, name: str) -> str:
    return os.path.realpath(os.path.join(directory, name))


def _content(file: str, package: str) -> bytes:
    if file.endswith(tuple(EXTENSION_SUFFIXES)):
        raise NotAModule(
            f"package {package} has compiled modules ({os.path.basename(file)}): import it inside the function"
        )
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as exc:
        raise NotAModule(f"a file of package {package} cannot be read, {exc}") from exc


def _module_path(path: str) -> str | None:
    """`sub.leaf` for `sub/leaf.py`; None for a file that no import statement can name."""
    stem, extension = os.path.splitext(path)
    parts = stem.split("/")
    return ".".join(parts) if extension == ".py" and all(map(str.isidentifier, parts)) else None


def _decoded(content: bytes) -> str | None:
    """A source; None if it is none, as in templates of sources."""
    try:
        return normalised(decode_source(content))
    except (SyntaxError, UnicodeDecodeError):
        return None
