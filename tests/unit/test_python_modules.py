"""Modules: what of them is kept, and what they are where the code runs."""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from seamless.transformer.python import publication
from seamless.transformer.python.definitions import definition_of
from seamless.transformer.python.errors import NotAModule
from seamless.transformer.python.modules import load
from seamless.transformer.python.namespace import prepare

Importer = Callable[..., Any]
KIND = {"language": "python", "type": "interpreted"}
PACKAGE = {
    "pkg/__init__.py": '"""package"""\nfrom .core import f1\nNAME = \'pkg\'\n',
    "pkg/core.py": "from .util import g1\n\n\ndef f1(x):\n    return g1(x) + 1\n",
    "pkg/util.py": "import math\n\ndef g1(x):\n    return x * 2\n",
    "pkg/late.py": "from . import util\nfrom pkg.sub import leaf\nVALUE = (util.g1(5), leaf.VALUE)\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/leaf.py": "from ..core import f1\nfrom .other import O\nfrom . import other\nVALUE = f1(O)\n",
    "pkg/sub/other.py": "O = 20\n",
}
DATA = {"pkg/data/table.csv": b"a,b\r\n\xff\n", "pkg/sub/readme.txt": "é\n".encode(), "pkg/my-script.py": b"print(1)"}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importer:
    """Write files, and import the module or package whose name is given."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(files: Mapping[str, str | bytes], name: str) -> Any:
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content.encode() if isinstance(content, str) else content)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run(text: str, modules: Mapping[str, Any], **pins: Any) -> Any:
    return prepare(text).run(pins, modules)


# -- what is kept ----------------------------------------------------------------------------
def test_a_single_file_is_its_source_without_newlines_around_it(written: Importer) -> None:
    module = written({"flat.py": b"\n\n# lead\r\nK = 5\n\n\n"}, "flat")
    assert definition_of(module) == {**KIND, "code": "# lead\nK = 5"}


def test_other_encodings_are_read(written: Importer) -> None:
    source = "# -*- coding: latin-1 -*-\nK = 'é'\n"
    definition = definition_of(written({"latin.py": source.encode("latin-1")}, "latin"))
    assert load("latin", definition).K == "é"


def test_a_package_is_all_of_its_files_with_their_relative_imports(written: Importer) -> None:
    definition = definition_of(written(PACKAGE, "pkg"))
    assert definition.keys() == {"code", "language", "type"}
    code = definition["code"]
    assert sorted(code) == ["__init__", "core", "late", "sub.__init__", "sub.leaf", "sub.other", "util"]
    assert code["core"] == {
        "code": "from .util import g1\n\n\ndef f1(x):\n    return g1(x) + 1",
        "language": "python",
        "dependencies": [".util"],
    }
    assert {path: entry["dependencies"] for path, entry in code.items() if entry["dependencies"]} == {
        "__init__": [".core"],
        "core": [".util"],
        "late": [".__init__"],
        "sub.leaf": [".core", ".sub.__init__", ".sub.other"],
    }


def test_files_that_are_no_modules_are_data_and_leftovers_are_nothing(written: Importer, tmp_path: Path) -> None:
    module = written({**PACKAGE, **DATA, "pkg/.DS_Store": b"x", "pkg/core.py~": b"x", "pkg/old.pyc": b"x"}, "pkg")
    definition = definition_of(module)
    assert (tmp_path / "pkg" / "__pycache__").is_dir() or sys.dont_write_bytecode
    assert {path: base64.b64decode(text) for path, text in definition["data"].items()} == {
        path.removeprefix("pkg/"): content for path, content in DATA.items()
    }
    json.dumps(definition)


def test_a_package_does_not_take_in_others_whose_names_begin_like_it(written: Importer) -> None:
    module = written({"conv/__init__.py": "ONE = 1\n", "convother.py": "TWO = 2\n", "conv_x/__init__.py": ""}, "conv")
    importlib.import_module("convother")
    assert definition_of(module)["code"].keys() == {"__init__"}


def test_a_package_without_init_has_all_its_directories(written: Importer) -> None:
    module = written({"spaces/one.py": "K = 1\n", "spaces/deep/two.py": "K = 2\n"}, "spaces")
    definition = definition_of(module)
    assert definition["code"].keys() == {"one", "deep.two"}
    assert run("def f():\n    from spaces.deep.two import K\n    return K\n", {"spaces": definition}) == 2


def test_links_are_followed_once(written: Importer, tmp_path: Path) -> None:
    module = written({"pkg/__init__.py": "", "elsewhere/leaf.py": "K = 3\n"}, "pkg")
    (tmp_path / "pkg" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "pkg")
    assert definition_of(module)["code"].keys() == {"__init__", "linked.leaf"}


def test_a_file_that_is_no_python_does_no_harm_until_it_is_imported(written: Importer) -> None:
    files = {"pkg/__init__.py": "", "pkg/template.py": "def {{ name }}():\n", "pkg/raw.py": b"\xff\xfe\n"}
    definition = definition_of(written(files, "pkg"))
    assert definition["code"]["template"]["dependencies"] == []
    assert definition["data"].keys() == {"raw.py"}
    assert run("import pkg\nresult = 1", {"pkg": definition}) == 1
    with pytest.raises(SyntaxError):
        run("from pkg import template\nresult = 1", {"pkg": definition})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x = 1", "a str is no module"),
        (None, "a NoneType is no module"),
        (sys, "sys is not written in Python"),
        (importlib.import_module("math"), "math is not written in Python, .*import it inside the function"),
        (importlib.import_module("numpy"), "package numpy has compiled modules"),
        ({}, "has the keys type"),
        ({**KIND, "code": 3}, "is a text, or one for each file"),
        ({**KIND, "code": "", "more": 1}, "has the keys type"),
        ({**KIND, "type": "compiled", "code": ""}, "has the keys type"),
        ({**KIND, "code": {"a/b": {}}}, "no module path"),
        ({**KIND, "code": {"core": "x = 1"}}, "core in the definition of a package has the keys"),
        ({**KIND, "code": {}, "data": []}, "the data in the definition"),
    ],
)
def test_what_is_no_module_is_refused(value: object, said: str) -> None:
    with pytest.raises(NotAModule, match=said) as caught:
        definition_of(value)
    assert isinstance(caught.value, TypeError)


def test_a_package_that_imports_itself_keeps_its_name(written: Importer) -> None:
    module = written(PACKAGE, "pkg")
    assert definition_of(module, "pkg")
    with pytest.raises(NotAModule, match="late of package pkg imports pkg: declare the package by that name, not as p"):
        definition_of(module, "p")


def test_a_definition_may_be_given_itself(written: Importer) -> None:
    definition = definition_of(written(PACKAGE, "pkg"))
    assert definition_of(json.loads(json.dumps(definition))) == definition
    assert definition_of({**KIND, "code": "K = 1"}) == {**KIND, "code": "K = 1"}


# -- what they are where the code runs -------------------------------------------------------
FLAT = {**KIND, "code": "K = 5\n\ndef h(x):\n    return x + K"}


@pytest.mark.parametrize(
    "body",
    [
        "from .flat import h; return h(x)",
        "from flat import h; return h(x)",
        "from . import flat; return flat.h(x)",
        "import flat; return flat.h(x)",
        "import flat as other; return other.h(x)",
        "import importlib; return importlib.import_module('flat').h(x)",
        "import sys; return sys.modules['flat'].h(x)",
        "from flat import *; return h(x)",
        "return flat.h(x)",
    ],
)
def test_a_module_can_be_reached_in_every_way(body: str) -> None:
    if "*" in body:
        assert run(f"{body.replace('return', 'result =')}", {"flat": FLAT}, x=1) == 6
        return
    assert run(f"def f(x):\n    {body}\n", {"flat": FLAT}, x=1) == 6


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("from .pkg import f1, NAME; return [f1(1), NAME]", [3, "pkg"]),
        ("from pkg.core import f1; return f1(1)", 3),
        ("from .pkg.sub.leaf import VALUE; return VALUE", 41),
        ("import pkg.sub.leaf; return pkg.sub.leaf.VALUE", 41),
        ("import pkg.sub.leaf as leaf; return leaf.VALUE", 41),
        ("from pkg import late; return late.VALUE", (10, 41)),
        ("import importlib; return importlib.import_module('pkg.sub.leaf').VALUE", 41),
        ("import importlib; return importlib.import_module('.leaf', 'pkg.sub').VALUE", 41),
        ("import pkg, importlib; return importlib.reload(pkg) is pkg", True),
        ("import pkg.util, sys; return sys.modules['pkg.util'] is pkg.util", True),
        ("import pkg.core, inspect; return inspect.getsource(pkg.core.f1)", "def f1(x):\n    return g1(x) + 1\n"),
        ("import pkg.core as c; return [c.__name__, c.__package__, c.__spec__.name]", ["pkg.core", "pkg", "pkg.core"]),
        ("import pickle, pkg; return pickle.loads(pickle.dumps(pkg.f1)) is pkg.f1", True),
    ],
)
def test_a_package_is_one(written: Importer, body: str, value: object) -> None:
    definition = definition_of(written(PACKAGE, "pkg"))
    assert run(f"def f():\n    {body}\n", {"pkg": definition}) == value


def test_a_package_reads_its_data(written: Importer) -> None:
    definition = definition_of(written({**PACKAGE, **DATA}, "pkg"))
    text = (
        "from importlib import resources\nimport pkgutil, pkg.sub\n"
        "files = resources.files('pkg')\n"
        "with resources.as_file(files / 'data' / 'table.csv') as path: copied = path.read_bytes()\n"
        "with (files / 'data/table.csv').open('rb') as opened: read = opened.read()\n"
        "result = [copied, read, resources.files(pkg.sub).joinpath('readme.txt').read_text('utf-8'),\n"
        "    pkgutil.get_data('pkg', 'data/table.csv'), sorted(entry.name for entry in files.iterdir()),\n"
        "    files.joinpath('core.py').is_file(), files.name, resources.files('pkg.data').joinpath('x').is_file()]\n"
    )
    table = DATA["pkg/data/table.csv"]
    names = ["__init__.py", "core.py", "data", "late.py", "my-script.py", "sub", "util.py"]
    assert run(text, {"pkg": definition}) == [table, table, "é\n", table, names, True, "pkg", False]


def test_a_file_beside_a_module_is_not_on_disk_and_the_error_says_so(written: Importer) -> None:
    definition = definition_of(written({**PACKAGE, **DATA}, "pkg"))
    with pytest.raises(FileNotFoundError) as caught:
        run("import os, pkg\nresult = open(os.path.join(os.path.dirname(pkg.__file__), 'x'))", {"pkg": definition})
    assert caught.value.__notes__ == [
        "The modules of a transformation are in memory: read their files with importlib.resources."
    ]


def test_every_run_has_modules_of_its_own() -> None:
    counting = {**KIND, "code": "seen = []"}
    text = "def f(x):\n    import m\n    m.seen.append(x)\n    return m.seen\n"
    assert [run(text, {"m": counting}, x=1), run(text, {"m": counting}, x=2)] == [[1], [2]]
    assert run(text, {"m": {**KIND, "code": "seen = [0]"}}, x=3) == [0, 3]


def test_nothing_is_left_behind_and_what_was_there_comes_back(written: Importer) -> None:
    real = written(PACKAGE, "pkg")
    definition = definition_of(real)
    definition["code"]["__init__"] = {**definition["code"]["__init__"], "code": "NAME = 'other'"}
    before, finders = dict(sys.modules), list(sys.meta_path)
    text = "def f():\n    import pkg, pkg.late\n    return pkg.NAME\n"
    assert run(text, {"pkg": definition, "only": FLAT}) == "other"
    assert {name: sys.modules[name] for name in before} == before
    assert "only" not in sys.modules
    assert [*sys.modules["pkg"].__dict__] == [*real.__dict__]
    assert sys.meta_path == finders
    with pytest.raises(ZeroDivisionError):
        run("import pkg\nresult = 1 / 0", {"pkg": definition})
    assert sys.modules["pkg"] is real
    assert sys.meta_path == finders


def test_runs_may_be_nested() -> None:
    one, two = ({**KIND, "code": f"K = {number}"} for number in (1, 2))
    inner = prepare("import m, sys\nresult = [m.K, sys.modules['m'].K]")
    outer = prepare("import m, sys\ninside = inner(m)\nresult = [inside, m.K, sys.modules['m'].K]")
    assert outer.run({"inner": lambda _: inner.run({}, {"m": two})}, {"m": one}) == [[2, 2], 1, 1]
    assert "m" not in sys.modules


def test_runs_in_threads_do_not_meet_and_need_not_end_in_order() -> None:
    text = "meet()\nimport m\nleave()\nimport m as again\nfrom .m import K\nresult = [m.K, again.K, K]"
    runnable, begin, first_ended = prepare(text), threading.Barrier(2), threading.Event()
    results: dict[int, Any] = {}

    def job(number: int) -> None:
        leave = first_ended.wait if number else lambda: None
        definition = {**KIND, "code": f"K = {number}"}
        results[number] = runnable.run({"meet": lambda: begin.wait(20), "leave": leave}, {"m": definition})
        first_ended.set()

    threads = [threading.Thread(target=job, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == {0: [0, 0, 0], 1: [1, 1, 1]}
    assert "m" not in sys.modules
    assert publication._running == []
    assert publication._hidden == {}


def test_circles_among_modules_work_as_far_as_in_python() -> None:
    package = {
        "__init__": {"code": "from . import a", "language": "python", "dependencies": []},
        "a": {"code": "from . import b\nA = 1\ndef both(): return A + b.B()", "language": "python", "dependencies": []},
        "b": {"code": "from . import a\nimport pkg.a as same\ndef B(): return same.A", "language": "python"},
    }
    assert run("from .pkg.a import both\nresult = both()", {"pkg": {**KIND, "code": package}}) == 2


def test_modules_see_each_other() -> None:
    modules = {
        "one": {**KIND, "code": "K = 1"},
        "two": {**KIND, "code": "from .one import K\nimport one\nL = one.K + K"},
    }
    assert run("two.L", modules) == 2


def test_a_missing_module_is_said_to_be_missing(written: Importer) -> None:
    definition = definition_of(written(PACKAGE, "pkg"))
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'pkg\.nothing'"):
        run("import pkg.nothing\nresult = 1", {"pkg": definition})
    with pytest.raises(ModuleNotFoundError, match=r"pkg\.nothing"):
        run("import importlib\nimportlib.import_module('pkg.nothing')\nresult = 1", {"pkg": definition})
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        run("from pkg import nothing\nresult = 1", {"pkg": definition})
    with pytest.raises(ImportError, match=r"cannot import \.other .*declare it with \.modules\.other"):
        run("from .other import x\nresult = 1", {"pkg": definition})
    with pytest.raises(ImportError, match=r"declared with \.modules"):
        run("from .other import x\nresult = 1", {})


def test_a_module_that_fails_is_not_kept() -> None:
    package = {
        "__init__": {"code": "try:\n    from . import bad\nexcept KeyError:\n    bad = None", "language": "python"},
        "bad": {"code": "raise KeyError('x')", "language": "python"},
    }
    text = "import pkg, sys\nresult = [pkg.bad, 'pkg.bad' in sys.modules]"
    assert run(text, {"pkg": {**KIND, "code": package}}) == [None, False]


# -- globals ---------------------------------------------------------------------------------
MAIN = {**KIND, "code": "from __future__ import annotations\nK = 5\n\ndef helper(x):\n    return x * K + flat.K"}


def test_the_names_of_main_are_globals() -> None:
    modules = {"main": MAIN, "flat": FLAT}
    assert run("def f(x):\n    return helper(x) + K\n", modules, x=2) == 20
    assert run(
        "def f():\n    from .main import K\n    import main\n    return [K, main.K, 'annotations' in globals()]",
        modules,
    ) == [5, 5, False]
    assert run("K", modules, K=1) == 1


def test_globals_and_a_module_main_live_side_by_side() -> None:
    modules = {"main": {**KIND, "code": "M = 1\nK = 1"}, "@globals": MAIN, "@/flat": FLAT}
    assert run(
        "def f(x, main_):\n    from .main import M\n    return [M, helper(x), K, main.K]", modules, x=1, main_=0
    ) == [1, 10, 5, 1]
    assert run("def f(main):\n    return [K, main]", {"@globals": {**KIND, "code": "K = 2"}}, main=3) == [2, 3]


# -- recorded --------------------------------------------------------------------------------
CONFORMANCE = os.environ.get("SEAMLESS_CONFORMANCE")


@pytest.mark.skipif(CONFORMANCE is None, reason="SEAMLESS_CONFORMANCE names no directory of recorded facts")
def test_recorded_definitions_and_values(written: Importer) -> None:
    assert CONFORMANCE is not None
    vectors = json.loads(Path(CONFORMANCE, "transformations.json").read_text())["vectors"]
    compared = 0
    for one in vectors:
        for name, expression in one.get("modules", {}).items():
            if not expression.startswith("import:"):
                continue
            for known in [known for known in sys.modules if known.partition(".")[0] == name]:
                del sys.modules[known]
            definition = definition_of(written(one["files"], expression.removeprefix("import:")), name)
            recorded = one["expect"].get("pins", {}).get(name)
            if recorded is not None and "quirk" not in one:
                assert definition == json.loads(base64.b64decode(recorded["b64"])), one["id"]
            value = one["expect"].get("value") or {"v": one["docs_expect"]["result"]}
            pins = {"x": 1} if one["args"] == ["1"] else {"a": 2, "b": 3}
            got = prepare(one["expect"].get("code_text", one["module"])).run(pins, {name: definition})
            if isinstance(value["v"], str):
                assert repr(got) == value["v"], one["id"]
            compared += 1
            for path in one["files"]:
                Path(sys.path[0], path).unlink()
    assert compared > 5
