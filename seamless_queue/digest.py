"""The one place that hashes: a store's digest, over bytes and over files.

A checksum is the lower-case hex form of a 32-byte digest, 64 digits.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from blake3 import blake3

from .errors import ConfigurationError

#: From this size on BLAKE3's own threads pay for themselves.
THREADED_BYTES = 1 << 20
#: What a file is read in, where it cannot be mapped.
CHUNK_BYTES = 1 << 20

_CHECKSUM = r"[0-9a-f]{64}"


def is_checksum(text: str) -> bool:
    """Whether this is the form of a checksum: 64 lower-case hex digits."""
    return re.fullmatch(_CHECKSUM, text) is not None


def _blake3_threaded() -> Any:
    return blake3(max_threads=blake3.AUTO)


class Digest(NamedTuple):
    """A named hash function."""

    name: str
    new: Callable[[], Any]
    new_for_large: Callable[[], Any]

    def of(self, data: bytes | memoryview | mmap.mmap) -> str:
        """The checksum of these bytes."""
        hasher = self.new() if len(data) < THREADED_BYTES else self.new_for_large()
        hasher.update(data)
        return str(hasher.hexdigest())

    def of_parts(self, parts: Sequence[bytes | memoryview]) -> str:
        """The checksum of these bytes, one part after the other."""
        hasher = self.new() if sum(map(len, parts)) < THREADED_BYTES else self.new_for_large()
        for part in parts:
            hasher.update(part)
        return str(hasher.hexdigest())

    def of_descriptor(self, descriptor: int) -> str:
        """The checksum of an open file's whole content; memory use does not grow with its size."""
        size = os.fstat(descriptor).st_size
        if size < THREADED_BYTES:
            return self.of(_read_all(descriptor))
        with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as mapped:
            if hasattr(mapped, "madvise"):
                mapped.madvise(mmap.MADV_SEQUENTIAL)
            return self.of(mapped)

    def of_file(self, path: str) -> str:
        """The checksum of a file's content."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self.of_descriptor(descriptor)
        finally:
            os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts = []
    while part := os.read(descriptor, CHUNK_BYTES):
        parts.append(part)
    return b"".join(parts)


def _sha256() -> Any:
    # OpenSSL is loaded only where it is used.
    import hashlib

    return hashlib.sha256()


DIGESTS = {
    "blake3": Digest("blake3", blake3, _blake3_threaded),
    "sha256": Digest("sha256", _sha256, _sha256),
}
DEFAULT_DIGEST = "blake3"


def digest_named(name: str) -> Digest:
    """The digest of this name; ConfigurationError if there is none."""
    try:
        return DIGESTS[name.lower()]
    except KeyError:
        raise ConfigurationError(f"unknown digest {name!r}: choose one of {', '.join(sorted(DIGESTS))}") from None
