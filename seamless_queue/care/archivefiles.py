"""Where an archive goes to and comes from: a file, or what can be read or written only once.

`-` is standard input or output. A pipe or a device is written as it is, never replaced by a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

_ZSTD_MAGIC, _GZIP_MAGIC = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"


def is_stream(path: str) -> bool:
    """Whether this is no file: nothing can be renamed to it, or read from it twice."""
    return path == "-" or path.startswith("/dev/") or (os.path.exists(path) and not os.path.isfile(path))


@contextmanager
def writing(path: str, place: str) -> Iterator[Any]:
    """Write at a place, compressed as the name of the archive says."""
    file: IO[bytes]
    with open(1 if place == "-" else place, "wb" if is_stream(place) else "xb", closefd=place != "-") as file:
        if path.endswith((".zst", ".zstd")):
            with _zstd().open(file, "wb") as stream:
                yield stream
        elif path.endswith((".gz", ".tgz")):
            import gzip

            with gzip.GzipFile("", "wb", 6, file, mtime=0) as stream:
                yield stream
        else:
            yield file


@contextmanager
def reading(path: str) -> Iterator[Any]:
    """Read, decompressed as the first bytes say."""
    with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
        magic = file.peek(4)[:4]
        if magic == _ZSTD_MAGIC:
            with _zstd().open(file, "rb") as stream:
                yield stream
        elif magic[:2] == _GZIP_MAGIC:
            import gzip

            with gzip.open(file, "rb") as stream:
                yield stream
        else:
            yield file


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from backports import zstd  # type: ignore[no-redef, unused-ignore]
    return zstd
