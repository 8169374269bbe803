"""Measures the Python face against its peers, as ratios within one run. See README.md beside this file.

Each side of a pair is a workload in a process of its own, which prints one number; the sides are run in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

#: Runs of each side.
TURNS = 5

Result = dict[str, object]

OURS = """
import sys, time
from seamless.transformer import delayed, direct, parallel, spawn
import seamless.config
"""
POOL = """
import time
from concurrent.futures import ProcessPoolExecutor
"""

WORKLOADS = {
    # -- throughput: seconds for each of 5,000 distinct no-ops
    "noops_ours": OURS
    + """
@delayed
def noop(i):
    return i
if __name__ == "__main__":
    spawn(2)
    for tf in parallel(noop(-1 - i) for i in range(200)): tf.value
    began = time.perf_counter()
    assert sum(tf.value for tf in parallel(noop(i) for i in range(5000))) == sum(range(5000))
    print((time.perf_counter() - began) / 5000)
""",
    "noops_pool": POOL
    + """
def noop(i):
    return i
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(noop, range(200)))
        began = time.perf_counter()
        futures = [pool.submit(noop, i) for i in range(5000)]
        assert sum(future.result() for future in futures) == sum(range(5000))
        print((time.perf_counter() - began) / 5000)
""",
    "noops_loky": """
import time
from joblib.externals.loky import get_reusable_executor
def noop(i):
    return i
if __name__ == "__main__":
    pool = get_reusable_executor(max_workers=2)
    list(pool.map(noop, range(200)))
    began = time.perf_counter()
    futures = [pool.submit(noop, i) for i in range(5000)]
    assert sum(future.result() for future in futures) == sum(range(5000))
    print((time.perf_counter() - began) / 5000)
""",
    # -- latency: median seconds of a round trip
    "trip_ours": OURS
    + """
@delayed
def noop(i):
    return i
if __name__ == "__main__":
    spawn(2); noop(-1).run()
    times = []
    for i in range(500):
        began = time.perf_counter(); noop(i).run(); times.append(time.perf_counter() - began)
    print(sorted(times)[250])
""",
    "trip_pool": POOL
    + """
def noop(i):
    return i
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        pool.submit(noop, -1).result()
        times = []
        for i in range(500):
            began = time.perf_counter(); pool.submit(noop, i).result(); times.append(time.perf_counter() - began)
        print(sorted(times)[250])
""",
    # -- start: seconds from nothing to the first result
    "start_ours": OURS
    + """
@delayed
def noop(i):
    return i
if __name__ == "__main__":
    began = time.perf_counter(); spawn(2); noop(1).run(); print(time.perf_counter() - began)
""",
    "start_pool_fork": POOL
    + """
def noop(i):
    return i
if __name__ == "__main__":
    began = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        pool.submit(noop, 1).result(); print(time.perf_counter() - began)
""",
    "start_pool_spawn": POOL
    + """
import multiprocessing
def noop(i):
    return i
if __name__ == "__main__":
    began = time.perf_counter()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(noop, 1).result(); print(time.perf_counter() - began)
""",
    # -- hits: seconds
    "hit_memory": OURS
    + """
@direct
def add(a, b):
    return a + b
add(1, 2)
began = time.perf_counter()
for _ in range(5000): add(1, 2)
print((time.perf_counter() - began) / 5000)
""",
    "hit_database": OURS
    + """
import os
@direct
def add(a, b):
    return a + b
if not os.path.exists("filled"):
    for i in range(2000): add(i, 2)
    open("filled", "w").close()
add(0, 2)
began = time.perf_counter()
for i in range(1, 2000): add(i, 2)
print((time.perf_counter() - began) / 1999)
""",
    "hit_joblib": """
import time, joblib
memory = joblib.Memory("memory", verbose=0)
@memory.cache
def add(a, b):
    return a + b
add(1, 2)
began = time.perf_counter()
for _ in range(1000): add(1, 2)
print((time.perf_counter() - began) / 1000)
""",
    "hit_array": OURS
    + """
import numpy as np
@direct
def total(x):
    return float(x.sum())
x = np.arange(12_500_000, dtype="float64")
total(x); total(x)
times = []
for _ in range(9):
    began = time.perf_counter(); total(x); times.append(time.perf_counter() - began)
print(sorted(times)[4])
""",
    "hit_array_digest": OURS
    + """
import numpy as np
from seamless.transformer import session
x = memoryview(np.arange(12_500_000, dtype="float64")).cast("B")
digest = session.digest()
times = []
for _ in range(9):
    began = time.perf_counter(); digest.of(x); times.append(time.perf_counter() - began)
print(sorted(times)[4])
""",
    # -- arrays: seconds
    "array_ours": OURS
    + """
import numpy as np
@delayed
def total(x):
    return float(x.sum())
if __name__ == "__main__":
    spawn(2); total(np.ones(3)).run()
    x = np.ones(100_000_000); x[0] = 5
    began = time.perf_counter(); total(x).run(); print(time.perf_counter() - began)
""",
    "array_joblib": """
import time
import numpy as np
from joblib import Parallel, delayed
def total(x):
    return float(x.sum())
if __name__ == "__main__":
    with Parallel(n_jobs=2) as run:
        run(delayed(total)(np.ones(3)) for _ in range(2))
        x = np.ones(100_000_000); x[0] = 5
        began = time.perf_counter(); run([delayed(total)(x)]); print(time.perf_counter() - began)
""",
    "back_ours": OURS
    + """
import numpy as np
@delayed
def make(n):
    import numpy as np
    return np.full(n, 1.5)
