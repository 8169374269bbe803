"""Brings files and directories back from a store, by their sidecars or by checksum.

    wanted ──▶ plan: what is absent, what is there already, what is in the way ──▶ fetch ──▶ write

Every file is written whole, under a temporary name first, and never through a link below the directory that the
user has named. What is there already is left alone, so that an interrupted download goes on where it was.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from seamless_queue import sidecars
from seamless_queue.digest import is_checksum
from seamless_queue.errors import BufferError_, BufferMissing, SeamlessError
from seamless_queue.store import Store

from . import absent, directories, placing, plain
from .directories import Index

#: Called with the bytes of a file that has been written.
Advance = Callable[[int], None]
#: Has the store make the bytes of a checksum again; SeamlessError says what was tried.
Bring = Callable[[str], None]


class Wanted(NamedTuple):
    """What is to be downloaded."""

    checksum: str
    #: where it goes
    path: str
    is_directory: bool
    #: what its sidecar is beside; None for a bare checksum
    name: str | None
    #: whether there is a sidecar beside the place that it was named by
    has_sidecar: bool


def wanted(word: str, *, is_directory: bool, output: str | None = None) -> Iterator[Wanted]:
    """What a word means: a checksum, a sidecar, what a sidecar is beside, or a directory with sidecars in it.

    SeamlessError if there is no sidecar, or it does not hold a checksum.
    """
    name = word.rstrip("/")
    for suffix in (sidecars.CHECKSUM, sidecars.INDEX):
        name = name.removesuffix(suffix)
    raw = name.lower()
    if is_checksum(raw) and not os.path.lexists(name + sidecars.CHECKSUM):
        yield Wanted(raw, output or raw, is_directory, None, False)
        return
    checksum = sidecars.read_checksum(name)
    inside = sorted(_sidecars_in(name)) if checksum is None and output is None else []
    for path in inside:
        yield from wanted(path, is_directory=False)
    if inside:
        return
    if checksum is None:
        raise SeamlessError(
            f"{name} has no sidecar {name}{sidecars.CHECKSUM}; name a file that has one, or a checksum (64 hex digits)"
        )
    directory = is_directory or word.endswith(("/", sidecars.INDEX)) or _was_directory(name)
    yield Wanted(checksum, output or name, directory, name, output is None)


def as_it_was(store: Store, one: Wanted) -> Wanted:
    """The same, as a directory if the store knows that it was one; a bare checksum is what was said."""
    if one.is_directory or one.name is None or not absent.was_directory(store, one.name, one.checksum):
        return one
    return one._replace(is_directory=True)


def _sidecars_in(directory: str) -> Iterator[str]:
    for place, _, names in os.walk(directory):
        yield from (os.path.join(place, name) for name in names if name.endswith(sidecars.CHECKSUM))


def _was_directory(name: str) -> bool:
    return os.path.exists(name + sidecars.INDEX) or os.path.isdir(name)


# -- bytes ----------------------------------------------------------------------------------------
def pieces(store: Store, checksum: str, bring: Bring) -> Iterator[bytes]:
    """The bytes, piece by piece."""
    try:
        # All of them are verified before the first one comes.
        yield from store.buffers.pieces(checksum)
    except BufferError_:
        bring(checksum)
        yield from store.buffers.pieces(checksum)


def _index_beside(store: Store, one: Wanted) -> Index | None:
    """What the sidecar of a directory says is in it, if that is the directory that is wanted."""
    if not one.has_sidecar or store.buffers.has(one.checksum):
        return None
    with suppress(OSError), open(one.path + sidecars.INDEX, "rb") as file:
        content = file.read(directories.MOST_INDEX_BYTES + 1)
        if store.digest.of(content) == one.checksum:
            return directories.parse(content, one.path + sidecars.INDEX)
    return None


def index_of(store: Store, checksum: str, bring: Bring) -> Index:
    """The index with this checksum, checked."""
    try:
        return directories.read_index(store, checksum)
    except BufferError_:
        bring(checksum)
        return directories.read_index(store, checksum)


# -- planning -------------------------------------------------------------------------------------
class File(NamedTuple):
    """A file of a download."""

    #: below the base of its plan
    name: str
    checksum: str
    executable: bool


class State(Enum):
    """What is there already in the place of a file."""

    ABSENT = "absent"
    SAME = "same"
    #: another file, or a link
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a download will write below one directory."""

    base: str
    #: the wanted file or directory, below base
    name: str
    wanted: Wanted
    #: of a directory
    index: Index | None
    states: dict[File, State]
    #: as far as they are known by now: of what is absent, or in the way
    count: int
    size: int

    @property
    def different(self) -> list[str]:
        """The files that are in the way."""
        return [os.path.join(self.base, file.name) for file, state in self.states.items() if state is State.DIFFERENT]


