"""What looking costs: `seamless-status --once`, the dashboard's share of a core, and what it does to who writes.

    python benchmarks/status.py [--jobs 100000] [--seconds 30]

A store is filled with jobs of all states. The dashboard runs on a terminal of 200 by 50 characters while a writer
commits some hundred small transactions a second, so that there is always something new to show.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import pty
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import psutil

from seamless_queue import settings
from seamless_queue.driver import Database
from seamless_queue.store import open_store

COMMAND = str(Path(sys.executable).parent / "seamless-status")
KINDS = (
    "sort -n data/{0}.txt > sorted{0}.txt",
    "python3 analyse.py {0} > out{0}.csv",
    "./simulate.sh {0} > sim{0}.dat",
)


def fill(path: str, count: int) -> None:
    """Requests of all states: six of ten have ended, one of five waits for another, one of ten was a hit."""
    store = open_store(settings.load(path))
    chance, now = random.Random(1), time.time()
    requests, jobs, attempts, waits = [], [], [], []
    for number in range(1, count + 1):
        command = KINDS[number % 3].format(number)
        created, seconds = now - 3600 + 3000 * number / count, chance.lognormvariate(0, 0.5)
        ended, draw = number < 0.6 * count, chance.random()
        state = (5 if draw < 0.02 else 6 if draw < 0.03 else 4) if ended else (0 if draw < 0.2 and number > 9 else 2)
        finished = now - 3600 + 6000 * number / count if ended else None
        job = None if state == 0 else len(jobs) if ended and jobs and draw > 0.9 else len(jobs) + 1
        if job is not None and job > len(jobs):
            result = hashlib.sha256(b"result%d" % number).digest() if state == 4 else None
            identity = hashlib.sha256(b"job%d" % number).digest()
            began = finished - seconds if finished else None
            jobs.append((identity, {4: 2, 5: 3, 6: 4}.get(state, 0), result, created, began, finished))
            if state in (4, 5):
                attempts.append((job, 0 if state == 4 else 1, state - 4, result, began, finished))
        directory, project = b"/data/run%d" % (number % 7), ("yeast", "fly", None)[number % 3]
        requests.append((number, state, job, command, directory, project, created, finished))
        if state == 0:
            waits.append((number, number - chance.randrange(1, 9), b"/data/in%d.txt" % number))
    with store.database.transaction() as connection:
        for sql, rows in (
            (
                "INSERT INTO requests (id, state, job_id, lane, command, directory, outputs, project, created,"
                " finished) VALUES (?, ?, ?, 0, ?, ?, 0, ?, ?, ?)",
                requests,
            ),
            (
                "INSERT INTO jobs (checksum, state, lane, priority, result, created, started, finished)"
                " VALUES (?, ?, 0, 0, ?, ?, ?, ?)",
                jobs,
            ),
            (
                "INSERT INTO attempts (job_id, fence, session_id, outcome, exit_code, result, started, finished)"
                " VALUES (?, 1, 1, ?, ?, ?, ?, ?)",
                attempts,
            ),
            (
                "INSERT INTO dependencies (request_id, pin, upstream_id, output, part, path)"
                " VALUES (?, 'in', ?, 'out', '', ?)",
                waits,
            ),
        ):
            connection.executemany(sql, rows)
    store.close()


def latency(path: str, times: int = 15) -> list[float]:
    """Seconds of the whole process."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([COMMAND, "--store", path, "--once"], stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - began)
    return sorted(found)


def write(path: str, seconds: float) -> list[float]:
    """Seconds of each of many small transactions."""
    database, found, number = Database(os.path.join(path, "seamless.db")), [], 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began, number = time.perf_counter(), number + 1
        with database.transaction() as connection:
            connection.execute("UPDATE jobs SET priority = 1 - priority WHERE id = ?", (number,))
            connection.execute("UPDATE requests SET priority = 1 - priority WHERE id = ?", (number,))
        found.append(time.perf_counter() - began)
        time.sleep(0.003)
    database.close()
    return sorted(found)


class Dashboard:
    """The dashboard on a terminal of its own."""

    def __init__(self, path: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [COMMAND, "--store", path], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.drawn = 0
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        try:
            while content := os.read(self._master, 65536):
                self.drawn += len(content)
        except OSError:
            pass

    def seconds(self) -> float:
        """Of processor time so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def close(self) -> None:
        """Quit it."""
        os.write(self._master, b"q")
        self.process.wait(10)


def share(path: str, seconds: float, writing: bool) -> tuple[float, float, list[float]]:
    """The dashboard's share of a core, bytes drawn a second, and what a writer saw meanwhile."""
    dashboard = Dashboard(path)
    time.sleep(4)
    before, drawn, began = dashboard.seconds(), dashboard.drawn, time.monotonic()
    if writing:
        delays = write(path, seconds)
    else:
        delays = []
        time.sleep(seconds)
    elapsed = time.monotonic() - began
    result = (dashboard.seconds() - before) / elapsed, (dashboard.drawn - drawn) / elapsed, delays
    dashboard.close()
    return result


def percentile(values: list[float], part: float) -> float:
    """In milliseconds."""
    return 1000 * values[min(len(values) - 1, int(len(values) * part))]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seamless-bench-") as place:
        path = os.path.join(place, "store")
        fill(path, given.jobs)
        times = latency(path)
        print(f"--once at {given.jobs:,} jobs: median {statistics.median(times):.3f} s, most {times[-1]:.3f} s")
        alone = write(path, given.seconds)
        idle, _, _ = share(path, given.seconds, writing=False)
        busy, drawn, delays = share(path, given.seconds, writing=True)
        print(f"dashboard, nothing changes: {idle:.2%} of a core")
        print(f"dashboard, all changes: {busy:.2%} of a core, {drawn / 1000:.1f} kB a second drawn")
        for name, found in (("without", alone), ("with", delays)):
            print(
                f"a writer {name} a dashboard: median {percentile(found, 0.5):.2f} ms, "
                f"p99 {percentile(found, 0.99):.2f} ms, most {found[-1] * 1000:.1f} ms, {len(found)} transactions"
            )


if __name__ == "__main__":
    main()
