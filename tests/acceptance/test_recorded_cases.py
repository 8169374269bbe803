"""The recorded command-line cases, where they are at hand: SEAMLESS_CONFORMANCE names their directory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .shop import BIN

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path(os.environ.get("SEAMLESS_CONFORMANCE", "/nonexistent"))
CASES, RUNNER = PLACE / "cli_cases.json", PLACE / "cli_runner.py"
#: What deliberately differs, and why.
DIFFERENT = {
    "arg-space": "a word with a blank stays one word: quoting is kept",
    "pipe-bash-c": "quoting is kept: what is given to bash -c arrives whole",
    "basic-no-cache": "no configuration is needed: there is a default store",
    "py-memory": "SEAMLESS_CACHE names the store, with init() or without",
    "basic-usage": "the usage text is our own, and on standard error",
    **dict.fromkeys(
        ("dry-job", "dry-job-dirs", "dry-job-exe", "dry-job-ms", "dry-job-prologue", "dry-job-scratch"),
        "commands have identities of our own; a job directory holds inputs and a script beside",
    ),
    **dict.fromkeys(
        ("dry-metavar-run", "dry-run-tf-fail", "dry-run-tf-output"),
        "as above in their first step; the replays agree",
    ),
}
COMMANDS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

pytestmark = pytest.mark.skipif(
    not (CASES.is_file() and RUNNER.is_file()), reason="SEAMLESS_CONFORMANCE does not name the recorded cases"
)


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """The commands, with the digest that the cases were recorded with."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in COMMANDS:
        script = place / name
        script.write_text(f'#!/bin/sh\nSEAMLESS_DIGEST=sha256 exec "{BIN / name}" "$@"\n')
        script.chmod(0o755)
    python = place / "python"
    python.write_text(f'#!/bin/sh\nSEAMLESS_DIGEST=sha256 exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return place


def test_recorded_cases(commands: Path, tmp_path: Path) -> None:
    recorded = json.loads(CASES.read_text())
    assert len(recorded["cases"]) > len(DIFFERENT)
    words = [sys.executable, str(RUNNER), "check", "--bin", str(commands), "--jobs", "4", str(CASES)]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}
    ended = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=600)
    assert ended.stdout.splitlines()[-1].startswith(str(CASES)), ended.stderr
    mismatches = set(re.findall(r"^(?:MISMATCH|docs-unmet) (\S+) ", ended.stdout, re.MULTILINE))
    unexpected = sorted(mismatches - set(DIFFERENT))
    assert not unexpected, ended.stdout
    assert sorted(set(DIFFERENT) - mismatches) == [], "these agree by now: take them out of the table"
