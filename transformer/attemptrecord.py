"""The record of what an attempt finds around it, so that two attempts can be compared later.

machine                 once a process   ─┐
variables, conda        once a context    ├──▶ JSON, encoded once for all of these, kept by its checksum
interpreter, packages   once a code       │
tools                   once a code, and looked at again ─┘
"""

from __future__ import annotations

import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from functools import cache, lru_cache
from typing import Any, NamedTuple

from seamless_queue.broker import history
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import plain
from .context import Context
from .python.pins import module_name
from .redaction import recorded

#: So many encoded records stay at hand.
KEPT = 256
#: For so long a record that was seen in the store is believed to be there.
SEEN_SECONDS = 30.0
#: The fields that may hold secrets, whatever they look like.
OF_USERS = frozenset({"variables", "metavariables"})
_OURS = frozenset({"seamless", "seamless_queue"})

_records: OrderedDict[Hashable, tuple[str, bytes]] = OrderedDict()
_seen: dict[tuple[str, str], float] = {}
_staged: set[tuple[str, str]] = set()
_imported: OrderedDict[Hashable, tuple[str, ...]] = OrderedDict()


def note_command(store: Store, code: str, text: bytes, context: bytes | None, path: bytes, staged: Staged) -> str:
    """Stage the record of an attempt at shell code, with this PATH; its checksum.

    `context`: what the job was given beside its identity, encoded; None: this process's environment.
    """
    from .tools import tools

    found = tools(text, os.fsdecode(path))
    around = _live.number() if context is None else context
    return _noted(store, (around, code, found), staged, lambda: _around(context) | {"tools": _told(found)})


def note_python(store: Store, code: str, modules: tuple[tuple[str, str], ...], with_numpy: bool, staged: Staged) -> str:
    """Stage the record of an attempt at Python code, which this process has run; its checksum.

    `modules`: key and checksum of those that came with the job. `with_numpy`: whether it was given arrays.
    """
    names = _imported_names(store, code, modules)
    loaded = tuple([name in sys.modules for name in names]) if names else ()
    around = _live.number()

    def fields() -> dict[str, Any]:
        wanted = {name for name, is_loaded in zip(names, loaded, strict=True) if is_loaded}
        packages = {name: _version(name) for name in sorted(wanted | ({"numpy"} if with_numpy else set()))}
        # What was taken on from the submitter (surroundings.py) is this process's own by now.
        return _around(None) | {"python": _interpreter(), "packages": packages}

    return _noted(store, (around, code, modules, loaded, with_numpy), staged, fields)


def forget_packages() -> None:
    """Modules of users are about to be imported anew: their versions are told anew."""
    _version.cache_clear()
    _records.clear()


def _noted(store: Store, key: Hashable, staged: Staged, fields: Callable[[], dict[str, Any]]) -> str:
    key = (store.digest.name, key)
    found = _records.get(key)
    if found is None:
        content = plain.dump(fields())
        found = _records[key] = (store.digest.of(content), content)
        _bound(_records)
    checksum, content = found
    _stage(store, checksum, content, staged)
    return checksum


def _stage(store: Store, checksum: str, content: bytes, staged: Staged) -> None:
    """Have it written, unless it is known to be there: writing the same again costs more than all else here."""
    key, now = (store.id, checksum), time.monotonic()
    if now - _seen.get(key, -SEEN_SECONDS) < SEEN_SECONDS:
        return
    # Staged before, and maybe written: what becomes of a transaction is not told here.
    if key in _staged and history.has_environment(store.database, checksum):
        _seen[key] = now
        return
    _staged.add(key)
    staged.environments[checksum] = content


def _bound(kept: OrderedDict[Hashable, Any]) -> None:
    if len(kept) > KEPT:
        kept.popitem(last=False)


