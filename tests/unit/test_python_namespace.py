"""Running code: what it is called with, what it sees, and what is said when it fails."""

from __future__ import annotations

import gc
import linecache
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from seamless.transformer.python import namespace
from seamless.transformer.python.errors import BadCode, NotRunnable
from seamless.transformer.python.namespace import prepare
from seamless.transformer.python.source import code_text
from seamless.transformer.python.text import Kind, check
from seamless.transformer.python.tracebacks import describe_error

KIND = {"language": "python", "type": "interpreted"}


def run(text: str, **pins: Any) -> Any:
    return prepare(text).run(pins)


def failure(action: Callable[[], Any]) -> tuple[str, str]:
    try:
        action()
    except BaseException as exc:
        return describe_error(exc)
    raise AssertionError("nothing was raised")


# -- kinds of code ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("def f(a, b):\n    return a - b\n", Kind.FUNCTION, -1),
        ("# a comment\n\ndef f(a, b):\n    '''doc'''\n    return a - b\n", Kind.FUNCTION, -1),
        ("lambda a, b: a - b\n", Kind.LAMBDA, -1),
        ("(lambda a,\n b: a - b)\n", Kind.LAMBDA, -1),
        ("a - b\n", Kind.EXPRESSION, -1),
        ("\n(a -\n b)  # why\n", Kind.EXPRESSION, -1),
        ("c = a - b\nresult = c", Kind.BLOCK, -1),
        ("def g(x):\n    return x * a\nresult = g(b)", Kind.BLOCK, 6),
        ("for result in range(a, b): pass", Kind.BLOCK, 2),
    ],
)
def test_the_kind_of_a_text_decides_how_it_runs(text: str, kind: Kind, value: int) -> None:
    assert check(text) is kind
    assert prepare(text).kind is kind
    assert run(text, a=2, b=3) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n", r"line 1 of the code is no Python, .*: def f\(:"),
        ("x = 1\nreturn x\n", "line 2 of the code is no Python, 'return' outside function"),
        ("a = 1\n  b = 2\n", "line 2 .*unexpected indent"),
        ("def f():\n    nonlocal k\n    k = 1\n", "line 2 .*no binding for nonlocal 'k'"),
        ("x = '\0'", "null bytes"),
        ("# nothing\n", "the code is empty"),
        ("", "the code is empty"),
    ],
)
def test_what_is_no_python_is_refused(text: str, said: str) -> None:
    for refuse in (check, prepare):
        with pytest.raises(BadCode, match=said) as caught:
            refuse(text)
        assert isinstance(caught.value, SyntaxError)
        assert "\n" not in str(caught.value)


def test_a_block_must_set_a_result() -> None:
    with pytest.raises(NotRunnable, match="the code sets no `result`"):
        run("x = 1")
    with pytest.raises(NotRunnable, match="a single function or expression"):
        run("import math\ndef f(): return math.pi")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("async def f():\n    return 1\n", "f is async, and nothing awaits it: .*asyncio.run"),
        ("async def f():\n    yield 1\n", "f is async"),
        ("def f():\n    yield 1\n", "f is a generator.*return a list"),
        ("lambda: (yield)", "lambda is a generator"),
    ],
)
def test_functions_without_a_value_fail_when_they_run(text: str, said: str) -> None:
    runnable = prepare(text)
    with pytest.raises(NotRunnable, match=said):
        runnable.run({})


def test_arguments_of_code_without_a_signature_may_have_any_name() -> None:
    assert prepare("code + __x").run({"./code": 1, "./__x": 2}) == 3


# -- what the code sees ----------------------------------------------------------------------
def test_recursion_inner_functions_and_classes() -> None:
    assert run("def f(x):\n    return 1 if x == 0 else x * f(x - 1)\n", x=5) == 120
    text = "def f(x):\n    class K:\n        z = 3\n    def g(y):\n        return y * K.z\n    return g(x)\n"
    assert run(text, x=2) == 6
    text = "def f(x):\n    import dataclasses as d\n    @d.dataclass\n    class D:\n        x: int\n    return D(x).x\n"
    assert run(text, x=2) == 2
    strings = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass D:\n    x: int\n"
    )
    assert run(f"{strings}result = D(x).x", x=2) == 2


