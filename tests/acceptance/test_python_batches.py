"""parallel() and TransformationList: lazily, in order, never more than nparallel at once, in flat memory."""

from __future__ import annotations

import os
import pty

import pytest

from .script import EXECUTORS, HEADER, WHERE, ended_well, run_script, runs, start_script, write_script
from .shop import Shop, until

FUNCTIONS = """
from itertools import count
@delayed
def twice(x):
    return 2 * x
@delayed
def picky(x):
    if x % 3 == 1:
        raise ValueError(x)
    return x
"""
quiet = "show_progress=False"


@pytest.mark.parametrize(("where", "nparallel"), [("process", 2), ("spawn", 1), ("spawn", 7)])
def test_any_iterable_in_order(shop: Shop, where: str, nparallel: int) -> None:
    """Also small batches by the hundred: the end of one is no trap for the next."""
    text = f"""
seamless.config.set_nparallel({nparallel})
print([tf.value for tf in parallel(twice(i) for i in range(30))] == [2 * i for i in range(30)])
print(list(parallel([])), list(parallel(iter(()))), [tf.value for tf in parallel((twice(1), twice(1)))])
known = [twice(i) for i in range(10)]
print([tf.run() for tf in known] == [tf.value for tf in parallel(known)])
print([tf.value for tf in parallel({{twice(2): 3}})])
sys.setswitchinterval(1e-6)
for i in range(60):
    first = 1000 + 10 * i
    assert [tf.value for tf in parallel(twice(first + k) for k in range({nparallel}))] == [
        2 * (first + k) for k in range({nparallel})]
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines() == ["True", "[] [] [2, 2]", "True", "[4]"]


@pytest.mark.parametrize("where", EXECUTORS)
def test_never_more_at_once(shop: Shop, where: str) -> None:
    """The functions themselves look how many of them run; what is taken from the iterable is bounded as well."""
    text = """
seamless.config.set_nparallel(3)
print(seamless.config.get_nparallel())
@delayed
def crowd(x):
    import os, time
    place = os.environ["GATES"] + "/crowd"
    os.makedirs(place, exist_ok=True)
    mine = f"{place}/{x}"
    open(mine, "w").close()
    time.sleep(0.002)
    found = len(os.listdir(place))
    os.unlink(mine)
    return found
taken = 0
def source():
    global taken
    for i in range(60):
        taken += 1
        yield crowd(i)
ahead, most = 0, 0
for i, tf in enumerate(parallel(source())):
    ahead, most = max(ahead, taken - i), max(most, tf.value)
print(most <= 3, ahead <= 3 * 4 + 1)
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text) == "3\nTrue True\n"


def test_a_slow_one_holds_back_no_worker(shop: Shop) -> None:
    """The others go on behind it, and are yielded when it has ended."""
    text = """
spawn(2)
seamless.config.set_nparallel(4)
@delayed
def hold(x):
    import gates
    if x == 0:
        gates.wait("slow")
    gates.say(f"ran{x}")
    return x
for tf in parallel(hold(i) for i in range(12)):
    print(tf.value, end=" ", flush=True)
"""
    script = start_script(shop, text)
    runs(shop, "slow")
    for i in range(1, 5):
        until((shop.gates / f"ran{i}").exists, f"number {i}")
    assert script.out == b""
    shop.let("slow")
    assert ended_well(script).split() == [str(i) for i in range(12)]


@pytest.mark.parametrize("where", EXECUTORS)
def test_endless_and_left_early(shop: Shop, where: str) -> None:
    text = """
seamless.config.set_nparallel(4)
for tf in parallel(twice(i) for i in count()):
    if tf.value == 100:
        break
del tf
batch = parallel(twice(i) for i in count(1000))
print(next(batch).value, next(batch).value)
batch.close()
try:
    for tf in parallel(twice(i) for i in count(2000)):
        raise KeyError("mine")
except KeyError as exc:
    print(exc)
def broken():
    yield twice(3000)
    yield twice(3001)
    raise OSError("source")
values = []
try:
    for tf in parallel(broken()):
        values.append(tf.value)
except OSError as exc:
    print(exc, values in ([], [6000], [6000, 6002]))
for wrong in ([twice(1), 5], [lambda: 1], 7):
    try:
        list(parallel(wrong))
    except TypeError as exc:
        print(exc)
print(twice(7).run())
"""
    lines = run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines()
    assert lines[:3] == ["2000 2002", "'mine'", "source True"]
    assert lines[3] == "parallel() takes transformations, not int: use a delayed function"
    assert lines[4] == "parallel() takes transformations, not function: use a delayed function"
    assert lines[5] == "'int' object is not iterable"
    assert lines[6] == "14"


