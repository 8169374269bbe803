"""Showing again what a command wrote when it ran."""

from __future__ import annotations

import os

from seamless_queue.broker import submissions
from seamless_queue.broker.records import NewRequest, Submitted
from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import write_atomically
from seamless_queue.store import Store

#: In whose name messages are.
NAME = "seamless-run"


def replay(store: Store, submitted: Submitted, request: NewRequest, *, shown: bool = False) -> None:
    """Write what the job's run wrote to stdout and stderr, unless it was shown while it ran."""
    assert submitted.job_id is not None
    streams = submissions.streams(store.database, submitted.job_id)
    stdout_is_result = not request.outputs
    if streams.stderr is not None and not shown:
        write_out(store, streams.stderr, 2)
    if streams.stdout is not None and (stdout_is_result or not shown):
        write_out(store, submitted.result if stdout_is_result and submitted.result else streams.stdout, 1)


def write_out(store: Store, checksum: str, descriptor: int) -> None:
    """Copy a buffer to a descriptor, piece by piece."""
    for part in store.buffers.pieces(checksum):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def write_file(store: Store, checksum: str, path: str) -> None:
    """Write a buffer to a file, in place of what was there, whole or not at all."""
    if os.path.isdir(path):
        raise SeamlessError(f"{path} is a directory; name a file")
    write_atomically(path, store.buffers.pieces(checksum))
