"""Directories by checksum: an index of relative paths and the checksums of their files.

    "a/b.txt": "2c26…"              a file
    "./a/tool": "executable"        a mark: this file may be executed by its owner
    "./a/empty": "directory"        a mark: this directory has nothing in it

No path of a file begins with "./", so that marks are told apart by their keys; where there is nothing to mark, an
index has files only. Sidecars are not part of an index, nor is what is just being written; symbolic links are followed.
"""

from __future__ import annotations

import operator
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from seamless_queue import statcache
from seamless_queue.digest import is_checksum
from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import is_temporary
from seamless_queue.sidecars import is_sidecar
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import plain

Index = dict[str, str]

#: What the key of a mark begins with.
MARK = "./"
EXECUTABLE, DIRECTORY = "executable", "directory"
#: Where this is not in the bytes of an index, it names no empty directory.
EMPTY = f'"{DIRECTORY}"'.encode()
#: A larger index is not read: it would take gigabytes of memory. This one has some three million files.
MOST_INDEX_BYTES = 256 << 20


_name_of = operator.attrgetter("name")


class Found(NamedTuple):
    """What was found in a directory: a file, or (without a status) a directory with nothing in it."""

    #: the path inside, with /
    name: str
    path: str
    status: os.stat_result | None

    @property
    def size(self) -> int:
        """The bytes of a file."""
        return 0 if self.status is None else self.status.st_size

    @property
    def is_executable(self) -> bool:
        """Whether it is a file that its owner may execute."""
        return self.status is not None and bool(self.status.st_mode & stat.S_IXUSR)


# -- what lies in a directory -----------------------------------------------------------------
def survey(directory: str, store: str | None = None) -> list[Found]:
    """All files below a directory, and the empty directories.

    SeamlessError for what is neither file nor directory, for a link back into its own parents, and for the store.
    """
    found: list[Found] = []
    _survey(directory, "", frozenset(), None if store is None else _place(store), found)
    return found


def _place(directory: str) -> tuple[int, int]:
    status = os.stat(directory)
    return status.st_dev, status.st_ino


def _survey(
    directory: str, prefix: str, above: frozenset[tuple[int, int]], store: tuple[int, int] | None, found: list[Found]
) -> None:
    here = _place(directory)
    if here in above:
        raise SeamlessError(f"{directory} links back to a directory above it; remove the link")
    if here == store:
        # Opening its database here would drop the locks on it.
        raise SeamlessError(f"{directory} is the store itself; leave it out")
    with os.scandir(directory) as entries:
        inside = sorted(entries, key=_name_of)
    before = len(found)
    for entry in inside:
        name = entry.name
        if is_temporary(name):
            continue
        if entry.is_dir():
            _survey(entry.path, f"{prefix}{name}/", above | {here}, store, found)
        elif not is_sidecar(name):
            path = entry.path
            found.append(Found(prefix + name, path, _status(path, entry.stat)))
    if prefix and len(found) == before:
        found.append(Found(prefix[:-1], directory, None))


def look_at(path: str) -> Found:
    """A single file; SeamlessError if it is none."""
    return Found(os.path.basename(path), path, _status(path, lambda: os.stat(path)))


def _status(path: str, look: Callable[[], os.stat_result]) -> os.stat_result:
    try:
        status = look()
    except FileNotFoundError:
        raise SeamlessError(_why_missing(path)) from None
    except OSError as exc:
        raise SeamlessError(f"{path}: {exc.strerror}") from exc
    if not stat.S_ISREG(status.st_mode):
        raise SeamlessError(f"{path} is neither a file nor a directory; leave it out")
    return status


def _why_missing(path: str) -> str:
    if os.path.islink(path):
        return f"{path} links to {os.readlink(path)}, which is not there; remove the link or restore the file"
    return f"{path} went away just now; run again when its writer is done"


def walk(directory: str) -> Iterator[tuple[str, str]]:
    """Every file below a directory: its path there (with /) and its full path."""
    return ((found.name, found.path) for found in survey(directory) if found.status is not None)


