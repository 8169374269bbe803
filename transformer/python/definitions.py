"""The definition of a module: what of it enters the identity, and all that is needed to run it elsewhere.

{"type": "interpreted", "language": "python", "code": source}                     a single file
{"type": "interpreted", "language": "python",                                     a package
 "code": {"core": {"code", "language", "dependencies"}, "sub.__init__": …},
 "data": {"tables/one.csv": base64}}                                              only if there are other files
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.util import decode_source
from types import ModuleType
from typing import Any

from . import packages
from .errors import NotAModule
from .origin import tree_of

#: Whether a definition is plain JSON is for whoever serialises it.
Definition = dict[str, Any]
_KIND = {"language": "python", "type": "interpreted"}


def definition_of(module: object, name: str | None = None) -> Definition:
    """The definition of a module as it is on disk now, or a definition itself; NotAModule for anything else.

    With the `name` that it is going to be imported by, a package that imports itself by another one is refused.
    """
    if isinstance(module, Mapping):
        return _checked(module)
    if not isinstance(module, ModuleType):
        raise NotAModule(f"a {type(module).__name__} is no module: give an imported module, or its definition")
    directories = [os.fspath(path) for path in getattr(module, "__path__", ())]
    if not directories:
        return {**_KIND, "code": _source(module)}
    package = packages.read(directories, module.__name__)
    if name is not None and name != module.__name__:
        _refuse_own_imports(package, module.__name__, name)
    data = {"data": package.data} if package.data else {}
    return {**_KIND, "code": package.code, **data}


def _source(module: ModuleType) -> str:
    filename = getattr(module, "__file__", None)
    if filename is None or not filename.endswith(".py"):
        raise NotAModule(
            f"module {module.__name__} is not written in Python, or has no source file: import it inside the function"
        )
    try:
        with open(filename, "rb") as file:
            return packages.normalised(decode_source(file.read()))
    except (OSError, SyntaxError, UnicodeDecodeError) as exc:
        raise NotAModule(f"the source of module {module.__name__} cannot be read, {exc}") from exc


def _refuse_own_imports(package: packages.Package, real: str, name: str) -> None:
    """A package finds itself only under the name that it is given."""
    own = re.compile(rf"^\s*(from|import)\s+{re.escape(real)}\b", re.MULTILINE)
    for path, entry in package.code.items():
        if own.search(entry["code"]) and tree_of(entry["code"]) is not None:
            raise NotAModule(
                f"{path} of package {real} imports {real}: declare the package by that name, not as {name}"
            )


# -- given definitions -----------------------------------------------------------------------
def _checked(given: Mapping[Any, Any]) -> Definition:
    """A copy of a definition, found well-formed."""
    definition = dict(given)
    code = definition.get("code")
    if definition.keys() - {"data"} != {"code", *_KIND} or any(definition[key] != _KIND[key] for key in _KIND):
        raise NotAModule("the definition of a module has the keys type (interpreted), language (python) and code")
    if isinstance(code, Mapping):
        definition["code"] = {_path(path): _entry(path, entry) for path, entry in code.items()}
    elif not isinstance(code, str):
        raise NotAModule("the code in the definition of a module is a text, or one for each file of the package")
    if not isinstance(definition.get("data", {}), Mapping):
        raise NotAModule("the data in the definition of a package is base64 text for each file")
    return definition


def _path(path: Any) -> str:
    if isinstance(path, str) and all(part.isidentifier() for part in path.split(".")):
        return path
    raise NotAModule(f"{path!r} in the definition of a package is no module path, such as sub.leaf")


def _entry(path: str, entry: Any) -> dict[str, Any]:
    if isinstance(entry, Mapping) and isinstance(entry.get("code"), str) and entry.get("language") == "python":
        return dict(entry)
    raise NotAModule(f"{path} in the definition of a package has the keys code, language (python) and dependencies")
