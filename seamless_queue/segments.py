"""Shared memory: large buffers of a private store, as files in /dev/shm that each of its processes can map.

They are written with write(2), never through a mapping: a full tmpfs is then an error and not a SIGBUS, and
fresh pages come faster. What does not fit goes into ordinary files (buffers.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from . import filesystems, private
from .errors import SeamlessError

#: Of what /dev/shm holds, a store takes no more than this.
SHARE = 0.5
#: Where there is less than this, files do as well.
LEAST_BYTES = 32 << 20

Part = bytes | memoryview
#: Puts a copy of an open segment, of this checksum, where it can always be found.
MoveOut = Callable[[int, str], None]


class Segments:
    """The segments of one private store, by checksum. Any process of the store may write and read them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._directory: str | None = None

    def keep(self, checksum: str, parts: Sequence[Part], size: int, move_out: MoveOut) -> bool:
        """Have these bytes here; False if there is no room for them."""
        if self.has(checksum):
            return True
        written = self.write_unnamed(parts, size, move_out)
        return bool(written and self.name(written, checksum))

    def write_unnamed(self, parts: Sequence[Part], size: int, move_out: MoveOut) -> str | None:
        """Write bytes whose checksum may not be known yet; a temporary path, or None if there is no room.

        The oldest segments are moved out before that, as far as need be.
        """
        self._make_room(size, move_out)
        if not self._has_room(size):
            return None
        temporary = f"{self._own_directory()}/.new-{filesystems.unique_name()}"
        try:
            filesystems.write_new_file(temporary, parts)
        except OSError as exc:
            if not filesystems.is_disk_full(exc):
                raise
            return None
        return temporary

    def name(self, temporary: str, checksum: str) -> str:
        """Put in place what was written; its checksum."""
        os.rename(temporary, self._path(checksum))
        return checksum

    def open(self, checksum: str) -> int | None:
        """A read-only descriptor; None if it is not here."""
        try:
            return os.open(self._path(checksum), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None

    def _present(self) -> Iterator[tuple[float, int, str]]:
        """Every segment, as time of writing, bytes and checksum."""
        try:
            entries = list(os.scandir(self._own_directory()))
        except (OSError, SeamlessError):
            return
        for entry in entries:
            with suppress(FileNotFoundError):
                status = entry.stat()
                yield status.st_mtime, status.st_size, entry.name

    def remove(self, checksum: str) -> None:
        """Forget a segment; who has it mapped keeps it."""
        with suppress(OSError):
            os.unlink(self._path(checksum))

    def has(self, checksum: str) -> bool:
        """Whether it is here."""
        return os.path.exists(self._path(checksum))

    def _make_room(self, size: int, move_out: MoveOut) -> None:
        for checksum in self._excess(size):
            segment = self.open(checksum)
            if segment is None:
                continue
            try:
                move_out(segment, checksum)
            finally:
                os.close(segment)
            self.remove(checksum)

    def _excess(self, size: int) -> list[str]:
        """The oldest segments that have to go to keep below the cap with `size` bytes more."""
        memory = self._memory()
        if memory is None:
            return []
        cap, used = self._cap(memory), (memory.f_blocks - memory.f_bfree) * memory.f_frsize
        # In the usual case no segment need be looked at: all users of the memory together are below our cap.
        # And what can never fit throws nobody out.
        if size > cap or used + size <= cap:
            return []
        present = sorted(self._present())
        excess = sum(bytes_ for _, bytes_, _ in present) + size - cap
        leaving = []
        for _, bytes_, name in present:
            if excess <= 0:
                break
            if not name.startswith("."):
                leaving.append(name)
                excess -= bytes_
        return leaving

    def _has_room(self, size: int) -> bool:
        memory = self._memory()
        if memory is None:
            return False
        return size <= self._cap(memory) and size + LEAST_BYTES <= memory.f_bavail * memory.f_frsize

    def _memory(self) -> os.statvfs_result | None:
        """What shared memory there is; None if there is none for us."""
        with suppress(OSError, SeamlessError):
            return os.statvfs(self._own_directory())
        return None

    @staticmethod
    def _cap(memory: os.statvfs_result) -> int:
        return int(memory.f_blocks * memory.f_frsize * SHARE)

    def _path(self, checksum: str) -> str:
        return f"{private.SHARED_MEMORY}/seamless-{os.geteuid()}/{self._name}/{checksum}"

    def _own_directory(self) -> str:
        """Made on first use, so that a store without large buffers leaves nothing there."""
        if self._directory is None:
            path = os.path.join(private.user_directory(private.SHARED_MEMORY), self._name)
            with suppress(FileExistsError):
                os.mkdir(path, 0o700)
            self._directory = path
        return self._directory
