"""The files of a buffer store: large buffers, each complete because it came there by rename.

    buffers/ab/abcd…    one file per buffer
    buffers/.new/       what is being written
    buffers/.damaged/   what did not match its checksum, set aside and never served

A file is hashed once per process and status. When it was last used is told by its access time, which is set
explicitly: many disks are mounted without access times.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from .digest import Digest
from .errors import BufferCorrupt, BufferMissing
from .filesystems import copy_descriptor, sync, unique_name

NEW, DAMAGED = ".new", ".damaged"
#: The use of a file is noted if it was last noted so long ago.
USE_GRAIN_SECONDS = 60.0
#: From this size on hashing and writing go on at the same time.
MEANWHILE_BYTES = 8 << 20

#: Called with a number of bytes that were copied.
Advance = Callable[[int], None]


class BufferFiles:
    """The large buffers of one store, as this process knows them."""

    def __init__(self, directory: str, digest: Digest, *, durable: bool = False, read_only: bool = False) -> None:
        self.directory = directory
        self.read_only = read_only
        self._digest = digest
        self._durable = durable
        self._verified: set[tuple[str, int, int, int]] = set()

    def path(self, checksum: str) -> str:
        """Where a buffer lies (or would lie)."""
        return f"{self.directory}/{checksum[:2]}/{checksum}"

    # -- reading ----------------------------------------------------------------------------
    def has(self, checksum: str) -> bool:
        """Whether there is a file; whoever asks relies on it, which is a use."""
        path = self.path(checksum)
        try:
            status = os.stat(path)
        except OSError:
            return False
        self._note_use(path, status)
        return True

    def has_good(self, checksum: str) -> bool:
        """Whether this process has seen the file to be good, as it is now; a use as well."""
        path = self.path(checksum)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return False
        if _key(checksum, status) not in self._verified:
            return False
        self._note_use(path, status)
        return True

    def open(self, checksum: str) -> int | None:
        """A read-only descriptor of the verified file; None if there is none. BufferCorrupt."""
        try:
            descriptor = os.open(self.path(checksum), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            self._verify(checksum, descriptor)
            self._note_use(descriptor, os.fstat(descriptor))
            os.lseek(descriptor, 0, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _verify(self, checksum: str, descriptor: int) -> None:
        key = _key(checksum, os.fstat(descriptor))
        if key in self._verified:
            return
        if self._digest.of_descriptor(descriptor) != checksum:
            if self.read_only:
                raise self.missing(checksum)
            place = self._damaged_path(checksum)
            with suppress(FileNotFoundError):
                os.rename(self.path(checksum), place)
            raise self.corrupt(checksum, place)
        self._verified.add(key)

    def _note_use(self, file: str | int, status: os.stat_result) -> None:
        """Tell the collector that somebody needs this; the time of the last change stays, `_verified` knows it.

        A file with further names is somebody's download: its status is known to other caches, and it is not evicted.
        """
        now = time.time()
        if now - status.st_atime > USE_GRAIN_SECONDS and status.st_nlink == 1 and not self.read_only:
            with suppress(OSError):
                os.utime(file, ns=(int(now * 1e9), status.st_mtime_ns))

    # -- writing ----------------------------------------------------------------------------
    def new_path(self) -> str:
        """Where something may be written that is to be published."""
        return f"{self.directory}/{NEW}/{unique_name()}"

    def new_file(self) -> tuple[str, int]:
        """An empty file there, with a descriptor to read and write it."""
        path = self.new_path()
        return path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def copy(self, source: int, checksum: str) -> None:
        """Keep a copy of an open file that is known to have this checksum."""
        with self._new() as (temporary, descriptor):
            copy_descriptor(source, descriptor, os.fstat(source).st_size)
        self.publish(temporary, checksum)

    def copy_if(self, source: int, checksum: str) -> bool:
        """Keep a copy of an open file that has this checksum; False if what was copied has another one."""
        temporary, descriptor = self.new_file()
        try:
            try:
                copy_descriptor(source, descriptor, os.fstat(source).st_size)
                if self._digest.of_descriptor(descriptor) != checksum:
                    return False
            finally:
                os.close(descriptor)
            self.publish(temporary, checksum, trusted=True)
            return True
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)

    def copy_hashed(self, source: int, size: int, advance: Advance | None) -> str:
        """Keep a copy of an open file; its checksum.

        The copy is hashed, not the original: what is kept is what was named, whatever happens meanwhile.
        """
        with self._new() as (temporary, descriptor):
            if size < MEANWHILE_BYTES:
                copy_descriptor(source, descriptor, size)
                checksum = self._digest.of_descriptor(descriptor)
                if advance is not None:
                    advance(size)
            else:
                from .hashedcopy import copy_hashed

                checksum = copy_hashed(source, descriptor, size, self._digest, advance)
        self.publish(temporary, checksum)
        return checksum

    @contextmanager
    def _new(self) -> Iterator[tuple[str, int]]:
        """A new file to be published, with its descriptor meanwhile; none is left behind by an error."""
        temporary, descriptor = self.new_file()
        try:
            yield temporary, descriptor
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)

    def publish(self, temporary: str, checksum: str, *, trusted: bool = False) -> None:
        """Put a good file in place, also of one that is there: that one may be damaged.

        A `trusted` one was written by this process just now, and is not hashed again.
        """
        path = self.path(checksum)
        if self._durable:
            sync(temporary)
        try:
            os.rename(temporary, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.rename(temporary, path)
        if self._durable:
            sync(os.path.dirname(path))
        if trusted:
            with suppress(FileNotFoundError):
                self._verified.add(_key(checksum, os.stat(path)))

    def remove(self, checksum: str) -> None:
        """Remove the file of a buffer, if there is one."""
        with suppress(FileNotFoundError):
            os.unlink(self.path(checksum))

    # -- damage -----------------------------------------------------------------------------
    def set_aside(self, checksum: str, content: bytes) -> str:
        """Keep a damaged copy that was in no file; where."""
        place = self._damaged_path(checksum)
        with open(place, "xb") as file:
            file.write(content)
        return place

    def missing(self, checksum: str) -> BufferMissing:
        """The error that a buffer is not here."""
        return BufferMissing(
            checksum, f"no buffer {checksum} in the store (digest {self._digest.name}) at {self.directory}"
        )

    def corrupt(self, checksum: str, place: str) -> BufferCorrupt:
        """The error that a buffer was damaged."""
        return BufferCorrupt(
            checksum,
            f"buffer {checksum} was damaged on disk; it was set aside as {place}, submit its job again",
        )

    def _damaged_path(self, checksum: str) -> str:
        return f"{self.directory}/{DAMAGED}/{checksum}-{unique_name()}"


def _key(checksum: str, status: os.stat_result) -> tuple[str, int, int, int]:
    return checksum, status.st_ino, status.st_size, status.st_mtime_ns