def test_one_run_leaves_nothing_for_the_next() -> None:
    runnable = prepare(
        "def f(a, b=[1]):\n    global seen\n    b += [a, 'seen' in globals()]\n    seen = 1\n    return b\n"
    )
    assert runnable.run({"a": 1}) == [1, 1, False]
    assert runnable.run({"a": 2}) == [1, 2, False]


def test_annotations_need_not_be_there() -> None:
    assert run("def f(x: np.ndarray, *a: Foo, k: Bar = 1, **kw: Baz) -> 'Whatever':\n    return x + k\n", x=1) == 2


def test_the_flags_of_this_package_do_not_reach_the_code() -> None:
    text = "def f():\n    def g(x: int): pass\n    return g.__annotations__\n"
    assert run(text) == {"x": int}


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return math.sqrt(x)\n",
        "def f(x, y=math):\n    return x\n",
        "lambda x: math",
        "x + math",
        "result = x + math",
    ],
)
def test_names_from_outside_are_unknown_and_the_remedy_is_named(text: str) -> None:
    with pytest.raises(
        NameError, match=r"name 'math' is not defined in the transformation: .*\.globals\.math"
    ) as caught:
        run(text, x=4.0)
    assert caught.value.name == "math"


def test_the_remedy_is_not_for_errors_of_others() -> None:
    for text in (
        "def f():\n    x += 1\n",
        "def f():\n    raise NameError('mine')\n",
        "def f():\n    exec('y', {})\n",
        "def f():\n    open('/nonexistent/file')\n",
    ):
        with pytest.raises((NameError, OSError)) as caught:
            run(text)
        assert "transformation" not in str(caught.value)
        assert not hasattr(caught.value, "__notes__")


def test_a_closure_runs_until_it_needs_its_variable() -> None:
    def make(k: int) -> Callable[[int], int]:
        def f(x: int) -> int:
            return x + k

        return f

    with pytest.raises(NameError, match="name 'k' is not defined in the transformation"):
        run(code_text(make(3)), x=5)


def test_functions_defined_by_the_code_have_a_text_themselves() -> None:
    text = "def f(code_text):\n    def g(x):\n        return x\n    return code_text(g)\n"
    assert run(text, code_text=code_text) == "def g(x):\n    return x\n"
    main = {**KIND, "code": "def g(x):\n    return x"}
    assert (
        prepare("lambda code_text: code_text(g)").run({"code_text": code_text}, {"main": main})
        == "def g(x):\n    return x\n"
    )


def test_only_so_many_codes_are_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "_QUOTED_LIMIT", len(namespace._quoted) + 2)
    before = set(linecache.cache)
    for number in range(5):
        prepare(f"{number} + 1")
        prepare(f"{number} + 1")
    quoted = [str(name) for name in set(linecache.cache) - before]
    assert len(quoted) <= 5
    assert len(namespace._quoted) == namespace._QUOTED_LIMIT


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_interrupts_come_out_as_they_are(raised: type[BaseException]) -> None:
    with pytest.raises(raised):
        run(f"def f():\n    raise {raised.__name__}\n")


def test_arguments_do_not_outlive_a_run_that_raised_nothing() -> None:
    class Large:
        pass

    import weakref

    large = Large()
    seen = weakref.ref(large)
    run("def f(x):\n    return 1\n", x=large)
    del large
    gc.collect()
    assert seen() is None


# -- errors ----------------------------------------------------------------------------------
def test_an_error_is_told_in_one_line_and_with_the_users_frames() -> None:
    text = "def f(x):\n    y = x\n    return {}[y]\n"
    summary, told = failure(lambda: run(text, x="oops k"))
    assert summary == "KeyError: 'oops k' (line 3 of f)"
    assert told.startswith('Traceback (most recent call last):\n  File "<transformation f ')
    assert "    return {}[y]\n" in told
    assert told.endswith("KeyError: 'oops k'\n")
    assert told.count("  File ") == 1


