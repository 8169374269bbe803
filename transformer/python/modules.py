"""The modules of a transformation while it runs: made from their definitions, for this run alone.

    import statement in the function or in one of its modules ──▶ Workspace.import_ ──▶ the run's own modules
    importlib, pickle, importlib.resources ──▶ sys.modules, sys.meta_path ──▶ the newest run that has the name

Every run makes its modules anew: what one job leaves in them, another must not find. Import statements ask the run
itself, so that runs in several threads do not meet. What goes by `sys.modules` is shared by the whole process: there,
a name that two threads run at the same time with different definitions belongs to the one that began last, and whoever
imports a module of the process that has the same name gets the run's one. Single-threaded workers have neither.
"""

from __future__ import annotations
import __future__

import builtins
import linecache
import threading
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

from . import publication
from .bundles import Bundle, Source
from .pins import GLOBALS, MAIN, module_name
from .resources import Reader
from .text import NAME

#: What the header of the globals binds in their module.
_FUTURE_ANNOTATIONS = __future__.annotations


def load(name: str, definition: Mapping[str, Any]) -> ModuleType:
    """A module made from its definition, which nobody else sees."""
    return Workspace({name: definition}).load(name)


class Workspace:
    """The modules of one run, by the names that the code knows. As a context, `importlib` finds them as well."""

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        self._bundles = {name: Bundle(name, entry) for name, entry in _named(definitions).items()}
        self._loaded: dict[str, ModuleType] = {}
        # Threads of the job that import the same module must get the same one.
        self._lock = threading.RLock()
        self._builtins = {**vars(builtins), "__import__": self.import_}

    def __enter__(self) -> Workspace:
        publication.publish(self)
        return self

    def __exit__(self, *_: object) -> None:
        publication.withdraw(self)

    @property
    def names(self) -> list[str]:
        """The top-level modules that importlib finds here."""
        return [name for name in self._bundles if name != GLOBALS]

    def namespace(self) -> dict[str, Any]:
        """What the code sees at its beginning: modules by their names, then the globals."""
        names: dict[str, Any] = {"__name__": NAME, "__package__": NAME, "__builtins__": self._builtins}
        names.update((name, self.load(name)) for name in self.names if name != MAIN)
        for main in (MAIN, GLOBALS):
            if main in self._bundles:
                names.update(_public(self.load(main)))
                names.setdefault(MAIN, self._loaded[main])
        return names

    def loaded(self, top: str) -> dict[str, ModuleType]:
        """The modules made so far of one top-level module."""
        return {name: module for name, module in self._loaded.items() if name.partition(".")[0] == top}

    # -- import ------------------------------------------------------------------------------
    def import_(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What an import statement does; for modules of others, the built-in one does it."""
        package = (globals or {}).get("__package__")
        if level and package == NAME:
            return self._import_own(name, fromlist or (), level)
        full = _absolute(name, package or "", level)
        if full.partition(".")[0] not in self._bundles:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        return self._import_known(full, fromlist or (), level)

    def load(self, name: str) -> ModuleType:
        """A module by its full name; ModuleNotFoundError if there is none."""
        with self._lock:
            if name in self._loaded:
                return self._loaded[name]
            parent, _, child = name.rpartition(".")
            package = self.load(parent) if parent else None
            # The package's own code may have imported it.
            return self._loaded.get(name) or self._make(name, package, child)

    def spec(self, name: str) -> ModuleSpec | None:
        """The spec of a module; None if there is no such module."""
        source = self._find(name)
        return None if source is None else self._spec(name, source)

    def _import_own(self, name: str, fromlist: Sequence[str], level: int) -> Any:
        """`from .name import x`, or `from . import name`, in the function or in a module of a single file."""
        top = name.partition(".")[0]
        unknown = [one for one in ((top,) if name else fromlist) if one not in self._bundles]
        if level > 1 or unknown:
            declared = f"declare it with .modules.{unknown[0]}" if unknown else "there is only one level of modules"
            raise ImportError(f"cannot import {'.' * level}{name or unknown[0]} in the transformation: {declared}")
        if not name:
            return SimpleNamespace(**{one: self.load(one) for one in fromlist})
        return self._import_known(name, fromlist, level)

    def _import_known(self, name: str, fromlist: Sequence[str], level: int) -> Any:
        module = self.load(name)
        if not fromlist:
            return module if level else self._loaded[name.partition(".")[0]]
        wanted = [*fromlist, *(getattr(module, "__all__", ()) if "*" in fromlist else ())]
        for item in wanted:
            if not hasattr(module, item) and self._find(f"{name}.{item}") is not None:
                self.load(f"{name}.{item}")
        return module

    # -- making modules ----------------------------------------------------------------------
    def _find(self, name: str) -> Source | None:
        top, _, path = name.partition(".")
        bundle = self._bundles.get(top)
        return None if bundle is None else bundle.find(path)

    def _make(self, name: str, package: ModuleType | None, child: str) -> ModuleType:
        source = self._find(name)
        if source is None:
            raise ModuleNotFoundError(f"No module named {name!r} among the modules of the transformation", name=name)
        module = self._empty(name, source)
        self._loaded[name] = module
        if package is not None:
            setattr(package, child, module)
        publication.add(self, name, module)
        text = f"{source.text}\n"
        linecache.cache[source.filename] = (len(text), None, text.splitlines(True), source.filename)
        try:
            exec(source.code, vars(module))
        except BaseException:
            del self._loaded[name]
            vars(package).pop(child, None) if package is not None else None
            publication.remove(name, module)
            raise
        return module

    def _empty(self, name: str, source: Source) -> ModuleType:
        module = ModuleType(name)
        spec = self._spec(name, source)
        values = vars(module)
        values.update(__spec__=spec, __loader__=spec.loader, __file__=source.filename, __builtins__=self._builtins)
        # A single file imports its neighbours as the function does.
        values["__package__"] = name if source.is_package else name.rpartition(".")[0] or NAME
        if source.is_package:
            values["__path__"] = spec.submodule_search_locations
        if name in (MAIN, GLOBALS):
            values.update((other, self.load(other)) for other in self.names if other != MAIN)
        return module

    def _spec(self, name: str, source: Source) -> ModuleSpec:
        loader: Any = _Loader(self, self._bundles[name.partition(".")[0]])
        spec = ModuleSpec(name, loader, origin=source.filename, is_package=source.is_package)
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(source.filename.rpartition("/")[0])
        return spec


class _Loader:
    """What importlib, linecache, pkgutil and importlib.resources ask about a module."""

    def __init__(self, workspace: Workspace, bundle: Bundle) -> None:
        self._workspace = workspace
        self._bundle = bundle

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The run's module; its code has run when this returns."""
        return self._workspace.load(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do."""

    def get_source(self, name: str) -> str | None:
        """The text of a module."""
        source = self._bundle.find(name.partition(".")[2])
        return None if source is None else source.text

    def is_package(self, name: str) -> bool:
        """Whether a module is a package."""
        source = self._bundle.find(name.partition(".")[2])
        return source is not None and source.is_package

    def get_data(self, path: str) -> bytes:
        """The content of a file beside a module."""
        return self._bundle.read(path)

    def get_resource_reader(self, name: str) -> Reader:
        """The files of a package."""
        return Reader(self._bundle.resource(name.partition(".")[2]))


def _named(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Definitions by the names that the code knows; globals without a module `main` beside them are called so."""
    named = {module_name(key): definition for key, definition in definitions.items()}
    if GLOBALS in named and MAIN not in named:
        named[MAIN] = named.pop(GLOBALS)
    return named


def _public(module: ModuleType) -> dict[str, Any]:
    """What a module defines, save what Python and the header of the globals put into it."""
    defined = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    if defined.get("annotations") is _FUTURE_ANNOTATIONS:
        del defined["annotations"]
    return defined


def _absolute(name: str, package: str, level: int) -> str:
    """The full name of what an import statement means; with too many dots, nothing that is known."""
    if not level:
        return name
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - level + 1]) if level <= len(parts) else ""
    return f"{base}.{name}" if name else base
