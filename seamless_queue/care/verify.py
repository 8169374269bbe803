"""Looks whether a store is whole: every buffer hashed, every row that promises bytes compared with what is there.

Damaged copies are set aside, so that nothing is served from them. Hashing runs in threads; each file is open for one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple

from ..broker import evictions
from ..broker.states import JobState, among
from ..digest import Digest, is_checksum
from ..errors import BufferCorrupt, BufferMissing
from ..store import Store
from . import files
from .needed import Meaning, index_content, named_in

#: So many rows are looked at in one read transaction.
STEP = 1000
#: So many files wait for a thread at once.
AHEAD = 64

SMALL = "SELECT checksum, content FROM buffers WHERE checksum > ? ORDER BY checksum LIMIT ?"
PROMISES = f"""SELECT jobs.id, jobs.checksum, jobs.result, identity.content FROM jobs
    LEFT JOIN buffers AS identity ON identity.checksum = jobs.checksum
    WHERE jobs.id > ? AND {among(JobState.DONE)} AND jobs.evicted IS NULL ORDER BY jobs.id LIMIT ?"""
UPLOADS = "SELECT checksum, path FROM uploads WHERE (checksum, path) > (?, ?) ORDER BY checksum, path LIMIT ?"


class Fault(NamedTuple):
    """A buffer that is damaged, or promised and not there."""

    checksum: str
    #: "damaged", "missing", or "lost" (found damaged earlier, and nobody has made it)
    kind: str
    #: where the damaged copy is now, or who promises what is missing
    what: str


class Verified(NamedTuple):
    """What was looked at, and what was found."""

    buffers: int
    bytes: int
    faults: tuple[Fault, ...]
    #: files among the buffers that are none
    strangers: tuple[str, ...]


def verify(
    store: Store,
    meaning: Meaning,
    *,
    quick: bool = False,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Look at all buffers and promises; `quick` does not hash. `progress` is told of bytes that were hashed."""
    count = size = 0
    faults: list[Fault] = []
    for found, length, fault in () if quick else _hashed(store, threads or os.cpu_count() or 1):
        count, size = count + found, size + length
        faults += [fault] if fault is not None else []
        progress(length)
    if quick:
        for batch in files.batches(store.buffers.directory):
            count, size = count + len(batch), size + sum(file.size for file in batch)
    gone = {fault.checksum for fault in faults}
    faults += [fault for fault in _missing(store, meaning) if fault.checksum not in gone]
    gone |= {fault.checksum for fault in faults}
    faults += [fault for fault in lost(store) if fault.checksum not in gone]
    return Verified(count, size, tuple(faults), tuple(files.strangers(store.buffers.directory)))


def _hashed(store: Store, threads: int) -> Iterator[tuple[int, int, Fault | None]]:
    """Every buffer, as how many, how many bytes, and what is wrong with it."""
    for rows in _small(store):
        for checksum, content in rows:
            yield 1, len(content), None if store.digest.of(content) == checksum else _set_aside(store, checksum)
    found = (file for batch in files.batches(store.buffers.directory) for file in batch)
    for file, actual in _in_threads(found, lambda file: _digest_of(store.digest, store.buffers.path(file[0])), threads):
        yield _judge(store, file, actual)


def _in_threads(
    found: Iterable[files.BufferFile], work: Callable[[files.BufferFile], str | None], threads: int
) -> Iterator[tuple[files.BufferFile, str | None]]:
    """Each file with what came of the work on it, as they are done; only so many are taken ahead."""
    todo: SimpleQueue[files.BufferFile | None] = SimpleQueue()
    done: SimpleQueue[tuple[files.BufferFile, str | None]] = SimpleQueue()

    def run() -> None:
        while (file := todo.get()) is not None:
            done.put((file, work(file)))

    for number in range(threads):
        threading.Thread(target=run, name=f"verify-{number}", daemon=True).start()
    waiting = 0
    try:
        for file in found:
            todo.put(file)
            waiting += 1
            if waiting > AHEAD:
                waiting -= 1
                yield done.get()
        for _ in range(waiting):
            yield done.get()
    finally:
        for _ in range(threads):
            todo.put(None)


