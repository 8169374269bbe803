"""The Python blocks of the documentation, run verbatim.

All `python` blocks of a page are one script, in an empty directory and a home of its own; a `text` block below one
shows what it prints, `...` stands for anything. A block that begins with `# NAME.py` is a file of that name instead,
which the page's transcripts (`console`) run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from .test_readme import matches, run_session, steps_of

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
#: Separates what two blocks print; no block prints it.
SEPARATOR = "\x1e\n"
SCRIPT_SECONDS = 120


@dataclass(frozen=True)
class Block:
    """Python code, and what the page says that it prints; None: it does not say."""

    code: str
    printed: str | None

    @property
    def file(self) -> str | None:
        """The file that it is, rather than a part of the page's script."""
        match = FILE.match(self.code)
        return match[1] if match else None


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def blocks_of(page: str) -> list[Block]:
    fences = BLOCK.findall(text_of(page))
    following = [*fences, ("", "")][1:]
    return [
        Block(text, shown if kind_of_shown == "text" else None)
        for (kind, text), (kind_of_shown, shown) in zip(fences, following, strict=True)
        if kind == "python"
    ]


PAGES = [
    page
    for page in ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
    if blocks_of(page)
]
#: Whose transcripts run files of the page; those of other pages are run by test_readme.
PAGES_WITH_FILES = [page for page in PAGES if any(block.file for block in blocks_of(page))]


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    # Whatever a page does, it is no reason to warn its reader.
    return {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "error"}


def write_files(page: str, directory: Path) -> None:
    for block in blocks_of(page):
        if block.file is not None:
            (directory / block.file).write_text(block.code)


def script_of(blocks: list[Block]) -> str:
    return "".join(f"{block.code}\nprint({SEPARATOR!r}, end='', flush=True)\n" for block in blocks)


def run_script(script: str, directory: Path, environment: dict[str, str]) -> list[str]:
    """What each block printed."""
    (directory / "page.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SCRIPT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr
    return done.stdout.split(SEPARATOR)[:-1]


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs_and_prints_what_it_says(
    page: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    blocks = [block for block in blocks_of(page) if block.file is None]
    printed = run_script(script_of(blocks), tmp_path, environment)
    assert len(printed) == len(blocks)
    for block, output in zip(blocks, printed, strict=True):
        expected = block.printed or ""
        assert matches(expected, output), f"{block.code}\nprinted\n{output}\n(the page says)\n{expected}"


@pytest.mark.parametrize("page", PAGES_WITH_FILES)
def test_the_transcripts_of_a_page_with_files_are_true(page: str, tmp_path: Path, environment: dict[str, str]) -> None:
    write_files(page, tmp_path)
    steps = steps_of(page)
    printed = run_session(steps, tmp_path, environment)
    assert len(printed) == len(steps)
    for step, output in zip(steps, printed, strict=True):
        assert matches(step.output, output), f"$ {step.command}\n{output}(the page says)\n{step.output}"


@pytest.mark.parametrize("page", PAGES)
def test_what_is_shown_belongs_to_a_block(page: str) -> None:
    """A `text` block that follows nothing would be compared with nothing."""
    kinds = [kind for kind, _ in BLOCK.findall(text_of(page))]
    before = ["", *kinds]
    assert all(earlier == "python" for earlier, kind in zip(before, kinds, strict=False) if kind == "text")


def test_the_guide_is_among_the_pages() -> None:
    assert {"README.md", "docs/python.md"} <= set(PAGES)
    assert "docs/python.md" in PAGES_WITH_FILES
