"""The end of what a job writes, or has written."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from seamless_queue import streamlog
from seamless_queue.broker.jobdetails import Details
from seamless_queue.buffers import SMALL_BYTES
from seamless_queue.errors import StoreError
from seamless_queue.store import Store

#: So much of the end is shown.
TAIL_BYTES = 64 * 1024


class Output(NamedTuple):
    """The end of a stream, and how long it is in all."""

    name: str
    content: bytes
    size: int


def output_of(store: Store, found: Details) -> list[Output]:
    """Of what runs, as far as it is written; else of the newest attempt."""
    if found.row.word in ("running", "stopping") and found.row.worker_id is not None:
        return _running(store, found.row.worker_id)
    if not found.attempts:
        return []
    newest = found.attempts[0]
    streams = ("standard output", newest.stdout), ("standard error", newest.stderr)
    found_ones = [_kept(store, name, checksum) for name, checksum in streams if checksum]
    return [one for one in found_ones if one.size]


def _running(store: Store, worker_id: int) -> list[Output]:
    found = []
    for name, path in zip(
        ("standard output", "standard error"), streamlog.files_of(store, worker_id) or (), strict=False
    ):
        with suppress(OSError):
            found.append(_tail(name, path))
    return [one for one in found if one.size]


def _kept(store: Store, name: str, checksum: str) -> Output:
    with suppress(OSError):
        return _tail(name, store.buffers.path(checksum))
    try:
        # What has no file is small.
        content = store.buffers.read(checksum)
    except StoreError:
        content = b"(its bytes are not in the store any more)"
    return Output(name, content[-max(TAIL_BYTES, SMALL_BYTES) :], len(content))


def _tail(name: str, path: str) -> Output:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - TAIL_BYTES))
        return Output(name, file.read(TAIL_BYTES), size)
