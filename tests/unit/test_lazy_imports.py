"""A cache hit is answered before anything heavy is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What a hit must not pay for, nor the import of a command.
HEAVY = ("sqlalchemy", "alembic", "numpy", "rich", "watchdog", "psutil", "yaml", "tree_sitter", "filelock", "asyncio")

#: Nor for these of ours: patterns take long to be made.
OF_OURS = ("seamless.transformer.redaction",)

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
        [sys.executable, "-c", PROGRAM, ",".join([*HEAVY, *OF_OURS]), "--store", str(store), *words],
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


#: What Python code must not pay for that does without it.
UNNEEDED = (*HEAVY, "click", "multiprocessing", "concurrent.futures", "IPython", "inspect")
CALL = """
import sys
import seamless.transformer
imported = [name for name in sys.argv[1].split(",") if name in sys.modules]
from seamless.transformer import delayed, direct, spawn

@direct
def add(a, b):
    return a + b

@delayed
def find(names):
    import sys
    return [name for name in names.split(",") if name in sys.modules]

if int(sys.argv[2]):
    spawn(int(sys.argv[2]))
assert add(1, 2) == add(1, b=2) == 3
used = [name for name in sys.argv[3].split(",") if name in sys.modules]
print(imported, used, find(sys.argv[3]).run())
seamless.close()
"""
#: What a call may not import. Source is found with `inspect`.
UNUSED = tuple(name for name in UNNEEDED if name not in ("inspect", "concurrent.futures"))


@pytest.mark.parametrize("workers", [0, 1])
def test_the_python_face_imports_what_it_needs_when_it_needs_it(tmp_path: Path, workers: int) -> None:
    """Nor does a worker."""
    (tmp_path / "program.py").write_text(CALL)
    done = subprocess.run(
        [sys.executable, "program.py", ",".join(UNNEEDED), str(workers), ",".join(UNUSED)],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("[] [] []\n", "")
