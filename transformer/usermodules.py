"""The modules of users that a worker has imported: forgotten when they would be others now.

end of a job ──note──▶ what is new and lies in no place of the interpreter, with the status of its file
next job ──can_begin──▶ another search path, or a file that has changed: all go, since they refer to each other

A compiled module cannot be imported anew: where one would have to go, the job needs another process. Only what was
found by a path that a job had added for itself stays: whoever adds one in every job is not to wait for a process.
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

from seamless_queue.statcache import COARSE_GRAIN_NS, is_settled

from . import attemptrecord

#: Ours, wherever they lie.
OURS = frozenset({"__main__", "seamless", "seamless_queue"})
#: Where installers put packages, of this interpreter or of another one.
INSTALLED = ("/site-packages/", "/dist-packages/")

Path = tuple[str, ...]
#: No search path is it.
NO_PATH: Path = ("",)
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
        self._names: set[str] = set()
        self._watched: dict[str, Status] = {}
        #: top-level modules that are compiled, or that have such a part
        self._compiled: set[str] = set()
        #: the search path by which all of them were found, and that with which the newest job began
        self._path: Path = ()
        self._beginning: Path = ()
        self._known_path: tuple[Path, Path] = ((), ())

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
        path = self._users_path()
        # What was found by different paths was found by none.
        self._path = path if trusted and (not self._names or self._path == path) else NO_PATH
        self._names.update(mine)
        for name, names in mine.items():
            self._watch(name, names, began_ns)

    def can_begin(self) -> bool:
        """A job is about to begin: what would be others now goes. False if that needs another process."""
        path = self._users_path()
        before, self._beginning = self._beginning, path
        if not self._names:
            return True
        has_changed = any(_status(file) != was for file, was in self._watched.items())
        if not has_changed and self._path == path:
            return True
        if self._compiled and (has_changed or before != path):
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        going = {name for name in self._names if name.partition(".")[0] not in self._compiled}
        for name in going:
            sys.modules.pop(name, None)
            package, _, child = name.rpartition(".")
            parent = sys.modules.get(package)
            if parent is not None and package not in going:
                vars(parent).pop(child, None)
        self._names -= going
        if not self._names:
            self._watched.clear()
        self._seen, self._shape = dict(sys.modules), _shape()
        invalidate_caches()
        attemptrecord.forget_packages()

    def _users_path(self) -> Path:
        """The search path without what libraries may have added to it for themselves."""
        path, (known, users) = tuple(sys.path), self._known_path
        if path != known:
            users = tuple([entry for entry in path if not self._places.have(entry)])
            self._known_path = path, users
        return users

    def _is_users(self, name: str, module: Any) -> bool:
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict) or name.partition(".")[0] in OURS:
            return False
        file = names.get("__file__")
        if isinstance(file, str):
            return not self._places.have(file)
        # A namespace package lies in several directories; what code has made, in none.
        return any(not self._places.have(str(place)) for place in names.get("__path__", ()))

    def _watch(self, name: str, names: Mapping[str, Any], began_ns: int) -> None:
        file = names.get("__file__")
        if not isinstance(file, str):
            return
        if file.endswith(tuple(EXTENSION_SUFFIXES)):
            self._compiled.add(name.partition(".")[0])
        if _is_installed(file):
            # With another interpreter of the submitter's: nobody edits that, and there are many.
            return
        archive = getattr(names.get("__loader__"), "archive", None)
        file = archive if isinstance(archive, str) else file
        status = _status(file)
        is_trusted = (
            bool(status) and is_settled(status[0], status[1], began_ns) and self._watched.get(file, status) == status
        )
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


def _distrust_bytecode(status: Status, cached: object) -> None:
    """Remove what Python has kept of a file just written.

    It tells its source by whole second and size, and would take the next version for this one.
    """
    if status and isinstance(cached, str) and time.time_ns() - status[0] < COARSE_GRAIN_NS:
        with suppress(OSError):
            os.unlink(cached)
