"""The identity text of a function: what belongs to it, where it is found, and when there is none."""

from __future__ import annotations

import base64
import functools
import importlib
import json
import linecache
import math
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seamless.transformer.python.errors import NotAFunction, SourceChanged, SourceUnavailable
from seamless.transformer.python.source import class_text, code_text

Importer = Callable[..., Any]

BASE = "def f(x):\n    y = x + 1\n    return y\n"


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importer:
    """Import a source as a module of a name that no other test has."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(source: str, name: str = "probe") -> Any:
        name = f"{name}_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(source, "utf-8", newline="")
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return load


# -- what belongs to it ----------------------------------------------------------------------
@pytest.mark.parametrize(
    "source",
    [
        BASE,
        BASE.rstrip("\n"),
        BASE.replace("\n", "\r\n"),
        f"# above\n{BASE}# below, at the margin\nZ = 1\n",
        f"{BASE}\n\n\n",
        f"def noop(f):\n    return f\n@noop\n{BASE}",
        f"def noop(*a):\n    return lambda f: f\n@noop(\n    1,\n)\n@noop(2)  # why\n{BASE}",
        f"if True:\n    {BASE.replace(chr(10), chr(10) + '    ').rstrip()}\n",
        f"if True:\n\t{BASE.replace(chr(10), chr(10) + chr(9)).rstrip()}\n",
    ],
)
def test_what_surrounds_a_function_is_no_part_of_its_text(imported: Importer, source: str) -> None:
    assert code_text(imported(source).f) == BASE


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):   \n    return x  \n",
        "def f(x: int = 3) -> int:\n    # inside\n\n    return x\n",
        "def f(\n    x,\n    y=2,\n):\n    return x * y\n",
        "def f(x): return x\n",
        "def f(x):\n\treturn x\n\t# end\n",
        "def f(x):\n    return x\n\n# at the margin\n    # end\n",
        "def f(x):\n    'é 😀'\n    return 'é'\n",
        "async def f(x):\n    return x\n",
        "def f(x):\n    yield x\n",
    ],
)
def test_everything_within_a_function_is_part_of_its_text(imported: Importer, source: str) -> None:
    assert code_text(imported(f"{source}\nZ = 1\n").f) == source


def test_comments_after_a_one_line_function_are_no_part_of_it(imported: Importer) -> None:
    assert code_text(imported("def f(x,\n  y): return x\n    # c\n").f) == "def f(x,\n  y): return x\n"


def test_a_comment_between_decorator_and_function_is_part_of_it(imported: Importer) -> None:
    source = f"def noop(f):\n    return f\n@noop\n# kept\n{BASE}"
    assert code_text(imported(source).f) == f"# kept\n{BASE}"


def test_lines_of_blanks_become_empty(imported: Importer) -> None:
    assert (
        code_text(imported("def f(x):\n    y = x\n    \n    return y\n").f) == "def f(x):\n    y = x\n\n    return y\n"
    )


def test_a_docstring_moves_with_the_function_and_other_strings_do_not(imported: Importer) -> None:
    moved = imported(
        'def make():\n    def f():\n        """Doc\n        more"""\n        return 1\n    return f\n'
    ).make()
    assert code_text(moved) == 'def f():\n    """Doc\n    more"""\n    return 1\n'
    kept = imported('def make():\n    def f():\n        return """a\n        b"""\n    return f\n', "kept").make()
    assert code_text(kept) == 'def f():\n    return """a\n        b"""\n'
    margin = imported('def make():\n    def f():\n        return """a\nb"""\n    return f\n', "margin").make()
    assert code_text(margin) == 'def f():\n    return """a\nb"""\n'
    blanks = imported('def f():\n    return """a\n    \n"""\n', "blanks").f
    assert code_text(blanks) == 'def f():\n    return """a\n    \n"""\n'


def test_a_decorator_that_tells_what_it_wraps_is_looked_through(imported: Importer) -> None:
    source = (
        "import functools\ndef twice(g):\n    @functools.wraps(g)\n    def h(*a):\n        return 2 * g(*a)\n"
        f"    return h\n@twice\n{BASE}"
    )
    assert code_text(imported(source).f) == BASE


def test_closures_methods_of_classes_and_private_names_have_a_text(imported: Importer) -> None:
    source = (
        "def make(k, j):\n    def f(x):\n        nonlocal j\n        j = x + k\n        return j\n    return f\n"
        "class K:\n    def m(self, x):\n        __x = super().__init__()\n        return self.__y, __x\n"
    )
    module = imported(source)
    assert code_text(module.make(3, 4)) == "def f(x):\n    nonlocal j\n    j = x + k\n    return j\n"
    assert code_text(module.K.m).startswith("def m(self, x):\n    __x = super()")


# -- lambdas ---------------------------------------------------------------------------------
LAMBDAS = """\
def keep(*fs, **kw):
    return fs
