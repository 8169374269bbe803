"""`direct` and `delayed`: a function, or code as text, that is called as a transformation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, ParamSpec, Self, TypeVar, overload

from . import plain, session
from .celltypes import Pieces, celltype_named
from .celltypes.pieces import parts_of
from .definition import Definition, Options, PinEntry
from .environment import Environment
from .names import Modules, Names
from .pinning import pinned
from .python.pins import argument_key, globals_key, module_key
from .python.signature import Keywords, Parameters
from .specification import DIRECTORIES
from .transformation import Transformation

if TYPE_CHECKING:
    from seamless_queue.segments import Part

P = ParamSpec("P")
R = TypeVar("R")

LANGUAGES = ("python", "bash")
#: What can be set on a transformer.
SETTINGS = (
    *("celltypes", "args", "modules", "globals", "environment", "name"),
    *("meta", "scratch", "local", "direct_print", "driver", "allow_input_fingertip"),
)
#: Celltypes that no result can have.
NOT_FOR_RESULTS = ("deepfolder", "module")


class Recipe(NamedTuple):
    """What all calls of a transformer have in common, until one of its settings changes."""

    digest: str
    code: tuple[str, str, str]
    celltypes: dict[str, str]
    result: str
    bound: dict[str, Any]
    #: by name, the checksums of module definitions
    modules: dict[str, str]
    globals: str | None
    contents: dict[str, Sequence[Part]]
    options: Options


class Transformer(Generic[P, R]):
    """What `direct` and `delayed` objects have in common: code and settings. A call takes them as they are then."""

    #: how it is called
    mode = ""

    def __init__(self, code: Callable[P, R] | str | Transformer[P, R], language: str | None = None) -> None:
        self._recipe: Recipe | None = None
        if isinstance(code, Transformer):
            if language not in (None, code.language):
                raise TypeError(f"{code!r} has a language already, it cannot become {language}")
            self._copy(code)
            return
        self._language = language or "python"
        if self._language not in LANGUAGES:
            raise TypeError(f"unknown language {language!r}: choose one of {', '.join(LANGUAGES)}")
        self._parameters: Parameters | Keywords = Keywords()
        if isinstance(code, str):
            self._code, self.name = _final_newline(code), f"{self._language} code"
            self._check_text()
        else:
            self._take_function(code)
        accepts, signed = self._parameters.accepts, isinstance(self._parameters, Parameters)
        self.celltypes = Names("celltypes", self._changed, celltype_named, accepts if signed else None)
        self.args = Names("args", self._changed, None, accepts if signed else None)
        self.modules = Modules(self._changed)
        self.globals = Names("globals", self._changed, _no_module, None)
        self._meta: dict[str, Any] = {}
        self._scratch = self._direct_print = self._driver = self._allow_input_fingertip = False
        self._local: bool | None = None
        self.environment = Environment()

    def _take_function(self, function: Callable[P, R]) -> None:
        from .python.source import code_text

        if self._language != "python":
            raise TypeError(f"{self._language} code is given as text, not as a function")
        self._parameters = Parameters(function)
        self._code, self.name = code_text(function), getattr(function, "__name__", "function")
        self.__wrapped__ = function
        for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(self, attribute, getattr(function, attribute, None))

    def _modules_around(self) -> dict[str, str]:
        """The names in the code that are modules where it was written."""
        function = getattr(self, "__wrapped__", None)
        if function is None:
            return {}
        from .python.remedies import modules_named
        from .python.unwrapping import plain_function

        return modules_named(plain_function(function))

    def _check_text(self) -> None:
        if self._language == "python":
            from .python.text import check

            check(self._code)

    def _copy(self, other: Transformer[P, R]) -> None:
        state = dict(other.__dict__)
        for name in ("celltypes", "args", "modules", "globals"):
            state[name] = state[name].copy(self._changed)
        state["_meta"] = dict(state["_meta"])
        state["environment"] = other.environment.copy()
        self.__dict__.update(state)
        self._changed()

    def _changed(self) -> None:
        self._recipe = None

    # -- settings -----------------------------------------------------------------------------
    @property
    def code(self) -> str:
        """The text that stands for the code in the identity."""
        return self._code

    @property
    def language(self) -> str:
        """`python` or `bash`."""
        return self._language

    @property
    def meta(self) -> dict[str, Any]:
        """Meta data of its transformations, not part of the identity. Assigning merges; None removes a key."""
        return dict(self._meta)

    @meta.setter
    def meta(self, changes: Mapping[str, Any] | None) -> None:
        merged = {**self._meta, **changes} if changes is not None else {}
        self._meta = {key: value for key, value in merged.items() if value is not None}
        self._changed()

    def _flag(name: str, doc: str) -> Any:  # type: ignore[misc]
        def read(self: Transformer[P, R]) -> bool:
            return bool(getattr(self, f"_{name}"))

        def write(self: Transformer[P, R], value: bool) -> None:
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, not {value!r}")
            setattr(self, f"_{name}", value)
            self._changed()

        return property(read, write, doc=doc)

    scratch = _flag("scratch", "Whether the result's bytes need not be kept.")
    direct_print = _flag("direct_print", "Whether what the code prints is shown when it has ended.")
    driver = _flag("driver", "Whether the code mainly runs other transformations.")
    allow_input_fingertip = _flag("allow_input_fingertip", "Whether inputs may be computed again where they are gone.")

    @property
    def local(self) -> bool | None:
        """Whether it must run on this machine; None: wherever."""
        return self._local

    @local.setter
    def local(self, value: bool | None) -> None:
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"local must be True, False or None, not {value!r}")
        self._local = value
        self._changed()

    def __setattr__(self, name: str, value: Any) -> None:
        # A setting with a slip of the pen would otherwise be kept and do nothing.
        if not (name.startswith("_") or name in SETTINGS or hasattr(type(self), name)):
            raise AttributeError(f"a transformer has no setting {name!r}; its settings are {', '.join(SETTINGS)}")
        if name == "environment" and not isinstance(value, Environment):
            raise TypeError(f"environment must be an Environment, not {type(value).__name__}")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<{self.mode} {self.language} transformer {self.name}>"

    # -- copies -------------------------------------------------------------------------------
    def __copy__(self) -> Self:
        return type(self)(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        from copy import deepcopy

        other = type(self)(self)
        other.args.update(deepcopy(dict(self.args), memo))
        other._meta = deepcopy(self._meta, memo)
        return other

    def __reduce__(self) -> str:
        # Found where it stands, as functions are: neither its source nor its settings travel.
        name = self.__dict__.get("__qualname__")
        try:
            found = attrgetter(name)(sys.modules[self.__module__]) if name else None
        except (AttributeError, KeyError):
            found = None
        if found is not self:
            what = f"{self.__module__}.{name}" if name else "code that is given as text"
            raise TypeError(f"{self!r} cannot be pickled: only what a module has under its own name can, not {what}")
        return str(name)

    # -- calling ------------------------------------------------------------------------------
    def _build(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Transformation[R]:
        recipe = self._current_recipe()
        bound = self._parameters.bind(args, kwargs, recipe.bound)
        pins: dict[str, PinEntry] = {}
        upstream: dict[str, Transformation[Any]] = {}
        contents = dict(recipe.contents)
        large = False
        for key, value in bound.items():
            if key.startswith("META__"):
                continue
            celltype = recipe.celltypes.get(key, "mixed")
            checksum = None
            if isinstance(value, Transformation):
                upstream[key] = value
            else:
                checksum, given = pinned(key, value, celltype)
                for one, content in given.items():
                    contents[one] = parts_of(content)
                    large = large or isinstance(content, Pieces)
            pins[key] = _entry(celltype, checksum)
        for name, checksum in recipe.modules.items():
            pins[module_key(name, bound)] = ("plain", "module", checksum)
        if recipe.globals is not None:
            pins[globals_key(pins)] = ("plain", "module", recipe.globals)
        formats = {key: _format(pin[0]) for key, pin in pins.items() if pin[0] in DIRECTORIES}
        definition = Definition(self._language, recipe.code, pins, recipe.result, formats, self.name)
        self.environment.check()
        built: Transformation[R] = Transformation(definition, upstream, contents, recipe.options)
        if large:
            _take_snapshot(built)
        return built

    def _current_recipe(self) -> Recipe:
        digest = session.digest()
        recipe = self._recipe
        if recipe is None or recipe.digest != digest.name:
            recipe = self._recipe = self._new_recipe(digest.name)
        return recipe

    def _new_recipe(self, digest: str) -> Recipe:
        contents: dict[str, Sequence[Part]] = {}
        kind = "python" if self._language == "python" else "text"
        celltypes = {argument_key(name): celltype for name, celltype in self.celltypes.items()}
        # A parameter may be called result: then the celltype is the result's, as it is for everybody else.
        result = celltypes.pop("./result", "mixed")
        if result in NOT_FOR_RESULTS:
            raise TypeError(f"a result cannot have celltype {result}")
        return Recipe(
            digest,
            (kind, "transformer", _keep(self._code.encode(), contents)),
            celltypes,
            result,
            {argument_key(name): value for name, value in self.args.items()},
            {name: _keep(plain.dump(one), contents) for name, one in self.modules.definitions.items()},
            _keep(_globals(self.globals), contents) if self.globals else None,
            contents,
            Options(
                MappingProxyType(self._meta), self._scratch, self._direct_print, self._local, self._modules_around()
            ),
        )


class Direct(Transformer[P, R]):
    """A function that runs as a transformation when it is called, and returns the value."""

    mode = "direct"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The value; TransformationError if it failed."""
        return self._build(args, kwargs).run()


