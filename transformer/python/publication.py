"""Shows the modules of running transformations to whatever looks modules up by name.

A run hides the process's own modules of the same names and gives them back at its end. Runs may overlap, nested or in
threads: a name belongs to the newest of those that are still running.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Protocol


class Publisher(Protocol):
    """A run with modules."""

    @property
    def names(self) -> list[str]:
        """Its top-level modules."""

    def loaded(self, top: str) -> dict[str, ModuleType]:
        """What it has made so far of one of them."""

    def spec(self, name: str) -> ModuleSpec | None:
        """The spec of a module; None if it has none."""


_lock = threading.RLock()
#: Those that are running, newest last.
_running: list[Publisher] = []
#: The process's own modules while a run has their names.
_hidden: dict[str, dict[str, ModuleType]] = {}


def publish(run: Publisher) -> None:
    """Begin to show the modules of a run."""
    with _lock:
        for top in run.names:
            taken = _take(top)
            if _owner(top) is None:
                _hidden[top] = taken
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        _running.append(run)


def withdraw(run: Publisher) -> None:
    """Show again what was there before."""
    with _lock:
        _running.remove(run)
        for top in run.names:
            owner = _owner(top)
            _take(top)
            sys.modules.update(_hidden.pop(top) if owner is None else owner.loaded(top))
        if not _running:
            sys.meta_path.remove(_finder)


def add(run: Publisher, name: str, module: ModuleType) -> None:
    """Show a module that was made just now, if the name belongs to the run."""
    with _lock:
        if _owner(name.partition(".")[0]) is run:
            sys.modules[name] = module


def remove(name: str, module: ModuleType) -> None:
    """Show no longer a module whose making failed."""
    with _lock:
        if sys.modules.get(name) is module:
            del sys.modules[name]


def _owner(top: str) -> Publisher | None:
    return next((run for run in reversed(_running) if top in run.names), None)


def _take(top: str) -> dict[str, ModuleType]:
    """Remove a module and all below it."""
    if top not in sys.modules:
        return {}
    names = [name for name in sys.modules if name == top or name.startswith(f"{top}.")]
    return {name: sys.modules.pop(name) for name in names}


class _Finder:
    """On `sys.meta_path` while there are runs: submodules that are imported late."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of the run that has its name."""
        with _lock:
            owner = _owner(name.partition(".")[0])
        return None if owner is None else owner.spec(name)


_finder = _Finder()
