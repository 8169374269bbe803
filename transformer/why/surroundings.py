"""What differs between the surroundings of two attempts, though it is no part of the identity."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from seamless_queue.broker import history
from seamless_queue.broker.attempts import Attempt
from seamless_queue.store import Store

from .. import plain
from .differences import listed
from .values import Difference

#: Variables that are known to change what programs do; others are only named.
_TELLING = frozenset(
    [
        *("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "LANG", "TZ", "LANGUAGE", "CUDA_VISIBLE_DEVICES", "VIRTUAL_ENV"),
        *("R_LIBS", "R_LIBS_USER", "PERL5LIB", "NODE_PATH", "JAVA_HOME", "CLASSPATH", "CONDA_PREFIX", "TMPDIR"),
    ]
)
_TELLING_PARTS = ("LC_", "PYTHON", "_NUM_THREADS", "CONDA_")
_CHARACTERS = 60


def record_of(store: Store, attempt: Attempt | None) -> dict[str, Any]:
    """What an attempt found around it; empty if that is not known."""
    if attempt is None or attempt.environment is None:
        return {}
    content = history.environment(store.database, attempt.environment)
    try:
        record = plain.load(content) if content is not None else {}
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def host_of(store: Store, attempt: Attempt | None) -> str | None:
    """The machine that an attempt was on, as far as it is known."""
    if attempt is None:
        return None
    host = record_of(store, attempt).get("host")
    return host if isinstance(host, str) else attempt.host


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """What is not as it was; nothing where one of the records is missing."""
    if not old or not new:
        return []
    return [
        *_machine(old, new),
        *_changed("python", "Python", _versions(old, "python"), _versions(new, "python")),
        *_packages(_dict(old, "packages"), _dict(new, "packages")),
        *_tools(_dict(old, "tools"), _dict(new, "tools")),
        *_changed("conda", "conda environment", {"": old.get("conda")}, {"": new.get("conda")}),
        *_of_users(old, new),
    ]


def _of_users(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    # Records that came in an archive have none.
    if "variables" in old and "variables" in new:
        yield from _metavariables(_dict(old, "metavariables"), _dict(new, "metavariables"))
        yield from _variables(_dict(old, "variables"), _dict(new, "variables"))


def _dict(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _versions(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = _dict(record, name)
    return {"": found.get("version"), "interpreter": found.get("executable")} if found else {}


def _changed(kind: str, title: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in new:
        if name in old and old[name] != new[name]:
            label = f"{title} {name}".strip()
            yield Difference(f"{kind}_changed", f"{label}: {_shown(old[name])} -> {_shown(new[name])}")


def _machine(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    yield from _changed("host", "machine", {"": old.get("host")}, {"": new.get("host")})
    before, after = _dict(old, "platform"), _dict(new, "platform")
    yield from _changed("platform", "", before, {name: value for name, value in after.items() if name != "cpus"})


def _packages(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in new:
        if name in old and old[name] != new[name]:
            yield Difference("package_changed", f"{name} {old[name]} -> {new[name]}")


def _tools(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name, after in new.items():
        if name in old and old[name] != after:
            yield Difference("tool_changed", _tool(name, old[name], after))


def _tool(name: str, old: Any, new: Any) -> str:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return (
            f"{name} was {'found' if new else 'not found'} on the PATH, which it had {'' if old else 'not '}been before"
        )
    if old.get("path") != new.get("path"):
        return f"{name} is {new.get('path')}, was {old.get('path')}"
    return f"{new.get('path')} was replaced ({_file(old)} -> {_file(new)})"


def _file(tool: Mapping[str, Any]) -> str:
    try:
        return f"{tool['size']:,} bytes of {time.strftime('%Y-%m-%d', time.localtime(tool['mtime']))}"
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return "not known"


def _metavariables(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            text = f"meta variable {name}: {_shown(old.get(name))} -> {_shown(new.get(name))}"
            yield Difference("metavariable_changed", text)


def _variables(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    telling = [name for name in changed if name in _TELLING or any(part in name for part in _TELLING_PARTS)]
    for name in telling:
        yield Difference("environment_changed", f"{name}: {_variable(old.get(name), new.get(name))}")
    others = [name for name in changed if name not in telling]
    if others:
        yield Difference("environment_changed", f"other variables of the environment: {listed(others)}")


def _variable(old: Any, new: Any) -> str:
    if not isinstance(old, str) or not isinstance(new, str) or ":" not in old or ":" not in new:
        return f"{_shown(old)} -> {_shown(new)}"
    before, after = old.split(":"), new.split(":")
    added, removed = [one for one in after if one not in before], [one for one in before if one not in after]
    said = [f"{word} {_shown(':'.join(ones))}" for word, ones in (("with", added), ("without", removed)) if ones]
    return " and ".join(said) or "in another order"


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    text = str(value)
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
