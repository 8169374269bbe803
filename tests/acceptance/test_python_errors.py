"""Errors of the user's functions, and of what depends on them, as the user meets them."""

from __future__ import annotations

import pytest

from .script import EXECUTORS, WHERE, run_script
from .shop import Shop

FUNCTIONS = """
import traceback
@delayed
def bad(x):
    import gates, sys
    gates.count()
    print("to out")
    print("to err", file=sys.stderr)
    sys.stdout.flush()
    return inverse(x)
def inverse(y):
    return 1 / y  # the line of the error
bad.globals.inverse = inverse
@delayed
def add(a, b):
    return a + b
@delayed
def twice(value):
    return 2 * value
"""


@pytest.mark.parametrize("where", EXECUTORS)
def test_the_error_of_a_function(shop: Shop, where: str) -> None:
    text = """
tf = bad(0)
print(tf.status, tf.exception, repr(tf.logs))
tf.start()
try:
    tf.run()
except RuntimeError as exc:
    print(type(exc).__mro__[:2] == (TransformationError, seamless.transformer.TransformationError.__mro__[1]), exc)
    shown = "".join(traceback.format_exception(exc))
    print("return 1 / y  # the line of the error" in shown, "return inverse(x)" in shown, "ZeroDivisionError" in shown)
    cause = "".join(traceback.format_exception(exc.__cause__))
    print("return 1 / y  # the line of the error" in cause)
print(tf.status, tf.exception.splitlines()[0])
print("return 1 / y  # the line of the error" in tf.exception, "/transformer/" in tf.exception)
print(tf, repr(tf.logs))
for name in ("value", "result_checksum", "buffer"):
    try:
        getattr(tf, name)
    except TransformationError as exc:
        print(name, exc)
tf.clear_exception()
print(tf.status, tf.exception, tf.compute(), tf.status)
"""
    # In the script's own process functions print where it prints.
    printed = "to err\nto err\n" if where == "process" else ""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text, err=printed).splitlines()
    lines = [line for line in lines if line != "to out"]
    summary = "ZeroDivisionError: division by zero (line 5 of main.py)"
    assert lines[0] == "Status: ready None ''"
    assert lines[1] == f"True bad failed: {summary}"
    assert lines[2:4] == ["True True True", "True"]
    assert lines[4] == f"Status: exception {summary}"
    assert lines[5] == "True False"
    assert lines[6].startswith("<Transformation bad(x")
    logs = "''" if where == "process" else "'to out\\nto err\\n'"
    assert lines[6].endswith(f"Status: exception, {lines[6].split(', ')[-2]}, {summary}> {logs}")
    assert lines[7:10] == [f"{name} bad failed: {summary}" for name in ("value", "result_checksum", "buffer")]
    assert lines[10] == "Status: ready None None Status: exception"
    assert shop.executions == 2


@pytest.mark.parametrize("where", EXECUTORS)
def test_what_depends_on_it_names_the_root(shop: Shop, where: str) -> None:
    text = """
root = bad(0)
middle = add(1, root)
last = twice(add(middle, root))
print(last.compute(), last.status, last.exception.splitlines()[0])
try:
    last.run()
except TransformationError as exc:
    print(exc)
    print("the line of the error" in str(exc.__cause__) or "division by zero" in str(exc.__cause__))
print(middle.exception.splitlines()[0])
print(last.construct(), middle.construct(), add(bad(0), 3).construct())
canceled = add(3, 4)
canceled.cancel()
print(twice(canceled).compute(), canceled.status)
after = twice(canceled)
after.compute()
print(after.exception)
"""
    printed = "to err\nto err\n" if where == "process" else ""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text, err=printed).splitlines()
    lines = [line for line in lines if line != "to out"]
    root = "has an exception: bad failed: ZeroDivisionError: division by zero (line 5 of main.py)"
    assert lines[0] == f"None Status: exception Dependency 'value' {root}"
    assert lines[1] == f"twice failed: Dependency 'value' {root}"
    assert lines[2] == "True"
    assert lines[3] == f"Dependency 'b' {root}"
    assert lines[4] == "None None None"
    assert lines[5] == "None Status: canceled"
    assert lines[6] == "Dependency 'value' has an exception: add failed: canceled"


