"""What a command is before all its inputs are known, and the identity that it gets then.

The identity is the checksum of a `plain` buffer (see `identity_buffer`). Names of inputs are paths
inside the job; a few that would collide with other keys are written as `./name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from . import plain

#: Keys of the identity that no input can have under its own name.
RESERVED = frozenset({"code", "result"})
#: Celltypes of directories, and of all that names buffers by their checksums.
DIRECTORIES = frozenset({"folder", "deepfolder"})
DEEP = DIRECTORIES | {"deepcell"}
#: The name of captured standard output among the captures.
STDOUT = "STDOUT"


class Pin(NamedTuple):
    """An input by name: a file, or a directory by the checksum of its index; None: not known yet."""

    name: str
    checksum: str | None
    directory: bool = False
    executable: bool = False


class Specification(NamedTuple):
    """All that goes into the identity of a command; values by checksum."""

    code: str
    pins: tuple[Pin, ...] = ()
    variables: Mapping[str, str] = MappingProxyType({})
    #: names inside the job, STDOUT among them if it goes to a file; empty: standard output is the result
    captures: tuple[str, ...] = ()
    #: what the command reads from standard input; None: nothing
    stdin: str | None = None

    def encode(self) -> bytes:
        """As a buffer."""
        fields = self._asdict()
        fields["pins"] = [pin._asdict() for pin in self.pins]
        fields["variables"] = dict(self.variables)
        return plain.dump(fields)

    @classmethod
    def decode(cls, buffer: bytes) -> Specification:
        """From a buffer."""
        return cls.of(plain.load(buffer))

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Specification:
        """From what a buffer holds."""
        pins = tuple(Pin(**pin) for pin in fields["pins"])
        return cls(fields["code"], pins, fields["variables"], tuple(fields["captures"]), fields["stdin"])


def identity_buffer(specification: Specification) -> bytes:
    """The transformation whose checksum is the identity; every pin must be known."""
    captures = specification.captures
    identity: dict[str, Any] = {
        "__language__": "bash",
        "__output__": ["result", "deepfolder" if captures else "bytes", None],
        "__capture__": sorted(captures) or [STDOUT],
        "code": ["text", None, specification.code],
    }
    formats: dict[str, Any] = {}
    for pin in specification.pins:
        name = _key(pin.name)
        identity[name] = ["mixed" if pin.directory else "bytes", None, pin.checksum]
        formats[name] = _format(pin)
    for name, checksum in specification.variables.items():
        identity[_variable_key(name, identity)] = ["str", None, checksum]
    if specification.stdin is not None:
        identity["__stdin__"] = ["bytes", None, specification.stdin]
    if formats:
        identity["__format__"] = formats
    return plain.dump(identity)


def _format(pin: Pin) -> dict[str, Any]:
    entry: dict[str, Any] = {"filesystem": {"mode": "directory" if pin.directory else "file", "optional": True}}
    if pin.directory:
        entry["celltype"] = "deepfolder"
    if pin.executable:
        entry["executable"] = True
    return entry


def _key(name: str) -> str:
    return f"./{name}" if name in RESERVED or name.startswith("__") else name


def _variable_key(name: str, taken: dict[str, Any]) -> str:
    # A file may be called like a variable; no file name survives normalisation with a "$/" in front.
    return f"$/{name}" if name in RESERVED or name.startswith("__") or name in taken else name


class Transformation(NamedTuple):
    """An identity, read back for execution."""

    code: str
    files: dict[str, str]
    directories: dict[str, str]
    executables: tuple[str, ...]
    variables: dict[str, str]
    captures: tuple[str, ...]
    stdin: str | None
    #: whether the result is standard output itself, not an index of captures
    plain_stdout: bool

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Transformation:
        """From what an identity buffer holds."""
        files, directories, variables = {}, {}, {}
        for name, pin in fields.items():
            if name == "code" or name.startswith("__"):
                continue
            celltype, _, checksum = pin
            if celltype == "str":
                variables[name.removeprefix("$/")] = checksum
            elif celltype == "mixed":
                directories[name] = checksum
            else:
                files[name] = checksum
        formats = fields.get("__format__", {})
        executables = tuple(name for name, entry in formats.items() if entry.get("executable"))
        return cls(
            fields["code"][2],
            files,
            directories,
            executables,
            variables,
            tuple(fields["__capture__"]),
            fields["__stdin__"][2] if "__stdin__" in fields else None,
            fields["__output__"][1] == "bytes",
        )