def plan(store: Store, one: Wanted, bring: Bring) -> Plan:
    """Look at what is there already; nothing is written."""
    base, name = os.path.split(os.path.abspath(one.path))
    if not os.path.isdir(base):
        raise SeamlessError(f"{base} is no directory; make it first, or choose another place")
    placing.check_names(one.path, beside="")
    index = None
    if one.is_directory:
        index = _index_beside(store, one) or index_of(store, one.checksum, bring)
        files = [
            File(f"{name}/{entry}", checksum, directories.is_executable(index, entry))
            for entry, checksum in directories.files(index)
        ]
    else:
        files = [File(name, one.checksum, False)]
    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if index is not None:
            _refuse_link(descriptor, name, one.path)
        with placing.Walk(descriptor, make=False) as walk:
            states = {file: _state(store, walk, file, base) for file in files}
    finally:
        os.close(descriptor)
    missing = [file for file, state in states.items() if state is not State.SAME]
    return Plan(base, name, one, index, states, len(missing), sum(_size(store, file.checksum) for file in missing))


def _refuse_link(base: int, name: str, path: str) -> None:
    with suppress(FileNotFoundError):
        if stat.S_ISLNK(os.stat(name, dir_fd=base, follow_symlinks=False).st_mode):
            raise SeamlessError(f"{path} is a link; a directory is not written through it, name what it leads to")


def _state(store: Store, walk: placing.Walk, file: File, where: str) -> State:
    try:
        parent, last = walk.to(file.name)
        descriptor = os.open(last, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    except FileNotFoundError:
        return State.ABSENT
    except OSError:
        # A link, or not to be read.
        return State.DIFFERENT
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise SeamlessError(f"{where}/{file.name} is a directory, where a file is to be; move it away")
        if not stat.S_ISREG(status.st_mode) or status.st_size != _size(store, file.checksum, status.st_size):
            return State.DIFFERENT
        return State.SAME if store.digest.of_descriptor(descriptor) == file.checksum else State.DIFFERENT
    finally:
        os.close(descriptor)


def _size(store: Store, checksum: str, unknown: int = 0) -> int:
    try:
        return store.buffers.size(checksum)
    except BufferMissing:
        return unknown


# -- writing --------------------------------------------------------------------------------------
def write(store: Store, planned: Plan, bring: Bring, advance: Advance) -> None:
    """Write what a plan lacks, in the place of what is in the way."""
    with _opened(planned) as base, placing.Walk(base) as walk:
        _make_directories(base, planned)
        for file, state in planned.states.items():
            parent, last = walk.to(file.name)
            if state is not State.SAME:
                _write(store, parent, last, file, bring)
                advance(_size(store, file.checksum))
            elif planned.index is not None:
                placing.set_executable(parent, last, file.executable)
        _write_index(base, planned)


def _write(store: Store, parent: int, name: str, file: File, bring: Bring) -> None:
    try:
        placing.write(store, parent, name, file.checksum, executable=file.executable)
    except BufferError_:
        bring(file.checksum)
        placing.write(store, parent, name, file.checksum, executable=file.executable)


@contextmanager
def _opened(planned: Plan) -> Iterator[int]:
    descriptor = os.open(planned.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_directories(planned: Plan) -> None:
    """Make the directories of a plan, without any files."""
    with _opened(planned) as base:
        _make_directories(base, planned)


def _make_directories(base: int, planned: Plan) -> None:
    if planned.index is None:
        return
    above = {os.path.dirname(name) for name, _ in directories.files(planned.index)}
    for name in sorted({"", *above, *directories.empty_directories(planned.index)}):
        placing.make_directory(base, os.path.join(planned.name, name).rstrip("/"))


def write_sidecars(planned: Plan) -> None:
    """Write the sidecars of all files of a directory, but not the files."""
    for name in {os.path.basename(file.name) for file in planned.states}:
        placing.check_names(os.path.join(planned.base, name))
    with _opened(planned) as base, placing.Walk(base) as walk:
        _make_directories(base, planned)
        for file in planned.states:
            parent, last = walk.to(file.name)
            placing.write_bytes(parent, last + sidecars.CHECKSUM, f"{file.checksum}\n".encode())
        _write_index(base, planned)


def _write_index(base: int, planned: Plan) -> None:
    """Beside the sidecar that names it; written anew where it is not there any more."""
    name = planned.name + sidecars.INDEX
    if planned.index is not None and planned.wanted.has_sidecar and not os.path.lexists(f"{planned.base}/{name}"):
        placing.write_bytes(base, name, plain.dump(planned.index))
