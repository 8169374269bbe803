"""What mypy knows of the public face: parameters and results of functions, in strict mode, without help."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".mypy_cache" / "acceptance"
SNIPPET = """\
import asyncio
from collections.abc import Iterator

import seamless
import seamless.config
from seamless.transformer import (
    Transformation,
    TransformationError,
    TransformationList,
    delayed,
    direct,
    global_lock,
    has_spawned,
    parallel,
    parallel_async,
    spawn,
)


@delayed
def scale(x: int, factor: float = 2.0, *, label: str = "") -> list[float]:
    return [x * factor]


@direct
def count(text: str) -> int:
    return len(text)


reveal_type(scale(1))
reveal_type(scale(1, 3.0, label="a").run())
reveal_type(scale(2).start())
reveal_type(scale(2).value)
reveal_type(count("a"))
reveal_type(delayed(count))
reveal_type(direct(scale)(1))
reveal_type(delayed("1 + 1"))
reveal_type([tf.value for tf in parallel(scale(i) for i in range(3))])
reveal_type(TransformationList([scale(1)], show_progress=False)[0])
reveal_type(TransformationList.map(scale, [1, 2]))
reveal_type(scale(1).result_checksum)
scale("one")
scale(1, label=2)
count(1)
scale(1, 2.0, "a")


async def main() -> list[float]:
    reveal_type(await scale(1).task())
    async for tf in parallel_async([scale(1)]):
        reveal_type(tf)
    return await scale(1).task()


def totals(tfs: list[Transformation[int]]) -> Iterator[int]:
    spawn(2)
    with global_lock:
        yield from (tf.run() for tf in tfs)
    try:
        print(tfs[0].exception, has_spawned(), tfs[0].status)
    except TransformationError:
        seamless.close()


scale.celltypes.x = "int"
scale.meta = {"key": 1}
seamless.config.set_nparallel(4)
seamless.config.init()
asyncio.run(main())
checksum: seamless.Checksum = seamless.Buffer([1, 2], "plain").get_checksum()
"""
#: What our own code is built with does not matter here, and takes mypy long.
SETTINGS = """\
[mypy]
strict = True
follow_imports = silent
[mypy-alembic.*,click.*,numpy.*,psutil.*,rich.*,sqlalchemy.*,tree_sitter.*,tree_sitter_bash.*,watchdog.*,yaml.*]
follow_imports = skip
"""
REVEALED = [
    "Transformation[list[float]]",
    "list[float]",
    "Transformation[list[float]]",
    "list[float]",
    "int",
    "Delayed[[text: str], int]",
    "list[float]",
    "Delayed[..., Any]",
    "list[list[float]]",
    "Transformation[list[float]]",
    "TransformationList[list[float]]",
    "Checksum",
    "list[float]",
    "Transformation[list[float]]",
]
ERRORS = [
    'Argument 1 to "__call__" of "Delayed" has incompatible type "str"; expected "int"',
    'Argument "label" to "__call__" of "Delayed" has incompatible type "int"; expected "str"',
    'Argument 1 to "__call__" of "Direct" has incompatible type "int"; expected "str"',
    'Too many positional arguments for "__call__" of "Delayed"',
]


@pytest.fixture
def installed() -> Path:
    """A copy of the packages under their installed names: mypy does not follow those of an editable install.

    In a place that stays, because mypy's cache is good for the same paths only.
    """
    target = CACHE / "installed"
    shutil.rmtree(target, ignore_errors=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package, folder in sorted(project["package-dir"].items()):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, target / package.replace(".", "/"), ignore=ignored, dirs_exist_ok=True)
    return target


def test_types_of_the_face(installed: Path) -> None:
    (installed / "snippet.py").write_text(SNIPPET)
    (installed / "mypy.ini").write_text(SETTINGS)
    words = ("--config-file", "mypy.ini", "--cache-dir", str(CACHE), "--no-error-summary", "snippet.py")
    checked = subprocess.run(
        (sys.executable, "-m", "mypy", *words), cwd=installed, capture_output=True, text=True, check=False
    )
    assert checked.stderr == ""
    revealed = re.findall(r'Revealed type is "(.*)"', checked.stdout)
    assert [re.sub(r"[a-z_]+(\.[a-z_]+)*\.(?=[A-Za-z])", "", one) for one in revealed] == REVEALED
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert [re.sub(r".*: error: (.*?)  \[.*", r"\1", line) for line in errors] == ERRORS
