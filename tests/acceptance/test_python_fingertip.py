"""Scratch results and lost bytes in Python: made again where they are needed, in whatever process that is."""

from __future__ import annotations

import pytest

from .script import EXECUTORS, HEADER, WHERE, run_script
from .shop import Shop
from .test_fingertip import LARGE, checksum_of, forget

FUNCTIONS = """
from seamless import CacheMissError, Checksum
@delayed
def numbers(n):
    gates.count()
    return list(range(n))
@delayed
def total(x):
    gates.count()
    return sum(x)
@delayed
def length(halves):
    from seamless import Checksum
    return len(Checksum("".join(halves)).fingertip_sync("mixed"))
@delayed
def length_later(halves):
    import asyncio
    from seamless import Checksum
    async def main():
        return len(await Checksum("".join(halves)).fingertip("mixed"))
    return asyncio.run(main())
for f in numbers, total:
    f.modules.gates = gates
numbers.scratch = True
def halves(checksum):
    return [checksum.hex()[:32], checksum.hex()[32:]]
"""


def run(shop: Shop, text: str, where: str = "") -> list[str]:
    header = f'{HEADER}seamless.config.select_store("{shop.store}")\n{where}{FUNCTIONS}'
    return run_script(shop, text, header=header).splitlines()


@pytest.mark.parametrize("where", EXECUTORS)
def test_scratch(shop: Shop, where: str) -> None:
    compute = "tf = numbers(5000)\nchecksum = tf.compute()\n"
    assert run(shop, compute + "print(len(tf.run()), total(tf).run())", WHERE[where]) == ["5000 12497500"]
    assert shop.executions == 2
    assert shop.buffer_files() == [], "the session has given them up at its end"
    assert run(shop, compute + "print(tf.is_cached(), total(tf).run())", WHERE[where]) == ["True 12497500"]
    assert shop.executions == 2, "a hit needs no bytes"
    assert run(shop, compute + "print(len(tf.value), len(tf.value), len(tf.buffer) > 5000)", WHERE[where]) == [
        "5000 5000 True"
    ]
    assert shop.executions == 3
    assert run(shop, compute + "print(delayed(lambda x: x[-1])(tf).run())", WHERE[where]) == ["4999"]
    assert shop.executions == 4
    assert shop.buffer_files() == []
    run(shop, "numbers.scratch = False\nprint(len(numbers(5000).run()))", WHERE[where])
    assert (shop.executions, len(shop.buffer_files())) == (5, 1)


@pytest.mark.parametrize("where", EXECUTORS)
def test_fingertip(shop: Shop, where: str) -> None:
    text = """
checksum = numbers(5000).compute()
print(len(checksum.fingertip_sync("mixed")))
import asyncio
print(len(asyncio.run(checksum.fingertip("mixed"))))
"""
    assert run(shop, text, WHERE[where]) == ["5000", "5000"]
    assert shop.executions == 1
    for function in ("length", "length_later"):
        text = f"print({function}(halves(numbers(5000).compute())).run())"
        assert run(shop, text, WHERE[where]) == ["5000"]
    assert shop.executions == 3
    text = """
checksum = numbers(5000).compute()
try:
    checksum.resolve()
except CacheMissError:
    print("resolve computes nothing")
print(len(checksum.fingertip_sync("mixed")), len(checksum.resolve("mixed")))
try:
    Checksum("0123456789abcdef" * 4).fingertip_sync()
except CacheMissError as exc:
    print("no job" in str(exc))
"""
    assert run(shop, text, WHERE[where]) == ["resolve computes nothing", "5000 5000", "True"]
    assert shop.executions == 4


@pytest.mark.parametrize("where", EXECUTORS)
def test_what_commands_have_made(shop: Shop, where: str) -> None:
    """Other languages are no obstacle, nor that several inputs are gone."""
    shop.good("--scratch", "-cp", "a.txt", "-c", LARGE)
    shop.good("--scratch", "-cp", "b.txt", "-c", "tac a.txt > b.txt")
    a, b = checksum_of(shop, "a.txt"), checksum_of(shop, "b.txt")
    text = f"""
@delayed
def compare(a, b):
    return [a.splitlines()[0], b.splitlines()[0]]
compare.celltypes.a = compare.celltypes.b = "text"
print(compare(Checksum("{a}"), Checksum("{b}")).run())
"""
    assert run(shop, text, WHERE[where]) == ["['1', '20000']"]
    assert shop.buffer_files() == []


def test_what_is_not_the_same_any_more(shop: Shop) -> None:
    shop.write("changing", "one")
    text = f"""
@delayed
def changing():
    from pathlib import Path
    return [Path("{shop.dir}/changing").read_text()] * 3000
changing.scratch = True
print(changing().compute())
"""
    before = run(shop, text)[0]
    shop.write("changing", "two")
    text = f"""
from seamless_queue.errors import NotReproducible
try:
    Checksum("{before}").fingertip_sync()
except NotReproducible as exc:
    print("{before}" in str(exc), "not reproducible" in str(exc))
tf = total(Checksum("{before}"))
print(tf.compute(), tf.exception.splitlines()[0].split()[0])
"""
    assert run(shop, text) == ["True True", f"None {before}"]


def test_scratch_in_the_queue(shop: Shop) -> None:
    queue = 'seamless.config.select_execution("queue")\n'
    server = shop.server()
    text = "tf = numbers(5000)\nprint(tf.compute() is not None, total(tf).run(), len(tf.value))"
    assert run(shop, text, queue) == ["True 12497500 5000"]
    assert shop.executions in (2, 3), "the server may have given up the bytes before they were read"
    server.stop()
    assert shop.buffer_files() == []
    before = shop.executions
    shop.server()
    text = "print(delayed(lambda x: x[-1])(numbers(5000)).run(), numbers(5000).is_cached())"
    assert run(shop, text, queue) == ["4999 True"]
    assert shop.executions == before + 1


def test_a_lost_result_of_the_queue(shop: Shop) -> None:
    shop.submit("-cp", "a.txt", "-c", LARGE)
    shop.work_off()
    forget(shop, "a.txt")
    text = f"print(len(Checksum('{checksum_of(shop, 'a.txt')}').fingertip_sync().content))"
    assert run(shop, text) == [str(sum(len(str(number)) + 1 for number in range(1, 20001)))]
    assert len(shop.buffer_files()) == 1, "it was to be kept"
