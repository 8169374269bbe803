"""What a command is given beside its identity: environment, meta variables, empty directories."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from . import plain

#: Of the submitter's shell, not of the user's wish: they would only make contexts differ.
LEFT_OUT = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "SEAMLESS_WORKER", "SEAMLESS_CRASH_AT"})

#: Among meta variables: no variable can be called so.
DIRECTORIES, CONDA = "/directories", "/conda"


class Context(NamedTuple):
    """Beside the identity: two requests that differ only here share one job."""

    environment: Mapping[str, str]
    metavariables: Mapping[str, str]
    #: directories that the command finds, because its output goes there and they exist locally
    directories: tuple[str, ...]
    #: the conda environment that the command runs in, by name or path
    conda: str | None = None

    def encode(self) -> bytes:
        """As a buffer."""
        fields = {
            "environment": dict(self.environment),
            "metavariables": dict(self.metavariables),
            "directories": list(self.directories),
        }
        return plain.dump(fields if self.conda is None else {**fields, "conda": self.conda})

    @classmethod
    def decode(cls, buffer: bytes) -> Context:
        """From a buffer."""
        fields = plain.load(buffer)
        return cls(fields["environment"], fields["metavariables"], tuple(fields["directories"]), fields.get("conda"))


def to_remember(metavariables: Mapping[str, str], directories: Sequence[str], conda: str | None = None) -> str | None:
    """What is kept with a request for good, so that its job can be run again without it; JSON, None for nothing.

    Values that look like secrets are not kept.
    """
    if not metavariables and not directories and conda is None:
        return None
    fields: dict[str, object] = {}
    if metavariables:
        # Its patterns take long to be made, and hardly any command has such variables.
        from .redaction import keepable

        fields.update(keepable(metavariables))
    if directories:
        fields[DIRECTORIES] = list(directories)
    if conda is not None:
        fields[CONDA] = conda
    return plain.dump(fields).decode() if fields else None


def without_metavariables(text: str | None) -> str | None:
    """What was kept with a request, without values that its user has set: for others to read."""
    fields = plain.load(text.encode()) if text is not None else {}
    told = {name: fields[name] for name in (DIRECTORIES, CONDA) if name in fields}
    return plain.dump(told).decode() if told else None


def remembered(text: str | None) -> bytes | None:
    """A context of what was kept, and of this process's environment; encoded, None for nothing."""
    if text is None:
        return None
    fields = plain.load(text.encode())
    directories, conda = fields.pop(DIRECTORIES, ()), fields.pop(CONDA, None)
    return Context(submitters_environment(), fields, tuple(directories), conda).encode()


def told(text: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The meta variables and the directories that were kept with a request."""
    fields = plain.load(text.encode()) if text is not None else {}
    fields.pop(CONDA, None)
    return fields, tuple(fields.pop(DIRECTORIES, ()))


def submitters_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment that a queued command gets: its submitter's."""
    return {name: value for name, value in environment.items() if name not in LEFT_OUT}


@lru_cache(maxsize=16)
def environment_block(buffer: bytes) -> dict[bytes, bytes]:
    """The environment of an encoded context, as processes take it; do not change it."""
    context = Context.decode(buffer)
    merged = {**context.environment, **context.metavariables}
    block = {os.fsencode(name): os.fsencode(value) for name, value in merged.items()}
    if context.conda is not None:
        from .conda import activate

        activate(block, context.conda)
    return block