def _small(store: Store) -> Iterator[list[tuple[str, bytes]]]:
    last = b""
    while rows := store.database.rows(SMALL, (last, STEP)):
        last = rows[-1][0]
        yield [(row[0].hex(), bytes(row[1])) for row in rows]


def _digest_of(digest: Digest, path: str) -> str | None:
    """The checksum of a file; None if it is gone, an empty text if it cannot be read."""
    try:
        descriptor = files.open_unnoticed(path)
    except FileNotFoundError:
        return None
    except OSError:
        return ""
    try:
        return digest.of_descriptor(descriptor)
    except (OSError, ValueError):
        # Cut short while it is mapped.
        return ""
    finally:
        os.close(descriptor)


def _judge(store: Store, file: files.BufferFile, actual: str | None) -> tuple[int, int, Fault | None]:
    if actual is None:
        # Given up meanwhile.
        return 0, 0, None
    if actual == file.checksum:
        return 1, file.size, None
    if actual == "":
        return 1, file.size, Fault(file.checksum, "damaged", f"{store.buffers.path(file.checksum)} cannot be read")
    return 1, file.size, _set_aside(store, file.checksum)


def _set_aside(store: Store, checksum: str) -> Fault | None:
    """Have the store itself look at it, which sets it aside; None if it is good by now."""
    try:
        for _ in store.buffers.pieces(checksum):
            break
    except BufferCorrupt:
        return Fault(checksum, "damaged", f"set aside in {store.buffers.directory}/{files.DAMAGED}")
    except BufferMissing:
        pass
    return None


def _missing(store: Store, meaning: Meaning) -> Iterator[Fault]:
    """What rows promise and is not there."""
    last = 0
    while rows := store.database.rows(PROMISES, (last, STEP)):
        last = rows[-1][0]
        for row in rows:
            yield from _missing_of(store, meaning, row)
    last_upload: tuple[Any, ...] = (b"", b"")
    while uploads := store.database.rows(UPLOADS, (*last_upload, STEP)):
        last_upload = tuple(uploads[-1])
        for checksum, path in uploads:
            if not store.buffers.holds(checksum.hex()):
                yield Fault(checksum.hex(), "missing", f"uploaded as {os.fsdecode(path)}")


def _missing_of(store: Store, meaning: Meaning, row: Any) -> Iterator[Fault]:
    _, checksum, result, content = row
    job = f"result of job {checksum.hex()}"
    if not store.buffers.holds(result.hex()):
        yield Fault(result.hex(), "missing", job)
        return
    content = bytes(content) if content is not None else index_content(store, checksum)
    if not content:
        yield Fault(checksum.hex(), "missing", f"identity of job {checksum.hex()}")
    elif meaning.makes_index(content):
        for member in _absent(store, named_in(index_content(store, result))):
            yield Fault(member, "missing", f"part of the {job}")


def _absent(store: Store, checksums: Iterable[bytes]) -> Iterator[str]:
    for checksum in dict.fromkeys(checksums):
        with suppress(ValueError):
            if not store.buffers.holds(checksum.hex()):
                yield checksum.hex()


def lost(store: Store) -> Iterator[Fault]:
    """What was set aside earlier and no job is known to make: an input, or what nobody refers to."""
    for fault in set_aside(store):
        if evictions.maker_of(store.database, fault.checksum) is None:
            yield fault._replace(kind="lost")


def set_aside(store: Store) -> Iterator[Fault]:
    """What was found damaged earlier and has not come back since."""
    seen = set()
    for name in sorted(os.listdir(os.path.join(store.buffers.directory, files.DAMAGED))):
        checksum = name.partition("-")[0]
        if is_checksum(checksum) and checksum not in seen and not store.buffers.holds(checksum):
            seen.add(checksum)
            yield Fault(checksum, "damaged", f"set aside in {store.buffers.directory}/{files.DAMAGED}")
