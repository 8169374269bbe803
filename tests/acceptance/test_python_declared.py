"""Modules and globals that are declared: what of them counts, and what is said where they are missing or wrong."""

from __future__ import annotations

from .script import run_script
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
