"""Python scripts as a user writes them, run in processes of their own in a shop.

A script finds beside it a module `gates`, by which the code of transformations and the test wait for each other:
`gates.wait("name")` says that it runs, with its process number, and waits for `shop.let("name")`.
Warnings are errors in a script and in its workers, and it may say nothing on standard error.
"""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import Any

from .shop import PATIENCE_SECONDS, Background, Ended, Shop, state_of, until

#: What most scripts begin with.
HEADER = """\
import os, sys
import gates
import seamless, seamless.config
from seamless.transformer import (
    TransformationError, TransformationList, delayed, direct, has_spawned, parallel, parallel_async, spawn
)
"""
GATES = '''\
"""Waiting for each other, and counting what really runs."""

import os
import time


def say(name, text=""):
    """Put a file where the test looks."""
    path = f"{os.environ['GATES']}/{name}"
    with open(path + ".new", "w") as file:
        file.write(str(text))
    os.rename(path + ".new", path)


def said(name):
    with open(f"{os.environ['GATES']}/{name}") as file:
        return file.read()


def is_open(name):
    return os.path.exists(f"{os.environ['GATES']}/{name}")


def until_open(name):
    deadline = time.monotonic() + 60
    while not is_open(name):
        assert time.monotonic() < deadline, f"nobody opened {name}"
        time.sleep(0.005)


def wait(name):
    """Say that it runs, and wait until it may go on."""
    say(name + ".runs", os.getpid())
    until_open(name)


def count():
    """Write down that it really ran."""
    with open(os.environ["COUNTER"], "a") as file:
        file.write("r\\n")
'''
#: Where the code of a script runs, as a line of it.
WHERE = {"process": "", "spawn": "spawn(2)\n"}
EXECUTORS = tuple(WHERE)
SHARED_MEMORY = Path("/dev/shm")


def write_script(shop: Shop, text: str, name: str = "script.py", header: str = HEADER) -> Path:
    """The script, and what it imports, in the user's directory."""
    shop.write("gates.py", GATES)
    return shop.write(name, header + textwrap.dedent(text))


def start_python(shop: Shop, *words: str, **given: Any) -> Background:
    """Start Python with these arguments."""
    environment = {"PYTHONWARNINGS": "error", **given.pop("env", {})}
    return shop.start(sys.executable, *words, env=environment, **given)


def start_script(
    shop: Shop, text: str, *arguments: str, name: str = "script.py", header: str = HEADER, **given: Any
) -> Background:
    """Start a script and go on."""
    return start_python(shop, str(write_script(shop, text, name, header)), *arguments, **given)


def run_script(
    shop: Shop, text: str, *arguments: str, status: int = 0, err: str = "", header: str = HEADER, **given: Any
) -> str:
    """Run a script to its end; what it printed. Its standard error must be `err`."""
    return ended_well(start_script(shop, text, *arguments, header=header, **given), status, err)


def ended_well(background: Background, status: int = 0, err: str | None = "") -> str:
    """See a script end with this status and standard error (None: whatever that is); what it printed."""
    ended = finished(background)
    assert ended.status == status, ended.err + ended.out.decode()
    if err is not None:
        assert ended.err == err, ended.err
    return ended.out.decode()


def finished(background: Background) -> Ended:
    """See a script end; tell what it said if it does not."""
    try:
        return background.wait(PATIENCE_SECONDS)
    except BaseException:
        raise AssertionError(f"it did not end:\n{background.err}{background.out.decode()}") from None


def runs(shop: Shop, name: str) -> int:
    """Wait until the code behind a gate runs; its process."""
    path = shop.gates / f"{name}.runs"
    until(path.exists, f"the code behind gate {name} to run")
    return int(path.read_text())


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    return state_of(pid) in ("", "Z", "X")


def see_gone(*pids: int) -> None:
    """Wait until processes have ended."""
    until(lambda: all(map(is_gone, pids)), f"the end of {pids}", 10)


def workers_of(background: Background) -> list[int]:
    """The worker processes of a script."""
    found = []
    for task in Path(f"/proc/{background.pid}/task").iterdir():
        # Workers are children of the thread that started them.
        found += [int(pid) for pid in (task / "children").read_text().split()]
    return [pid for pid in found if b"seamless_queue.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def private_leftovers(shop: Shop) -> list[str]:
    """What private stores have left in the temporary, the runtime and the shared memory directory."""
    user = f"seamless-{os.geteuid()}"
    ours = [*(shop.temporary / user).glob("*"), *(shop.runtime / user).glob("*")]
    pids = {started.pid for started in shop._started}
    shared = (SHARED_MEMORY / user).glob("private-*")
    return [str(path) for path in (*ours, *(path for path in shared if int(path.name.split("-")[2]) in pids))]
