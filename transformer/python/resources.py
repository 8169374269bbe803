"""The files of a package in memory, as `importlib.resources` wants them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any


class Resource:
    """A file or directory; has the methods of importlib.resources.abc.Traversable."""

    def __init__(self, files: Mapping[str, bytes], path: str, title: str) -> None:
        self._files = files
        self._path = path
        self.name = path.rpartition("/")[2] or title

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self._path in self._files

    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return not self._path or any(path.startswith(f"{self._path}/") for path in self._files)

    def iterdir(self) -> Iterator[Resource]:
        """What the directory holds."""
        start = f"{self._path}/" if self._path else ""
        inside = (path[len(start) :] for path in self._files if path.startswith(start))
        for name in sorted({path.partition("/")[0] for path in inside}):
            yield self.joinpath(name)

    def joinpath(self, *names: str) -> Resource:
        """What lies below, if there is such a thing."""
        parts = [part for name in names for part in str(name).split("/") if part and part != "."]
        return Resource(self._files, "/".join([*filter(None, [self._path]), *parts]), self.name)

    __truediv__ = joinpath

    def read_bytes(self) -> bytes:
        """The content; FileNotFoundError if it is no file."""
        if not self.is_file():
            raise FileNotFoundError(f"the package has no file {self._path}")
        return self._files[self._path]

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """The content as text, newlines as in a file that is opened as text."""
        with self.open("r", encoding=encoding, errors=errors) as opened:
            text: str = opened.read()
        return text

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """A file object to read from."""
        content = io.BytesIO(self.read_bytes())
        return content if "b" in mode else io.TextIOWrapper(content, *args, **kwargs)


class Reader:
    """What a loader gives to `importlib.resources`."""

    def __init__(self, root: Resource) -> None:
        self._root = root

    def files(self) -> Resource:
        """The directory of the package."""
        return self._root
