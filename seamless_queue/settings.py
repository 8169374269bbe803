"""Where the store is and how it is used: one frozen object, made once and passed down.

Order: an explicit wish (`--store`), the environment (`SEAMLESS_CACHE`, `SEAMLESS_DIGEST`), the
nearest `seamless.profile.yaml`, the nearest `seamless.yaml` (both from the working directory
upward), the default. Only the store, the digest, durability, the cap (`SEAMLESS_MAX_SIZE`) and further sources
(`SEAMLESS_SOURCES`) have environment variables.
"""

# Without `from __future__ import annotations`: a NamedTuple compiles every annotation that is a text, on each start.
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .digest import digest_named
from .errors import ConfigurationError

if TYPE_CHECKING:
    from typing import Literal, TypedDict, Unpack

    #: in this process; in its workers; by the store's servers
    Execution = Literal["process", "spawn", "queue"]

    # Not made at run time: that costs a hit more than all other settings.
    class Wishes(TypedDict, total=False):
        """What may be asked for explicitly, and then wins over the files; None leaves it to them."""

        project: str | None
        subproject: str | None
        stage: str | None
        substage: str | None
        execution: str | None
        nparallel: int | None
        persistent: bool | None
        cluster: str | None
        queue: str | None
        remote: str | None
        record: str | None


DEFAULT_STORE = os.path.join("~", ".seamless", "cache")
#: Nearest first: the profile is one's own, the other file the project's.
FILE_NAMES = ("seamless.profile.yaml", "seamless.yaml")
#: Where Python transformations may run, the default first.
EXECUTIONS = ("process", "spawn", "queue")
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
        "max_size",
        "sources",
        "on_finish",
        "on_failure",
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
    #: of this process alone, on temporary storage (see private.py)
    private: bool = False
    project: str | None = None
    subproject: str | None = None
    stage: str | None = None
    substage: str | None = None
    #: where Python transformations run
    execution: "Execution" = "process"
    #: how many transformations of a batch may be active at once; None: nobody has said
    nparallel: int | None = None
    #: whether Python sessions keep their results; None: nobody has said
    persistent: bool | None = None
    #: this and the next three have no effect yet
    cluster: str | None = None
    queue: str | None = None
    remote: str | None = None
    record: str | None = None
    #: an argument, the environment or a file has named the store; else it is the default one
    names_store: bool = False
    #: how large the store may grow (see care/cap.py); None: nobody has said
    max_size: str | None = None
    #: absolute paths of stores that are asked for results as well, and only read
    sources: tuple[str, ...] = ()
    #: shell text that a queue server runs when a request has ended, or has failed (see hooks.py)
    on_finish: str | None = None
    on_failure: str | None = None

    @property
    def wants_store(self) -> bool:
        """Whether a Python session uses `store`, and not a private temporary one."""
        return self.names_store if self.persistent is None else self.persistent


def load(
    store: str | None = None,
    digest: str | None = None,
    *,
    durable: bool = False,
    directory: str | None = None,
    environment: Mapping[str, str] = os.environ,
    **wishes: "Unpack[Wishes]",
) -> Settings:
    """The settings in force. ConfigurationError names the file, the line and the nearest known key or value."""
    directory = os.path.abspath(directory or os.getcwd())
    configured = read_files(directory)
    configured.update((key, checked(key, value)) for key, value in wishes.items() if value is not None)
    named = store or environment.get("SEAMLESS_CACHE") or configured.get("store")
    asked = digest or environment.get("SEAMLESS_DIGEST") or configured.get("digest")
    configured["store"] = os.path.abspath(os.path.join(directory, os.path.expanduser(named or DEFAULT_STORE)))
    configured["digest"] = digest_named(asked).name if asked else None
    if size := environment.get("SEAMLESS_MAX_SIZE"):
        configured["max_size"] = size
    if places := environment.get("SEAMLESS_SOURCES"):
        configured["sources"] = tuple(_absolute(directory, place) for place in places.split(os.pathsep) if place)
    return Settings(
        **configured,
        durable=durable or environment.get("SEAMLESS_DURABLE", "") not in ("", "0"),
        names_store=bool(named),
    )


def _absolute(directory: str, place: str) -> str:
    return os.path.abspath(os.path.join(directory, os.path.expanduser(place)))