if __name__ == "__main__":
    spawn(2); make(3).run()
    began = time.perf_counter(); x = make(50_000_000).run(); x[-1]; print(time.perf_counter() - began)
""",
    "back_by_hand": """
import time
from multiprocessing import Pipe, Process, shared_memory
import numpy as np
def child(end):
    while (n := end.recv()) is not None:
        x = np.full(n, 1.5)
        segment = shared_memory.SharedMemory(create=True, size=x.nbytes)
        np.ndarray(x.shape, x.dtype, buffer=segment.buf)[:] = x
        end.send(segment.name)
if __name__ == "__main__":
    end, other = Pipe(); process = Process(target=child, args=(other,)); process.start()
    for n in (3, 50_000_000):
        began = time.perf_counter()
        end.send(n); segment = shared_memory.SharedMemory(end.recv())
        x = np.ndarray((n,), "float64", buffer=segment.buf); x[-1]
        took = time.perf_counter() - began
        del x; segment.close(); segment.unlink()
    print(took); end.send(None)
""",
    # -- graphs: seconds
    "chain_ours": OURS
    + """
@delayed
def inc(x):
    return x + 1
if __name__ == "__main__":
    spawn(2); inc(-1).run()
    began = time.perf_counter(); x = 0
    for _ in range(1000): x = inc(x)
    assert x.run() == 1000; print(time.perf_counter() - began)
""",
    "layers_ours": OURS
    + """
@delayed
def mix(a, b, layer):
    return (a * 31 + b * 17 + layer) % 1000003
if __name__ == "__main__":
    spawn(2); mix(-1, 0, 0).run()
    began = time.perf_counter(); row = [mix(i, 0, 0) for i in range(100)]
    for layer in range(1, 10): row = [mix(row[i], row[(i + layer) % 100], layer) for i in range(100)]
    for tf in parallel(row): tf.value
    print(time.perf_counter() - began)
""",
    "chain_dask": """
import time
from dask.distributed import Client, LocalCluster
def inc(x):
    return x + 1
if __name__ == "__main__":
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(inc, -1).result()
        began = time.perf_counter(); x = 0
        for _ in range(1000): x = client.submit(inc, x)
        assert x.result() == 1000; print(time.perf_counter() - began)
""",
    "layers_dask": """
import time
from dask.distributed import Client, LocalCluster
def mix(a, b, layer):
    return (a * 31 + b * 17 + layer) % 1000003
if __name__ == "__main__":
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(mix, -1, 0, 0).result()
        began = time.perf_counter(); row = [client.submit(mix, i, 0, 0) for i in range(100)]
        for layer in range(1, 10):
            row = [client.submit(mix, row[i], row[(i + layer) % 100], layer) for i in range(100)]
        client.gather(row); print(time.perf_counter() - began)
""",
    # -- import: seconds of a whole process
    "import_ours": "import seamless.transformer",
    "import_used": "from seamless.transformer import delayed, direct, parallel, spawn",
    "import_click": "import click",
}

#: Name: ours, the peers, what a number is multiplied with for people.
PAIRS: dict[str, tuple[str, tuple[str, ...]]] = {
    "noops": ("noops_ours", ("noops_pool", "noops_loky")),
    "trip": ("trip_ours", ("trip_pool",)),
    "start": ("start_ours", ("start_pool_fork", "start_pool_spawn")),
    "hit": ("hit_memory", ("hit_joblib",)),
    "hitdb": ("hit_database", ("hit_joblib",)),
    "hitarray": ("hit_array", ("hit_array_digest",)),
    "array": ("array_ours", ("array_joblib",)),
    "back": ("back_ours", ("back_by_hand",)),
    "chain": ("chain_ours", ("chain_dask",)),
    "layers": ("layers_ours", ("layers_dask",)),
    "import": ("import_used", ("import_click", "import_ours")),
}


def seconds(workload: str, directory: Path) -> float:
    """What a workload prints, or how long it takes if it prints nothing."""
    script = directory / f"{workload}.py"
    script.write_text(textwrap.dedent(WORKLOADS[workload]))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SEAMLESS_")}
    if workload == "hit_database":
        environment["SEAMLESS_CACHE"] = str(directory / "store")
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script], cwd=directory, env=environment, stdout=subprocess.PIPE, check=True
    )
    took = time.perf_counter() - began
    return float(done.stdout.split()[-1]) if done.stdout.split() else took


def measure(name: str, turns: int, directory: Path) -> Result:
    """Medians of all sides in milliseconds, and the median ratio of ours to each peer's."""
    ours, peers = PAIRS[name]
    times: dict[str, list[float]] = {side: [] for side in (ours, *peers)}
    for _ in range(turns):
        for side, measured in times.items():
            measured.append(seconds(side, directory))
    result: Result = {f"{side}_ms": round(statistics.median(measured) * 1000, 4) for side, measured in times.items()}
    for peer in peers:
        ratios = [a / b for a, b in zip(times[ours], times[peer], strict=True)]
        result[f"of_{peer}"] = round(statistics.median(ratios), 2)
    return result


def main(report: Callable[[str], None] = print) -> None:
    """Run the benchmarks that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PAIRS, []], help="which (all)")
    parser.add_argument("--turns", type=int, default=TURNS, help="runs of each side")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    figures = {}
    for name in arguments.names or PAIRS:
        with tempfile.TemporaryDirectory(prefix="bench") as root:
            figures[name] = measure(name, arguments.turns, Path(root))
        report(f"{name:<9}" + "  ".join(f"{key}={value}" for key, value in figures[name].items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
