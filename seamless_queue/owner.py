"""Who a process is, so that it can be told apart from a later one with the same number, and seen dead."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import NamedTuple


class ProcessIdentity(NamedTuple):
    """A process, named so that no other process of any boot or container is taken for it."""

    host: str
    boot: str
    pid_namespace: str
    pid: int
    #: Start time: clock ticks since boot on Linux (proc(5), field 22 of stat), else whole seconds.
    started: int


@cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        import psutil

        return f"boot-{int(psutil.boot_time())}"


@cache
def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return sys.platform


def start_time(pid: int) -> int | None:
    """When the process started (see ProcessIdentity.started); None if it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None if os.path.exists("/proc/self/stat") else _start_time_elsewhere(pid)
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _start_time_elsewhere(pid: int) -> int | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time())
    except psutil.NoSuchProcess:
        return None


def of_process(pid: int) -> ProcessIdentity:
    """The identity of a live process of this host, from this process's view."""
    return ProcessIdentity(os.uname().nodename, _boot(), _pid_namespace(), pid, start_time(pid) or 0)


def current() -> ProcessIdentity:
    """The identity of this process."""
    return of_process(os.getpid())


def is_alive(process: ProcessIdentity) -> bool | None:
    """Whether the process lives; None if it cannot be seen from here (another host or container)."""
    if process.boot != _boot():
        # A host that has booted since has none of its old processes.
        return False if process.host == os.uname().nodename else None
    if process.pid_namespace != _pid_namespace():
        return None
    return start_time(process.pid) == process.started
