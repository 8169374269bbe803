"""Definitions of modules, taken apart for execution."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from functools import cached_property, lru_cache
from types import CodeType
from typing import Any, NamedTuple

from .resources import Resource
from .text import quiet

#: Where tracebacks say that the modules of a transformation are. It does not exist.
DIRECTORY = "<modules>"


class Source(NamedTuple):
    """What one module is made from."""

    text: str
    filename: str
    is_package: bool

    @property
    def code(self) -> CodeType:
        """The compiled text; SyntaxError if it is no Python."""
        return _compiled(self.text, self.filename)


class Bundle:
    """The definition of a module or package, under the name that it is imported by."""

    def __init__(self, name: str, definition: Mapping[str, Any]) -> None:
        self.name = name
        self._definition = definition

    def find(self, path: str) -> Source | None:
        """The module at a path within the package (`sub.leaf`; empty for the package itself)."""
        if isinstance(self._definition["code"], str):
            return None if path else Source(self._definition["code"], f"{DIRECTORY}/{self.name}.py", False)
        for module, is_package in ((path, False), (f"{path}.__init__".lstrip("."), True)):
            if module in self._texts:
                return Source(self._texts[module], self._filename(module), is_package)
        if self.resource(path).is_dir():
            return Source("", self._filename(f"{path}.__init__".lstrip(".")), True)
        return None

    def resource(self, path: str) -> Resource:
        """The directory of a package within this one."""
        return Resource(self._files, path.replace(".", "/"), self.name)

    def read(self, filename: str) -> bytes:
        """The content of a file, by the name that it would have on disk; OSError if there is none."""
        return Resource(self._files, filename.removeprefix(f"{DIRECTORY}/{self.name}/"), self.name).read_bytes()

    def _filename(self, module: str) -> str:
        return f"{DIRECTORY}/{self.name}/{module.replace('.', '/')}.py"

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {path: entry["code"] for path, entry in self._definition["code"].items()}

    @cached_property
    def _files(self) -> dict[str, bytes]:
        if isinstance(self._definition["code"], str):
            return {}
        sources = {f"{path.replace('.', '/')}.py": text.encode() for path, text in self._texts.items()}
        return {**sources, **{path: b64decode(text) for path, text in self._definition.get("data", {}).items()}}


@lru_cache(maxsize=512)
def _compiled(text: str, filename: str) -> CodeType:
    with quiet():
        return compile(text, filename, "exec", dont_inherit=True)
