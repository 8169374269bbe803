"""Where the store is and how it is used: one frozen object, made once and passed down.

Order: an explicit wish (`--store`), the environment (`SEAMLESS_CACHE`, `SEAMLESS_DIGEST`), the
nearest `seamless.profile.yaml` or `seamless.yaml` from the working directory upward, the default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .digest import digest_named
from .errors import ConfigurationError

DEFAULT_STORE = os.path.join("~", ".seamless", "cache")
#: Nearest first: the profile is one's own, the other file the project's.
FILE_NAMES = ("seamless.profile.yaml", "seamless.yaml")
#: What may stand in the files; the Python face reads those that are not the store's.
KEYS = frozenset(
    [
        "project",
        "subproject",
        "stage",
        "substage",
        "execution",
        "nparallel",
        "store",
        "digest",
        "cluster",
        "queue",
        "remote",
        "record",
        "persistent",
    ]
)


class Settings(NamedTuple):
    """How this process uses which store."""

    #: absolute path of the store's directory
    store: str
    #: the digest asked for; None: whatever the store has
    digest: str | None = None
    #: fsync everything that is acknowledged
    durable: bool = False
    project: str | None = None
    stage: str | None = None


def load(
    store: str | None = None,
    digest: str | None = None,
    *,
    durable: bool = False,
    directory: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings in force. ConfigurationError names the file, the line and the nearest known key."""
    directory = directory or os.getcwd()
    store = store or environment.get("SEAMLESS_CACHE")
    configured = read_files(directory)
    store = store or configured.get("store") or DEFAULT_STORE
    digest = digest or environment.get("SEAMLESS_DIGEST") or configured.get("digest")
    return Settings(
        store=os.path.abspath(os.path.join(directory, os.path.expanduser(store))),
        digest=digest_named(digest).name if digest else None,
        durable=durable or environment.get("SEAMLESS_DURABLE", "") not in ("", "0"),
        project=configured.get("project"),
        stage=configured.get("stage"),
    )


def read_files(directory: str) -> dict[str, str]:
    """The commands of the nearest configuration files; a profile wins over a project file."""
    merged: dict[str, str] = {}
    for path in _nearest_files(directory):
        for key, value in _read(path).items():
            merged.setdefault(key, value)
    return merged


def _nearest_files(directory: str) -> Iterator[str]:
    for name in FILE_NAMES:
        place = directory
        while True:
            path = os.path.join(place, name)
            if os.path.isfile(path):
                yield path
                break
            parent = os.path.dirname(place)
            if parent == place:
                break
            place = parent


def _read(path: str) -> dict[str, str]:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.compose(file, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc}") from exc
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise ConfigurationError(f"{path}, line {line}: invalid YAML: {exc.problem}") from exc
    except yaml.YAMLError as exc:
        raise ConfigurationError(f"{path}: invalid YAML: {' '.join(str(exc).split())}") from exc
    if document is None:
        return {}
    if not isinstance(document, yaml.SequenceNode):
        raise ConfigurationError(f"{path}, line 1: expected a list of commands such as '- store: PATH'")
    commands: dict[str, str] = {}
    for item in document.value:
        commands.update(_command(path, item))
    base = os.path.dirname(path)
    if "store" in commands:
        commands["store"] = os.path.join(base, os.path.expanduser(commands["store"]))
    return commands


def _command(path: str, item: object) -> dict[str, str]:
    import yaml

    line = item.start_mark.line + 1  # type: ignore[attr-defined]
    if isinstance(item, yaml.ScalarNode):
        _check_key(path, line, item.value)
        return {item.value: ""}
    if not isinstance(item, yaml.MappingNode):
        raise ConfigurationError(f"{path}, line {line}: expected a command such as '- store: PATH'")
    commands = {}
    for key, value in item.value:
        _check_key(path, key.start_mark.line + 1, str(key.value))
        commands[str(key.value)] = _scalar(path, str(key.value), value)
    return commands


def _scalar(path: str, key: str, value: object) -> str:
    import yaml

    if not isinstance(value, yaml.ScalarNode) or not value.value:
        line = value.start_mark.line + 1  # type: ignore[attr-defined]
        raise ConfigurationError(f"{path}, line {line}: {key} wants one value, such as '- {key}: VALUE'")
    return str(value.value)


def _check_key(path: str, line: int, key: str) -> None:
    if key in KEYS:
        return
    import difflib

    near = difflib.get_close_matches(key, KEYS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(KEYS))}"
    raise ConfigurationError(f"{path}, line {line}: unknown key {key!r}; {hint}")
