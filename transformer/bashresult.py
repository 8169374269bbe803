"""What bash code has left as RESULT, kept by the celltype of the result.

                                RESULT a file                           RESULT a directory
bytes                           the bytes                               a Python dict of bytes, as text
text, python, ipython, yaml     the text                                -
str                             the text                                -
int, float, bool                the number, true or false               -
mixed, plain, checksum          an array, a JSON value, or the text     a dict of these, by path
binary                          the same, as an array                   -
deepcell                        a JSON object                           its files, each read as mixed
folder                          -                                       its files

What is neither npy nor UTF-8 is an array of uint8 where arrays are possible. An empty file is an empty text.
"""

from __future__ import annotations

import codecs
import mmap
import os
import stat
from typing import Any

from seamless_queue.buffers import PIECE_BYTES, SMALL_BYTES
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import directories, plain
from .celltypes import deserialize, mixedjson
from .celltypes.header import MAGIC
from .kept import Kept
from .pinfiles import TEXTS
from .results import stage_result
from .specification import DIRECTORIES

#: What the code makes, in its working directory.
RESULT = "RESULT"
#: Celltypes that a directory has a value in.
_OF_DIRECTORIES = ("mixed", "plain", "checksum", "deepcell", "bytes")
_BLOCK_BYTES = 4096


def keep(store: Store, path: str, celltype: str, staged: Staged) -> Kept:
    """Keep the result that lies at `path`; SeamlessError if it is missing or cannot be had so."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise SeamlessError(f"exit code 0, but there is no {RESULT}: the code must write its result there") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise SeamlessError(f"{RESULT} is neither a file nor a directory")
    keep_kind = _keep_directory if stat.S_ISDIR(mode) else _keep_file
    try:
        return keep_kind(store, path, celltype, staged)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise SeamlessError(f"{RESULT} cannot be a result of celltype {celltype}: {exc}") from exc


# -- a file -----------------------------------------------------------------------------------
def _keep_file(store: Store, path: str, celltype: str, staged: Staged) -> Kept:
    if celltype == "bytes":
        return Kept(directories.adopt_file(store, path, staged))
    if celltype in TEXTS and _is_ours(path):
        return Kept(_adopt_text(store, path, staged))
    if celltype in DIRECTORIES:
        raise TypeError("it is a file, not a directory")
    return stage_result(store, _value(_content(path), celltype), celltype, staged)


def _is_ours(path: str) -> bool:
    """Whether nobody else has the file: it is no link, neither symbolic nor hard."""
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _adopt_text(store: Store, path: str, staged: Staged) -> str:
    """The same bytes as the celltype would write, without having them in memory."""
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        decoder = codecs.getincrementaldecoder("utf-8")()
        while part := file.read(PIECE_BYTES):
            decoder.decode(part)
        decoder.decode(b"", True)
        end = _end_of_text(file.fileno(), file.tell())
        file.truncate(end)
        file.seek(end)
        file.write(b"\n")
    return store.buffers.adopt(path, staged)


def _end_of_text(descriptor: int, size: int) -> int:
    """Where the final newlines begin."""
    while size:
        start = max(0, size - _BLOCK_BYTES)
        kept = os.pread(descriptor, size - start, start).rstrip(b"\n")
        if kept:
            return start + len(kept)
        size = start
    return 0


def _value(content: bytes | memoryview, celltype: str) -> Any:
    """What is to be serialised with this celltype."""
    if celltype in TEXTS:
        return bytes(content)
    if celltype == "str":
        return str(content, "utf-8")
    if celltype == "checksum":
        return _checksum_or_value(content)
    value = parsed(content)
    if celltype == "deepcell" and not isinstance(value, dict | list):
        raise TypeError("it is no JSON object")
    return _truth(value) if celltype == "bool" else value


def parsed(content: bytes | memoryview) -> Any:
    """An array in npy format, else a JSON value, else the text, else an array of uint8."""
    if bytes(content[: len(MAGIC)]) == MAGIC:
        return deserialize(content, "binary")
    try:
        return mixedjson.load(content)
    except UnicodeDecodeError:
        import numpy as np

        return np.frombuffer(content, np.uint8)
    except (ValueError, RecursionError):
        return str(content, "utf-8")


def _checksum_or_value(content: bytes | memoryview) -> Any:
    try:
        return deserialize(content, "checksum")
    except ValueError:
        return parsed(content)


def _truth(value: Any) -> bool:
    """True and False as JSON, as numbers, and as bash code finds them in its arguments."""
    if isinstance(value, str) and value.strip() in ("True", "False"):
        return value.strip() == "True"
    if isinstance(value, bool | int | float):
        return bool(value)
    raise ValueError(f"{value!r} is neither true nor false")


def _content(path: str) -> bytes | memoryview:
    """The bytes of a file; those of a large one are mapped, if nobody can cut it short."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size <= SMALL_BYTES or not _is_ours(path):
            return file.read()
        return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))


# -- a directory ------------------------------------------------------------------------------
def _keep_directory(store: Store, path: str, celltype: str, staged: Staged) -> Kept:
    if celltype in DIRECTORIES:
        found = directories.adopt(store, path, staged)
        return Kept(store.buffers.stage(plain.dump(found), staged), directories.members(found))
    if celltype not in _OF_DIRECTORIES:
        raise TypeError("it is a directory, not a file")
    contents = ((name, _read(file)) for name, file in directories.walk(path))
    if celltype == "bytes":
        return stage_result(store, dict(contents), celltype, staged)
    if celltype == "deepcell":
        # Each as it comes, and none of them taken for the checksum of another because it holds one.
        index = {name: stage_result(store, parsed(content), "mixed", staged).checksum for name, content in contents}
        return stage_result(store, index, celltype, staged)
    return stage_result(store, {name: parsed(content) for name, content in contents}, celltype, staged)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
