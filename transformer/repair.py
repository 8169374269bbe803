"""Brings back buffers that are damaged or gone: from another store, from the files they were, or by running their jobs.

another store ──▶ the file that was uploaded, or written as an output ──▶ the job that made it ──▶ the input it was
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from seamless_queue.broker import evictions
from seamless_queue.care import places
from seamless_queue.care.needed import named_in
from seamless_queue.care.verify import Fault
from seamless_queue.errors import BufferMissing, SeamlessError
from seamless_queue.sidecars import INDEX
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import plain, provenance
from .fingertip import Fingertips


class Repaired(NamedTuple):
    """What became of a fault."""

    checksum: str
    is_there: bool
    #: where it came from, or why it could not be had
    how: str


def repair(store: Store, faults: Iterable[Fault], tell: Callable[[Repaired], None]) -> list[Repaired]:
    """Bring back what can be had; `tell` is told of each as it is done.

    What can be copied comes first: jobs that are run again may need it.
    """
    done: list[Repaired] = []

    def note(one: Repaired) -> None:
        done.append(one)
        tell(one)

    left = set()
    for fault in faults:
        found = _from_elsewhere(store, fault.checksum)
        if found is not None:
            note(found)
        else:
            left.add(fault.checksum)
    for found in _from_inputs(store, left):
        left.remove(found.checksum)
        note(found)
    with Fingertips(store) as fingertips:
        for checksum in sorted(left):
            note(_made_again(fingertips, checksum))
    return done


def _from_elsewhere(store: Store, checksum: str) -> Repaired | None:
    if store.sources is not None and store.sources.fetch(checksum):
        return Repaired(checksum, True, "from another store")
    if checksum == store.digest.of(b""):
        _insert(store, b"")
        return Repaired(checksum, True, "it is empty")
    return _from_files(store, checksum, _candidates(store, checksum))


def _from_files(store: Store, checksum: str, paths: Iterable[str]) -> Repaired | None:
    for path in paths:
        with suppress(OSError, SeamlessError):
            if os.path.isfile(path) and _take(store, path, checksum):
                return Repaired(checksum, True, f"from {path}")
    return None


def _candidates(store: Store, checksum: str) -> Iterator[str]:
    """Files that may be this buffer: what was uploaded, what was written as an output."""
    yield from places.of_upload(store.database, checksum)
    for maker in evictions.makers_of(store.database, checksum):
        for path in places.of_outputs(store.database, maker.job_id):
            yield path
            # The index of a directory is one of its sidecars.
            yield path + INDEX
            yield from _inside(path, checksum)


def _inside(path: str, checksum: str) -> Iterator[str]:
    with suppress(OSError, ValueError), open(path + INDEX, "rb") as file:
        index = plain.load(file.read())
        for name, entry in index.items() if isinstance(index, dict) else ():
            if entry == checksum:
                yield os.path.join(path, name)


def _take(store: Store, path: str, checksum: str) -> bool:
    """Keep a file, if it still is what it was."""
    if store.digest.of_file(path) != checksum:
        return False
    staged = Staged()
    kept = store.buffers.stage_file(path, staged)
    with store.database.transaction() as connection:
        staged.write(connection)
    return kept == checksum


def _insert(store: Store, content: bytes) -> None:
    staged = Staged()
    store.buffers.stage(content, staged)
    with store.database.transaction() as connection:
        staged.write(connection)


def _made_again(fingertips: Fingertips, checksum: str) -> Repaired:
    if fingertips.store.buffers.holds(checksum):
        return Repaired(checksum, True, "a job that was run again made this too")
    try:
        fingertips.bring(checksum)
    except BufferMissing as exc:
        if exc.checksum == checksum:
            return Repaired(checksum, False, "no job that is recorded here made it, and no file that is known is it")
        return Repaired(checksum, False, f"the job that made it needs {exc.checksum}, which is gone")
    except SeamlessError as exc:
        return Repaired(checksum, False, str(exc))
    return Repaired(checksum, True, "its job was run again")


def _from_inputs(store: Store, wanted: set[str]) -> Iterator[Repaired]:
    """What may have been an input, under the name that a job knows it by; all jobs are looked through."""
    left = set(wanted)
    for checksum, path in _input_files(store, left) if left else ():
        if checksum in left and (found := _from_files(store, checksum, [path])) is not None:
            left.remove(checksum)
            yield found


def _input_files(store: Store, wanted: set[str]) -> Iterator[tuple[str, str]]:
    keys = {bytes.fromhex(checksum) for checksum in wanted}
    for job, content, directory in places.jobs_with_directories(store.database):
        # The quick look first: of a million jobs few name one of these.
        if not keys.isdisjoint(named_in(content)):
            with suppress(SeamlessError, ValueError):
                for one in provenance.parts(provenance.identity({job: content}.__getitem__, job)).inputs:
                    if one.checksum in wanted:
                        yield one.checksum, os.path.join(os.fsdecode(directory), one.name)
