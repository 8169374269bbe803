"""Measures what users feel, as ratios within one run. See README.md beside this file."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent
#: Runs of each side of a pair.
PAIRS = 15
#: Claimers of the contention benchmark.
CLAIMERS = 8

Result = dict[str, object]


class Bench:
    """A scratch directory with a store of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.work.mkdir()
        self.environment = {
            **os.environ,
            "SEAMLESS_CACHE": str(root / "store"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, *command: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end; its failure is ours."""
        return subprocess.run(
            command,
            cwd=self.work,
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
            **options,  # type: ignore[call-overload]
        )

    def seconds(self, *command: str) -> float:
        """How long a command takes, as a whole process."""
        began = time.perf_counter()
        self.run(*command)
        return time.perf_counter() - began

    def pair(self, one: tuple[str, ...] | Callable[[], tuple[str, ...]], other: tuple[str, ...]) -> Result:
        """Median seconds of both, run in turn, and the median of the ratios."""
        ours, theirs = [], []
        for _ in range(PAIRS + 1):
            ours.append(self.seconds(*(one() if callable(one) else one)))
            theirs.append(self.seconds(*other))
        ratios = [a / b for a, b in zip(ours[1:], theirs[1:], strict=True)]
        return {
            "ours_ms": _ms(statistics.median(ours[1:])),
            "theirs_ms": _ms(statistics.median(theirs[1:])),
            "ratio": round(statistics.median(ratios), 2),
        }

    @contextmanager
    def server(self, workers: int) -> Iterator[subprocess.Popen[bytes]]:
        """A running queue server."""
        log = (self.root / "server.log").open("ab")
        process = subprocess.Popen(
            [BIN / "seamless-queue", "--workers", str(workers)], cwd=self.work, env=self.environment, stdout=log
        )
        try:
            self.wait_for(lambda: len(self.worker_pids(process.pid)) == workers)
            yield process
        finally:
            process.terminate()
            process.wait()

    def worker_pids(self, server: int) -> list[int]:
        """The workers of a server that are ready: they have registered."""
        with self.database() as database:
            return [
                row[0]
                for row in database.rows(
                    "SELECT workers.pid FROM workers JOIN sessions ON sessions.id = session_id "
                    "WHERE sessions.pid = ? AND workers.pid <> sessions.pid AND workers.ended IS NULL",
                    (server,),
                )
            ]

    @contextmanager
    def database(self) -> Iterator[object]:
        """The store's database."""
        from seamless_queue import settings, store

        opened = store.open_store(settings.Settings(self.environment["SEAMLESS_CACHE"]))
        try:
            yield opened.database
        finally:
            opened.close()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        while not condition():
            time.sleep(0.01)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


CLICK = (str(BIN / "python"), "-c", "import click")


def hit(bench: Bench) -> Result:
    """A command that is answered from the store."""
    (bench.work / "a.txt").write_text("alpha\n")
    bench.run("seamless-run", "cat", "a.txt")
    return {**bench.pair(("seamless-run", "cat", "a.txt"), CLICK), "bound": 2.0, "goal": 1.5}


def bighit(bench: Bench) -> Result:
    """The same with an input of 2 GB."""
    (bench.work / "a.txt").write_text("alpha\n")
    with (bench.work / "big.dat").open("wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(2000):
            file.write(block)
    time.sleep(0.1)
    bench.run("seamless-run", "wc", "-c", "a.txt")
    bench.run("seamless-run", "-y", "wc", "-c", "big.dat")
    return bench.pair(("seamless-run", "wc", "-c", "big.dat"), ("seamless-run", "wc", "-c", "a.txt"))


def submit(bench: Bench) -> Result:
    """A new job for the queue."""
    numbers = iter(range(10_000))
    result = bench.pair(lambda: ("seamless-run", "--qsubmit", "echo", str(next(numbers))), CLICK)
    return {**result, "bound": 2.5}


def _batch(bench: Bench, name: str, first: int, count: int, outputs: bool = False) -> str:
    path = bench.work / name
    redirect = " > out-{0}.txt" if outputs else ""
    path.write_text("".join(f"echo {number}{redirect.format(number)}\n" for number in range(first, first + count)))
    return str(path)


def bulk(bench: Bench) -> Result:
    """Bulk submission into a store that holds 100,000 jobs."""
    bench.run("seamless-run", "--qsubmit", "--batch", _batch(bench, "many", 0, 100_000))
    rates = []
    for turn in range(3):
        path = _batch(bench, "more", 200_000 + turn * 10_000, 10_000)
        rates.append(10_000 / bench.seconds("seamless-run", "--qsubmit", "--batch", path))
    path = _batch(bench, "files", 500_000, 10_000, outputs=True)
    with_outputs = 10_000 / bench.seconds("seamless-run", "--qsubmit", "--batch", path)
    return {
        "jobs_per_second": round(statistics.median(rates)),
        "with_output_files": round(with_outputs),
        "bound": 2000,
        "goal": 10_000,
    }


def queue(bench: Bench) -> Result:
    """1,000 distinct trivial commands through a running queue of two workers."""
    numbers = bench.work / "numbers"
    numbers.write_text("".join(f"{number}\n" for number in range(1000)))
    ours, xargs, parallel = [], [], []
    with bench.server(2):
        for turn in range(5):
            path = _batch(bench, "jobs", turn * 1000, 1000)
            began = time.perf_counter()
            bench.run("seamless-run", "--qsubmit", "--batch", path)
            with bench.database() as database:
                bench.wait_for(lambda: not database.row("SELECT 1 FROM requests WHERE state < 4 LIMIT 1"))  # type: ignore[attr-defined]
            ours.append(time.perf_counter() - began)
            with numbers.open() as file:
                began = time.perf_counter()
                bench.run("xargs", "-P2", "-I{}", "bash", "-c", "echo {}", stdin=file)
                xargs.append(time.perf_counter() - began)
            if shutil.which("parallel"):
                with numbers.open() as file:
                    began = time.perf_counter()
                    bench.run("parallel", "--will-cite", "-j2", "echo", "{}", stdin=file)
                    parallel.append(time.perf_counter() - began)
    mine = statistics.median(ours)
    result: Result = {
        "jobs_per_second": round(1000 / mine),
        "xargs_per_second": round(1000 / statistics.median(xargs)),
        "of_xargs": round(statistics.median(x / o for x, o in zip(xargs, ours, strict=True)), 2),
        "bound_of_xargs": 0.6,
        "goal_of_xargs": 0.9,
    }
    if parallel:
        result["parallel_per_second"] = round(1000 / statistics.median(parallel))
        result["of_parallel"] = round(statistics.median(p / o for p, o in zip(parallel, ours, strict=True)), 2)
        result["bound_of_parallel"] = 2.0
    return result


def latency(bench: Bench) -> Result:
    """From the acknowledged submit to the start, with an idle worker."""
    found = []
    with bench.server(2), bench.database() as database:
        for number in range(30):
            bench.run("seamless-run", "--qsubmit", "echo", f"latency{number}")
            bench.wait_for(lambda: not database.row("SELECT 1 FROM requests WHERE state < 4 LIMIT 1"))  # type: ignore[attr-defined]
        found = database.rows("SELECT jobs.started - requests.created FROM jobs JOIN requests ON job_id = jobs.id")  # type: ignore[attr-defined]
    milliseconds = sorted(row[0] * 1000 for row in found)
    return {
        "median_ms": round(statistics.median(milliseconds), 1),
        "worst_ms": round(milliseconds[-1], 1),
        "bound_ms": 15,
    }


def idle(bench: Bench) -> Result:
    """An idle server with eight workers: share of one core, memory that is its own."""
    import psutil

    seconds = 20.0
    with bench.server(8) as server:
        time.sleep(2)
        parent = psutil.Process(server.pid)
        family = [parent, *parent.children(recursive=True)]
        before = sum(sum(process.cpu_times()[:2]) for process in family)
        time.sleep(seconds)
        used = sum(sum(process.cpu_times()[:2]) for process in family) - before
        memory = [process.memory_full_info() for process in family]
    return {
        "percent_of_a_core": round(used / seconds * 100, 2),
        "bound_percent": 0.5,
        "unique_MB": round(sum(info.uss for info in memory) / 1e6),
        "proportional_MB": round(sum(info.pss for info in memory) / 1e6),
        "server_MB": round(memory[0].rss / 1e6, 1),
        "worker_MB": round(statistics.median(info.rss for info in memory[1:]) / 1e6, 1),
    }


def _fill(bench: Bench, rows: int) -> None:
    with bench.database() as database, database.transaction() as connection:  # type: ignore[attr-defined]
        connection.executemany(
            "INSERT INTO jobs (checksum, state, lane, priority, created) VALUES (?, 0, 0, ?, 0)",
            ((number.to_bytes(32), number % 3) for number in range(rows)),
        )


def _claim_times(database: object, count: int) -> list[float]:
    from seamless_queue.broker import claims

    times = []
    for _ in range(count):
        began = time.perf_counter()
        with database.transaction() as connection:  # type: ignore[attr-defined]
            claims.claim(connection, 1, 0, 1)
        times.append(time.perf_counter() - began)
    return times


def claim(bench: Bench) -> Result:
    """A claim with a million ready jobs, and with ten thousand."""
    small = Bench(_sub(bench.root, "small"))
    _fill(small, 10_000)
    _fill(bench, 1_000_000)
    few, many = [], []
    with small.database() as one, bench.database() as other:
        for _ in range(20):
            few += _claim_times(one, 50)
            many += _claim_times(other, 50)
    a, b = statistics.median(many), statistics.median(few)
    return {"million_us": round(a * 1e6), "ten_thousand_us": round(b * 1e6), "ratio": round(a / b, 2), "bound": 1.3}


def _sub(root: Path, name: str) -> Path:
    path = root / name
    path.mkdir()
    return path


def contention(bench: Bench) -> Result:
    """p99 of a claim while eight processes claim as fast as they can."""
    _fill(bench, 100_000)
    command = [sys.executable, __file__, "--claimer", bench.environment["SEAMLESS_CACHE"]]
    claimers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(CLAIMERS)]
    times = sorted(value for process in claimers for value in json.loads(process.communicate()[0]))
    return {
        "claims": len(times),
        "median_ms": round(statistics.median(times) * 1000, 2),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 2),
        "bound_ms": 30,
    }


def claimer(path: str) -> None:
    """One of the processes of `contention`."""
    from seamless_queue import settings, store

    opened = store.open_store(settings.Settings(path))
    print(json.dumps(_claim_times(opened.database, 1000)))


def materialise(bench: Bench) -> Result:
    """A large input put into a job's directory, against the ways to copy it."""
    from seamless_queue import settings, store
    from seamless_queue.staged import Staged

    source = bench.work / "big"
    with source.open("wb") as file:
        for _ in range(512):
            file.write(os.urandom(1 << 20))
    opened = store.open_store(settings.Settings(bench.environment["SEAMLESS_CACHE"]))
    checksum = opened.buffers.stage_file(str(source), Staged())
    opened.buffers.copy_to(checksum, str(bench.work / "warm"))
    ours, copied, plain = [], [], []
    for turn in range(5):
        began = time.perf_counter()
        opened.buffers.copy_to(checksum, str(bench.work / f"ours{turn}"))
        ours.append(time.perf_counter() - began)
        copied.append(bench.seconds("cp", "--reflink=auto", "big", f"cp{turn}"))
        plain.append(bench.seconds("dd", "if=big", f"of=dd{turn}", "bs=1M", "status=none"))
        for name in ("ours", "cp", "dd"):
            (bench.work / f"{name}{turn}").unlink()
    opened.close()
    reflink = subprocess.run(["cp", "--reflink=always", "big", "clone"], cwd=bench.work, stderr=subprocess.DEVNULL)
    return {
        "ours_ms": _ms(statistics.median(ours)),
        "cp_ms": _ms(statistics.median(copied)),
        "read_write_ms": _ms(statistics.median(plain)),
        "of_cp": round(statistics.median(ours) / statistics.median(copied), 2),
        "reflink_here": reflink.returncode == 0,
    }


BENCHMARKS = (hit, bighit, submit, bulk, queue, latency, idle, claim, contention, materialise)


def main() -> None:
    """Run the benchmarks that were asked for."""
    names = {function.__name__: function for function in BENCHMARKS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names, []], help="which (all)")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--claimer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.claimer:
        claimer(arguments.claimer)
        return
    figures = {}
    for name in arguments.names or names:
        with tempfile.TemporaryDirectory(prefix="bench") as root:
            figures[name] = names[name](Bench(Path(root)))
        print(f"{name:<12}", "  ".join(f"{key}={value}" for key, value in figures[name].items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
