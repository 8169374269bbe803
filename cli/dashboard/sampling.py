"""What workers use and how large the store is, looked at now and then in a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

import psutil

from seamless_queue import owner
from seamless_queue.broker.overview import Worker
from seamless_queue.care import cap
from seamless_queue.care.cap import Cap
from seamless_queue.storesize import Size, measured
from seamless_queue.survey import Host

from .pace import Pace

#: Between two looks at the workers' processes, at least.
LOAD_SECONDS = 3.0
#: Between two looks at the files of the store, at least, and so long one may take.
SIZE_SECONDS = 60.0
SIZE_LASTS_SECONDS = 0.5
#: Of a core.
LOAD_SHARE, SIZE_SHARE = 0.0015, 0.0005


class Load(NamedTuple):
    """What a worker and all that it has started use: processors, and bytes of memory (shared pages count in each)."""

    cpu: float
    memory: int


class Sampler:
    """Looks at processes and files; the newest samples are there to be read at any time."""

    def __init__(self, path: str, max_size: str | None) -> None:
        self.loads: dict[int, Load] = {}
        self.size: tuple[Size, Cap] | None = None
        self._path = path
        self._max_size = max_size
        self._workers: dict[int, int] = {}
        self._seconds: dict[int, float] = {}
        self._looked = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(1.0)

    def watch(self, hosts: Iterable[Host], workers: Iterable[Worker]) -> None:
        """These workers are of interest, as far as they can be seen from here."""
        here = {host.session.id for host in hosts if host.alive}
        self._workers = {
            one.id: one.pid
            for one in workers
            if one.session_id in here and owner.start_time(one.pid) == one.process_started
        }

    def _run(self) -> None:
        load, size = Pace(LOAD_SECONDS, LOAD_SHARE), Pace(SIZE_SECONDS, SIZE_SHARE)
        while not self._end.wait(min(0.5, LOAD_SECONDS)):
            now = time.monotonic()
            with suppress(OSError, psutil.Error):
                if size.is_due(now):
                    with size.spending(now):
                        self._measure()
                if self._workers and load.is_due(now):
                    with load.spending(now):
                        self._look(now)

    def _measure(self) -> None:
        found = measured(self._path, SIZE_LASTS_SECONDS)
        self.size = found, cap.of(self._path, self._max_size, found.bytes)

    def _look(self, now: float) -> None:
        seconds: dict[int, float] = {}
        loads = {}
        for worker_id, pid in self._workers.items():
            used, memory, before = 0.0, 0, self._seconds
            for process in tree(pid):
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    seconds[process.pid] = times.user + times.system
                    used += max(0.0, seconds[process.pid] - before.get(process.pid, seconds[process.pid]))
                    memory += process.memory_info().rss
            loads[worker_id] = Load(used / max(1e-3, now - self._looked) if self._looked else 0.0, memory)
        self.loads, self._seconds, self._looked = loads, seconds, now


def tree(pid: int) -> Iterator[psutil.Process]:
    """A process and all its descendants; those that go meanwhile are left out."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if not os.path.exists(f"/proc/{pid}/task/{pid}/children"):
            yield from (process, *process.children(recursive=True))
            return
        yield process
        for child in _children(pid):
            yield from tree(child)


def _children(pid: int) -> list[int]:
    """Where the kernel tells it: much cheaper than to look at all processes of the machine."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    return found
