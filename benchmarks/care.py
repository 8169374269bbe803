"""How long the care of a store with a million jobs takes, how much memory it needs, and what workers feel of it.

    .venv/bin/python benchmarks/care.py [JOBS] [--every N] [--keep DIRECTORY] [--only WORD ...]

The store is made by SQL: each job has an identity, code, an input, a result, an attempt and a request; of every
hundredth the result is a file. A second process claims and finishes jobs of its own meanwhile. A store that is kept is
made once; what is measured is a copy of it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from seamless_queue.digest import digest_named
from seamless_queue.settings import Settings
from seamless_queue.store import Store, open_store

LARGE_BYTES = 10_000
EVERY = 100
BATCH = 10_000
DIGEST = digest_named("blake3")
COMMANDS = [
    ["info"],
    ["gc"],
    ["gc", "--dry-run", "--max-size", "1k"],
    ["gc", "--max-size", "1k"],
    ["gc", "--forget", "30d"],
    ["verify", "--quick"],
]
COMMAND = [str(Path(sys.executable).parent / "seamless-store")]


def main() -> None:
    """Make the store, then measure."""
    parser = ArgumentParser()
    parser.add_argument("jobs", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--every", type=int, default=EVERY, help="of every so many jobs the result is a file")
    parser.add_argument("--keep", metavar="DIRECTORY", help="the made store stays here, and is used again")
    parser.add_argument("--only", nargs="+", metavar="WORDS", help="a command of seamless-store, as 'gc --inputs'")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="care-", dir=options.keep) as top:
        path = os.path.join(top, "store")
        kept = os.path.join(options.keep, f"{options.jobs}-{options.every}") if options.keep else path
        if not os.path.exists(kept):
            make_store(kept, options.jobs, options.every)
        if kept != path:
            shutil.copytree(kept, path)
            rest(path)
        measure(path, [line.split() for line in options.only] if options.only else COMMANDS)


def make_store(path: str, jobs: int, every: int) -> None:
    """A store of so many jobs."""
    began = time.monotonic()
    store = open_store(Settings(path))
    fill(store, jobs, every)
    store.close()
    size = os.stat(os.path.join(path, "seamless.db")).st_size
    print(f"{jobs:,} jobs, database {size / 1e9:.2f} GB, made in {time.monotonic() - began:.0f} s")


def rest(path: str) -> None:
    """To have been copied is no use of a buffer."""
    for place, _, names in os.walk(os.path.join(path, "buffers")):
        for name in names:
            os.utime(os.path.join(place, name), (time.time() - 3600,) * 2)


def measure(path: str, commands: list[list[str]]) -> None:
    """One command after the other in one store."""
    # What was written just now is not to be measured.
    os.sync()
    print(f"{'':28}{'seconds':>9}{'CPU s':>8}{'MB':>7}{'claims':>9}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}")
    report("nothing", path, [sys.executable, "-c", "import time; time.sleep(5)"])
    for words in commands:
        report(" ".join(words), path, [*COMMAND, *words, "--store", path])


def report(name: str, path: str, words: list[str]) -> None:
    """Run a command while jobs are claimed, and say what came of it."""
    claiming = subprocess.Popen([sys.executable, __file__, "--claim", path], stdout=subprocess.PIPE, text=True)
    assert claiming.stdout is not None
    claiming.stdout.readline()
    began = time.monotonic()
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    seconds = time.monotonic() - began
    claiming.terminate()
    times = json.loads(claiming.stdout.read())
    hundredths = statistics.quantiles(times, n=100)
    figures = [hundredths[49] * 1000, hundredths[98] * 1000, max(times) * 1000]
    processor = usage.ru_utime + usage.ru_stime
    memory = usage.ru_maxrss / 1000
    failed = "" if status == 0 else f"  status {os.waitstatus_to_exitcode(status)}"
    print(
        f"{name:28}{seconds:9.1f}{processor:8.1f}{memory:7.0f}{len(times):9,}"
        + "".join(f"{one:8.2f}" for one in figures)
        + failed
    )


# -- a worker that claims -----------------------------------------------------------------------
def claim(path: str) -> None:
    """Submit, claim and begin jobs until terminated; print how long each transaction of a claim took."""
    from signal import SIGTERM, signal

    from seamless_queue.broker import claims, submissions
    from seamless_queue.broker.records import Identity, NewRequest
    from seamless_queue.broker.states import Outcome
    from seamless_queue.broker.work import Finished

    ended: list[int] = []
    signal(SIGTERM, lambda number, frame: ended.append(number))
    store, times = open_store(Settings(path)), []
    print("ready", flush=True)
    while not ended:
        identity = Identity(os.urandom(32).hex())
        with store.database.transaction() as connection:
            submissions.submit(connection, NewRequest("true", b"/", None, None, 7, identity))
        began = time.monotonic()
        with store.database.transaction() as connection:
            reserved = claims.claim(connection, 7, 7, 1)
            running = claims.begin(connection, 7, reserved[0])
        times.append(time.monotonic() - began)
        assert running is not None
        with store.database.transaction() as connection:
            claims.finish(connection, 7, 7, running, Finished(Outcome.DONE, os.urandom(32).hex()))
        time.sleep(0.001)
    store.close()
    print(json.dumps(times))


# -- making the store ---------------------------------------------------------------------------
def fill(store: Store, jobs: int, every: int = EVERY) -> None:
    """Jobs that are done, half of them of last year."""
    code = DIGEST.of(b"wc -l input\n")
    with store.database.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO buffers VALUES (?, ?)", (bytes.fromhex(code), b"wc -l input\n"))
    for start in range(0, jobs, BATCH):
        made = [make(store, code, number, number % every == 0) for number in range(start, min(start + BATCH, jobs))]
        with store.database.transaction() as connection:
            for statement, place in (
                ("INSERT OR IGNORE INTO buffers VALUES (?, ?)", 0),
                (
                    """INSERT INTO jobs (id, checksum, state, lane, priority, result, created, started, finished)
                    VALUES (?, ?, 2, 0, 0, ?, ?, ?, ?)""",
                    1,
                ),
                (
                    """INSERT INTO attempts (job_id, fence, session_id, outcome, exit_code, result, started, finished)
                    VALUES (?, 1, 1, 0, 0, ?, ?, ?)""",
                    2,
                ),
                (
                    """INSERT INTO requests (state, job_id, lane, command, directory, outputs, project, created,
                    finished) VALUES (4, ?, 0, 'wc -l input', X'2F', 0, 'bench', ?, ?)""",
                    3,
                ),
            ):
                rows = [row for one in made for row in one[place]]
                connection.executemany(statement, rows)


def make(store: Store, code: str, number: int, is_large: bool) -> tuple[list[tuple[object, ...]], ...]:
    """The rows of one job: buffers, job, attempt, request."""
    value = f"input {number}\n".encode()
    pin = DIGEST.of(value)
    identity = json.dumps(
        {
            "__capture__": ["STDOUT"],
            "__format__": {"input": {"filesystem": {"mode": "file", "optional": True}}},
            "__language__": "bash",
            "__output__": ["result", "bytes", None],
            "code": ["text", None, code],
            "input": ["bytes", None, pin],
        },
        indent=2,
        sort_keys=True,
    ).encode()
    checksum = DIGEST.of(identity)
    buffers: list[tuple[object, ...]] = [(bytes.fromhex(pin), value), (bytes.fromhex(checksum), identity)]
    result = value * (LARGE_BYTES // len(value) + 1) if is_large else value + b"result"
    kept = DIGEST.of(result)
    if is_large:
        write(store, kept, result)
    else:
        buffers.append((bytes.fromhex(kept), result))
    ended = time.time() - (400 * 86_400 if number % 2 else 3600)
    job = number + 1
    row = (job, bytes.fromhex(checksum), bytes.fromhex(kept), ended - 2, ended - 1, ended)
    return buffers, [row], [(job, bytes.fromhex(kept), ended - 1, ended)], [(job, ended - 2, ended)]


def write(store: Store, checksum: str, content: bytes) -> None:
    """A large buffer that was not used for an hour."""
    path = store.buffers.path(checksum)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.utime(path, (time.time() - 3600,) * 2)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--claim"]:
        claim(sys.argv[2])
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        main()
