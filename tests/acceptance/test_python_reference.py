"""The code of the documentation of the original, word for word, in every way that Python takes code."""

from __future__ import annotations

import sys
import textwrap

from .script import ended_well, private_leftovers, run_script, start_python
from .shop import Shop

REFERENCE = """\
from seamless.transformer import delayed, direct, spawn, has_spawned, parallel, parallel_async, TransformationList
import seamless.config; seamless.config.set_nparallel(4); seamless.config.init()
import asyncio

spawn(4)

@delayed
def compute(x):
    import time
    time.sleep(0.01)
    return x * 2

handles = [compute(i) for i in range(20)]
for h in handles:
    h.start()                    # schedule all 20 jobs

results = [h.run() for h in handles]  # collect results (blocks until each is done)
print(results)

if not has_spawned():
    spawn()

tfs = [compute(item) for item in range(10, 25)]

async def main():
    async for tf in parallel_async(tfs):
        print(tf.value)

asyncio.run(main())
for tf in parallel(TransformationList(tfs, show_progress=True)): ...

tflist = TransformationList([compute(item) for item in range(30)], show_progress=True)
for tf in parallel(tflist):
    pass
print(tf.value)
"""
_BEFORE, _AFTER = REFERENCE.split("handles = ")
GUARDED = f"{_BEFORE}if __name__ == '__main__':\n{textwrap.indent(f'handles = {_AFTER}', '    ')}"
EXPECTED = f"{[2 * i for i in range(20)]}\n" + "".join(f"{2 * i}\n" for i in range(10, 25)) + "58\n"
PROGRESS = "15 of 15 transformations: 15 done, 10 cached\n30 of 30 transformations: 30 done, 25 cached\n"


def test_as_a_script(shop: Shop) -> None:
    assert run_script(shop, REFERENCE, header="", err=PROGRESS) == EXPECTED
    assert private_leftovers(shop) == []


def test_with_a_main_guard(shop: Shop) -> None:
    assert run_script(shop, GUARDED, header="", err=PROGRESS) == EXPECTED


def test_from_the_command_line(shop: Shop) -> None:
    assert ended_well(start_python(shop, "-c", REFERENCE), err=PROGRESS) == EXPECTED


def test_as_a_module(shop: Shop) -> None:
    shop.write("package/__init__.py", "")
    shop.write("package/job.py", REFERENCE)
    assert ended_well(start_python(shop, "-m", "package.job"), err=PROGRESS) == EXPECTED


def test_imported(shop: Shop) -> None:
    shop.write("package/__init__.py", "")
    shop.write("package/job.py", REFERENCE)
    assert ended_well(start_python(shop, "-c", "import package.job"), err=PROGRESS) == EXPECTED


def test_from_standard_input(shop: Shop) -> None:
    """Nobody keeps the source of what is read from a pipe: code as text works, a function says so."""
    text = """\
    from seamless.transformer import delayed, direct, spawn
    spawn(1)
    print(delayed("def f(x):\\n    return x + 1\\n")(x=1).run())
    try:
        @direct
        def f(x):
            return x
    except Exception as exc:
        print(type(exc).__name__, exc)
    """
    ended = shop.call(sys.executable, "-W", "error", "-", input=textwrap.dedent(text).encode())
    first, second = ended.out.decode().splitlines()
    assert (ended.status, ended.err, first) == (0, "", "2")
    assert second.startswith("SourceUnavailable the source of f")
    assert "put it into a file, or pass the code as text" in second


def test_under_pytest(shop: Shop) -> None:
    """Assertions in a transformed function are rewritten by pytest; the source that runs is the file's."""
    shop.write(
        "test_user.py",
        """\
import pytest
from seamless.transformer import TransformationError, delayed, parallel, spawn

@pytest.fixture(scope="module", autouse=True)
def pool():
    spawn(2)

@delayed
def half(x):
    assert x % 2 == 0, "odd"
    return x // 2

def test_values():
    assert [tf.value for tf in parallel(half(2 * i) for i in range(20))] == list(range(20))

def test_error(capsys):
    with pytest.raises(TransformationError, match="AssertionError: odd") as caught:
        half(3).run()
    assert "assert x % 2" in str(caught.value.__cause__)

def test_inner():
    @delayed
    def double(x):
        return x * 2
    assert double(4).run() == 8
""",
    )
    ended = shop.call(sys.executable, "-m", "pytest", "-q", "-W", "error", "test_user.py")
    assert ended.status == 0, ended
    assert b"3 passed" in ended.out
    assert ended.err == ""
