"""Archives: buffers and rows of a store in one tar file, read and written in one pass.

    seamless-archive.json    format, digest, where it comes from
    rows.jsonl               one JSON object a line: {"job": …} or {"environment": …, "content": …}
    buffers/CHECKSUM         one member per buffer
    manifest.json            how many of each, and the checksum of rows.jsonl: without it the archive is cut off

Compressed with Zstandard or gzip where the name says so. Reading trusts nothing: every buffer is hashed, every member
has to be one of these, and nothing goes into the store before the last byte has been checked.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import tarfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import IO, Any, NamedTuple, TypeVar

from .. import crashpoints
from ..buffers import SMALL_BYTES
from ..digest import DIGESTS, Digest
from ..errors import SeamlessError
from ..filesystems import is_disk_full, unique_name
from ..store import Store
from . import archivefiles, jobrows
from .jobrows import Record

FORMAT = 1
HEADER, ROWS, MANIFEST = "seamless-archive.json", "rows.jsonl", "manifest.json"
#: Larger than a header or manifest ever is.
LARGEST_HEADER = 1 << 20
PIECE_BYTES = 1 << 20
#: So many jobs are recorded in one transaction.
BATCH = 500
KNOWN_JOB = "SELECT 1 FROM jobs WHERE checksum = ?"
_BUFFER = re.compile(r"buffers/([0-9a-f]{64})")
_RECORD = struct.Struct(">32sI")


T = TypeVar("T")


class BadArchive(SeamlessError):
    """The archive cannot be used; nothing was imported."""


# -- writing ----------------------------------------------------------------------------------
class Writer:
    """Writes an archive under a temporary name; `finish` puts it in place, anything else leaves nothing behind."""

    def __init__(self, path: str, store: Store) -> None:
        self._path = path
        temporary = os.path.join(os.path.dirname(path) or ".", f".seamless-{unique_name()}.tmp")
        self._temporary = path if archivefiles.is_stream(path) else temporary
        self._stack = ExitStack()
        self._digest = store.digest
        self._buffers = self._bytes = 0
        try:
            stream = self._stack.enter_context(archivefiles.writing(path, self._temporary))
            tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
            self._tar = self._stack.enter_context(tar)
        except BaseException:
            self.abandon()
            raise
        header = {"format": FORMAT, "digest": store.digest.name, "store": store.id, "created": time.time()}
        self._add(HEADER, json.dumps(header).encode())

    def add_rows(self, spool: IO[bytes], counts: dict[str, int]) -> None:
        """Write the rows, which were collected in a file."""
        size = spool.tell()
        spool.flush()
        self._manifest = {**counts, "rows": self._digest.of_descriptor(spool.fileno())}
        spool.seek(0)
        self._tar.addfile(_member(ROWS, size), spool)

    def add_buffer(self, checksum: str, size: int, pieces: Iterable[bytes]) -> None:
        """Write a buffer, piece by piece."""
        self._buffers += 1
        self._bytes += size
        self._tar.addfile(_member(f"buffers/{checksum}", size), _Pieces(pieces))  # type: ignore[arg-type]

    def finish(self) -> None:
        """Write the end, and put the archive in place."""
        self._add(MANIFEST, json.dumps({**self._manifest, "buffers": self._buffers, "bytes": self._bytes}).encode())
        self._stack.close()
        if self._temporary != self._path:
            os.rename(self._temporary, self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(Exception):
            self._stack.close()
        if self._temporary != self._path:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def _add(self, name: str, content: bytes) -> None:
        self._tar.addfile(_member(name, len(content)), io.BytesIO(content))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


class _Pieces:
    """Pieces of bytes as a file that can be read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