plain = lambda x, y: x - y
f, g = keep(lambda x: x * 3, lambda x: x * 4, n=1)
same = [lambda x: x, lambda  x: x]
const = [lambda: True, lambda: False, lambda: 'é', lambda: 'è']
outer = lambda x: lambda y: x + y
default = lambda x, y=(lambda z: z)(1): x + y
lines = keep(
    lambda x:
        x + 1,  # comment
    lambda x: (
        x + 2
    ),
)
def make(k):
    return [lambda x: x + k, lambda x: x - k]
"""


def test_a_lambda_is_cut_out_as_written(imported: Importer) -> None:
    m = imported(LAMBDAS)
    assert code_text(m.plain) == "lambda x, y: x - y\n"
    assert [code_text(m.f), code_text(m.g)] == ["lambda x: x * 3\n", "lambda x: x * 4\n"]
    assert [*map(code_text, m.same)] == ["lambda x: x\n", "lambda  x: x\n"]
    assert [*map(code_text, m.const)] == [
        "lambda: True\n",
        "lambda: False\n",
        "lambda: 'é'\n",
        "lambda: 'è'\n",
    ]
    assert [code_text(m.outer), code_text(m.outer(1))] == ["lambda x: lambda y: x + y\n", "lambda y: x + y\n"]
    assert code_text(m.default) == "lambda x, y=(lambda z: z)(1): x + y\n"
    assert [*map(code_text, m.make(1))] == ["lambda x: x + k\n", "lambda x: x - k\n"]


def test_a_lambda_over_several_lines_can_be_evaluated(imported: Importer) -> None:
    first, second = imported(LAMBDAS).lines
    assert code_text(first) == "(lambda x:\n        x + 1)\n"
    assert eval(code_text(second))(1) == 3


def test_lambdas_without_columns_are_ambiguous_unless_they_do_different_things(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from seamless.transformer.python.source import code_text\n"
        "same = [lambda x: x, lambda  x: x]\n"
        "other = [lambda x: x + 1, lambda x: x + 2]\n"
        "print([*map(code_text, other)])\n"
        "code_text(same[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", str(program)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "['lambda x: x + 1\\n', 'lambda x: x + 2\\n']\n"
    assert "cannot be told from others like it" in done.stderr


# -- where it is found -----------------------------------------------------------------------
def test_a_function_of_an_edited_file_has_no_text(imported: Importer) -> None:
    m = imported(BASE)
    Path(m.__file__).write_text(BASE.replace("1", "2"), "utf-8")
    with pytest.raises(SourceChanged, match=r"f \(line 1 of .*\) is not what was imported: .*restart Python"):
        code_text(m.f)
    Path(m.__file__).write_text("def f(x:\n", "utf-8")
    with pytest.raises(SourceChanged):
        code_text(m.f)


def test_a_function_that_has_only_moved_keeps_its_text(imported: Importer) -> None:
    m = imported(f"{BASE}g = lambda x: x * 5\n")
    Path(m.__file__).write_text(f"import os\n\n# new\ndef other(): pass\n{BASE}\n\ng = lambda x: x * 5\n", "utf-8")
    assert code_text(m.f) == BASE
    assert code_text(m.g) == "lambda x: x * 5\n"


def test_what_the_module_imports_changes_the_code_but_not_the_text(imported: Importer) -> None:
    # CPython compiles `math.sqrt(x)` differently where the module imports `math`.
    source = "def f(x):\n    return math.sqrt(x)\n"
    assert code_text(imported(f"import math\n{source}").f) == source


def define(filename: str, source: str, name: str = "f") -> Any:
    """Run statements one by one, as notebooks do."""
    import ast

    namespace: dict[str, Any] = {"__name__": "__main__"}
    for statement in ast.parse(source).body:
        exec(compile(ast.Module([statement], []), filename, "exec"), namespace)
    return namespace[name]


def test_a_notebook_cell_is_found_through_linecache(monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"import math\nawait_me = 1\ndef g(x):\n    return math.sqrt(x)\n{BASE}"
    filename = "<ipython-input-1-a84a8f81c2c1>"
    monkeypatch.setitem(linecache.cache, filename, (len(source), None, source.splitlines(True), filename))
    assert code_text(define(filename, source)) == BASE
    assert code_text(define(filename, source, "g")) == "def g(x):\n    return math.sqrt(x)\n"


def test_code_that_was_executed_from_a_string_has_no_text() -> None:
    with pytest.raises(SourceUnavailable, match=r"f \(line 1 of <string>\) cannot be found.*pass the code as text"):
        code_text(define("<string>", BASE))


@pytest.mark.parametrize("options", [["-c"], ["-Ic"], ["-W", "ignore", "-Xdev", "-c"]])
def test_python_dash_c_has_a_text(options: list[str]) -> None:
    program = (
        f"{BASE}from seamless.transformer.python.source import code_text\nprint(code_text(f), end='')\n"
        "exec('def g(y): return y')\ntry: code_text(g)\nexcept TypeError as exc: print(type(exc).__name__)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)} if options != ["-Ic"] else None
    done = subprocess.run(
        [sys.executable, *options, program, "-c", "argument"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout == f"{BASE}SourceUnavailable\n"


def test_code_that_an_import_hook_rewrites_is_taken_by_its_place(imported: Importer) -> None:
    m = imported(BASE)

    class Rewriting:
        pass

    m.f.__globals__["__spec__"] = types.SimpleNamespace(loader=Rewriting())
    code = m.f.__code__
    m.f.__code__ = code.replace(co_consts=(None, 17))
    assert code_text(m.f) == BASE
    m.f.__code__ = code.replace(co_consts=(None, 17), co_varnames=("z", "y"))
    with pytest.raises(SourceChanged):
        code_text(m.f)


def test_odd_escapes_and_comparisons_are_not_warned_of_again(imported: Importer) -> None:
    with pytest.warns((DeprecationWarning, SyntaxWarning)):
        m = imported("def f(x):\n    return '\\d', x is 1\n")
    assert "\\d" in code_text(m.f)


def test_functions_of_the_standard_library_have_the_text_that_inspect_finds() -> None:
    import inspect
    import textwrap

    modules = [json.decoder, functools, textwrap, base64, argparse_module()]
    functions = [f for m in modules for f in vars(m).values() if inspect.isfunction(f) and f.__module__ == m.__name__]
    plain = [f for f in functions if f.__name__ != "<lambda>" and not inspect.getsource(f).lstrip().startswith("@")]
    assert len(plain) > 40
    for function in plain:
        assert code_text(function) == textwrap.dedent(inspect.getsource(inspect.unwrap(function))).rstrip("\n") + "\n"


def argparse_module() -> Any:
    import argparse

    return argparse


# -- what has none ---------------------------------------------------------------------------
class Sample:
    """Something that is no function."""

    def method(self) -> int:
        return 1

    def __call__(self) -> int:
        return 2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.sqrt, "sqrt .builtin_function_or_method. is no plain Python function"),
        (len, "write a function that calls it"),
        (str.upper, "no plain Python function"),
        (Sample, "Sample is a class"),
        (Sample().method, "method is a method"),
        (Sample(), "no plain Python function"),
        (functools.partial(json.dumps, indent=1), "bind the arguments with .args"),
        (functools.lru_cache(json.dumps), "no plain Python function"),
        (staticmethod(json.dumps), "dumps is a staticmethod"),
        (json, "json is a module"),
        (3, "3 is no function, and no text"),
    ],
)
def test_only_plain_functions_have_a_text(value: object, said: str) -> None:
    with pytest.raises(NotAFunction, match=said) as caught:
        code_text(value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, TypeError)


# -- classes ---------------------------------------------------------------------------------
CLASSES = """\
import dataclasses
class K:
    z = 4
    class Inner:
        pass
    def m(self):
        return self.z
    # end

