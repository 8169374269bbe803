"""The buffer store: bytes by checksum, small ones in the database, large ones as files (bufferfiles.py).

Small buffers are collected in a Staged and written with the transaction that needs them. A private store
keeps large ones in shared memory as long as there is room.
"""

from __future__ import annotations

import mmap
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import orjson

from . import statcache
from .bufferfiles import MEANWHILE_BYTES, Advance, BufferFiles
from .digest import Digest
from .driver import Database
from .errors import SeamlessError
from .filesystems import copy_descriptor, write_all, write_new_file
from .segments import Part, Segments
from .staged import INSERT, Staged

#: Up to this size a buffer lives in the database.
SMALL_BYTES = 8192
#: What large buffers are passed on in.
PIECE_BYTES = 1 << 20
#: So many are mapped at once: each costs one of a process's descriptors, of which there may be 1,024.
MAPPED_AT_MOST = 256
#: How often a file may change under our hands before we give up.
TRIES_WHILE_CHANGING = 5

SELECT = "SELECT content FROM buffers WHERE checksum = ?"
EXISTS = "SELECT 1 FROM buffers WHERE checksum = ?"
EXIST = "SELECT lower(hex(checksum)) FROM buffers WHERE checksum IN (SELECT unhex(value) FROM json_each(?))"
SIZE = "SELECT length(content) FROM buffers WHERE checksum = ?"
DELETE = "DELETE FROM buffers WHERE checksum = ?"