# -- reading ----------------------------------------------------------------------------------
class Unpacked:
    """An archive that was read to its end and found to be whole; its bytes lie in the store's temporary place."""

    def __init__(self, store: Store) -> None:
        self._directory = os.path.join(store.buffers.directory, ".new")
        self.large: dict[str, str] = {}
        self.known: set[bytes] = set()
        self.bytes = 0
        self._rows = self._spool()
        self._small = self._spool()

    def _spool(self) -> IO[bytes]:
        path = os.path.join(self._directory, unique_name())
        file = open(path, "x+b")  # noqa: SIM115
        # Without a name it is gone with this process, however that ends.
        os.unlink(path)
        return file

    def jobs(self) -> Iterator[Record]:
        """The records of all jobs."""
        return (row["job"] for row in self._read_rows() if "job" in row)

    def environments(self) -> Iterator[tuple[str, bytes]]:
        """All records of surroundings."""
        for row in self._read_rows():
            if "environment" in row:
                yield row["environment"], row["content"].encode()

    def small(self) -> Iterator[tuple[str, bytes]]:
        """All small buffers."""
        self._small.seek(0)
        while head := self._small.read(_RECORD.size):
            checksum, size = _RECORD.unpack(head)
            yield checksum.hex(), self._small.read(size)

    def _read_rows(self) -> Iterator[Record]:
        self._rows.seek(0)
        for line in self._rows:
            yield json.loads(line)

    def add_small(self, checksum: str, content: bytes) -> None:
        """Note a small buffer."""
        self._small.write(_RECORD.pack(bytes.fromhex(checksum), len(content)) + content)

    def add_rows(self, pieces: Iterable[bytes], digest: Digest) -> str:
        """Note the rows; their checksum."""
        for piece in pieces:
            self._rows.write(piece)
        self._rows.flush()
        return digest.of_descriptor(self._rows.fileno())

    def new_file(self) -> str:
        """Where a large buffer is unpacked."""
        return os.path.join(self._directory, unique_name())

    def close(self) -> None:
        """Remove what was not taken into the store."""
        self._rows.close()
        self._small.close()
        for path in self.large.values():
            with suppress(FileNotFoundError):
                os.unlink(path)


