"""Arguments and results on their way: snapshots, arrays large and odd, the same in every executor."""

from __future__ import annotations

import pytest

from .script import EXECUTORS, WHERE, ended_well, private_leftovers, run_script, start_python, write_script
from .shop import Shop

HEAD = """
import numpy as np
@delayed
def total(x):
    import gates
    gates.count()
    return float(sum(map(sum, x.values()))) if isinstance(x, dict) else float(sum(x))
@delayed
def same(x):
    return x
"""


@pytest.mark.parametrize("where", EXECUTORS)
def test_arguments_are_taken_as_they_are(shop: Shop, where: str) -> None:
    """What is changed after the call changes nothing; what is changed before the next one is another argument."""
    text = """
def check(make, change):
    x = make()
    before = total(x)
    change(x)
    changed = total(x)
    print(before.run(), changed.run(), total(make()).is_cached(), total(x).is_cached())
def first(x):
    x[0] = 5
check(lambda: [1, 2], first)
check(lambda: {"a": [1, 2]}, lambda x: first(x["a"]))
check(lambda: np.arange(3), first)
check(lambda: np.arange(500_000.0), first)
check(lambda: {"a": np.arange(400_000.0), "b": [1]}, lambda x: first(x["b"]))
check(lambda: {"a": np.arange(300_000.0), "b": [1]}, lambda x: first(x["a"]))
big = np.arange(200_000.0)
started = [total(big).start()]
big[:] = 0
waiting = total(same(big))
big[:] = 1
print(started[0].run(), waiting.run(), total(big).run())
view = np.arange(600_000.0)[::2]
late = total(view)
view.base[:] = 0
print(late.run())
bound = delayed(total)
values = [1, 2, 3]
bound.args.x = values
before = bound()
values.append(10)
print(before.run(), bound().run())
"""
    lines = run_script(shop, WHERE[where] + HEAD + text).splitlines()
    numbers = [line.split() for line in lines]
    assert all(row[2:] == ["True", "True"] for row in numbers[:6])
    assert [tuple(map(float, row[:2])) for row in numbers[:6]] == [
        (3, 7),
        (3, 7),
        (3, 8),
        (124999750000, 124999750005),
        (79999800001, 79999800005),
        (44999850001, 44999850006),
    ]
    assert lines[6] == "19999900000.0 0.0 200000.0"
    assert lines[7] == "89999700000.0"
    assert lines[8] == "6.0 16.0"


@pytest.mark.parametrize("where", EXECUTORS)
def test_arrays_are_read_only_inside(shop: Shop, where: str) -> None:
    """In every executor, so that code behaves the same; small, large, mapped, in containers, as results of others."""
    text = """
@delayed
def spoil(x):
    import numpy
    arrays = x.values() if isinstance(x, dict) else [x]
    told = []
    for array in arrays:
        try:
            array[...] = 0
            told.append("written")
        except ValueError as exc:
            told.append(str(exc))
        told.append(array.flags.aligned)
    return told
for x in (np.arange(3), np.arange(300_000.0), {"a": np.arange(3), "b": np.arange(300_000.0)}, np.array(5)):
    print(set(spoil(x).run()) if np.ndim(x) or isinstance(x, dict) else "0-d")
print(set(spoil(same(np.arange(300_000.0))).run()))
copied = delayed(lambda x: (x.copy().sort(), x.sum())[1])
print(float(copied(np.arange(300_000.0)).run()))
"""
    lines = run_script(shop, WHERE[where] + HEAD + text).splitlines()
    told = [eval(line) for line in lines if line.startswith("{")]
    assert len(told) == 4
    assert all(one == {"assignment destination is read-only", True} for one in told)
    assert lines[-1] == "44999850000.0"


