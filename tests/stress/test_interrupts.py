"""Ctrl-C at hundreds of random moments: each ends what was asked for, and the session goes on as if nothing were."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.stress

INTERRUPTS = 500

SCRIPT = """
import faulthandler, random, signal, sys
from seamless.transformer import delayed, parallel, spawn

signal.signal(signal.SIGINT, signal.default_int_handler)
# A signal of another number, so that the real one is raised in the main thread whatever it does.
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))

@delayed
def hold(name):
    import time
    while True:
        time.sleep(0.01)

@delayed
def quick(name):
    return name

shell = delayed("sleep 1000; echo $name > RESULT", language="bash")

def all_of(*handles):
    return list(parallel(handles))

def run(handle):
    return handle.run()

if __name__ == "__main__":
    where, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    if where == "spawn":
        spawn(2)
    quick("first").run()
    raised = 0
    for i in range(count):
        # Ends the process, with a traceback of every thread, should it hang.
        faulthandler.dump_traceback_later(60, exit=True)
        # No more parallel ones where they run in this process: their code would go on in threads.
        kind = rng.choice([hold, shell, "parallel"] if where == "spawn" else [hold, shell])
        handles = [hold(f"{i}-{n}") for n in range(3)] if kind == "parallel" else [kind(name=str(i))]
        begun = False
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0005 + rng.random() * 0.005)
            begun = True
            (all_of if kind == "parallel" else run)(*handles)
        except KeyboardInterrupt:
            raised += begun
        statuses = {str(handle.status) for handle in handles}
        # Interrupted before it was begun, it has not been.
        assert statuses <= {"Status: canceled", "Status: ready"}, (i, kind, statuses)
        assert quick(f"{seed}-{i}").run() == f"{seed}-{i}"
    print("interrupted", raised)
"""


@pytest.mark.parametrize("where", ["process", "spawn"])
def test_the_session_goes_on(tmp_path: Path, where: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    seed = int(os.environ.get("SEAMLESS_STRESS_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    words = [sys.executable, "-W", "error", "script.py", where, str(seed), str(INTERRUPTS)]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert int(ended.stdout.split()[-1]) > INTERRUPTS * 0.9