def unpack(store: Store, path: str) -> Unpacked:
    """Read an archive and check all of it; BadArchive, and nothing kept, if anything is wrong with it."""
    unpacked = Unpacked(store)
    try:
        with archivefiles.reading(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            _unpack(store, path, tar, unpacked)
    except BaseException as exc:
        unpacked.close()
        if isinstance(exc, tarfile.TarError | EOFError | zlib.error) or (_is_garbled(exc) and not is_disk_full(exc)):
            raise BadArchive(f"{path} is no archive, or is cut off or damaged ({exc}); nothing was imported") from exc
        raise
    return unpacked


def digest_of(path: str) -> str | None:
    """The digest of an archive, which a store that is made for it is to have; None if nobody can tell."""
    if archivefiles.is_stream(path):
        return None
    try:
        with archivefiles.reading(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            name = _json(path, tar, next(iter(tar)), HEADER)["digest"]
            return name if name in DIGESTS else None
    except Exception:  # `unpack` says what is wrong with it
        return None


def _is_garbled(exc: BaseException) -> bool:
    """Whether a decompressor says so: gzip by an OSError without a number, Zstandard by an error of its own."""
    return (isinstance(exc, OSError) and exc.errno is None) or type(exc).__name__ == "ZstdError"


def _unpack(store: Store, path: str, tar: tarfile.TarFile, unpacked: Unpacked) -> None:
    rows = manifest = None
    for place, member in enumerate(tar):
        if not member.isreg() or manifest is not None:
            raise BadArchive(f"{path}: unexpected member {member.name!r}; nothing was imported")
        found = _BUFFER.fullmatch(member.name)
        if place == 0:
            _check_header(store, path, _json(path, tar, member, HEADER))
        elif found is not None:
            _unpack_buffer(store, path, tar, member, found[1], unpacked)
        elif member.name == ROWS and rows is None:
            rows = unpacked.add_rows(_pieces(tar, member), store.digest)
        else:
            manifest = _json(path, tar, member, MANIFEST)
    if manifest is None or rows is None:
        raise BadArchive(f"{path} is cut off: its end is missing; nothing was imported")
    _check_manifest(path, manifest, rows, unpacked)


def _check_header(store: Store, path: str, header: dict[str, Any]) -> None:
    version, digest = header.get("format"), header.get("digest")
    if not isinstance(version, int) or version > FORMAT:
        raise BadArchive(
            f"{path} has format {version}, this seamless-queue knows {FORMAT}; "
            "upgrade with: pip install --upgrade seamless-queue"
        )
    if digest != store.digest.name:
        raise BadArchive(
            f"{path} has digest {digest}, the store {store.path} {store.digest.name}; import it into a store with that "
            f"digest, which a new one gets by SEAMLESS_DIGEST={digest}"
        )


def _check_manifest(path: str, manifest: dict[str, Any], rows: str, unpacked: Unpacked) -> None:
    if manifest.get("rows") != rows:
        raise BadArchive(f"{path}: {ROWS} does not match its checksum: it was changed; nothing was imported")
    try:
        jobs = sum(1 for record in unpacked.jobs() if _check_job(record, unpacked))
        list(map(bytes.fromhex, (checksum for checksum, _ in unpacked.environments())))
    except (ValueError, KeyError, AttributeError, TypeError) as exc:
        raise BadArchive(f"{path}: {ROWS} cannot be read: {exc}; nothing was imported") from exc
    if (manifest.get("jobs"), manifest.get("buffers")) != (jobs, len(unpacked.known)):
        raise BadArchive(f"{path} is not complete: it holds fewer jobs or buffers than it says; nothing was imported")


def _check_job(record: Record, unpacked: Unpacked) -> bool:
    jobrows.check(record)
    for checksum in (record["checksum"], record["result"], *record["makers"]):
        if bytes.fromhex(checksum) not in unpacked.known:
            raise BadArchive(f"the archive has a job without its buffer {checksum}; nothing was imported")
    return True


def _unpack_buffer(
    store: Store, path: str, tar: tarfile.TarFile, member: tarfile.TarInfo, checksum: str, unpacked: Unpacked
) -> None:
    key = bytes.fromhex(checksum)
    if key in unpacked.known:
        raise BadArchive(f"{path} has buffer {checksum} twice; nothing was imported")
    unpacked.known.add(key)
    unpacked.bytes += member.size
    if member.size <= SMALL_BYTES:
        content = b"".join(_pieces(tar, member))
        actual = store.digest.of(content)
        unpacked.add_small(checksum, content)
    else:
        unpacked.large[checksum] = place = unpacked.new_file()
        actual = _write(store.digest, place, _pieces(tar, member))
    if actual != checksum:
        raise BadArchive(f"{path}: buffer {checksum} does not match its checksum: it was changed; nothing was imported")


def _write(digest: Digest, place: str, pieces: Iterable[bytes]) -> str:
    with open(os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "r+b") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        return digest.of_descriptor(file.fileno())


def _pieces(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    stream = tar.extractfile(member)
    assert stream is not None
    left = member.size
    while left:
        piece = stream.read(min(PIECE_BYTES, left))
        if not piece:
            raise EOFError("unexpected end")
        left -= len(piece)
        yield piece


def _json(path: str, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> dict[str, Any]:
    if member.name != name or member.size > LARGEST_HEADER:
        raise BadArchive(f"{path} has {member.name!r} where {name} should be: not an archive of seamless-store export")
    try:
        fields = json.loads(b"".join(_pieces(tar, member)))
    except ValueError as exc:
        raise BadArchive(f"{path}: {name} cannot be read: {exc}") from exc
    if not isinstance(fields, dict):
        raise BadArchive(f"{path}: {name} cannot be read")
    return fields


class Totals(NamedTuple):
    """What an import has done, or would do."""

    jobs: int = 0
    known: int = 0
    buffers: int = 0
    bytes: int = 0


def take_in(store: Store, unpacked: Unpacked) -> Totals:
    """Put an archive into the store: bytes first, rows last, so that no job is there without its bytes."""
    for checksum, place in list(unpacked.large.items()):
        store.buffers.take(place, checksum)
        del unpacked.large[checksum]
    for small in _batches(unpacked.small()):
        with store.database.transaction() as connection:
            store.buffers.insert(connection, small)
    for records in _batches(unpacked.environments()):
        with store.database.transaction() as connection:
            for checksum, content in records:
                jobrows.insert_environment(connection, checksum, content)
    crashpoints.reached("bytes-imported")
    new = known = 0
    for jobs in _batches(unpacked.jobs()):
        with store.database.transaction() as connection:
            inserted = sum(jobrows.insert(connection, record) for record in jobs)
        new, known = new + inserted, known + len(jobs) - inserted
    return Totals(new, known, len(unpacked.known), unpacked.bytes)


def totals(store: Store, unpacked: Unpacked) -> Totals:
    """What `take_in` would do."""
    known = total = 0
    for record in unpacked.jobs():
        total += 1
        known += store.database.row(KNOWN_JOB, (bytes.fromhex(record["checksum"]),)) is not None
    return Totals(total - known, known, len(unpacked.known), unpacked.bytes)


def _batches(things: Iterable[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for thing in things:
        batch.append(thing)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