# -- keeping one ------------------------------------------------------------------------------
def stage(store: Store, directory: str, staged: Staged) -> Index:
    """Keep all files of a user's directory as they are now; their index."""
    found = survey(directory, store.path)
    return index_of(found, stage_files(store, found, staged))


def stage_files(store: Store, found: Sequence[Found], staged: Staged) -> Iterator[str]:
    """Keep the files among what was found, as they are now; their checksums in the same order."""
    statuses = [entry.status for entry in found if entry.status is not None]
    known = statcache.lookup_many(store.database, statuses)
    present = store.buffers.present(checksum for checksum in known if checksum is not None)
    entries = (entry for entry in found if entry.status is not None)
    for entry, checksum in zip(entries, known, strict=True):
        if checksum is None or checksum not in present:
            checksum = store.buffers.stage_file(entry.path, staged, unknown=entry.status if checksum is None else None)
        yield checksum


def adopt(store: Store, directory: str, staged: Staged) -> Index:
    """The same for a directory that nobody else has: large files are moved into the store."""
    found = survey(directory)
    return index_of(found, (adopt_file(store, file.path, staged) for file in found if file.status is not None))


def adopt_file(store: Store, path: str, staged: Staged) -> str:
    """Keep one file of a job's directory; behind a symbolic link, a copy of what it points to."""
    if os.path.islink(path):
        return store.buffers.stage_file(path, staged)
    return store.buffers.adopt(path, staged)


def index_of(found: list[Found], checksums: Iterable[str]) -> Index:
    """The index of what was found, given the checksums of the files in their order."""
    known = iter(checksums)
    index: Index = {}
    for entry in found:
        if entry.status is None:
            index[MARK + entry.name] = DIRECTORY
            continue
        index[entry.name] = next(known)
        if entry.is_executable:
            index[MARK + entry.name] = EXECUTABLE
    return index


# -- reading an index ---------------------------------------------------------------------------
def read_index(store: Store, checksum: str) -> Index:
    """The index with this checksum; SeamlessError if it is not one, or names places outside."""
    if store.buffers.size(checksum) > MOST_INDEX_BYTES:
        raise SeamlessError(
            f"index {checksum} is larger than {MOST_INDEX_BYTES >> 20} MiB; divide its directory into several"
        )
    return parse(store.buffers.read(checksum), f"index {checksum}")


def parse(content: bytes, label: str) -> Index:
    """The index in these bytes; SeamlessError, naming `label`, if they are not a sound one."""
    try:
        index = plain.load(content)
    except (ValueError, RecursionError):
        index = None
    if not isinstance(index, dict):
        raise SeamlessError(f"{label} is not the index of a directory")
    if plain.dump(index) != content and _has_duplicates(content):
        raise SeamlessError(f"{label} names a file twice; it is not used")
    return checked(index, label)


def checked(index: dict[str, Any], label: str) -> Index:
    """The same if it is a sound index."""
    for name, entry in index.items():
        _check(name, entry, index, label)
    if through := _file_and_directory(index):
        raise SeamlessError(f"{label} has {through!r} as a file and as a directory; it is not used")
    return index


def _check(name: str, entry: object, index: dict[str, Any], label: str) -> None:
    if name.startswith(MARK) and not (isinstance(entry, str) and is_checksum(entry)):
        marked = name[len(MARK) :]
        if not is_inside(marked):
            raise SeamlessError(f"{label} names {name!r}, outside of its directory; it is not used")
        if entry not in (EXECUTABLE, DIRECTORY):
            raise SeamlessError(f"{label} marks {marked!r} as {entry!r:.80}, which this version does not know")
        if (entry == EXECUTABLE) is not (marked in index):
            raise SeamlessError(f"{label} marks {marked!r} as {entry}, but {_contrary(entry)}; it is not used")
    elif not is_inside(name):
        raise SeamlessError(f"{label} names {name!r}, outside of its directory; it is not used")
    elif not isinstance(entry, str) or not is_checksum(entry):
        raise SeamlessError(f"{label} has no checksum for {name!r}, but {entry!r:.80}; it is not used")


