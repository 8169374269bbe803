"""The modules of users that a worker has imported: forgotten when they would be others now.

end of a job ──note──▶ what is new and lies in no place of the interpreter, with the status of its file
next job ──are_stale──▶ another search path, or a file that has changed: all go, since they refer to each other
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import invalidate_caches
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any

from seamless_queue.statcache import COARSE_GRAIN_NS, GRAIN_NS, SECOND_NS

#: Ours, wherever they lie.
OURS = frozenset({"__main__", "seamless", "seamless_queue"})
#: Where installers put packages, of this interpreter or of another one.
INSTALLED = ("/site-packages/", "/dist-packages/")

Status = tuple[int, ...]
#: No file has it.
UNTRUSTED: Status = (-1,)


class Places:
    """Where the interpreter and what is installed for it lie."""

    def __init__(self, path: Iterable[str]) -> None:
        found = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
        found.update(site.getsitepackages())
        found.update(entry for entry in path if _is_installed(entry))
        if site.ENABLE_USER_SITE:
            found.add(site.getusersitepackages())
        self._prefixes = tuple({os.path.join(form, "") for place in found for form in (place, os.path.realpath(place))})

    def have(self, path: str) -> bool:
        """Whether a file or directory lies there."""
        return os.path.join(path, "").startswith(self._prefixes)


class UserModules:
    """What jobs have imported in this process beside what is installed. For one thread."""

    def __init__(self, places: Places) -> None:
        self._places = places
        #: all modules that were there when that was looked at last
        self._seen = dict(sys.modules)
        self._shape = _shape()
        self._path: tuple[str, ...] = ()
        self._names: set[str] = set()
        self._watched: dict[str, Status] = {}
        #: whether one of them is compiled: such a module cannot be imported anew
        self.has_compiled = False

    def note(self, began_ns: int, *, trusted: bool = True) -> None:
        """Note what was imported since it was last noted, by code that began then.

        Not `trusted`: what was imported may hold on to what only this job has.
        """
        if _shape() == self._shape:
            return
        present = dict(sys.modules)
        fresh = {name: module for name, module in present.items() if self._seen.get(name) is not module}
        self._seen, self._shape = present, _shape()
        mine = {name: vars(module) for name, module in fresh.items() if self._is_users(name, module)}
        if not mine:
            return
        path = tuple(sys.path)
        # What was imported with different paths is of no path.
        self._path = path if not self._names or self._path == path else ("",)
        self._names.update(mine)
        for names in mine.values():
            self._watch(names, began_ns, trusted)

    def are_stale(self) -> bool:
        """Whether a job that begins now would import others."""
        if not self._names:
            return False
        return self._path != tuple(sys.path) or any(_status(file) != was for file, was in self._watched.items())

    def forget(self) -> None:
        """Let them be imported anew."""
        for name in self._names:
            sys.modules.pop(name, None)
            package, _, child = name.rpartition(".")
            parent = sys.modules.get(package)
            if parent is not None and package not in self._names:
                vars(parent).pop(child, None)
        self._names.clear()
        self._watched.clear()
        self._seen, self._shape = dict(sys.modules), _shape()
        invalidate_caches()

    def _is_users(self, name: str, module: Any) -> bool:
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict) or name.partition(".")[0] in OURS:
            return False
        file = names.get("__file__")
        if isinstance(file, str):
            return not self._places.have(file)
        # A namespace package lies in several directories; what code has made, in none.
        return any(not self._places.have(str(place)) for place in names.get("__path__", ()))

    def _watch(self, names: Mapping[str, Any], began_ns: int, trusted: bool) -> None:
        file = names.get("__file__")
        if not isinstance(file, str):
            return
        self.has_compiled = self.has_compiled or file.endswith(tuple(EXTENSION_SUFFIXES))
        if _is_installed(file):
            # With another interpreter of the submitter's: nobody edits that, and there are many.
            return
        archive = getattr(names.get("__loader__"), "archive", None)
        file = archive if isinstance(archive, str) else file
        status = _status(file)
        is_trusted = trusted and _is_settled(status, began_ns) and self._watched.get(file, status) == status
        self._watched[file] = status if is_trusted else UNTRUSTED
        _distrust_bytecode(status, names.get("__cached__"))


def _shape() -> tuple[int, str]:
    """What tells whether modules have come: new ones are the last."""
    return len(sys.modules), next(reversed(sys.modules))


def _is_installed(path: str) -> bool:
    return any(part in f"{path}/" for part in INSTALLED)


def _status(path: str) -> Status:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _is_settled(status: Status, began_ns: int) -> bool:
    """Whether the file has not changed since the code began that has imported it."""
    if not status:
        return False
    coarse = status[0] % SECOND_NS == 0 and status[1] % SECOND_NS == 0
    return max(status[:2]) <= began_ns - (COARSE_GRAIN_NS if coarse else GRAIN_NS)


def _distrust_bytecode(status: Status, cached: object) -> None:
    """Remove what Python has kept of a file just written.

    It tells its source by whole second and size, and would take the next version for this one.
    """
    if status and isinstance(cached, str) and time.time_ns() - status[0] < COARSE_GRAIN_NS:
        with suppress(OSError):
            os.unlink(cached)
