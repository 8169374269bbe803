"""Counts the identifiers of Python's standard library: one queued job per file, and a merge of all.

DIRECTORY/source/       copies of the library's files; inputs have to lie below the directory of the commands
DIRECTORY/commands.txt  the batch: one command per file
DIRECTORY/counts/       what those commands write
DIRECTORY/totals.txt    what the merge writes
DIRECTORY/store/        the store: delete it to start from nothing

Every step is a command that could be typed; each is shown before it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = ("identifiers.py", "merge.awk")
#: Tests, other people's packages, and programs that only travel with the library.
LEFT_OUT = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "turtledemo", "__pycache__"}
# -S: without the packages of the environment Python starts faster.
COUNT = "python3 -S identifiers.py source/{module} | sort | uniq -c > counts/{name}.txt"
MERGE = "cat counts/* | awk -f merge.awk | sort -k1,1nr -k3 > totals.txt"
TABLE_ROWS = 15


def main() -> int:
    """Run the demo; the exit status."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    options = _options()
    directory = Path(options.directory).resolve()
    modules = list(_modules(Path(options.library)))[: options.limit]
    _prepare(directory, Path(options.library), modules)
    jobs = _write_batch(directory, modules)
    print(f"{len(modules)} files of the standard library of Python {platform.python_version()}\n")
    began = time.monotonic()
    executed = _run(directory, options.workers)
    _show_table(directory / "totals.txt")
    _show_reuse(directory, jobs, executed, time.monotonic() - began)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--directory", default=".demo", help="where everything happens [.demo]")
    parser.add_argument("--library", default=sysconfig.get_path("stdlib"), help="the Python files to read")
    parser.add_argument("--limit", type=int, help="use only so many files")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many commands run at once")
    return parser.parse_args()


# -- what the commands find ------------------------------------------------------------------
def _modules(library: Path) -> Iterator[Path]:
    """The library's files, relative to it."""
    for place, folders, names in os.walk(library):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        yield from (Path(place, name).relative_to(library) for name in sorted(names) if name.endswith(".py"))


def _prepare(directory: Path, library: Path, modules: list[Path]) -> None:
    """Copy what is not there yet. Copies stay as they are: change one, and one job runs again."""
    _start_afresh_for_another_python(directory)
    wanted = {_counts_name(module) for module in modules}
    (directory / "counts").mkdir(exist_ok=True)
    for file in (directory / "counts").iterdir():
        if file.name.partition(".txt")[0] not in wanted:
            file.unlink()
    for module in modules:
        copy = directory / "source" / module
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(library / module, copy)
    for script in SCRIPTS:
        shutil.copyfile(HERE / script, directory / script)


def _start_afresh_for_another_python(directory: Path) -> None:
    marker = directory / "source" / "python-version"
    if not marker.exists() or marker.read_text() != platform.python_version():
        shutil.rmtree(directory / "source", ignore_errors=True)
        marker.parent.mkdir(parents=True)
        marker.write_text(platform.python_version())


def _counts_name(module: Path) -> str:
    """json/decoder.py is counted in json.decoder.txt."""
    return ".".join(module.with_suffix("").parts)


def _write_batch(directory: Path, modules: list[Path]) -> int:
    """Write the file of commands; how many jobs the demo has."""
    lines = [COUNT.format(module=module.as_posix(), name=_counts_name(module)) for module in modules]
    (directory / "commands.txt").write_text("\n".join(lines) + "\n")
    print(f"commands.txt holds {len(lines)} lines such as:\n  {lines[-1]}\n")
    return len(lines) + 1


# -- the commands ------------------------------------------------------------------------------
def _run(directory: Path, workers: int) -> int:
    """Submit everything, then serve it; how many jobs were executed."""
    log = directory / "queue.log"
    log.unlink(missing_ok=True)
    _command(directory, "seamless-run", "--qsubmit", "--batch", "commands.txt")
    # Quiet: it would name every file that it waits for.
    _command(directory, "seamless-run", "--quiet", "--qsubmit", "--input", "counts", "-c", MERGE)
    _show_promises(directory)
    with _server(directory, workers, log):
        _command(directory, "seamless-queue-finish")
    return sum(line.split()[2] == "started" for line in log.read_text().splitlines())


@contextmanager
def _server(directory: Path, workers: int, log: Path) -> Iterator[None]:
    words = ("seamless-queue", "--quiet", "--workers", str(workers), "--log-file", log.name)
    print(f"$ {shlex.join(words)} &")
    server = subprocess.Popen([_program(words[0]), *words[1:]], cwd=directory, env=_environment(directory))
    try:
        yield
        server.wait()
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait()


def _command(directory: Path, *words: str) -> None:
    print(f"$ {shlex.join(words)}")
    done = subprocess.run([_program(words[0]), *words[1:]], cwd=directory, env=_environment(directory), check=False)
    if done.returncode:
        sys.exit(f"demo: {words[0]} ended with exit status {done.returncode}")


def _program(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts"), name))


def _environment(directory: Path) -> dict[str, str]:
    """A store of the demo's own, this Python as `python3`, and one order for `sort` everywhere."""
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "SEAMLESS_CACHE": str(directory / "store"), "PATH": path, "LC_ALL": "C"}


# -- what there is to see ------------------------------------------------------------------------
def _show_promises(directory: Path) -> None:
    promised = len(list(directory.glob("counts/*.FUTURE")))
    if promised:
        print(f"# nothing has run yet; the merge waits for {promised} files, each announced by a .FUTURE beside it")


def _show_table(totals: Path) -> None:
    rows = [line.split() for line in totals.read_text().splitlines()]
    print(f"\nThe {TABLE_ROWS} most frequent of {len(rows)} identifiers (totals.txt):\n")
    print(f"  {'times':>7} {'files':>6}  identifier")
    for times, files, word in rows[:TABLE_ROWS]:
        print(f"  {times:>7} {files:>6}  {word}")


def _show_reuse(directory: Path, jobs: int, executed: int, seconds: float) -> None:
    """Say what was answered from the store; what ran is counted in the server's log."""
    print(f"\n{executed} of {jobs} jobs ran, {jobs - executed} were answered from the store: {seconds:.1f} s", end="")
    note = directory / "first-run.json"
    if executed == jobs:
        note.write_text(json.dumps({"jobs": jobs, "seconds": seconds}))
        print("\nRun it again: the store has the answers now.")
        return
    first = json.loads(note.read_text()) if note.exists() else {}
    print(f" instead of {first['seconds']:.1f} s" if first.get("jobs") == jobs else "")
    print(f"Change a file below {os.path.relpath(directory / 'source')} and run it again: two jobs will run.")


if __name__ == "__main__":
    sys.exit(main())
