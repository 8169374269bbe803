"""A cache hit is answered before anything heavy is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What a hit must not pay for, nor the import of a command.
HEAVY = ("sqlalchemy", "alembic", "numpy", "rich", "watchdog", "psutil", "yaml", "tree_sitter", "filelock", "asyncio")

PROGRAM = """
import json, os, sys
import seamless.cli.run
heavy = sys.argv[1].split(",")
imported = [name for name in heavy if name in sys.modules]
sys.argv = ["seamless-run", *sys.argv[2:]]
try:
    seamless.cli.run.main()
except SystemExit as exc:
    status = exc.code
run = [name for name in heavy if name in sys.modules]
print(json.dumps({"status": status, "imported": imported, "run": run}), file=sys.stderr)
"""


def seamless_run(directory: Path, store: Path, *words: str) -> tuple[bytes, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(HEAVY), "--store", str(store), *words],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return done.stdout, json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize("with_file", [False, True])
def test_a_hit_imports_nothing_heavy(tmp_path: Path, settings: object, with_file: bool) -> None:
    store = Path(settings.store)  # type: ignore[attr-defined]
    (tmp_path / "data.txt").write_bytes(os.urandom(10_000) if with_file else b"x\n")
    words = ("wc", "-c", "data.txt") if with_file else ("echo", "hello")
    first, _ = seamless_run(tmp_path, store, *words)
    again, seen = seamless_run(tmp_path, store, *words)
    assert again == first
    assert seen == {"status": 0, "imported": [], "run": []}


def test_importing_the_face_imports_nothing() -> None:
    program = "import sys; before = set(sys.modules); import seamless; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    ours = {name for name in done.stdout.split() if name.startswith("seamless")}
    assert "seamless" in ours
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {*HEAVY, "blake3", "orjson", "seamless_queue"}
