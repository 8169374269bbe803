"""Zipf's law in Python's standard library: how fast do identifiers become rare, and how sure is that?

    file ──▶ count_identifiers ─┐
    file ──▶ count_identifiers ─┼─▶ merge ──▶ frequencies ──▶ exponent             one number
    …                           ┘                 │
                                                  └──▶ resampled(0), (1), …        how far it varies

Each box is a function and becomes a transformation: the files in parallel, the merge when they are done. The
frequencies are one array that every worker maps. DIRECTORY/store keeps every result: a second run computes nothing,
of a changed library only the changed files are counted, and more samples or other ranks reuse what there is.
"""

from __future__ import annotations

import argparse
import os
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import seamless.config
from seamless import Buffer
from seamless.transformer import TransformationList, delayed, parallel, spawn

#: Tests, other people's packages, and programs that only travel with the library.
LEFT_OUT = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "turtledemo", "__pycache__"}
TABLE_ROWS = 8


# -- what is computed: each function imports what it needs -----------------------------------
@delayed
def count_identifiers(source: bytes) -> dict[str, int]:
    """How often each identifier occurs in a Python file."""
    import io
    import keyword
    import tokenize
    from collections import Counter

    tokens = tokenize.tokenize(io.BytesIO(source).readline)
    return Counter(t.string for t in tokens if t.type == tokenize.NAME and not keyword.iskeyword(t.string))


count_identifiers.celltypes.source = "bytes"
count_identifiers.celltypes.result = "plain"


@delayed
def merge(*tables: dict[str, int]) -> list[tuple[str, int]]:
    """The identifiers of all files, the most frequent first."""
    from collections import Counter

    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


@delayed
def frequencies(words: list[tuple[str, int]]) -> Any:
    """The numbers alone, as an array."""
    import numpy as np

    return np.array([times for _, times in words], dtype=np.int64)


def slope(times: Any, ranks: int) -> float:
    """The exponent s of times ~ rank^-s, by a line through the first ranks on logarithmic axes."""
    import numpy as np

    top = times[:ranks]
    return float(-np.polyfit(np.log(np.arange(1, len(top) + 1)), np.log(top), 1)[0])


@delayed
def exponent(times: Any, ranks: int) -> float:
    """The exponent of the library."""
    return slope(times, ranks)


@delayed
def resampled(times: Any, ranks: int, seed: int) -> float:
    """The exponent of a library of the same size, drawn at random from this one (a bootstrap sample)."""
    import numpy as np

    drawn = np.random.default_rng(seed).multinomial(times.sum(), times / times.sum())
    drawn = np.sort(drawn[drawn > 0])[::-1]
    return slope(drawn, ranks)


exponent.globals.slope = slope
resampled.globals.slope = slope


# -- the workflow -------------------------------------------------------------------------------
def main() -> int:
    """Run the workflow; the exit status."""
    options = _options()
    seamless.config.select_store(Path(options.directory, "store"))
    spawn(options.workers)
    began = time.monotonic()
    files = list(_files(Path(options.library)))[: options.limit]
    counts = TransformationList((count_identifiers(Buffer.load(file)) for file in files), show_progress=True)
    _run(f"{len(files)} files", counts)
    words = merge(*counts)
    times = frequencies(words)
    _show_table(words.run())
    found = exponent(times, options.ranks).run()
    samples = TransformationList(
        (resampled(times, options.ranks, seed) for seed in range(options.samples)), show_progress=True
    )
    _run(f"{len(samples)} samples", samples)
    low, high = _interval([tf.value for tf in samples])
    print(f"\ntimes ~ rank^-{found:.3f}; 95 % of the samples between {low:.3f} and {high:.3f}")
    _show_reuse([counts, samples], time.monotonic() - began)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--directory", default=".zipf", help="where the store is [.zipf]")
    parser.add_argument("--library", default=sysconfig.get_path("stdlib"), help="the Python files to read")
    parser.add_argument("--limit", type=int, default=150, help="use only so many files [150]")
    parser.add_argument("--ranks", type=int, default=300, help="how many identifiers the line is drawn through [300]")
    parser.add_argument("--samples", type=int, default=200, help="how many random samples [200]")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many processes compute")
    return parser.parse_args()


def _files(library: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(library):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".py"))


def _run(what: str, batch: TransformationList[Any]) -> None:
    """Compute a batch; a progress bar shows how far it is."""
    print(what, flush=True)
    for _ in parallel(batch):
        pass
    batch.raise_for_errors()


def _interval(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[round(0.025 * (len(ordered) - 1))], ordered[round(0.975 * (len(ordered) - 1))]


def _show_table(words: list[tuple[str, int]]) -> None:
    print(f"\nThe {TABLE_ROWS} most frequent of {len(words)} identifiers:\n")
    for rank, (word, times) in enumerate(words[:TABLE_ROWS], 1):
        print(f"  {rank:>2} {times:>7}  {word}")
    print(flush=True)


def _show_reuse(batches: list[TransformationList[Any]], seconds: float) -> None:
    total, cached = sum(map(len, batches)), sum(batch.cached for batch in batches)
    print(f"{total - cached} of {total} transformations ran, {cached} were known: {seconds:.1f} s")
    if not cached:
        print("Run it again, with --samples 400 perhaps: what is known stays known.")


if __name__ == "__main__":
    sys.exit(main())
