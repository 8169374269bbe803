"""The public names of the Python face are exactly these, and docs/python-reference.md says what each of them is."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import seamless
import seamless.config
import seamless.transformer
from seamless.transformer.transformers import Delayed, Direct

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "docs" / "python-reference.md").read_text()

EXPORTS = {
    "seamless": {"Buffer", "CacheMissError", "Checksum", "close"},
    "seamless.transformer": {
        "Environment",
        "Transformation",
        "TransformationError",
        "TransformationList",
        "delayed",
        "direct",
        "global_lock",
        "has_spawned",
        "parallel",
        "parallel_async",
        "spawn",
    },
    "seamless.config": {
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
    },
}
MODULES = {name: sys.modules[name] for name in EXPORTS}
#: By section of the reference. `direct` and `delayed` give objects of classes that have no public name.
CLASSES: dict[str, tuple[type, ...]] = {
    "Checksum": (seamless.Checksum,),
    "Buffer": (seamless.Buffer,),
    "direct and delayed": (Direct, Delayed),
    "Transformation": (seamless.transformer.Transformation,),
    "TransformationList": (seamless.transformer.TransformationList,),
    "Environment": (seamless.transformer.Environment,),
}
#: What instances have beside the members of their class.
ATTRIBUTES = {
    "direct and delayed": {"args", "celltypes", "environment", "globals", "modules", "name"},
    "TransformationList": {"cached", "details", "done", "failed", "on_error", "show_progress"},
}
#: Members for our own modules: not documented, and free to change. Whoever adds one says so here.
INTERNAL = {
    "Transformation": {
        "announce",
        "buffers",
        "command",
        "contents",
        "definition",
        "error_of_upstream",
        "identity",
        "is_identifiable",
        "is_settled",
        "keep_contents",
        "look_up",
        "options",
        "put_back",
        "result",
        "settle",
        "settled",
        "wait",
        "when_settled",
    },
    "TransformationList": {"begin", "note"},
    "Environment": {"check"},
}


# -- the reference ------------------------------------------------------------------------------
def section(title: str) -> str:
    """The text below a heading, up to the next one of any level."""
    match = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert match, f"docs/python-reference.md has no section {title}"
    return match[1]


def entries(title: str) -> Iterator[tuple[str, str | None]]:
    """Names in the first cells of a section's table, with their parameters; None: it is not called."""
    for row in re.findall(r"^\| (`.*?`) \|", section(title), re.MULTILINE):
        for cell in re.findall(r"`([^`]+)`", row):
            match = re.fullmatch(r"\.?(\w+)(\(.*\))?", cell)
            assert match, cell
            yield match[1], match[2]


def documented(title: str) -> dict[str, str | None]:
    found = list(entries(title))
    assert len({name for name, _ in found}) == len(found), "something is documented twice"
    return dict(found)


def parameters_written(text: str) -> list[tuple[str, str, str | None]]:
    """Name, kind and default of each parameter in `(a, *, b=1)`."""
    function = ast.parse(f"def _{text}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    namespace: dict[str, Any] = {}
    exec(compile(ast.Module([function], []), "<reference>", "exec"), namespace)
    return parameters_of(namespace["_"])


def parameters_of(function: Any) -> list[tuple[str, str, str | None]]:
    return [
        (one.name, one.kind.name, None if one.default is one.empty else repr(one.default))
        for one in inspect.signature(function).parameters.values()
        if one.name not in ("self", "cls")
    ]


def assert_called_so(name: str, target: Any, written: str | None) -> None:
    if isinstance(target, classmethod):
        target = target.__func__
    is_called = inspect.isfunction(target) or (inspect.isclass(target) and written is not None)
    assert is_called == (written is not None), name
    if written is not None:
        assert parameters_written(written) == parameters_of(target), name


# -- modules ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", EXPORTS)
def test_a_module_exports_these_names_and_no_others(name: str) -> None:
    module = MODULES[name]
    assert set(module.__all__) == EXPORTS[name]
    assert all(hasattr(module, export) for export in EXPORTS[name])


def test_the_face_shows_its_modules() -> None:
    assert set(dir(seamless)) == {*EXPORTS["seamless"], "config", "transformer"}
    assert set(dir(seamless.transformer)) == EXPORTS["seamless.transformer"]


@pytest.mark.parametrize("name", EXPORTS)
def test_a_module_has_no_other_public_names(name: str) -> None:
    """Submodules appear once they are imported; everything else that is visible is exported, or only for types."""
    code = f"import {name} as module; print(*(name for name in vars(module) if not name.startswith('_')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = EXPORTS[name] | {"TYPE_CHECKING", "Any", "annotations", "os", "Settings"}
    found = {one for one in done.stdout.split() if not is_submodule(MODULES[name], one)}
    assert found <= allowed


def is_submodule(module: ModuleType, name: str) -> bool:
    return f"{module.__name__}.{name}" in sys.modules


@pytest.mark.parametrize("name", EXPORTS)
def test_the_reference_has_every_export_and_no_other(name: str) -> None:
    assert set(documented(name)) == EXPORTS[name]


@pytest.mark.parametrize("name", EXPORTS)
def test_the_reference_has_the_signatures_of_exports(name: str) -> None:
    for export, written in documented(name).items():
        assert_called_so(export, getattr(MODULES[name], export), written)


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_says_what_it_is(name: str) -> None:
    for export in EXPORTS[name] - {"global_lock"}:
        assert (getattr(MODULES[name], export).__doc__ or "").strip(), export


# -- classes ------------------------------------------------------------------------------------
def public_members(title: str) -> set[str]:
    return {name for cls in CLASSES[title] for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize("title", CLASSES)
def test_the_reference_has_every_member_and_no_other(title: str) -> None:
    expected = public_members(title) - INTERNAL.get(title, set()) | ATTRIBUTES.get(title, set())
    assert set(documented(title)) == expected


@pytest.mark.parametrize("title", INTERNAL)
def test_what_is_internal_exists(title: str) -> None:
    assert INTERNAL[title] <= public_members(title)


@pytest.mark.parametrize("title", CLASSES)
def test_the_reference_has_the_signatures_of_members(title: str) -> None:
    for name, written in documented(title).items():
        for cls in CLASSES[title]:
            assert_called_so(name, inspect.getattr_static(cls, name, None), written)


def test_instances_have_the_documented_attributes() -> None:
    transformer = seamless.transformer.delayed("a + b")
    batch = seamless.transformer.TransformationList([])
    assert all(hasattr(transformer, name) for name in ATTRIBUTES["direct and delayed"])
    assert all(hasattr(batch, name) for name in ATTRIBUTES["TransformationList"])


@pytest.mark.parametrize("title", CLASSES)
def test_every_member_says_what_it_is(title: str) -> None:
    for cls in CLASSES[title]:
        for name in public_members(title) - {"mode", "index"}:
            assert (getattr(cls, name).__doc__ or "").strip(), name