# -- machine and variables --------------------------------------------------------------------
@cache
def _machine() -> dict[str, Any]:
    # Not `platform`, which asks other programs and costs more than a job.
    system = os.uname()
    return {
        "host": system.nodename,
        "platform": {
            "system": system.sysname,
            "kernel": system.release,
            "machine": system.machine,
            "libc": _libc(),
            "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        },
    }


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError, AttributeError):
        return None


class _Live:
    """This process's environment, with a number that changes when it does."""

    def __init__(self) -> None:
        self._number = 0
        self._seen: dict[Any, Any] = {}
        # The dictionary behind it: comparing that costs a tenth of reading the environment.
        self._variables: dict[Any, Any] = vars(os.environ).get("_data", {})

    def number(self) -> int:
        """The number of the environment as it is now."""
        if self._variables != self._seen:
            self._seen = dict(self._variables)
            self._number += 1
        return self._number


_live = _Live()


def _around(context: bytes | None) -> dict[str, Any]:
    """Machine, variables and conda environment."""
    around = _variables(Context(dict(os.environ), {}, ())) if context is None else _variables_of(context)
    return _machine() | around


@lru_cache(maxsize=16)
def _variables_of(content: bytes) -> dict[str, Any]:
    return _variables(Context.decode(content))


def _variables(context: Context) -> dict[str, Any]:
    prefix = context.environment.get("CONDA_PREFIX")
    if context.conda is not None:
        from .conda import prefix_of

        prefix = prefix_of(context.conda, context.environment)
    fields: dict[str, Any] = {"variables": recorded(context.environment)}
    if context.metavariables:
        fields["metavariables"] = recorded(context.metavariables)
    if prefix:
        fields["conda"] = prefix
    return fields


def without_variables(content: bytes) -> bytes | None:
    """A record without values that its user has set: for others to read. None if it is not to be read at all."""
    try:
        record = plain.load(content)
        return plain.dump({name: value for name, value in record.items() if name not in OF_USERS})
    except (ValueError, AttributeError):
        return None


# -- tools and packages -----------------------------------------------------------------------
def _told(found: Iterable[tuple[str, NamedTuple | None]]) -> dict[str, Any]:
    return {name: tool._asdict() if tool is not None else None for name, tool in found}


@cache
def _interpreter() -> dict[str, Any]:
    version = ".".join(map(str, sys.version_info[:3]))
    return {"executable": sys.executable, "version": version, "implementation": sys.implementation.name}


def _imported_names(store: Store, code: str, modules: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The packages that a code and its modules import, by the names that they are imported by."""
    names = _imported.get((code, modules))
    if names is None:
        texts = _texts(store, code, modules)
        own = {module_name(key).partition(".")[0] for key, _ in modules}
        found = {name for text in texts if "import" in text for name in _imports(text)}
        names = tuple(sorted(found - own - sys.stdlib_module_names - _OURS))
        _imported[code, modules] = names
        _bound(_imported)
    return names


def _texts(store: Store, code: str, modules: tuple[tuple[str, str], ...]) -> list[str]:
    try:
        texts = [store.buffers.read(code).decode()]
        for _, checksum in modules:
            texts += _sources(plain.load(store.buffers.read(checksum)))
    except (SeamlessError, ValueError):
        # Then the job has failed by that, and says so.
        return []
    return texts


def _sources(definition: dict[str, Any]) -> list[str]:
    code = definition.get("code", "")
    return [code] if isinstance(code, str) else [entry["code"] for entry in code.values()]


def _imports(text: str) -> set[str]:
    import ast

    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


@cache
def _version(name: str) -> str:
    """The version of a package that is loaded; of one without a version, where it comes from and of when it is."""
    module = vars(sys.modules[name]) if name in sys.modules else {}
    # Not by attribute: that may be computed, with a warning.
    version = module.get("__version__")
    if isinstance(version, str):
        return version
    from importlib import metadata

    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return _of_file(module.get("__file__"))


def _of_file(path: object) -> str:
    try:
        return f"{path} of {int(os.stat(str(path)).st_mtime)}" if path else "unknown"
    except OSError:
        return "unknown"
