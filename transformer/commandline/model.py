"""The values a plan is made from and consists of."""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol


class Kind(Enum):
    """What a path is, sidecars included."""

    #: A regular file, present or described by a sidecar.
    FILE = "file"
    #: A directory, present or described by a sidecar and its index.
    DIRECTORY = "directory"
    #: Nothing yet: a queued job will write it, as file or as directory.
    FUTURE = "future"


class Mapping(Enum):
    """How the local path of an input becomes its name inside the job."""

    #: The path relative to the working directory.
    LITERAL = "literal"
    #: The base name (-ms).
    STRIP = "strip"
    #: file1.ext, file2.ext by order of appearance; directories keep their names (-mx).
    EXTENSION = "extension"


class Files(Protocol):
    """The planner's only view of the file system; paths are absolute and normalised."""

    def kind(self, path: str) -> Kind | None:
        """Return what the path is, or None; must not raise for names no file can have."""
        ...

    def which(self, command: str) -> str | None:
        """Return where PATH finds the command."""
        ...

    def read_lines(self, path: str) -> list[str]:
        """Return the lines of a list of inputs."""
        ...


#: Whether bash accepts the text; consulted only where the parser does not.
SyntaxCheck = Callable[[str], bool]


class PlanOptions(NamedTuple):
    """What was asked for beside the command; `directory` and `workdir` are absolute."""

    directory: str
    workdir: str = ""
    mapping: Mapping = Mapping.LITERAL
    guess_extension: bool = True
    guess_no_extension: bool = True
    captures: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    input_lists: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    metavariables: tuple[str, ...] = ()
    prologues: tuple[str, ...] = ()
    primary: int = 1


class Input(NamedTuple):
    """A local file or directory under its name inside the job (POSIX, relative)."""

    name: str
    path: str
    kind: Kind
    executable: bool = False


class Capture(NamedTuple):
    """A name inside the job and where it is delivered, relative to the request's directory."""

    name: str
    target: str


class CommandPlan(NamedTuple):
    """What to run, what it needs and what it leaves.

    `directories` exist locally and are wanted, empty, in the job's directory before the command starts.
    """

    code: str
    inputs: tuple[Input, ...]
    variables: dict[str, str]
    metavariables: dict[str, str]
    captures: tuple[Capture, ...]
    stdout_target: str | None
    directories: tuple[str, ...]
    warnings: tuple[str, ...]
