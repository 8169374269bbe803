"""What this machine has for jobs: memory and GPUs; and whether it has run out of memory."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress

from .broker.resources import GPUS, MEMORY, VISIBLE_DEVICES

#: The memory of a control group that has no limit is written as a number near this.
_NO_LIMIT = 1 << 60


def offer() -> dict[str, int]:
    """What a server offers unless it is told otherwise, by name."""
    return {MEMORY: memory(), GPUS: gpus()}


def memory() -> int:
    """Bytes that all processes may have together: the machine's, or those of our control group."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_number(os.path.join(group, name)) for group in _groups() for name in ("memory.max", _VERSION_1)]
    return min([physical, *(limit for limit in limits if limit is not None and limit < _NO_LIMIT)])


_VERSION_1 = "memory.limit_in_bytes"


def gpus() -> int:
    """How many GPUs this process may use, as far as can be told without a library."""
    visible = os.environ.get(VISIBLE_DEVICES)
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() and not name.strip().startswith("-")])
    with suppress(OSError):
        return sum(re.fullmatch(r"nvidia\d+", name) is not None for name in os.listdir("/dev"))
    return 0


def out_of_memory_kills() -> int:
    """How many processes of our control group the kernel has killed because memory ran out; 0 if it does not tell."""
    total = 0
    for group in _groups():
        with suppress(OSError, ValueError), open(os.path.join(group, "memory.events"), encoding="ascii") as file:
            total = max(total, *(int(line.split()[1]) for line in file if line.startswith("oom_kill ")))
    return total


def _groups() -> list[str]:
    """The directories of this process's control group and of those above it, nearest first (cgroups(7))."""
    paths = []
    with suppress(OSError), open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controllers in ("", "memory"):
                root = "/sys/fs/cgroup" if not controllers else "/sys/fs/cgroup/memory"
                paths += _upward(root, path)
    return paths


def _upward(root: str, path: str) -> list[str]:
    found = []
    while True:
        found.append(os.path.normpath(root + "/" + path))
        if path in ("/", ""):
            return found
        path = os.path.dirname(path)


def _number(path: str) -> int | None:
    with suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        return int(file.read())
    return None


def kernel_tells_of_memory(begin: float, end: float) -> bool:
    """Whether the kernel's log says that memory ran out between two moments, as far as we may read it."""
    with suppress(OSError):
        descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return any(begin <= moment <= end for moment in _memory_events(descriptor))
        finally:
            os.close(descriptor)
    return False


def _memory_events(descriptor: int) -> Iterator[float]:
    """When memory ran out, by /dev/kmsg, a record a read: `priority,number,microseconds since the start,…;text`."""
    started = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    while True:
        try:
            record = os.read(descriptor, 8192)
        except BrokenPipeError:
            # It was overwritten while we read; the next one is there.
            continue
        except BlockingIOError:
            return
        head, _, text = record.partition(b";")
        if b"Killed process" in text or b"oom-kill" in text:
            yield started + int(head.split(b",")[2]) / 1e6