@dataclasses.dataclass
class D:
    x: int
class Twice:
    def m(self): return 1
First = Twice
class Twice:
    def m(self): return 2
def make():
    class L:
        z = 5
    return L
"""


def test_the_text_of_a_class_has_its_decorators(imported: Importer) -> None:
    m = imported(CLASSES)
    assert class_text(m.K) == CLASSES[CLASSES.index("class K") : CLASSES.index("\n@")]
    assert class_text(m.K.Inner) == "class Inner:\n    pass\n"
    assert class_text(m.D) == "@dataclasses.dataclass\nclass D:\n    x: int\n"
    assert class_text(m.make()) == "class L:\n    z = 5\n"


def test_classes_of_one_name_are_told_apart_by_their_methods(imported: Importer) -> None:
    m = imported(CLASSES)
    assert class_text(m.Twice) == "class Twice:\n    def m(self): return 2\n"
    assert class_text(m.First) == "class Twice:\n    def m(self): return 1\n"


def test_a_class_of_an_edited_file_has_no_text(imported: Importer) -> None:
    m = imported(CLASSES)
    Path(m.__file__).write_text(CLASSES.replace("self.z", "self.y"), "utf-8")
    with pytest.raises(SourceChanged, match=r"class K of .* is not what was imported"):
        class_text(m.K)


def test_a_class_without_a_file_has_no_text() -> None:
    with pytest.raises(SourceUnavailable, match="write it into a file"):
        class_text(type("Made", (), {}))


# -- recorded --------------------------------------------------------------------------------
CONFORMANCE = os.environ.get("SEAMLESS_CONFORMANCE")


@pytest.mark.skipif(CONFORMANCE is None, reason="SEAMLESS_CONFORMANCE names no directory of recorded facts")
def test_recorded_texts(imported: Importer) -> None:
    assert CONFORMANCE is not None
    vectors = json.loads(Path(CONFORMANCE, "transformations.json").read_text())["vectors"]
    texts = [one for one in vectors if "module" in one and "code_text" in one["expect"] and not one.get("predecorated")]
    assert texts
    for one in texts:
        # Objects of `direct` and `delayed` among the functions are not what is compared here.
        source = one["module"].replace("@delayed\n", "# deco\n").replace("@direct\n", "# deco\n")
        function = eval(one["function"], {"mod": imported(source, one["id"].replace("-", "_"))})
        assert code_text(function) == one["expect"]["code_text"], one["id"]
