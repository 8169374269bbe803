"""What a transformation needs of the machine that it runs on; not part of its identity."""

from __future__ import annotations

from collections.abc import Iterable
from shutil import which

from seamless_queue.errors import SeamlessError


class Environment:
    """Requirements of a transformer's calls: commands on the PATH, a conda environment."""

    def __init__(self) -> None:
        self._which: tuple[str, ...] = ()
        self._conda: str | None = None

    def set_which(self, commands: Iterable[str] | None) -> None:
        """The commands that its code calls; each is looked for before it runs."""
        if isinstance(commands, str):
            raise TypeError(f"set_which takes a list of commands, such as [{commands!r}]")
        self._which = tuple(commands or ())

    def get_which(self) -> tuple[str, ...]:
        """The commands that its code calls."""
        return self._which

    def set_conda(self, environment: str | None) -> None:
        """The conda environment that it needs, by name or path; None: none. This Python must run in it."""
        self._conda = environment

    def get_conda(self) -> str | None:
        """The conda environment that it needs."""
        return self._conda

    def copy(self) -> Environment:
        """Another one with the same requirements."""
        other = Environment()
        other._which, other._conda = self._which, self._conda
        return other

    def __repr__(self) -> str:
        return f"<Environment which={list(self._which)} conda={self._conda!r}>"

    def check(self) -> None:
        """SeamlessError if this machine does not have what is needed."""
        missing = [command for command in self._which if which(command) is None]
        if missing:
            raise SeamlessError(f"the transformation needs {', '.join(missing)}, not found on PATH; install it")
        if self._conda is not None:
            from .conda import check_running

            check_running(self._conda)
