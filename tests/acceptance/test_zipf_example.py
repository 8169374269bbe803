"""The Python example on a small library: its table is right, and what is known is not computed again."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "zipf" / "zipf.py"
FILES, SAMPLES = 6, 10
EXAMPLE_SECONDS = 120
ROW = re.compile(r"^ +(\d+) +(\d+)  (\w+)$", re.MULTILINE)
REUSE = re.compile(r"^(\d+) of (\d+) transformations ran, (\d+) were known", re.MULTILINE)
EXPONENT = re.compile(r"^times ~ rank\^-(\d\.\d+); 95 % of the samples between (\S+) and (\S+)$", re.MULTILINE)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """In all files together, `word1` occurs 600 times, `word2` 300 times, `word3` 200 times, …: Zipf's law itself."""
    directory = tmp_path / "library"
    (directory / "test").mkdir(parents=True)
    (directory / "test" / "left_out.py").write_text("word1 = word2\n")
    for number in range(FILES):
        lines = [f"word{rank} = 0" for rank in range(1, 21) for _ in range(100 // rank)]
        (directory / f"module{number}.py").write_text("\n".join([f"# file {number}", *lines]) + "\n")
    return directory


def run_example(directory: Path, *words: str) -> str:
    """What the example prints on standard output."""
    done = subprocess.run(
        [sys.executable, EXAMPLE, "--library", "library", "--workers", "2", "--samples", str(SAMPLES), *words],
        cwd=directory,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=EXAMPLE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def reuse(printed: str) -> tuple[int, int, int]:
    """How many transformations ran, how many there are, how many were known."""
    match = REUSE.search(printed)
    assert match, printed
    return int(match[1]), int(match[2]), int(match[3])


def test_the_example_finds_zipfs_law_and_a_second_run_computes_nothing(tmp_path: Path, library: Path) -> None:
    first = run_example(tmp_path)
    assert [(int(rank), int(times), word) for rank, times, word in ROW.findall(first)][:3] == [
        (1, 600, "word1"),
        (2, 300, "word2"),
        (3, 198, "word3"),
    ]
    match = EXPONENT.search(first)
    assert match, first
    found, low, high = map(float, match.groups())
    assert found == pytest.approx(1, abs=0.05)
    assert 0.8 < low < high < 1.2
    assert reuse(first) == (FILES + SAMPLES, FILES + SAMPLES, 0)

    second = run_example(tmp_path)
    assert ROW.findall(second) == ROW.findall(first)
    assert EXPONENT.findall(second) == EXPONENT.findall(first)
    assert reuse(second) == (0, FILES + SAMPLES, FILES + SAMPLES)


def test_more_samples_reuse_those_that_are_there(tmp_path: Path, library: Path) -> None:
    run_example(tmp_path)
    assert reuse(run_example(tmp_path, "--samples", "15")) == (5, FILES + 15, FILES + SAMPLES)


def test_a_changed_file_is_counted_again_and_the_others_are_not(tmp_path: Path, library: Path) -> None:
    run_example(tmp_path)
    with (library / "module0.py").open("a") as file:
        file.write("# the same identifiers\n")
    # The counts are what they were, and so is everything that is computed from them.
    assert reuse(run_example(tmp_path)) == (1, FILES + SAMPLES, FILES + SAMPLES - 1)


def test_the_example_leaves_no_store_outside(tmp_path: Path, library: Path, home: Path) -> None:
    run_example(tmp_path)
    assert (tmp_path / ".zipf" / "store" / "seamless.db").exists()
    assert not (home / ".seamless").exists()
