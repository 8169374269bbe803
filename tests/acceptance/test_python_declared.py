"""Modules and globals that are declared: what of them counts, and what is said where they are missing or wrong."""

from __future__ import annotations

import pytest

from .script import EXECUTORS, WHERE, run_script
from .shop import Shop

MODULE = """
from pathlib import Path
sys.dont_write_bytecode = True

def put(value):
    Path("mine.py").write_text(f"V = {value}\\n")

put(1)
import mine
"""


def test_a_module_is_what_it_was_at_the_assignment(shop: Shop) -> None:
    """However often it is called, and in copies; another assignment takes it as it is then."""
    text = """
@delayed
def f(x):
    return mine.V

@delayed
def g(x):
    return f(x).run()

f.modules.mine = mine
g.globals.f = f
put(2)
print(f(1).run(), f.modules.mine is mine)
put(3)
f.celltypes.x = "int"
print(f(1).run(), direct(f)(1), g(1).run())
f.modules.mine = mine
print(f(1).run(), direct(f)(1))
g.globals.f = f
print(g(1).run())
del f.modules.mine
print(list(f.modules), f(1).compute())
"""
    assert run_script(shop, MODULE + text).splitlines() == ["1 True", "1 1 1", "3 3", "3", "[] None"]


@pytest.mark.parametrize("where", EXECUTORS)
def test_a_name_of_a_module_around(shop: Shop, where: str) -> None:
    """That it is a module is known where the function was defined: then that is what is said, cause included."""
    text = """
import json, json.decoder as jd
import functools
CONSTANT = 3

@delayed
def one(x): return jd.JSONDecoder
@delayed
def two(x): return [json.dumps(y) for y in [x]]
@delayed
def three(x): return (lambda: CONSTANT)()
@delayed
def four(x): return one(x).run()
four.globals.one = one

for f in (one, two, three, delayed("json.dumps(x)"), delayed(lambda x: functools), four):
    tf = f(x=1)
    tf.compute()
    print(tf.exception.splitlines()[0])
try:
    one(2).run()
except TransformationError as error:
    print("import json.decoder as jd" in str(error), "import json.decoder as jd" in str(error.__cause__))
"""
    start = "is not defined in the transformation:"
    else_ = "import it inside the function if it is a module, else pass it as an argument, or declare it with .globals"
    lines = run_script(shop, WHERE[where] + text).splitlines()
    assert lines == [
        f"NameError: name 'jd' {start} write `import json.decoder as jd` inside the function (a module of your own may "
        "be declared with .modules.jd) (line 1 of one)",
        f"NameError: name 'json' {start} write `import json` inside the function (a module of your own may be declared "
        "with .modules.json) (line 1 of <listcomp>)",
        f"NameError: name 'CONSTANT' {start} {else_}.CONSTANT (line 1 of <lambda>)",
        f"NameError: name 'json' {start} {else_}.json (line 1 of the code)",
        f"NameError: name 'functools' {start} write `import functools` inside the function (a module of your own may "
        "be declared with .modules.functools) (line 1 of <lambda>)",
        f"one failed: NameError: name 'jd' {start} {else_}.jd (line 1 of one)",
        "True True",
    ]


def test_a_module_is_no_global(shop: Shop) -> None:
    """Told at the assignment, in few lines."""
    text = """
import json, traceback
@delayed
def f(x): return json.dumps(x)
try:
    f.globals.json = json
except TypeError as exc:
    print(exc, len(traceback.extract_tb(exc.__traceback__)) <= 4)
print(list(f.globals))
"""
    assert run_script(shop, text).splitlines() == [
        "module json cannot be a global: import it inside the function; a module of your own may be declared with "
        ".modules True",
        "[]",
    ]
