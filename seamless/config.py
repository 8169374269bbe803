"""How this process works: on which store, in which executor, how much at once.

Everything here wins over `seamless.profile.yaml` and `seamless.yaml`, which are looked for from the working
directory upward. A value that cannot be is a ConfigurationError; None leaves the choice to the files again.
"""

from __future__ import annotations

import os

from seamless.transformer import session as _session
from seamless_queue.settings import Settings

__all__ = [
    "get_execution",
    "get_nparallel",
    "init",
    "select_cluster",
    "select_execution",
    "select_persistent",
    "select_project",
    "select_queue",
    "select_record",
    "select_remote",
    "select_stage",
    "select_store",
    "select_subproject",
    "select_substage",
    "set_nparallel",
    "set_stage",
    "set_substage",
    "set_workdir",
]


def init(workdir: str | os.PathLike[str] | None = None) -> Settings:
    """Read the configuration files now, from `workdir` if it is given, so that what is wrong there is said now."""
    if workdir is not None:
        set_workdir(workdir)
    else:
        _session.current().configure()
    return _session.current().settings


def set_workdir(workdir: str | os.PathLike[str]) -> None:
    """Look for configuration files from this directory upward, instead of from the working directory."""
    _session.current().set_directory(os.path.abspath(os.fspath(workdir)))


def set_nparallel(nparallel: int | None) -> None:
    """How many transformations of a batch may be active at once."""
    _session.current().configure(nparallel=nparallel)


def get_nparallel() -> int:
    """How many transformations of a batch may be active at once."""
    return _session.current().nparallel


def select_execution(execution: str | None) -> None:
    """Where transformations run: `process`, `spawn` or `queue`."""
    _session.current().configure(execution=execution)


def get_execution() -> str:
    """Where transformations run."""
    return _session.current().settings.execution


def select_store(directory: str | os.PathLike[str] | None) -> None:
    """Keep results in this store, across sessions; before the first transformation."""
    _session.current().configure(store=os.fspath(directory) if directory is not None else None)


def select_persistent(persistent: bool | None) -> None:
    """Whether results are kept across sessions (in the default store if none is named), or go with this process."""
    _session.current().configure(persistent=persistent)


def select_project(project: str | None, subproject: str | None = None) -> None:
    """Label what is submitted with a project."""
    _session.current().configure(project=project, subproject=subproject)


def select_subproject(subproject: str | None) -> None:
    """Label what is submitted with a part of the project."""
    _session.current().configure(subproject=subproject)


def select_stage(stage: str | None, substage: str | None = None) -> None:
    """Label what is submitted with a stage of the project."""
    _session.current().configure(stage=stage, substage=substage)


def select_substage(substage: str | None) -> None:
    """Label what is submitted with a part of the stage."""
    _session.current().configure(substage=substage)


set_stage = select_stage
set_substage = select_substage


def select_cluster(cluster: str | None) -> None:
    """Accepted for later versions; it has no effect yet."""
    _session.current().configure(cluster=cluster)


def select_queue(queue: str | None) -> None:
    """Accepted for later versions; it has no effect yet."""
    _session.current().configure(queue=queue)


def select_remote(remote: str | None) -> None:
    """Accepted for later versions; it has no effect yet."""
    _session.current().configure(remote=remote)


def select_record(record: str | None) -> None:
    """Accepted for later versions; it has no effect yet: everything is recorded."""
    _session.current().configure(record=record)
