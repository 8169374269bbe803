"""Measures upload and index against what they must do anyhow, as ratios in one run. See README.md beside this file."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BIN = Path(sys.executable).parent
#: Runs of each side.
TURNS = 7
LARGE_BYTES = 1 << 30
MANY_FILES, SMALL_BYTES = 20_000, (200, 4000)

#: The digest of a mapped file, with all its threads, and a copy inside the kernel.
DIGEST = """
import mmap, sys
from blake3 import blake3
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
    print(blake3(mapped, max_threads=blake3.AUTO).hexdigest())
"""
COPY = """
import os, sys
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
    left = os.fstat(source.fileno()).st_size
    while left:
        left -= os.copy_file_range(source.fileno(), target.fileno(), min(left, 1 << 30))
"""
BLAKE3_FILES = """
import sys
from blake3 import blake3
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        print(blake3(file.read()).hexdigest(), path)
"""


def seconds(*words: str, **given: object) -> float:
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **given)  # type: ignore[call-overload]
    return time.perf_counter() - began


def in_turn(turns: int, sides: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The best of each side, run A B A B …, with nothing left to be written to the disk in between.

    Not the median: what a disk and other programs do to gigabytes of pages only ever adds.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            os.sync()
            found[name].append(side())
    return {name: min(times) for name, times in found.items()}


def upload(top: Path, turns: int) -> None:
    """A large file into an empty store, whole process, against its digest plus a copy of it, each a process."""
    large, store, copy = top / "large", top / "store", top / "copy"
    with open(large, "wb") as file:
        for _ in range(LARGE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    environment = {**os.environ, "SEAMLESS_CACHE": str(store)}

    def ours() -> float:
        shutil.rmtree(store, ignore_errors=True)
        return seconds(str(BIN / "seamless-upload"), "-y", str(large), env=environment)

    def copied() -> float:
        copy.unlink(missing_ok=True)
        return seconds(sys.executable, "-c", COPY, str(large), str(copy))

    sides = {
        "upload": ours,
        "digest": lambda: seconds(sys.executable, "-c", DIGEST, str(large)),
        "copy": copied,
    }
    best = in_turn(turns, sides)
    ratio = best["upload"] / (best["digest"] + best["copy"])
    print(f"upload of {LARGE_BYTES >> 20} MiB: {ratio:.2f} of digest plus copy (limit 1.3)  {told(best)}")


def index(top: Path, turns: int) -> None:
    """The index of many small files, whole process, against two processes that hash them."""
    many = top / "many"
    numbers = random.Random(1)
    for number in range(MANY_FILES):
        path = many / f"d{number % 200:03}" / f"file-{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(numbers.randbytes(numbers.randrange(*SMALL_BYTES)))
    environment = {**os.environ, "SEAMLESS_CACHE": str(top / "none")}
    script = top / "blake3_files.py"
    script.write_text(BLAKE3_FILES)

    def xargs(count: int, command: str) -> float:
        return seconds("sh", "-c", f'find "$0" -type f -print0 | xargs -0 -P2 -n {count} {command}', str(many))

    best = in_turn(
        turns,
        {
            "index": lambda: seconds(str(BIN / "seamless-checksum-index"), str(many), env=environment),
            "sha256sum": lambda: xargs(500, "sha256sum"),
            "blake3": lambda: xargs(MANY_FILES // 2, f"{sys.executable} {script}"),
            "start": lambda: seconds(str(BIN / "seamless-checksum-index"), "--version"),
        },
    )
    print(
        f"index of {MANY_FILES} files: {best['index'] / best['blake3']:.2f} of xargs -P2 with blake3 in Python, "
        f"{best['index'] / best['sha256sum']:.2f} of xargs -P2 sha256sum (limit 1.5)  {told(best)}"
    )


def told(best: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f} s" for name, value in best.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=["upload", "index", []], help="what to measure (all)")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--top", help="a directory on the disk to be measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.top) as top:
        for name, measure in (("upload", upload), ("index", index)):
            if not options.names or name in options.names:
                measure(Path(top), options.turns)


if __name__ == "__main__":
    main()