@pytest.mark.parametrize("where", EXECUTORS)
def test_failures(shop: Shop, where: str) -> None:
    text = f"""
tfs = TransformationList([picky(i) for i in range(7)], {quiet}, store_details=True)
print([tf.value if tf.exception is None else tf.status for tf in parallel(tfs)])
print(tfs.done, tfs.failed, tfs.cached, tfs, len(tfs), tfs[2].value, len(tfs[1:4]))
print({{i: error.splitlines()[0] for i, error in tfs.errors.items()}})
print([detail and detail.splitlines()[0] for detail in tfs.details])
try:
    tfs.raise_for_errors()
except TransformationError as exc:
    print(exc, exc.__notes__)
fine = TransformationList([picky(0)], {quiet})
print(fine.raise_for_errors(), fine.errors)
again = TransformationList.map(picky, [0, 2, 3, 4], {quiet}, on_error="print")
for tf in parallel(again): pass
print(again.cached, again.done, again.failed)
raising = TransformationList.map(picky, range(100, 120), {quiet}, on_error="raise")
try:
    for tf in parallel(raising):
        print(tf.value)
except TransformationError as exc:
    print(exc)
for wrong in ("Raise", 1):
    try:
        TransformationList([], on_error=wrong)
    except ValueError as exc:
        print(exc)
"""
    script = start_script(shop, WHERE[where] + FUNCTIONS + text)
    lines = ended_well(script, err=None).splitlines()
    assert lines[0] == "[0, 'Status: exception', 2, 3, 'Status: exception', 5, 6]"
    assert lines[1] == "5 2 0 <TransformationList of 7: 5 done (0 cached), 2 failed> 7 2 3"
    one, four = "ValueError: 1 (line 3 of picky)", "ValueError: 4 (line 3 of picky)"
    assert lines[2] == str({1: one, 4: four})
    assert lines[3] == str([None, one, None, None, four, None, None])
    assert lines[4] == f"picky failed: {one} ['2 of 7 transformations failed, this is number 1']"
    assert lines[5:7] == ["None {}", "3 3 1"]
    assert lines[7:9] == ["picky failed: ValueError: 100 (line 3 of picky)", lines[8]]
    assert lines[8:] == [
        "on_error must be None, 'print' or 'raise', not 'Raise'",
        "on_error must be None, 'print' or 'raise', not 1",
    ]
    (said,) = script.err.splitlines()
    assert said.startswith("[3] <Transformation picky(x")
    assert said.endswith(f"{four}>")


def test_progress_without_a_terminal(shop: Shop) -> None:
    """One line at the end, on standard error."""
    text = """
for tf in parallel(TransformationList.map(picky, range(5))): pass
for tf in parallel(TransformationList.map(picky, range(5), show_progress=True)): pass
for tf in parallel(TransformationList.map(picky, range(5), show_progress=False)): pass
for tf in parallel(TransformationList.map(twice, [])): pass
for tf in parallel(TransformationList.map(twice, range(5))):
    break
"""
    err = """\
5 of 5 transformations: 3 done, 2 failed
5 of 5 transformations: 3 done, 3 cached, 2 failed
0 of 0 transformations: 0 done
1 of 5 transformations: 1 done
"""
    assert run_script(shop, FUNCTIONS + text, err=err) == ""


def test_progress_on_a_terminal(shop: Shop) -> None:
    """A bar, and what the script prints meanwhile is not lost."""
    text = """
for tf in parallel(TransformationList.map(picky, range(5))):
    print("value", tf.exception is None)
"""
    ours, theirs = pty.openpty()
    path = write_script(shop, FUNCTIONS + text, header=HEADER)
    environment = {"TERM": "xterm", "COLUMNS": "100"}
    script = shop.start("python", "-W", "error", str(path), stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:
        # So Linux says that the other side is gone.
        pass
    finally:
        os.close(ours)
    assert script.process.wait(10) == 0
    assert said.count(b"value True") == 3
    assert said.count(b"value False") == 2
    assert b"5/5" in said
    assert b"3 done, 2 failed" in said


@pytest.mark.parametrize("where", EXECUTORS)
def test_flat_memory(shop: Shop, where: str) -> None:
    """Two thousand pass by and leave nothing but themselves in the store."""
    text = """
seamless.config.set_nparallel(64)
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
def drain(first, number):
    assert sum(tf.value for tf in parallel(twice(i) for i in range(first, first + number))) > 0
    return resident()
before = drain(0, 300)
after = drain(1000, 1700)
print(after < before + 8_000_000 or (before, after))
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text) == "True\n"


@pytest.mark.parametrize("where", EXECUTORS)
def test_several_batches_at_once(shop: Shop, where: str) -> None:
    """Interleaved in one thread, and in several threads that share some of their work."""
    text = """
from threading import Thread
one, two = parallel(twice(i) for i in range(20)), parallel(twice(i) for i in range(10, 30))
print([(a.value, b.value) for a, b in zip(one, two)] == [(2 * i, 2 * i + 20) for i in range(20)])
found = {}
def drain(number):
    found[number] = [tf.value for tf in parallel(twice(100 + number * 5 + i) for i in range(40))]
threads = [Thread(target=drain, args=(number,)) for number in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(all(found[n] == [2 * (100 + n * 5 + i) for i in range(40)] for n in range(6)))
shared = [twice(500 + i) for i in range(50)]
def drain_shared(number):
    found[number] = [tf.value for tf in parallel(shared)]
threads = [Thread(target=drain_shared, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(all(found[n] == [2 * (500 + i) for i in range(50)] for n in range(4)))
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text) == "True\nTrue\nTrue\n"
