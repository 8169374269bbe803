"""The recorded command-line cases, where they are at hand: SEAMLESS_CONFORMANCE names their directory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .shop import BIN

PLACE = Path(os.environ.get("SEAMLESS_CONFORMANCE", "/nonexistent"))
CASES, RUNNER = PLACE / "cli_cases.json", PLACE / "cli_runner.py"
#: What concerns the commands that exist.
PREFIXES = (
    *("basic-", "out-", "fail-", "arg-", "pipe-", "docs-", "redir-", "cp-", "in-", "map-", "var-", "metavar-"),
    *("prologue", "exe-", "conf-", "side-unknown", "q-", "cancel-sigterm"),
)
#: What deliberately differs, and why.
DIFFERENT = {
    "arg-space": "a word with a blank stays one word: quoting is kept",
    "pipe-bash-c": "quoting is kept: what is given to bash -c arrives whole",
    "basic-no-cache": "no configuration is needed: there is a default store",
    "basic-usage": "the usage text is our own, and on standard error",
    "basic-store-intact": "step 3 uses a command that does not exist yet",
    "cp-nd-dir": "step 2 uses a command that does not exist yet",
}
COMMANDS = ("seamless-run", "seamless-queue", "seamless-queue-finish")

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
    return place


def test_recorded_cases(commands: Path, tmp_path: Path) -> None:
    recorded = json.loads(CASES.read_text())
    recorded["cases"] = [case for case in recorded["cases"] if case["id"].startswith(PREFIXES)]
    assert len(recorded["cases"]) > len(DIFFERENT)
    chosen = tmp_path / "cases.json"
    chosen.write_text(json.dumps(recorded))
    words = [sys.executable, str(RUNNER), "check", "--bin", str(commands), "--jobs", "4", str(chosen)]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}
    ended = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=600)
    assert ended.stdout.splitlines()[-1].startswith(str(chosen)), ended.stderr
    mismatches = set(re.findall(r"^(?:MISMATCH|docs-unmet) (\S+) ", ended.stdout, re.MULTILINE))
    unexpected = sorted(mismatches - set(DIFFERENT))
    assert not unexpected, ended.stdout
    assert sorted(set(DIFFERENT) - mismatches) == [], "these agree by now: take them out of the table"
