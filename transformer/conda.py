"""Conda environments: which one is meant, where it lies, and how a command runs in it.

A command is run as in an activated environment: its programs first on the PATH, CONDA_PREFIX, its activation scripts.
Not through `conda run`: that stands between a command and the signals that are meant for it, and takes half a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from glob import escape, glob

from seamless_queue.errors import SeamlessError

#: Variables that name the program itself, in the order in which they are asked.
_VARIABLES = ("CONDA_EXE", "MAMBA_EXE")
_PROGRAMS = ("conda", "mamba", "micromamba")
_ACTIVATE = os.path.join(os.path.dirname(__file__), "activate.sh")
#: Set by whoever runs it; of the environment that was active before.
_OF_ANOTHER = (b"PYTHONHOME", b"CONDA_PROMPT_MODIFIER")
_SECONDS = 60.0


class NoConda(SeamlessError):
    """The conda environment cannot be used."""


def named(environment: str) -> str:
    """A name as it is, a path made absolute."""
    if not environment.strip():
        raise NoConda("the name of the conda environment is empty: give its name, or its path")
    if "\n" in environment:
        raise NoConda("a conda environment is given by its name or path, not by its definition: make it first")
    if "/" in environment or environment.startswith("~"):
        return os.path.abspath(os.path.expanduser(environment))
    return environment


def prefix_of(environment: str, variables: Mapping[str, str] = os.environ) -> str:
    """Where an environment lies; NoConda if there is no conda, or no such environment.

    `variables` say where conda is: those of whoever asked, which a queue server need not have.
    """
    if environment.startswith("/"):
        if not _is_environment(environment):
            raise NoConda(
                f"{environment} is no conda environment (it has no conda-meta): correct the path, or make it with "
                f"conda create -p {environment}"
            )
        return environment
    try:
        return _prefix_named(environment, _program(variables))
    except NoConda as exc:
        if not os.path.isdir(environment):
            raise
        what = "is one: give its path" if _is_environment(environment) else "is none (it has no conda-meta)"
        raise NoConda(f"{exc}; the directory ./{environment} {what}") from exc


def _is_environment(path: str) -> bool:
    return os.path.isdir(os.path.join(path, "conda-meta")) and os.path.isdir(os.path.join(path, "bin"))


def _program(variables: Mapping[str, str]) -> str:
    from shutil import which

    places = [variables.get(name) for name in _VARIABLES] + [
        which(name, path=variables.get("PATH")) for name in _PROGRAMS
    ]
    found = next((place for place in places if place and os.access(place, os.X_OK)), None)
    if found is None:
        raise NoConda(
            "there is no conda here (no CONDA_EXE or MAMBA_EXE, no conda, mamba or micromamba on the PATH): install "
            "one, give the path of the environment, or leave out --conda"
        )
    return found


@lru_cache(maxsize=16)
def _prefix_named(name: str, program: str) -> str:
    known = _environments(program)
    # All but the base environment lie in a directory `envs`, or wherever they were put.
    base = [path for path in known if os.path.basename(os.path.dirname(path)) != "envs"][:1] if name == "base" else []
    found = [path for path in known if os.path.basename(path) == name] or base
    if not found:
        names = ", ".join(sorted({os.path.basename(path) for path in known})) or "none"
        raise NoConda(
            f"there is no conda environment {name!r} (there is: {names}): correct the name, or make it with "
            f"conda create -n {name}"
        )
    return found[0]


def _environments(program: str) -> list[str]:
    from seamless_queue.processes import output_of

    from . import plain

    output = output_of([program, "env", "list", "--json"], _SECONDS)
    try:
        known = plain.load(output)["envs"]
        return [str(path) for path in known]
    except (ValueError, KeyError, TypeError) as exc:
        raise NoConda(f"{program} env list --json does not tell its environments; see what it says") from exc


def activate(environment: dict[bytes, bytes], name: str) -> None:
    """Make this the environment of a command that runs in a conda environment."""
    prefix = prefix_of(name, {os.fsdecode(key): os.fsdecode(value) for key, value in environment.items()})
    path = environment.get(b"PATH", os.defpath.encode())
    environment[b"PATH"] = os.fsencode(os.path.join(prefix, "bin")) + b":" + path
    environment[b"CONDA_PREFIX"] = os.fsencode(prefix)
    environment[b"CONDA_DEFAULT_ENV"] = os.fsencode(name)
    environment[b"CONDA_SHLVL"] = b"1"
    for other in _OF_ANOTHER:
        environment.pop(other, None)
    if glob(os.path.join(escape(prefix), "etc", "conda", "activate.d", "*.sh")):
        environment[b"BASH_ENV"] = os.fsencode(_ACTIVATE)


def check_running(name: str) -> None:
    """NoConda if this very Python is not in the environment."""
    if _runs_in(named(name)):
        return
    raise NoConda(
        f"the transformation needs the conda environment {name}, and this Python ({sys.prefix}) is not in it: start "
        f"your script with conda run -n {name} python …, or run a command with seamless-run --conda {name}"
    )


def _runs_in(name: str) -> bool:
    if name.startswith("/"):
        return os.path.realpath(name) == os.path.realpath(sys.prefix)
    if os.path.realpath(os.environ.get("CONDA_PREFIX", "")) == os.path.realpath(sys.prefix):
        return name in (os.environ.get("CONDA_DEFAULT_ENV"), os.path.basename(sys.prefix))
    return _is_environment(sys.prefix) and os.path.basename(sys.prefix) == name
