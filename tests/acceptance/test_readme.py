"""The transcripts of README.md and docs/getting-started.md, run verbatim.

A block marked `console` is a transcript: lines that begin with `$ ` are commands, the others are what they print;
`...` stands for anything. All transcripts of one page are one shell session in an empty directory.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/getting-started.md")
TRANSCRIPT = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(.*)$", re.MULTILINE)
#: Separates the outputs of two commands; no command prints it.
SEPARATOR = "\x1e\n"
SESSION_SECONDS = 120


@dataclass(frozen=True)
class Step:
    """A command and what the page says that it prints."""

    command: str
    output: str


def steps_of(page: str) -> list[Step]:
    steps = []
    for block in TRANSCRIPT.findall((ROOT / page).read_text()):
        assert block.startswith("$ "), f"{page}: a transcript begins with a command"
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            steps.append(Step(command, output))
    return steps


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """The commands of this environment, in the home of this test."""
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    return {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"}


def run_session(steps: list[Step], directory: Path, environment: dict[str, str]) -> list[str]:
    """Run the commands in one shell; what each of them printed."""
    script = "".join(f"{step.command}\nSTATUS=$?; printf {shlex.quote(SEPARATOR)}; (exit $STATUS)\n" for step in steps)
    session = subprocess.Popen(
        ["bash", "-c", script],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    try:
        printed, _ = session.communicate(timeout=SESSION_SECONDS)
    finally:
        stop_session(session.pid)
        session.wait()
    return printed.split(SEPARATOR)[:-1]


def stop_session(leader: int) -> None:
    """End a server that a failing page has left behind; its workers follow."""
    try:
        os.killpg(leader, signal.SIGTERM)
    except ProcessLookupError:
        return


def matches(expected: str, printed: str) -> bool:
    pattern = re.escape(expected).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, printed) is not None


@pytest.mark.parametrize("page", PAGES)
def test_the_transcripts_of_a_page_are_true(page: str, tmp_path: Path, environment: dict[str, str]) -> None:
    steps = steps_of(page)
    printed = run_session(steps, tmp_path, environment)
    assert len(printed) == len(steps)
    for step, output in zip(steps, printed, strict=True):
        assert matches(step.output, output), f"$ {step.command}\n{output}(the page says)\n{step.output}"


@pytest.mark.parametrize("page", PAGES)
def test_only_transcripts_are_marked_so(page: str) -> None:
    text = (ROOT / page).read_text()
    kinds = [kind for kind in BLOCK.findall(text) if kind]
    assert set(kinds) <= {"console", "bash", "python", "text"}
    assert TRANSCRIPT.findall(text)


def test_a_readme_promises_only_what_can_be_made() -> None:
    wanted = set(re.findall(r"^make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert wanted
    assert wanted <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