@pytest.mark.parametrize("where", EXECUTORS)
def test_errors_of_every_kind(shop: Shop, where: str) -> None:
    text = """
def first_line(make):
    try:
        return make().run()
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}".splitlines()[0]
@delayed
def raises(what):
    class Odd(Exception):
        def __str__(self):
            raise TypeError("no text")
    if what == "chained":
        try:
            {}["key"]
        except KeyError as exc:
            raise LookupError("outer") from exc
    if what == "long":
        raise ValueError("x" * 5_000_000)
    if what == "lines":
        raise ValueError("one\\ntwo")
    if what == "group":
        raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
    if what == "odd":
        raise Odd
    if what == "surrogate":
        raise ValueError("\\udc80")
    if what == "recursion":
        return (lambda f: f(f))(lambda f: f(f))
    if what == "none":
        return None
    if what == "object":
        return object()
    if what == "undeclared":
        return text
    return raise_nothing
for what in ("chained", "lines", "group", "odd", "surrogate", "recursion", "none", "object", "undeclared"):
    print(first_line(lambda: raises(what)))
print(len(first_line(lambda: raises("long"))) > 1000)
chained = raises("chained")
chained.compute()
print("KeyError: 'key'" in chained.exception, "direct cause" in chained.exception)
for make in (lambda: raises(), lambda: raises(1, 2), lambda: raises(object()), lambda: raises(lambda: 1)):
    print(first_line(make))
"""
    lines = run_script(shop, WHERE[where] + text).splitlines()
    starts = [
        "TransformationError: raises failed: LookupError: outer (line 9 of raises)",
        "TransformationError: raises failed: ValueError: one",
        "TransformationError: raises failed: ExceptionGroup: several (2 sub-exceptions)",
        "TransformationError: raises failed: ",
        "TransformationError: raises failed: ValueError: ",
        "TransformationError: raises failed: RecursionError: maximum recursion depth exceeded",
        "TransformationError: raises failed: ",
        "TransformationError: raises failed: ",
        "TransformationError: raises failed: NameError: name 'text' is not defined in the transformation: import it",
        "True",
        "True True",
        "TypeError: ",
        "TypeError: ",
        "TypeError: argument 'what': ",
        "TypeError: argument 'what': ",
    ]
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)
    assert "Odd" in lines[3]
    assert "the result is None" in lines[6]
    assert "object" in lines[7]


@pytest.mark.parametrize("where", EXECUTORS)
def test_a_failure_may_pass(shop: Shop, where: str) -> None:
    """clear_exception lets a failed one, and what depends on it, be tried again."""
    text = """
import numpy
@delayed
def moody(x, array):
    import gates
    gates.count()
    if not gates.is_open("sun"):
        raise ValueError("not today")
    return x + int(array.sum())
@delayed
def add(a, b):
    return a + b
root = moody(1, numpy.zeros(300_000))
last = add(root, 5)
print(last.compute(), root.status, last.status)
gates.say("sun")
print(last.compute(), root.compute())
last.clear_exception()
print(root.status, last.status, last.run(), root.value, last.exception)
print(moody(1, numpy.zeros(300_000)).run())
"""
    lines = run_script(shop, WHERE[where] + text).splitlines()
    assert lines == [
        "None Status: exception Status: exception",
        "None None",
        "Status: ready Status: ready 6 1 None",
        "1",
    ]
    assert shop.executions == 2


def test_logs_and_direct_print(shop: Shop) -> None:
    """What C code and child processes write counts as well; long output keeps its beginning and its end."""
    text = """
spawn(1)
@delayed
def talk(n):
    import os, subprocess, sys
    print("hello")
    os.write(1, b"raw\\n")
    subprocess.run(["echo", "child"], check=True)
    print("error", file=sys.stderr)
    sys.stdout.write("x" * n + "\\n")
    return n
print(talk(3).logs == "", repr(talk(3).start().logs) in ("''",))
tf = talk(3)
tf.run()
print(repr(tf.logs), repr(talk(3).logs), talk(3).run(), repr(tf.logs))
long = talk(5_000_000)
long.run()
print(len(long.logs) < 2_000_000, "hello" in long.logs, long.logs.endswith("error\\n"), "left out" in long.logs)
again = talk(3)
again.run()
print(repr(again.logs))
loud = delayed(talk)
loud.direct_print = True
loud(4).run()
"""
    lines = run_script(shop, text, err=None).splitlines()
    # Line by line as it is printed, standard error after standard output.
    said = "'hello\\nraw\\nchild\\nxxx\\nerror\\n'"
    assert lines[0] == "True True"
    assert lines[1] == f"{said} '' 3 {said}"
    assert lines[2] == "True True True True"
    assert lines[3] == said


@pytest.mark.parametrize("where", EXECUTORS)
def test_an_error_inside_an_error(shop: Shop, where: str) -> None:
    """Of nested transformations each link adds its name; the innermost traceback is there."""
    text = """
@delayed
def inner(x):
    raise KeyError(x)  # in the innermost
@delayed
def middle(x):
    return inner(x).run()
middle.globals.inner = inner
@delayed
def outer(x):
    return middle(x).run()
outer.globals.middle = middle
tf = outer("lost")
print(tf.compute(), tf.exception.splitlines()[0])
print("in the innermost" in tf.exception)
try:
    tf.run()
except TransformationError as exc:
    print(exc)
"""
    lines = run_script(shop, WHERE[where] + text).splitlines()
    error = "middle failed: inner failed: KeyError: 'lost' (line 2 of inner)"
    assert lines == [f"None {error}", "True", f"outer failed: {error}"]
