"""The arguments of bash code: each is a file (or directory) of its name, a short scalar also a variable.

str, int, float, bool, scalars in mixed and plain   `str(value)` and a newline; a variable
text, python, ipython, yaml                         the text, ending with one newline; a variable
lists and dicts                                     JSON on one line
arrays                                              npy; of one-dimensional uint8 and of bytes only the elements
bytes, and what is neither JSON nor an array        the bytes
folder, deepfolder                                  a directory
None                                                neither file nor variable
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from seamless_queue.digest import is_checksum
from seamless_queue.errors import SeamlessError
from seamless_queue.marked import MARK
from seamless_queue.store import Store

from . import directories, plain
from .celltypes import deserialize, mixedjson
from .celltypes.header import MAGIC, Header, parsed
from .celltypes.mixed import CONTAINER_MAGIC
from .specification import DIRECTORIES

#: Celltypes whose buffers are the text itself.
TEXTS = ("text", "python", "ipython", "yaml")
#: Longer texts are files only: the environment of a process is not for data.
VARIABLE_CHARACTERS = 1000

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What bash sets itself, at the start or later: the code would not see the argument.
_OF_BASH = re.compile(
    "_|BASH(OPTS|PID|_COMMAND|_EXECUTION_STRING|_SUBSHELL|_VERSINFO|_VERSION)?|COMP_WORDBREAKS|EPOCH(REALTIME|SECONDS)"
    "|HISTCMD|IFS|LINENO|OLDPWD|OPTERR|OPTIND|PPID|PS4|PWD|S?RANDOM|SECONDS|SHELLOPTS|SHLVL"
)
_UINT8 = "|u1"
_BYTES = re.compile(r"\|S(\d+)")


class Argument(NamedTuple):
    """An argument of bash code."""

    name: str
    celltype: str
    checksum: str

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, rather than a file."""
        return self.celltype in DIRECTORIES


def write(store: Store, argument: Argument, job: str) -> bytes | None:
    """Write the argument into a job's directory; the value of its variable, None if there is to be none.

    SeamlessError for a value that has no such form, or that would be in the way of another argument.
    """
    path = f"{job}/{argument.name}"
    try:
        if "/" in argument.name:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        text = _write(store, argument, path)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
        raise SeamlessError(f"argument {argument.name!r} is where another argument is: rename one of them") from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise SeamlessError(f"argument {argument.name!r} cannot be given to bash code: {exc}") from exc
    return _variable(argument.name, text) if text is not None else None


def _write(store: Store, argument: Argument, path: str) -> bytes | memoryview | None:
    """The text of a scalar, None for everything else."""
    celltype, checksum = argument.celltype, argument.checksum
    if argument.is_directory:
        directories.materialise(store, _index(store, checksum), path)
        return None
    if celltype == "bytes":
        store.buffers.copy_to(checksum, path)
        return None
    if celltype in TEXTS:
        return _write_text(store, checksum, path)
    if celltype in ("mixed", "binary"):
        return _write_mixed(store, checksum, celltype, path)
    return _write_value(deserialize(store.buffers.view(checksum), celltype), path)


def _index(store: Store, checksum: str) -> directories.Index:
    tree = plain.load(store.buffers.read(checksum))
    if not isinstance(tree, dict):
        raise TypeError("it is not a dict of files")
    index = dict(_files(directories.without_marks(tree), ""))
    marks = {name: mark for name, mark in tree.items() if directories.is_mark(name, mark)}
    return directories.checked({**index, **marks}, f"index {checksum}")


def _files(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """The files of a folder; a dict inside is a directory inside."""
    for name, entry in tree.items():
        if not directories.is_inside(name):
            raise ValueError(f"its file {name!r} would be outside of it")
        if isinstance(entry, dict):
            yield from _files(entry, f"{prefix}{name}/")
        elif isinstance(entry, str) and is_checksum(entry):
            yield prefix + name, entry
        else:
            raise TypeError(f"its file {prefix + name!r} is not given by a checksum")


def _write_text(store: Store, checksum: str, path: str) -> bytes | memoryview:
    content = store.buffers.view(checksum)
    end = len(content)
    while end and content[end - 1] == ord("\n"):
        end -= 1
    if len(content) == end + 1:
        store.buffers.copy_to(checksum, path)
    else:
        _create(path, content[:end], b"\n")
    return content[:end]


def _write_mixed(store: Store, checksum: str, celltype: str, path: str) -> bytes | None:
    content = store.buffers.view(checksum)
    start = bytes(content[: len(CONTAINER_MAGIC)])
    if start == CONTAINER_MAGIC:
        raise TypeError("it is a list or dict with arrays or bytes in it: give each of them as an argument of its own")
    elements = _elements(content) if start.startswith(MAGIC) else None
    if elements is not None:
        _create(path, elements)
        return None
    if celltype == "mixed":
        try:
            value = mixedjson.load(content)
        except (ValueError, RecursionError):
            pass
        else:
            return _write_value(value, path)
    store.buffers.copy_to(checksum, path)
    return None


def _elements(content: bytes | memoryview) -> bytes | memoryview | None:
    """The data of an npy buffer, if it is bytes or a row of uint8."""
    header = parsed(content)
    length = _length(header)
    if length is None:
        return None
    elements = content[header.offset : header.offset + length]
    if len(elements) < length:
        raise ValueError("damaged npy buffer: it ends before the array does")
    return elements


def _length(header: Header) -> int | None:
    if header.descr == _UINT8 and len(header.shape) == 1:
        return header.shape[0]
    of_bytes = _BYTES.fullmatch(header.descr) if isinstance(header.descr, str) and not header.shape else None
    return int(of_bytes[1]) if of_bytes else None


def _write_value(value: Any, path: str) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, list | dict):
        _create(path, json.dumps(value).encode("ascii"))
        return None
    text = str(value).encode()
    _create(path, text, b"" if text.endswith(b"\n") else b"\n")
    return text


def _create(path: str, *parts: bytes | memoryview) -> None:
    with open(path, "xb") as file:
        for part in parts:
            file.write(part)


def _variable(name: str, text: bytes | memoryview) -> bytes | None:
    """The variable of a scalar, as `$(< file)` would have it; None if it is too long, or cannot be one."""
    if _OF_BASH.fullmatch(name) or name == MARK:
        raise SeamlessError(f"argument {name!r}: bash sets a variable of this name itself; rename the argument")
    # No character has more than four bytes.
    if len(text) > 4 * VARIABLE_CHARACTERS or not _IDENTIFIER.fullmatch(name):
        return None
    value = bytes(text).rstrip(b"\n")
    if b"\0" in value or len(value.decode(errors="surrogateescape")) >= VARIABLE_CHARACTERS:
        return None
    return value