def checked(key: str, value: object) -> object:
    """The value of a key, as it stands in Settings; ConfigurationError if it is none that the key can have."""
    if key == "nparallel":
        # A bool is an int to Python.
        if type(value) is not int or value < 1:
            raise ConfigurationError(f"nparallel wants a positive integer, not {value!r}")
    elif key == "persistent":
        if not isinstance(value, bool):
            raise ConfigurationError(f"persistent wants true or false, not {value!r}")
    elif not isinstance(value, str) or not value:
        raise ConfigurationError(f"{key} wants a text, not {value!r}")
    elif key == "execution" and value not in EXECUTIONS:
        raise ConfigurationError(f"unknown execution {value!r}; {_hint(value, EXECUTIONS, 'known values')}")
    elif key == "digest":
        return digest_named(value).name
    elif key == "max_size":
        from .care.sizes import check_size

        check_size(value)
    return value


def read_files(directory: str) -> dict[str, Any]:
    """The commands of the nearest configuration files; a profile wins over a project file."""
    merged: dict[str, Any] = {}
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


def _read(path: str) -> dict[str, Any]:
    import yaml

    document = _compose(path)
    if document is None:
        return {}
    if not isinstance(document, yaml.SequenceNode):
        raise _fault(path, document, "expected a list of commands such as '- store: PATH'")
    commands: dict[str, Any] = {}
    for item in document.value:
        commands.update(_command(path, item))
    if "store" in commands:
        commands["store"] = os.path.join(os.path.dirname(path), os.path.expanduser(commands["store"]))
    if "sources" in commands:
        commands["sources"] = tuple(_absolute(os.path.dirname(path), place) for place in commands["sources"])
    return commands


def _compose(path: str) -> Any:
    """The nodes of a file, which know their lines; None if it says nothing."""
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            return yaml.compose(file, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc}") from exc
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise ConfigurationError(f"{path}, line {line}: invalid YAML: {exc.problem}") from exc
    except yaml.YAMLError as exc:
        raise ConfigurationError(f"{path}: invalid YAML: {' '.join(str(exc).split())}") from exc


def _command(path: str, item: Any) -> dict[str, Any]:
    import yaml

    if isinstance(item, yaml.ScalarNode):
        key = _key(path, item)
        if key != "persistent":
            raise _fault(path, item, f"{key} wants one value, such as '- {key}: VALUE'")
        return {key: True}
    if not isinstance(item, yaml.MappingNode):
        raise _fault(path, item, "expected a command such as '- store: PATH'")
    return {_key(path, key): _value_or_list(path, key.value, value) for key, value in item.value}


def _value_or_list(path: str, key: str, node: Any) -> object:
    """Only sources may be several."""
    import yaml

    if key != "sources":
        return _value(path, key, node)
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [_value(path, key, one) for one in nodes]


def _key(path: str, node: Any) -> str:
    key = node.value
    if not isinstance(key, str):
        raise _fault(path, node, "expected a command such as '- store: PATH'")
    if key not in KEYS:
        raise _fault(path, node, f"unknown key {key!r}; {_hint(key, sorted(KEYS), 'known keys')}")
    return key


def _value(path: str, key: str, node: Any) -> object:
    import yaml

    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "null" and key == "remote":
        # So a profile takes back what the project's file says.
        return None
    if not isinstance(node, yaml.ScalarNode) or not node.value or kind == "null":
        raise _fault(path, node, f"{key} wants one value, such as '- {key}: VALUE'")
    try:
        return checked(key, _plain(key, kind, node.value))
    except ConfigurationError as exc:
        raise _fault(path, node, str(exc)) from exc


def _plain(key: str, kind: str, text: str) -> object:
    """A scalar as Python has it: a project called 007, 1.10 or no is a text, whatever YAML takes it for."""
    if key == "persistent" and kind == "bool":
        return text.lower() in ("true", "yes", "on")
    if key == "nparallel" and kind == "int" and re.fullmatch(r"-?(0|[1-9][0-9]{0,8})", text):
        return int(text)
    return text


def _fault(path: str, node: Any, message: str) -> ConfigurationError:
    return ConfigurationError(f"{path}, line {node.start_mark.line + 1}: {message}")


def _hint(word: str, known: Collection[str], title: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"{title}: {', '.join(known)}"
