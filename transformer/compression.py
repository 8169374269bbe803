"""Compressed files: a.txt.gz stands for a.txt, and is known by the checksum of what it holds."""

from __future__ import annotations

import os
import sys
import types
import zlib
from collections.abc import Iterator
from typing import IO, cast

from seamless_queue.errors import SeamlessError

SUFFIXES = (".gz", ".zst")
#: What a file is decompressed in.
PIECE_BYTES = 1 << 20


def stem(path: str) -> str | None:
    """The name of what a compressed file holds; None for another file."""
    for suffix in SUFFIXES:
        if path.endswith(suffix) and os.path.basename(path) != suffix:
            return path.removesuffix(suffix)
    return None


def beside(path: str) -> str | None:
    """The compressed file that stands for an absent one; SeamlessError if there are two."""
    found = [path + suffix for suffix in SUFFIXES if os.path.isfile(path + suffix)]
    if len(found) > 1:
        raise SeamlessError(f"{' and '.join(found)} may stand for {path}; name one of them")
    return found[0] if found else None


def pieces(path: str) -> Iterator[bytes]:
    """What a compressed file holds, piece by piece; SeamlessError if it is damaged or ends too early."""
    kind = "zstd" if path.endswith(".zst") else "gzip"
    try:
        with _opened(path, kind) as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except EOFError:
        raise SeamlessError(f"{path} ends before its {kind} data does; it was cut short, get it anew") from None
    except _damage(kind) as exc:
        raise SeamlessError(f"{path} is no sound {kind} file: {exc}; get it anew, or rename it") from exc


def _opened(path: str, kind: str) -> IO[bytes]:
    if kind == "gzip":
        import gzip

        return cast("IO[bytes]", gzip.open(path, "rb"))
    return cast("IO[bytes]", _zstd().open(path, "rb"))


def _damage(kind: str) -> tuple[type[Exception], ...]:
    if kind == "gzip":
        import gzip

        return gzip.BadGzipFile, zlib.error
    return (_zstd().ZstdError,)


def _zstd() -> types.ModuleType:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
