"""The local files as a command sees them: with their sidecars, and with what queued jobs will write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from seamless_queue import sidecars
from seamless_queue.broker import submissions
from seamless_queue.broker.records import Writer
from seamless_queue.errors import SeamlessError, StaleFuture
from seamless_queue.sidecars import CHECKSUM, FUTURE, INDEX
from seamless_queue.store import Store

from .commandline import Kind


def canonical(path: str) -> str:
    """The one absolute name that a path goes by in the store: links on the way to it resolved."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name) if name else path


def itself_and_above(path: str) -> Iterator[tuple[str, str]]:
    """A path, then each directory above it, with the way down from there to the path."""
    part = ""
    while len(path) > 1:
        yield path, part
        path, name = os.path.split(path)
        part = os.path.join(name, part) if part else name


class Promise(NamedTuple):
    """A path that will be written: by a request of this store, or (None) by whoever has its .FUTURE."""

    writer: Writer | None
    #: the promised path: the wanted one, or a directory above it
    path: str
    #: the way from there down to the wanted path
    part: str


class LocalFiles:
    """A planner's view of the file system (commandline.Files), with the store's promises."""

    def __init__(self, store: Store) -> None:
        self.store = store
        #: outputs of this very batch that are not submitted yet
        self.unsubmitted: set[str] = set()

    def kind(self, path: str) -> Kind | None:
        """What a path is now, or stands for, or will be."""
        try:
            if os.path.isdir(path):
                return Kind.DIRECTORY
            if os.path.exists(path):
                return Kind.FILE
            if os.path.exists(path + CHECKSUM):
                return Kind.DIRECTORY if self._was_directory(path) else Kind.FILE
        except ValueError:
            return None
        path = canonical(path)
        if self.is_unsubmitted(path) or self.promise(path) is not None:
            return Kind.FUTURE
        if self.unsubmitted_below(path) or submissions.writers_below(self.store.database, os.fsencode(path)):
            return Kind.DIRECTORY
        return None

    def _was_directory(self, path: str) -> bool:
        if os.path.exists(path + INDEX):
            return True
        # Imported here: seldom needed, and it takes time.
        from .absent import was_directory

        with suppress(SeamlessError):
            checksum = sidecars.read_checksum(path)
            return checksum is not None and was_directory(self.store, path, checksum)
        # Whoever uses it says what is wrong with the sidecar.
        return False

    def which(self, command: str) -> str | None:
        """Where PATH finds a command."""
        # Not shutil.which: importing it costs as much as the rest of a hit's planning.
        places = (os.path.join(place or os.curdir, command) for place in os.get_exec_path())
        return next((path for path in places if os.access(path, os.X_OK) and not os.path.isdir(path)), None)

    def read_lines(self, path: str) -> list[str]:
        """The lines of a list of inputs."""
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()

    def is_unsubmitted(self, path: str) -> bool:
        """Whether a command of this batch that is not submitted yet writes the path, or a directory above."""
        return bool(self.unsubmitted) and any(place in self.unsubmitted for place, _ in itself_and_above(path))

    def unsubmitted_below(self, path: str) -> bool:
        """The same for anything inside the path."""
        return any(place.startswith(path + os.sep) for place in self.unsubmitted)

    def promise(self, path: str) -> Promise | None:
        """Who will write the (canonical) path or a directory above it; StaleFuture if nobody seems to be left."""
        for place, part in itself_and_above(path):
            writer = submissions.writer_of(self.store.database, os.fsencode(place))
            if writer is not None:
                return Promise(writer, place, part)
            if self._has_foreign_future(place):
                return Promise(None, place, part)
        return None

    def promises_below(self, directory: str) -> list[Promise]:
        """Who will write files inside a (canonical) directory."""
        found = []
        for writer in submissions.writers_below(self.store.database, os.fsencode(directory)):
            path = os.fsdecode(writer.path)
            found.append(Promise(writer, path, os.path.relpath(path, directory)))
        ours = {promise.path for promise in found}
        for path in _futures_below(directory):
            if path not in ours and self._has_foreign_future(path):
                found.append(Promise(None, path, os.path.relpath(path, directory)))
        return found

    def _has_foreign_future(self, path: str) -> bool:
        if not os.path.exists(path + FUTURE):
            return False
        future = sidecars.read_future(path)
        if future is None or future.store == self.store.id:
            # Ours, and the database knows no live request: what a crash left behind promises nothing.
            return False
        if future.is_stale():
            raise StaleFuture(
                f"stale future {path}{FUTURE}: nobody has touched it for {sidecars.STALE_SECONDS:.0f} s; "
                "remove it if its job is dead"
            )
        return True


def _futures_below(directory: str) -> Iterator[str]:
    for place, _, names in os.walk(directory):
        for name in names:
            if name.endswith(FUTURE):
                yield os.path.join(place, name.removesuffix(FUTURE))