def test_every_kind_of_code_has_a_place() -> None:
    assert failure(lambda: run("1 / 0"))[0] == "ZeroDivisionError: division by zero (line 1 of the code)"
    assert failure(lambda: run("x = 1\nresult = 1 / 0"))[0].endswith("(line 2 of the code)")
    assert failure(lambda: run("lambda: 1 / 0"))[0].endswith("(line 1 of <lambda>)")
    assert failure(lambda: run("def f(x): pass"))[0].startswith("TypeError: f() missing 1 required")
    inner = "def f():\n    def g():\n        raise OSError('a\\nb')\n    g()\n"
    assert failure(lambda: run(inner))[0] == "OSError: a (line 3 of g)"


def test_errors_in_modules_are_placed_there_and_our_frames_are_left_out() -> None:
    package = {
        "__init__": {"code": "", "language": "python"},
        "core": {"code": "from .bad import x", "language": "python"},
        "bad": {"code": "\n\nraise ValueError('no')", "language": "python"},
    }
    runnable = prepare("def f():\n    import pkg.core\n")
    summary, told = failure(lambda: runnable.run({}, {"pkg": {**KIND, "code": package}}))
    assert summary == "ValueError: no (line 3 of pkg/bad.py)"
    frames = [line.split('"')[1] for line in told.splitlines() if line.startswith("  File ")]
    assert [frame.partition(" ")[0] for frame in frames] == [
        "<transformation",
        "<modules>/pkg/core.py",
        "<modules>/pkg/bad.py",
    ]
    assert "raise ValueError('no')" in told


def test_causes_contexts_groups_and_notes_are_kept() -> None:
    text = (
        "def f():\n    try:\n        1 / 0\n    except ZeroDivisionError as exc:\n"
        "        raise ExceptionGroup('two', [ValueError('one'), KeyError('k')]) from exc\n"
    )
    summary, told = failure(lambda: run(text))
    assert summary == "ExceptionGroup: two (2 sub-exceptions) (line 5 of f)"
    for part in ("ZeroDivisionError", "direct cause", "ValueError: one", "KeyError: 'k'"):
        assert part in told
    assert __file__ not in told.replace(os.sep, "/")
    noted = "def f():\n    e = ValueError('x')\n    e.add_note('look there')\n    raise e\n"
    assert failure(lambda: run(noted))[1].endswith("ValueError: x\nlook there\n")


def test_exceptions_of_the_code_itself_have_their_bare_names() -> None:
    text = "def f():\n    class Mine(Exception): pass\n    raise Mine('x')\n"
    summary, told = failure(lambda: run(text))
    assert summary == "f.<locals>.Mine: x (line 3 of f)"
    assert "__transformation__" not in told


def test_errors_that_no_frame_of_the_user_raised() -> None:
    summary, told = failure(lambda: run("x = 1"))
    assert summary == told.rstrip("\n")
    assert summary.endswith("NotRunnable: the code sets no `result`: write a single function or expression, or set it")
    summary, told = failure(lambda: run("x ="))
    assert "BadCode: line 1 of the code is no Python" in summary


def test_odd_exceptions_can_be_described() -> None:
    broken = "def f():\n    class E(Exception):\n        def __str__(self): raise ValueError\n    raise E\n"
    assert "str() failed" in failure(lambda: run(broken))[0]
    assert failure(lambda: run("def f():\n    raise ValueError\n"))[0] == "ValueError (line 2 of f)"
    summary, told = failure(lambda: run("def f():\n    return f()\n"))
    assert summary.startswith("RecursionError: ")
    assert "Previous line repeated" in told
    assert failure(lambda: run("def f():\n    exec('a b')\n"))[0].startswith("SyntaxError: invalid syntax (")


# -- cost ------------------------------------------------------------------------------------
def test_wrapping_a_function_imports_nothing_that_running_it_needs() -> None:
    program = (
        "import sys\nfrom seamless.transformer.python.signature import Parameters\n"
        "from seamless.transformer.python.source import code_text\n"
        "print(*sorted({'inspect', 'asyncio', 'dataclasses', 'traceback', 'importlib.resources'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