def _contrary(entry: object) -> str:
    return "has no such file" if entry == EXECUTABLE else "has a file of this name"


def _has_duplicates(content: bytes) -> bool:
    import json

    twice = False

    def pairs(items: list[tuple[str, Any]]) -> None:
        nonlocal twice
        twice = twice or len(items) != len({name for name, _ in items})

    json.loads(content, object_pairs_hook=pairs)
    return twice


def _file_and_directory(index: Index) -> str | None:
    """A name that is a file and has others below it."""
    seen: set[str] = set()
    for name in index:
        above = name.removeprefix(MARK).rpartition("/")[0]
        while above and above not in seen:
            if above in index:
                return above
            seen.add(above)
            above = above.rpartition("/")[0]
    return None


def is_inside(name: str) -> bool:
    """Whether a relative path with / stays inside, and is written in the one normal way."""
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


# -- parts of an index ----------------------------------------------------------------------------
def is_mark(name: str, entry: object) -> bool:
    """Whether this is no file, but something said about one, or an empty directory."""
    return name.startswith(MARK) and entry in (EXECUTABLE, DIRECTORY)


def files(index: Index) -> Iterator[tuple[str, str]]:
    """The files of an index, with their checksums."""
    return ((name, entry) for name, entry in index.items() if not name.startswith(MARK))


def empty_directories(index: Index) -> Iterator[str]:
    """The directories of an index that have nothing in them."""
    return (name[len(MARK) :] for name, entry in index.items() if entry == DIRECTORY)


def is_executable(index: Index, name: str) -> bool:
    """Whether a file of an index may be executed."""
    return index.get(MARK + name) == EXECUTABLE


def members(index: Index) -> tuple[str, ...]:
    """The checksums of all files, each once."""
    return tuple(dict.fromkeys(checksum for _, checksum in files(index)))


def part_of(index: Index, name: str) -> str | Index:
    """What an index has under a name: a file's checksum, or the index of a directory, maybe empty."""
    if name in index:
        return index[name]
    prefix, marked = f"{name}/", f"{MARK}{name}/"
    part = {entry[len(prefix) :]: checksum for entry, checksum in index.items() if entry.startswith(prefix)}
    for entry, mark in index.items():
        if entry.startswith(marked):
            part[MARK + entry[len(marked) :]] = mark
    return part


def has_part(index: Index, name: str) -> bool:
    """Whether an index has a file or a directory of this name."""
    return bool(part_of(index, name)) or MARK + name in index


def put(index: Index, name: str, part: str | Index, *, executable: bool = False) -> None:
    """Put a file or a directory into an index."""
    index.pop(MARK + name, None)
    above = name
    while above := above.rpartition("/")[0]:
        if index.get(MARK + above) == DIRECTORY:
            del index[MARK + above]
    if isinstance(part, str):
        index[name] = part
        if executable:
            index[MARK + name] = EXECUTABLE
        return
    for entry, checksum in part.items():
        index[f"{MARK}{name}/{entry[len(MARK) :]}" if entry.startswith(MARK) else f"{name}/{entry}"] = checksum
    if not part:
        index[MARK + name] = DIRECTORY


def without_marks(index: dict[str, Any]) -> dict[str, Any]:
    """The files only, as code that knows nothing of marks expects them."""
    return {name: entry for name, entry in index.items() if not is_mark(name, entry)}


def without_empty(index: Index) -> Index:
    """The same without its empty directories."""
    return {name: entry for name, entry in index.items() if entry != DIRECTORY}


# -- writing one ------------------------------------------------------------------------------------
def materialise(store: Store, index: Index, directory: str) -> None:
    """Write all files of an index into a directory, making it if need be."""
    made = {directory}
    with suppress(FileExistsError):
        os.mkdir(directory)
    for name, checksum in files(index):
        path = f"{directory}/{name}"
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        store.buffers.copy_to(checksum, path, 0o777 if is_executable(index, name) else 0o666)
    for name in empty_directories(index):
        os.makedirs(f"{directory}/{name}", exist_ok=True)
