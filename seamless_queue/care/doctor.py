"""Looks at everything around a store that is known to give trouble, and says the remedy.

Each check gives findings; what can be mended without danger is mended if that is asked for.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from .. import driver, filesystems, marked, owner, private, processes, reclaim, sidecars
from ..broker import reports, sessions
from ..clerk import Clerk, Functions
from ..errors import SeamlessError
from ..settings import Settings
from ..store import Store, open_store
from . import cap, files, leftovers, usage
from .sizes import readable, readable_seconds
from .sources import open_source

#: Below this share a disk is about to be full.
LOW_SHARE = 0.05
#: Clocks that differ by less do no harm.
SKEW_SECONDS = 2.0
#: Watchers of files by a server, and whatever else a desktop watches.
INOTIFY_INSTANCES, INOTIFY_WATCHES = 64, 8192
SHARED_MEMORY_BYTES = 64 << 20

NEWEST = "SELECT MAX(created) FROM requests"


class Grade(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """What one look has found."""

    grade: Grade
    about: str
    text: str


def ok(about: str, text: str) -> Finding:
    """All is well."""
    return Finding(Grade.OK, about, text)


def warn(about: str, text: str) -> Finding:
    """It works, but not for long, or not well."""
    return Finding(Grade.WARN, about, text)


def fail(about: str, text: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(Grade.FAIL, about, text)


def examine(settings: Settings, functions: Functions, *, fix: bool = False) -> Iterator[Finding]:
    """Look at the machine, then at the store."""
    yield from _sqlite()
    yield from _python()
    yield from _bash()
    yield from _inotify()
    yield from _shared_memory(fix)
    path = settings.store
    if not os.path.isdir(path) or (os.access(path, os.R_OK) and not files.database_files(path)):
        yield fail("store", f"there is none at {path}; name one with --store or SEAMLESS_CACHE")
        return
    yield from _file_system(path)
    yield from _permissions(path, fix)
    try:
        store = open_store(settings._replace(sources=()))
    except (SeamlessError, OSError) as exc:
        yield fail("store", str(exc))
        return
    try:
        yield ok("store", f"{path}, digest {store.digest.name}")
        yield from _of_store(store, settings, functions, fix)
    finally:
        store.close()


def _of_store(store: Store, settings: Settings, functions: Functions, fix: bool) -> Iterator[Finding]:
    for check in (_clock, _sessions, _orphans, _temporary, _futures):
        yield from check(store, functions, fix)
    yield from _disk(store, settings)
    yield from _sources(store, settings)


# -- the machine ------------------------------------------------------------------------------
def _sqlite() -> Iterator[Finding]:
    try:
        module = driver.library()
    except SeamlessError as exc:
        yield fail("sqlite", str(exc))
        return
    yield ok("sqlite", f"{module.sqlite_version} by {module.__name__.partition('.')[0]}, without the WAL bug")


def _python() -> Iterator[Finding]:
    yield ok("python", f"{sys.version.split()[0]} at {sys.executable}")


def _bash() -> Iterator[Finding]:
    found = shutil.which("bash")
    if found is None:
        yield fail("bash", "not on PATH: commands cannot run; install bash or mend PATH")
        return
    try:
        said = processes.output_of([found, "--version"], 5.0).split(b"\n")[0].decode(errors="replace")
    except SeamlessError as exc:
        yield fail("bash", f"{exc}; install bash or mend PATH")
        return
    yield ok("bash", f"{found}: {said}")


def _inotify() -> Iterator[Finding]:
    limits = {name: _number(f"/proc/sys/fs/inotify/{name}") for name in ("max_user_instances", "max_user_watches")}
    if None in limits.values():
        return
    for (name, limit), least in zip(limits.items(), (INOTIFY_INSTANCES, INOTIFY_WATCHES), strict=True):
        if limit is not None and limit < least:
            yield warn("inotify", f"{name} is {limit}; files are looked at twice a second instead; set it to {least}")
            return
    yield ok("inotify", ", ".join(f"{name} {limit}" for name, limit in limits.items()))


def _number(path: str) -> int | None:
    with suppress(OSError, ValueError), open(path) as file:
        return int(file.read())
    return None


def _shared_memory(fix: bool) -> Iterator[Finding]:
    try:
        room = os.statvfs(private.SHARED_MEMORY)
    except OSError:
        yield ok("shm", f"no {private.SHARED_MEMORY}: large arrays go through files")
        return
    size, free = room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize
    if size < SHARED_MEMORY_BYTES:
        yield warn("shm", f"{private.SHARED_MEMORY} has {readable(size)}: large arrays go through files; enlarge it")
    else:
        yield ok("shm", f"{private.SHARED_MEMORY}: {readable(free)} of {readable(size)} free")
    dead = list(private.abandoned())
    if dead and fix:
        private.sweep()
        yield ok("shm", f"removed {len(dead)} private stores of processes that have died")
    elif dead:
        yield warn("shm", f"{len(dead)} private stores of processes that have died; --fix removes them")


# -- the place --------------------------------------------------------------------------------
def _file_system(path: str) -> Iterator[Finding]:
    kind = filesystems.type_of(path)
    try:
        filesystems.refuse_network(path)
    except SeamlessError as exc:
        yield fail("file system", str(exc))
        return
    yield ok("file system", kind or "of unknown kind")
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        yield fail("file system", "read-only: nothing can be run with this store; choose another with --store")


def _permissions(path: str, fix: bool) -> Iterator[Finding]:
    status = os.stat(path)
    if status.st_uid != os.geteuid():
        yield fail("owner", f"user {status.st_uid}, and you are {os.geteuid()}: use a store of your own with --store")
        return
    loose = [(place, mode) for place, mode in _modes(path) if os.stat(place).st_mode & 0o077]
    if loose and fix:
        for place, mode in loose:
            os.chmod(place, mode)
        yield ok("permissions", f"taken from others: {', '.join(place for place, _ in loose)}")
    elif loose:
        places = ", ".join(f"{place} ({stat.S_IMODE(os.stat(place).st_mode):o})" for place, _ in loose)
        yield warn("permissions", f"others may read {places}; --fix takes that away")
    else:
        yield ok("permissions", "yours alone")


def _modes(path: str) -> Iterator[tuple[str, int]]:
    yield path, 0o700
    yield from ((place, 0o600) for place in files.database_files(path))


# -- the store --------------------------------------------------------------------------------
def _clock(store: Store, _functions: Functions, _fix: bool) -> Iterator[Finding]:
    path = os.path.join(store.buffers.directory, files.NEW, filesystems.unique_name())
    before = time.time()
    filesystems.write_new_file(path, (b"clock",))
    stamp, after = os.stat(path).st_mtime, time.time()
    os.unlink(path)
    skew = max(before - stamp, stamp - after, 0.0)
    newest = store.database.row(NEWEST)[0] or 0.0
    if skew > SKEW_SECONDS:
        yield warn(
            "clock", f"the disk's clock is {readable_seconds(skew)} off; changed files may be taken for unchanged"
        )
    elif newest > after + SKEW_SECONDS:
        ahead = readable_seconds(newest - after)
        yield warn("clock", f"the newest request is from {ahead} in the future: this clock was put back; set it right")
    else:
        yield ok("clock", "agrees with the disk's")


def _sessions(store: Store, functions: Functions, fix: bool) -> Iterator[Finding]:
    live = sessions.live_sessions(store.database)
    gone = sum(not one.is_believed(owner.is_alive(one.process)) for one in live)
    if not gone:
        yield ok("sessions", f"{len(live)} open, all alive")
    elif fix:
        worker = _clerk(store, functions)
        worker.handle(reclaim.reclaim_dead_sessions(store))
        yield ok("sessions", f"ended {gone} whose processes are gone")
    else:
        yield warn("sessions", f"{gone} whose processes are gone; the next server or --fix ends them")


def _clerk(store: Store, functions: Functions) -> Clerk:
    return Clerk(store, 0, functions)


def _orphans(store: Store, _functions: Functions, fix: bool) -> Iterator[Finding]:
    live = {
        marked.mark(store.id, worker)
        for session in sessions.live_sessions(store.database)
        for worker in sessions.worker_processes(store.database, session)
    }
    found = marked.marks_below(f"{store.id}:") - live
    if found and fix:
        count = marked.kill_marked(found)
        yield ok("processes", f"killed {count} of workers that are gone")
    elif found:
        yield warn("processes", f"commands of {len(found)} workers that are gone still run; --fix kills them")
    else:
        yield ok("processes", "none of workers that are gone")


def _temporary(store: Store, _functions: Functions, fix: bool) -> Iterator[Finding]:
    heap = leftovers.remove_all(leftovers.temporary(store), dry=not fix)
    if heap.number:
        what = f"{heap.number} temporary files of dead processes, {readable(heap.bytes)}"
        yield ok("leftovers", f"removed {what}") if fix else warn("leftovers", f"{what}; --fix removes them")
    else:
        yield ok("leftovers", "none")
    damaged = files.below(os.path.join(store.buffers.directory, files.DAMAGED))
    if damaged.number:
        yield warn("damaged", f"{damaged.number} copies were set aside: is the disk good? try seamless-store repair")


def _futures(store: Store, functions: Functions, fix: bool) -> Iterator[Finding]:
    ended = reports.ended_with_futures(store.database)
    stale = [path for _, path in reports.live_outputs(store.database) if _is_stale(store, os.fsdecode(path))]
    if ended and fix:
        worker = _clerk(store, functions)
        for request_id in ended:
            worker.remove_futures(request_id)
        yield ok("futures", f"removed those of {len(ended)} requests that have ended")
    elif ended:
        yield warn("futures", f"{len(ended)} requests have ended and left .FUTURE files; --fix removes them")
    elif stale:
        yield warn("futures", f"{len(stale)} outputs are pending and no server runs; start one with: seamless-queue")
    else:
        yield ok("futures", "none is stale")


def _is_stale(store: Store, path: str) -> bool:
    future = sidecars.read_future(path)
    return future is not None and future.store == store.id and future.is_stale()


def _disk(store: Store, settings: Settings) -> Iterator[Finding]:
    disk = os.statvfs(store.path)
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    used = usage.used_bytes(store)
    limit = cap.of(store.path, settings.max_size, used)
    text = f"{readable(free)} of {readable(total)} free; the store has {readable(used)}"
    if filesystems.has_no_room(store.path):
        yield fail("disk", f"full: {text}; free some space, with seamless-store gc --max-size for example")
    elif free < total * LOW_SHARE:
        yield warn("disk", f"almost full: {text}; free some space, with seamless-store gc --max-size for example")
    elif limit.bytes is not None and used > limit.bytes:
        yield warn("disk", f"{text}, its cap is {readable(limit.bytes)} ({limit.why}); try: seamless-store gc")
    else:
        yield ok("disk", text)


def _sources(store: Store, settings: Settings) -> Iterator[Finding]:
    for path in settings.sources:
        try:
            open_source(path, store.digest).database.close()
        except (SeamlessError, OSError) as exc:
            yield warn("source", f"{path} is passed over: {exc}")
        else:
            yield ok("source", path)
