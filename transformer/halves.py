"""Hashes very many small files in two processes: this one, and a helper that is started for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from seamless_queue import hashhelper
from seamless_queue.digest import Digest
from seamless_queue.meanwhile import Meanwhile
from seamless_queue.processes import start_helper

from .directories import Found

#: Fewer files are hashed before a helper has started.
WORTH_FILES = 2000
#: Of larger files the helper would have no gain: their digest is what takes time, and that has threads.
SMALL_BYTES = 1 << 18


def in_halves(files: Sequence[Found], digest: Digest, hash_one: Callable[[Found], str]) -> list[str]:
    """The checksums of files; `hash_one` is for those of this process, and for what the helper could not do."""
    small = [number for number, file in enumerate(files) if file.size < SMALL_BYTES]
    if len(small) < WORTH_FILES or processors() < 2:
        return [hash_one(file) for file in files]
    theirs = small[len(small) // 2 :]
    helped: dict[int, str] = {}
    helper = start_helper(hashhelper.__file__, digest.name, _place_of_library())
    try:
        words = b"".join(os.fsencode(files[number].path) + b"\0" for number in theirs)
        told = Meanwhile(lambda: helper.communicate(words)[0])
        ours = set(theirs)
        done = {number: hash_one(file) for number, file in enumerate(files) if number not in ours}
        for number, line in zip(theirs, told.result().splitlines(), strict=False):
            if (checksum := _said(line, files[number])) is not None:
                helped[number] = checksum
    finally:
        helper.kill()
        helper.wait()
    return [done.get(number) or helped.get(number) or hash_one(file) for number, file in enumerate(files)]


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _said(line: bytes, file: Found) -> str | None:
    """The checksum of a file, if it was the one that had been looked at."""
    status = file.status
    if not line or status is None:
        return None
    looked_at = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    checksum, _, seen = line.partition(b" ")
    return checksum.decode() if seen == b"%d %d %d %d" % looked_at else None


def _place_of_library() -> str:
    import blake3

    return os.path.dirname(os.path.dirname(blake3.__file__))
