"""The inputs of one plan and their names inside the job."""

from posixpath import normpath

from .errors import MappingError
from .model import Input, Kind, Mapping, PlanOptions
from .paths import base_name, extension, relative


class Inputs:
    """Collects inputs in order of appearance and gives each its name, unique among them."""

    __slots__ = ("_by_name", "_mapping", "_names", "_numbered", "_workdir")

    def __init__(self, options: PlanOptions) -> None:
        self._workdir = normpath(options.workdir or options.directory)
        self._mapping = options.mapping
        self._by_name: dict[str, Input] = {}
        self._names: dict[str, str] = {}
        self._numbered = 0

    def all(self) -> tuple[Input, ...]:
        return tuple(self._by_name.values())

    def add(self, path: str, kind: Kind, shown: str) -> str:
        """Add a word's file and return its name; `shown` is how an error speaks of it."""
        name = self._names.get(path)
        if name is None:
            name = self._mapped(path, kind, shown)
            self._enter(Input(name, path, kind))
        return name

    def add_executable(self, path: str, kind: Kind, shown: str, found_in_path: bool) -> str:
        """Add a command's file and return its name.

        What PATH found was not spelled out by anyone, so outside the working directory it takes its base
        name, where a spelled path is refused.
        """
        name = self._names.get(path)
        if name is not None:
            self._by_name[name] = self._by_name[name]._replace(executable=True)
            return name
        if found_in_path and relative(self._workdir, path) is None and self._mapping is Mapping.LITERAL:
            name = base_name(path)
        else:
            name = self._mapped(path, kind, shown)
        self._enter(Input(name, path, kind, executable=True))
        return name

    def add_named(self, path: str, kind: Kind, shown: str) -> None:
        """Add an input given by option; numbering it would hide it from the command, so it keeps its name."""
        if path in self._names:
            return
        name = self._kept(path) if self._mapping is Mapping.EXTENSION else self._mapped(path, kind, shown)
        self._enter(Input(name, path, kind))

    def add_as(self, name: str, path: str, kind: Kind) -> None:
        """Add an input under a name the command's text fixes."""
        if name not in self._by_name or self._by_name[name].path != path:
            self._enter(Input(name, path, kind))

    def _enter(self, entry: Input) -> None:
        other = self._by_name.setdefault(entry.name, entry)
        if other is not entry:
            raise MappingError(
                f"two inputs would both be called {entry.name!r} in the job ({other.path} and {entry.path}): "
                "rename one or choose another file mapping"
            )
        self._names.setdefault(entry.path, entry.name)

    def _mapped(self, path: str, kind: Kind, shown: str) -> str:
        if self._mapping is Mapping.LITERAL:
            return self._literal(path, shown)
        if self._mapping is Mapping.STRIP:
            return base_name(path)
        suffix = extension(path)
        # Only its extension can tell what something not yet written will be.
        if kind is Kind.DIRECTORY or (kind is Kind.FUTURE and not suffix):
            return self._kept(path)
        self._numbered += 1
        return f"file{self._numbered}.{suffix}" if suffix else f"file{self._numbered}"

    def _literal(self, path: str, shown: str) -> str:
        name = relative(self._workdir, path)
        if name is None:
            raise MappingError(
                f"{shown} is not under the working directory {self._workdir!r}: "
                "choose another file mapping (-ms or -mx) or another working directory (-w or -W)"
            )
        return name

    def _kept(self, path: str) -> str:
        return relative(self._workdir, path) or base_name(path)
