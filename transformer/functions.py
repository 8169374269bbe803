"""What the queue is given to make sense of bytes (see seamless_queue.clerk.Functions)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from seamless_queue.broker.work import Finished, Running
from seamless_queue.clerk import Host
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import bash, directories, plain
from .delivery import deliver
from .keying import key

__all__ = ["NAME", "deliver", "execute", "intake", "key", "mentions", "needs", "spare"]

#: How a worker finds this module.
NAME = __name__


def execute(store: Store, running: Running, host: Host, staged: Staged) -> Finished:
    """Run a job of any language; what Python code or its arguments need is imported where it is met."""
    with host.lane.lock:
        fields = plain.load(store.buffers.read(running.checksum))
    if fields["__language__"] == "python":
        from .pythonjob import execute as execute_python

        return execute_python(store, fields, running, host, staged)
    if fields["code"][1] == "transformer":
        from .bashpins import execute as execute_bash

        return execute_bash(store, fields, running, host, staged)
    return bash.execute(store, fields, running, host, staged)


def needs(store: Store, checksum: str) -> Iterator[str]:
    """All buffers that a job needs to be run: its code, its inputs, and what they name."""
    from .provenance import buffers, identity_of

    yield checksum
    yield from buffers(store.buffers.read, identity_of(store, checksum))


def mentions(store: Store, content: bytes) -> Iterator[bytes]:
    """The same from the content of an identity or specification, quickly, and maybe more than that."""
    from .mentions import mentions as found_in

    return found_in(store, content)


def spare(store: Store, checksum: str, result: str) -> Iterator[str]:
    """What of a job's result can be given up; an index stays, so that it is known what there was."""
    from .provenance import identity_of, members, parts

    is_index = parts(identity_of(store, checksum)).is_index
    yield from members(store.buffers.read, result) if is_index else (result,)


def intake(store: Store, path: str, staged: Staged) -> str:
    """Keep a user's file, or directory as an index, as it is now; its checksum."""
    if os.path.isdir(path):
        return store.buffers.stage(plain.dump(directories.stage(store, path, staged)), staged)
    return store.buffers.stage_file(path, staged)