class Delayed(Transformer[P, R]):
    """A function whose calls are transformations to be run later, in parallel, or by others."""

    mode = "delayed"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Transformation[R]:
        """The transformation. TypeError for arguments that the function does not take, or that are no data."""
        return self._build(args, kwargs)


@overload
def direct(code: Direct[P, R], language: None = None) -> Direct[P, R]: ...
@overload
def direct(code: Delayed[P, R], language: None = None) -> Direct[P, R]: ...
@overload
def direct(code: Callable[P, R], language: None = None) -> Direct[P, R]: ...
@overload
def direct(code: str, language: str | None = None) -> Direct[..., Any]: ...
def direct(code: Any, language: str | None = None) -> Any:
    """Make a function (or a text of code) run as a transformation: computed once, whoever asks.

    A decorator, or called with a function, a text, or a `delayed` object, whose settings are copied.
    """
    return Direct(code, language)


@overload
def delayed(code: Direct[P, R], language: None = None) -> Delayed[P, R]: ...
@overload
def delayed(code: Delayed[P, R], language: None = None) -> Delayed[P, R]: ...
@overload
def delayed(code: Callable[P, R], language: None = None) -> Delayed[P, R]: ...
@overload
def delayed(code: str, language: str | None = None) -> Delayed[..., Any]: ...
def delayed(code: Any, language: str | None = None) -> Any:
    """Make calls of a function (or of a text of code) transformations, to be started and run when you like.

    A decorator, or called with a function, a text, or a `direct` object, whose settings are copied.
    """
    return Delayed(code, language)


def _final_newline(code: str) -> str:
    return code.replace("\r\n", "\n").rstrip("\n") + "\n"


def _keep(content: bytes, contents: dict[str, Sequence[Part]]) -> str:
    checksum = session.digest().of(content)
    contents[checksum] = (content,)
    return checksum


def _no_module(value: Any) -> Any:
    if isinstance(value, ModuleType):
        raise TypeError(
            f"module {value.__name__} cannot be a global: import it inside the function; a module of your own may be"
            " declared with .modules"
        )
    return value


def _globals(values: Mapping[str, Any]) -> bytes:
    from .python.globals import main_module_text

    code = main_module_text(dict(values))
    return plain.dump({"code": code, "language": "python", "type": "interpreted"})


def _entry(celltype: str, checksum: str | None) -> PinEntry:
    if celltype in ("checksum", "module"):
        return "plain", celltype, checksum
    return celltype, None, checksum


def _format(celltype: str) -> dict[str, Any]:
    return {"celltype": celltype, "filesystem": {"mode": "directory"}}


def _take_snapshot(built: Transformation[Any]) -> None:
    """Large arrays lend their memory, and may be changed later: they are copied into the store, unless all is known."""
    if built.upstream or built.look_up() is None:
        built.keep_contents()
