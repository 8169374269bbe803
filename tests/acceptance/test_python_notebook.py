"""A notebook run without a screen: values, errors, progress; cells that are run again with other code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .script import private_leftovers, run_script
from .shop import opened

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

#: Runs the cells of cells.json, and writes what each has shown.
DRIVER = """
import json, sys, warnings
# Not ours: Jupyter's own libraries.
warnings.simplefilter("ignore")
import nbclient, nbformat
with open("cells.json") as file:
    cells = json.load(file)
book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
nbclient.NotebookClient(book, timeout=60, allow_errors=True, kernel_name="python3").execute()
with open("shown.json", "w") as file:
    json.dump([cell["outputs"] for cell in book["cells"]], file)
"""
CELLS = (
    """
import seamless, seamless.config
from seamless.transformer import TransformationList, delayed, direct, parallel, parallel_async, spawn
spawn(2)
""",
    """
@delayed
def work(x):
    return x + 1
tf = work(1)
tf
""",
    "tf.run()",
    "tf",
    """
@delayed
def work(x):
    return x + 100
work(1).run(), tf.value
""",
    """
@delayed
def bad(x):
    "Where it goes wrong."
    return 1 / x
bad(0).run()
""",
    """
for one in parallel(TransformationList([work(i) for i in range(8)] + [bad(0)])):
    pass
one.status
""",
    "[one.value for one in parallel(map(work, range(3)))]",
    "await work(7).task()",
    "[one.value async for one in parallel_async(map(work, range(3)))]",
    """
@direct
def sleepy(x):
    import asyncio
    return asyncio.run(asyncio.sleep(0, x))
sleepy(5)
""",
    """
%%time
seamless.close()
seamless.config.select_execution("process")
print(sleepy(6))
""",
    """
def helper(x):
    return 2 * x
use = delayed(lambda x: helper(x))
use.globals.helper = helper
use(21).run()
""",
    """
def helper(x):
    return 3 * x
use.globals.helper = helper
use(21).run()
""",
    """
import numpy as np
x = np.arange(200_000.)
total = delayed(lambda x: float(x.sum()))
first = total(x).run()
x[0] = 5
first, total(x).run()
""",
)


def _text(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return "".join(output["data"].get("text/plain", ""))


@pytest.fixture(scope="module")
def shown(template: Path) -> list[str]:
    """What each cell has shown, as text."""
    with opened(template) as shop:
        shop.write("cells.json", json.dumps(CELLS))
        run_script(shop, DRIVER, header="", err=None, env={"PYTHONWARNINGS": "", "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
        outputs = json.loads(shop.read("shown.json"))
        assert private_leftovers(shop) == []
    return ["\n".join(map(_text, cell)) for cell in outputs]


def test_values(shown: list[str]) -> None:
    assert shown[0] == ""
    assert shown[1].startswith("<Transformation work(x")
    assert "Status: ready" in shown[1]
    assert shown[2] == "2"
    assert "Status: OK" in shown[3]
    assert shown[7] == "[100, 101, 102]"


def test_a_cell_that_was_defined_again(shown: list[str]) -> None:
    """The new code is what runs; a handle of the old one keeps its value."""
    assert shown[4] == "(101, 2)"


def test_errors(shown: list[str]) -> None:
    assert shown[5] == "TransformationError: bad failed: ZeroDivisionError: division by zero (line 3 of bad)"


def test_progress(shown: list[str]) -> None:
    assert "8 done" in shown[6]
    assert "1 failed" in shown[6]
    assert shown[6].endswith("'Status: exception'")


def test_awaiting_in_a_cell(shown: list[str]) -> None:
    """The notebook's own event loop runs; blocking calls work all the same, and so do loops of functions."""
    assert shown[8] == "107"
    assert shown[9] == "[100, 101, 102]"
    assert shown[10] == "5"
    assert shown[11].startswith("6\n")


def test_globals(shown: list[str]) -> None:
    assert shown[12:14] == ["42", "63"]


def test_arrays_are_snapshots(shown: list[str]) -> None:
    assert shown[14] == "(19999900000.0, 19999900005.0)"
