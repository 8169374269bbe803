"""The demo on a small library: its table is right, and the second time everything is answered from the store."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo" / "demo.py"
FILES = 20
DEMO_SECONDS = 120
ROW = re.compile(r"^ +(\d+) +(\d+)  (\w+)$", re.MULTILINE)
REUSE = re.compile(r"^(\d+) of (\d+) jobs ran, (\d+) were answered from the store", re.MULTILINE)


def make_library(directory: Path) -> None:
    """Small modules, two of them of one name; module N has the identifier `word` N times."""
    for number in range(FILES):
        package = directory / f"package{number % 2}"
        package.mkdir(parents=True, exist_ok=True)
        lines = [f"# not counted: word\nname{number} = 'nor here: word'", *["word = True"] * number]
        (package / f"module{number // 2}.py").write_text("\n".join(lines) + "\n")
    (directory / "test").mkdir()
    (directory / "test" / "left_out.py").write_text("word = word\n")


def run_demo(directory: Path) -> str:
    """What the demo prints."""
    words = ["--directory", "demo", "--library", "library", "--workers", "2"]
    done = subprocess.run(
        [sys.executable, DEMO, *words],
        cwd=directory,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def reuse(printed: str) -> tuple[int, int, int]:
    """How many jobs ran, how many there are, how many were answered from the store."""
    match = REUSE.search(printed)
    assert match, printed
    return int(match[1]), int(match[2]), int(match[3])


def table(printed: str) -> list[tuple[int, int, str]]:
    return [(int(times), int(files), word) for times, files, word in ROW.findall(printed)]


def test_the_demo_counts_and_a_second_one_is_answered_from_the_store(tmp_path: Path) -> None:
    make_library(tmp_path / "library")
    first = run_demo(tmp_path)
    expected = Counter(range(FILES))
    assert table(first)[0] == (sum(expected), FILES - 1, "word")
    assert reuse(first) == (FILES + 1, FILES + 1, 0)

    second = run_demo(tmp_path)
    assert table(second) == table(first)
    assert reuse(second) == (0, FILES + 1, FILES + 1)
    assert re.search(r"from the store: \d+\.\d s instead of \d+\.\d s", second)


def test_a_changed_file_is_counted_again_and_nothing_else(tmp_path: Path) -> None:
    make_library(tmp_path / "library")
    run_demo(tmp_path)
    with (tmp_path / "demo" / "source" / "package0" / "module0.py").open("a") as file:
        file.write("word = word\n")
    printed = run_demo(tmp_path)
    assert table(printed)[0] == (sum(range(FILES)) + 2, FILES, "word")
    assert reuse(printed) == (2, FILES + 1, FILES - 1)


def test_the_demo_leaves_neither_promises_nor_a_store_outside(tmp_path: Path, home: Path) -> None:
    make_library(tmp_path / "library")
    run_demo(tmp_path)
    assert not list(tmp_path.rglob("*.FUTURE"))
    assert (tmp_path / "demo" / "store" / "seamless.db").exists()
    assert not (home / ".seamless").exists()
