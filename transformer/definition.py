"""What a transformation is: its definition, its options, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

#: A pin as it stands in the identity: celltype, subcelltype, checksum (None until it is known).
PinEntry = tuple[str, str | None, str | None]


class Phase(Enum):
    """Where a transformation stands in this process."""

    #: nobody has asked for it
    NEW = "ready"
    #: asked for, and not ended
    PENDING = "pending"
    #: its result is known
    DONE = "OK"
    #: it, or something it depends on, has failed
    FAILED = "exception"
    #: taken back
    CANCELED = "canceled"


SETTLED = frozenset({Phase.DONE, Phase.FAILED, Phase.CANCELED})


class Definition(NamedTuple):
    """What is to be computed; values by checksum."""

    language: str
    #: "python" or "text", "transformer" and the checksum of the code's text
    code: tuple[str, str, str]
    pins: dict[str, PinEntry]
    result: str
    formats: dict[str, Any]
    #: for people
    name: str


class Options(NamedTuple):
    """What is not part of the identity."""

    meta: Mapping[str, Any] = MappingProxyType({})
    scratch: bool = False
    direct_print: bool = False
    local: bool | None = None
    #: names that are modules where the function was defined, and what these are called; for messages
    modules: Mapping[str, str] = MappingProxyType({})


def description(definition: Definition, results: Mapping[str, str | None]) -> dict[str, Any]:
    """The fields of the identity; `results` are those of the upstream by pin, None where one is not known."""
    fields: dict[str, Any] = {
        "__language__": definition.language,
        "__output__": ["result", definition.result, None],
        "code": definition.code,
    }
    for name, (celltype, subcelltype, checksum) in definition.pins.items():
        fields[name] = [celltype, subcelltype, checksum or results[name]]
    if definition.formats:
        fields["__format__"] = definition.formats
    return fields