class BufferStore:
    """The buffers of one store, seen through one connection."""

    def __init__(
        self,
        directory: str,
        database: Database,
        digest: Digest,
        *,
        durable: bool = False,
        segments: Segments | None = None,
        read_only: bool = False,
    ) -> None:
        self.directory = directory
        self.digest = digest
        self._database = database
        self._segments = segments
        self._durable = durable
        self._files = BufferFiles(directory, digest, durable=durable, read_only=read_only)
        self._mapped: WeakSet[mmap.mmap] = WeakSet()
        #: told of every number of bytes that is copied in, for people to see
        self.advance: Advance | None = None
        #: brings a buffer from another store; None: there is none
        self.fetch: Callable[[str], bool] | None = None

    # -- asking -----------------------------------------------------------------------------
    def has(self, checksum: str) -> bool:
        """Whether the bytes are here (their content is verified when they are read).

        Whoever asks is about to rely on it: that is a use of the buffer, and it is brought from another store.
        """
        if self._database.row(EXISTS, (bytes.fromhex(checksum),)) is not None:
            return True
        if self._files.has(checksum) or self._has_segment(checksum):
            return True
        return self.fetch is not None and self.fetch(checksum)

    def holds(self, checksum: str) -> bool:
        """The same for whom will not use it: nothing is noted, nothing is brought from elsewhere."""
        if self._database.row(EXISTS, (bytes.fromhex(checksum),)) is not None:
            return True
        return os.path.exists(self.path(checksum)) or self._has_segment(checksum)

    def present(self, checksums: Iterable[str]) -> set[str]:
        """Those of many checksums whose bytes are here."""
        asked = list(dict.fromkeys(checksums))
        found: set[str] = set()
        for begin in range(0, len(asked), statcache.MANY):
            rows = self._database.rows(EXIST, (orjson.dumps(asked[begin : begin + statcache.MANY]).decode(),))
            found.update(row[0] for row in rows)
        found.update(checksum for checksum in asked if checksum not in found and self.has(checksum))
        return found

    def size(self, checksum: str) -> int:
        """The length in bytes; BufferMissing if it is not here."""
        with suppress(FileNotFoundError):
            return os.stat(self.path(checksum)).st_size
        row = self._database.row(SIZE, (bytes.fromhex(checksum),))
        if row is not None:
            return int(row[0])
        descriptor = self.open(checksum)
        with os.fdopen(descriptor, "rb"):
            return os.fstat(descriptor).st_size

    def path(self, checksum: str) -> str:
        """Where the file of a large buffer lies (or would lie)."""
        return self._files.path(checksum)

    # -- reading ----------------------------------------------------------------------------
    def read(self, checksum: str) -> bytes:
        """The bytes, verified. BufferMissing; BufferCorrupt, after setting the damaged copy aside."""
        content = self._read_small(checksum)
        if content is not None:
            return content
        descriptor = self.open(checksum)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def view(self, checksum: str) -> bytes | memoryview:
        """The verified bytes; those of a large buffer are mapped, read-only and shared with other processes.

        Not if very many are in use.
        """
        content = self._read_small(checksum)
        if content is not None:
            return content
        with os.fdopen(self.open(checksum), "rb") as file:
            if len(self._mapped) >= MAPPED_AT_MOST:
                return file.read()
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._mapped.add(mapped)
        return memoryview(mapped)

    def pieces(self, checksum: str) -> Iterator[bytes]:
        """The verified bytes, in pieces, so that memory use does not grow with their number."""
        content = self._read_small(checksum)
        if content is not None:
            yield content
            return
        with os.fdopen(self.open(checksum), "rb") as file:
            while part := file.read(PIECE_BYTES):
                yield part

    def open(self, checksum: str) -> int:
        """A read-only descriptor of a large buffer's verified file; BufferMissing, BufferCorrupt."""
        if self._segments is not None:
            # Memory is not torn by a loss of power: what was renamed there is whole.
            segment = self._segments.open(checksum)
            if segment is not None:
                return segment
        descriptor = self._files.open(checksum)
        if descriptor is not None:
            return descriptor
        if self.fetch is not None and self.fetch(checksum):
            return self._open_again(checksum)
        raise self._files.missing(checksum)

    def copy_to(self, checksum: str, path: str, mode: int = 0o666, *, directory: int | None = None) -> None:
        """Write the bytes to a new file (FileExistsError if there is one), as cheaply as is safe.

        `directory` is a descriptor that `path` is relative to.
        """
        content = self._read_small(checksum)
        source = None if content is not None else self.open(checksum)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            target = os.open(path, flags, mode, dir_fd=directory)
            try:
                if source is None:
                    write_all(target, content or b"")
                else:
                    copy_descriptor(source, target, os.fstat(source).st_size)
                if self._durable:
                    os.fsync(target)
            finally:
                os.close(target)
        finally:
            if source is not None:
                os.close(source)

    # -- writing ----------------------------------------------------------------------------
    def stage(self, data: bytes, staged: Staged) -> str:
        """Keep these bytes: a large buffer at once, a small one with the caller's transaction."""
        checksum = self.digest.of(data)
        self.keep(checksum, (data,), staged)
        return checksum

    def keep(self, checksum: str, parts: Sequence[Part], staged: Staged) -> None:
        """Keep bytes whose checksum the caller has computed; see `stage`."""
        size = sum(memoryview(part).nbytes for part in parts)
        if size <= SMALL_BYTES:
            staged.small[checksum] = b"".join(parts)
        elif not self._files.has_good(checksum) and not self._keep_in_memory(checksum, parts, size):
            temporary = self._files.new_path()
            write_new_file(temporary, parts)
            self._files.publish(temporary, checksum, trusted=True)

    def stage_parts(self, parts: Sequence[Part], staged: Staged) -> str:
        """Keep bytes in several parts; many of them are hashed while they are written."""
        size = sum(memoryview(part).nbytes for part in parts)
        if size < MEANWHILE_BYTES:
            checksum = self.digest.of_parts(parts)
            self.keep(checksum, parts, staged)
            return checksum
        from .meanwhile import Meanwhile

        hashed = Meanwhile(lambda: self.digest.of_parts(parts))
        if self._segments is not None:
            written = self._segments.write_unnamed(parts, size, self._files.copy)
            if written is not None:
                return self._segments.name(written, hashed.result())
        temporary = self._files.new_path()
        write_new_file(temporary, parts)
        checksum = hashed.result()
        self._files.publish(temporary, checksum, trusted=True)
        return checksum

    def take(self, path: str, checksum: str) -> None:
        """Put a file of ours that is known to have this checksum in place."""
        self._files.publish(path, checksum)

    def copy_in(self, source: int, checksum: str) -> bool:
        """Keep a copy of an open file that has this checksum; False if what was copied has another one."""
        return self._files.copy_if(source, checksum)

    def insert(self, connection: Any, small: Iterable[tuple[str, bytes]]) -> None:
        """Keep small buffers whose checksums are known to be right, in the caller's transaction."""
        connection.executemany(INSERT, [(bytes.fromhex(checksum), content) for checksum, content in small])

    def remove(self, checksum: str) -> None:
        """Give up the bytes, wherever they are; nothing is to promise them any more."""
        with self._database.transaction() as connection:
            self.remove_within(connection, checksum)

    def remove_within(self, connection: Any, checksum: str) -> None:
        """The same inside the caller's transaction. A file is gone even if that comes to nothing."""
        self.drop(checksum)
        self._files.remove(checksum)
        connection.execute(DELETE, (bytes.fromhex(checksum),))

    def drop(self, checksum: str) -> None:
        """Forget a buffer in shared memory that nobody needs any more; one in a file stays."""
        if self._segments is not None:
            self._segments.remove(checksum)

    def stage_file(
        self, path: str, staged: Staged, *, unknown: os.stat_result | None = None, advance: Advance | None = None
    ) -> str:
        """Keep a copy of a user's file as it is now; its status is looked up before it is hashed.

        `unknown` is a status that was looked up in vain. FileNotFoundError, PermissionError and the like come through.
        """
        for _ in range(TRIES_WHILE_CHANGING):
            status = unknown or os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                # A pipe would keep us waiting, a device has no end.
                raise SeamlessError(f"{path} is neither a file nor a directory; copy what it gives into a file")
            known = statcache.lookup(self._database, status) if unknown is None else None
            if known is not None and (known in staged.small or self.has(known)):
                return known
            unknown = None
            began = time.time_ns()
            checksum = self._copy_in(path, staged, advance or self.advance)
            if statcache.is_unchanged(status, os.stat(path)):
                entry = statcache.entry(status, began, checksum)
                if entry is not None:
                    staged.entries.append(entry)
                return checksum
        raise SeamlessError(f"{path} keeps changing while it is read; run again when its writer is done")

    def stage_stream(self, source: int, staged: Staged) -> str:
        """Keep all that can be read from a descriptor (a pipe, a terminal, a file)."""
        return self.stage_pieces(iter(lambda: os.read(source, PIECE_BYTES), b""), staged)

    def stage_pieces(self, pieces: Iterable[bytes], staged: Staged) -> str:
        """Keep bytes that come piece by piece."""
        temporary, descriptor = self._files.new_file()
        try:
            try:
                for part in pieces:
                    write_all(descriptor, part)
            finally:
                os.close(descriptor)
            return self.adopt(temporary, staged)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)

    def adopt(self, path: str, staged: Staged) -> str:
        """Take over a file that nobody else has: a small one is read, a large one is moved in.

        It must lie on the store's own file system.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            status = os.fstat(descriptor)
            if status.st_size <= SMALL_BYTES:
                return self.stage(os.read(descriptor, SMALL_BYTES), staged)
            if status.st_nlink > 1:
                # Another name would let its owner write into the store.
                return self._copy_in(path, staged)
            checksum = self.digest.of_descriptor(descriptor)
        finally:
            os.close(descriptor)
        os.chmod(path, 0o600)
        self._files.publish(path, checksum)
        return checksum

    # -- inside -----------------------------------------------------------------------------
    def _open_again(self, checksum: str) -> int:
        """A descriptor of what has just been brought from another store; a small one is in no file."""
        path = self.path(checksum)
        if os.path.exists(path):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        content = self._read_small(checksum)
        if content is None:
            raise self._files.missing(checksum)
        temporary, descriptor = self._files.new_file()
        os.unlink(temporary)
        write_all(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _read_small(self, checksum: str) -> bytes | None:
        row = self._database.row(SELECT, (bytes.fromhex(checksum),))
        if row is None:
            return None
        content = bytes(row[0])
        if self.digest.of(content) != checksum:
            if self._files.read_only:
                raise self._files.missing(checksum)
            with self._database.transaction() as connection:
                connection.execute(DELETE, (bytes.fromhex(checksum),))
            raise self._files.corrupt(checksum, self._files.set_aside(checksum, content))
        return content

    def _copy_in(self, path: str, staged: Staged, advance: Advance | None = None) -> str:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(source).st_size
            if size > SMALL_BYTES:
                return self._files.copy_hashed(source, size, advance)
            if advance is not None:
                advance(size)
            with os.fdopen(os.dup(source), "rb") as file:
                return self.stage(file.read(), staged)
        finally:
            os.close(source)

    def _has_segment(self, checksum: str) -> bool:
        return self._segments is not None and self._segments.has(checksum)

    def _keep_in_memory(self, checksum: str, parts: Sequence[Part], size: int) -> bool:
        return self._segments is not None and self._segments.keep(checksum, parts, size, self._files.copy)
