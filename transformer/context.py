"""What a command is given beside its identity: environment, meta variables, empty directories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from . import plain

#: Of the submitter's shell, not of the user's wish: they would only make contexts differ.
LEFT_OUT = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "SEAMLESS_WORKER", "SEAMLESS_CRASH_AT"})


class Context(NamedTuple):
    """Beside the identity: two requests that differ only here share one job."""

    environment: Mapping[str, str]
    metavariables: Mapping[str, str]
    #: directories that the command finds, because its output goes there and they exist locally
    directories: tuple[str, ...]

    def encode(self) -> bytes:
        """As a buffer."""
        return plain.dump(
            {
                "environment": dict(self.environment),
                "metavariables": dict(self.metavariables),
                "directories": list(self.directories),
            }
        )

    @classmethod
    def decode(cls, buffer: bytes) -> Context:
        """From a buffer."""
        fields = plain.load(buffer)
        return cls(fields["environment"], fields["metavariables"], tuple(fields["directories"]))


def submitters_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment that a queued command gets: its submitter's."""
    return {name: value for name, value in environment.items() if name not in LEFT_OUT}


@lru_cache(maxsize=16)
def environment_block(buffer: bytes) -> dict[bytes, bytes]:
    """The environment of an encoded context, as processes take it; do not change it."""
    context = Context.decode(buffer)
    merged = {**context.environment, **context.metavariables}
    return {os.fsencode(name): os.fsencode(value) for name, value in merged.items()}