@pytest.mark.parametrize("where", EXECUTORS)
def test_values_come_back_equal(shop: Shop, where: str) -> None:
    text = """
record = np.dtype([("name", "S8"), ("place", "f8", (3,)), ("inner", [("a", "i4"), ("b", "u1", (4,))])])
record = np.dtype({"names": record.names, "formats": [record[n] for n in record.names]}, align=True)
table = np.zeros(50_000, record)
table["place"] = np.random.default_rng(1).random((50_000, 3))
table["name"][:] = b"x"
large = np.random.default_rng(2).random((700, 900))
cases = {
    "large": large,
    "structured": table,
    "fortran": np.asfortranarray(large),
    "transposed": large.T,
    "strided": large[::2, ::3],
    "empty": np.zeros((0, 5)),
    "bools": np.arange(5) % 2 == 0,
    "strings": np.array([b"ab", b"c"]),
    "text": "x" * 2_000_000 + "é",
    "nested": {"a": [1, 2.5, None, True, "ü"], "b": {"c": {}}, "d": []},
    "arrays": {"a": large, "b": [np.arange(5), {"c": np.zeros(0)}], "d": 1},
    "tiny": np.zeros((1, 1, 1), "i1"),
}
def equal(a, b):
    if isinstance(a, dict):
        return list(sorted(a)) == list(sorted(b)) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    return type(a) is type(b) and a == b
for name, value in cases.items():
    back = same(value).run()
    assert equal(value, back), (name, value, back)
    again = same(same(value)).run()
    assert equal(value, again), name
print(same(cases["fortran"]).run().flags.f_contiguous, same(large).construct() != same(cases["fortran"]).construct())
binary = delayed(same)
binary.celltypes.x = binary.celltypes.result = "binary"
for value in (np.array(3.5), np.array(7, "u2"), np.zeros((3, 0), "i4"), large[:3].T):
    assert equal(value, binary(binary(value)).run()), value
result = same(large).run()
alone = same(large).start()
print(np.array_equal(alone.run(), result), np.shares_memory(result, large))
@delayed
def make(n):
    import numpy
    return numpy.arange(n, dtype=float)
arrays = [tf.value for tf in parallel(make(200_000 + i) for i in range(12))]
print([len(array) for array in arrays] == list(range(200_000, 200_012)))
seamless.close()
print(float(arrays[0][-1]), float(result[0, 0]) == float(large[0, 0]))
"""
    lines = run_script(shop, WHERE[where] + HEAD + text).splitlines()
    assert lines == ["True True", "True False", "True", "199999.0 True"]
    assert private_leftovers(shop) == []


def test_large_inputs_are_given_up(shop: Shop) -> None:
    """What has served is not kept in shared memory; neither is what was made and forgotten."""
    text = """
import glob
spawn(2)
def used():
    segments = glob.glob(f"/dev/shm/seamless-{os.getuid()}/private-*-{os.getpid()}-*/*")
    return sum(map(os.path.getsize, segments))
for tf in parallel(total(np.full(250_000, float(i))) for i in range(20)):
    pass
print(used() <= 4_000_000)
for i in range(10):
    total(np.full(250_000, 100.0 + i))
print(used() <= 6_000_000)
x = np.full(250_000, 1000.0)
failed = delayed(lambda x: 1 / 0)(x)
failed.compute()
failed.clear_exception()
print(failed.compute(), failed.exception.splitlines()[0])
"""
    lines = run_script(shop, HEAD + text).splitlines()
    assert lines[:2] == ["True", "True"]
    assert lines[2].startswith("None ZeroDivisionError: division by zero")


def test_scripts_stay_silent_with_odd_settings(shop: Shop) -> None:
    """Optimized, isolated, in development mode, in another directory, with a module that hides a standard one."""
    shop.write("elsewhere/json.py", "raise SystemError('the wrong json')\n")
    text = WHERE["spawn"] + "print(delayed(lambda x: x + 1)(np.arange(200_000)).run()[-1])\n"
    for flags in ("-O", "-Xdev"):
        path = write_script(shop, HEAD + text)
        script = start_python(shop, flags, str(path), cwd=shop.dir / "elsewhere")
        assert ended_well(script) == "200000\n"
