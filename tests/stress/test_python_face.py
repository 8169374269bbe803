"""The Python face under load: 100,000 transformations in flat memory, and workers that are killed all the time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.stress

MANY = 100_000
#: What the driver may grow between the first fifth of the work and its end.
GROWTH_MIB = 12.0

FLAT = f"""
from seamless.transformer import delayed, parallel, spawn

@delayed
def same(i):
    return i

def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

if __name__ == "__main__":
    spawn(2)
    total, early = 0, None
    for count, tf in enumerate(parallel(same(i) for i in range({MANY}))):
        total += tf.value
        if count == {MANY} // 5:
            early = resident_mib()
    print(total, early, resident_mib())
"""

CHAOS = """
import sys
from seamless.transformer import delayed, parallel, spawn

@delayed
def leaf(i):
    import time
    time.sleep(0.002)
    return i

@delayed
def branch(i):
    from seamless.transformer import delayed, parallel

    @delayed
    def leaf(k):
        import time
        time.sleep(0.002)
        return k

    return sum(tf.value for tf in parallel(leaf(100 * i + k) for k in range(5)))

if __name__ == "__main__":
    spawn(3)
    seen = failed = 0
    work = [leaf(-i) if i % 3 else branch(i) for i in range(1, 601)]
    for i, tf in zip(range(1, 601), parallel(work)):
        if tf.exception is not None:
            # Three deaths of its worker are a failure that is said; nothing else is.
            assert "its worker died 3 times" in tf.exception, tf.exception
            failed += 1
            continue
        expected = -i if i % 3 else sum(100 * i + k for k in range(5))
        assert tf.value == expected, (i, tf.value, expected)
        seen += 1
    print(seen, failed)
"""


def start(tmp_path: Path, text: str) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    return subprocess.Popen([sys.executable, script], cwd=tmp_path, stdout=subprocess.PIPE, text=True)


def workers_of(pid: int) -> list[int]:
    """The children of all threads of a process: the listener starts the workers."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in children.read_text().split()]
        except OSError:
            continue
    return found


def test_a_hundred_thousand_leave_memory_flat(tmp_path: Path) -> None:
    process = start(tmp_path, FLAT)
    output, _ = process.communicate(timeout=900)
    total, early, late = output.split()
    assert int(total) == MANY * (MANY - 1) // 2
    assert float(late) - float(early) < GROWTH_MIB
    print(f"resident: {early} MiB after a fifth, {late} MiB at the end")


def test_workers_that_are_killed_all_the_time(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEAMLESS_STRESS_SEED", random.randrange(10**9)))
    print(f"\nSEAMLESS_STRESS_SEED={seed}")
    chance = random.Random(seed)
    process = start(tmp_path, CHAOS)
    killed = 0
    while process.poll() is None:
        # The pace of the killing, not a wait for anything.
        time.sleep(chance.uniform(0.05, 0.3))
        victims = workers_of(process.pid)
        if victims:
            try:
                os.kill(chance.choice(victims), chance.choice([signal.SIGKILL, signal.SIGSEGV]))
                killed += 1
            except ProcessLookupError:
                continue
    output = process.stdout.read() if process.stdout is not None else ""
    if process.stdout is not None:
        process.stdout.close()
    assert process.returncode == 0
    seen, failed = (int(word) for word in output.split())
    print(f"{killed} kills, {seen} right, {failed} failed after three deaths")
    assert seen + failed == 600
    assert seen > 500
