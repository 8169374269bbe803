"""Handles as values: frozen, shared, copied, used many times."""

from __future__ import annotations

import textwrap

import pytest

from .script import EXECUTORS, WHERE, run_script
from .shop import Shop

FUNCTIONS = """
@delayed
def plus(x):
    return x + 1
"""


@pytest.mark.parametrize("where", EXECUTORS)
def test_one_handle_in_many_places(shop: Shop, where: str) -> None:
    """In several batches, several times in one, canceled in between, as an argument of a direct function."""
    text = """
tf = plus(1)
print([one.value for one in parallel([tf, tf, plus(1), tf])])
tfs = [plus(i) for i in range(10, 16)]
tfs[2].cancel()
print([one.status.removeprefix("Status: ") for one in parallel(tfs)])
several = TransformationList(tfs, show_progress=False)
for _ in range(2):
    for one in parallel(several): pass
    print(several)
print(direct(lambda a: a * 2)(plus(5)), tf.start() is tf, tf.start().run(), tf.compute() == tf.result_checksum)
print({tf: 1}[tf], tf == tf, tf != plus(1), tf in tfs, several.count(tfs[0]), bool(tf))
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines() == [
        "[2, 2, 2, 2]",
        "['OK', 'OK', 'canceled', 'OK', 'OK', 'OK']",
        "<TransformationList of 6: 5 done (0 cached), 1 failed>",
        "<TransformationList of 6: 5 done (0 cached), 1 failed>",
        "12 True 2 True",
        "1 True True False 1 True",
    ]


@pytest.mark.parametrize("where", EXECUTORS)
def test_handles_are_frozen(shop: Shop, where: str) -> None:
    """Their transformer may change, they do not; a copy is the same, and none can be sent elsewhere."""
    text = """
import copy, pickle
plus.meta = {"memory": 5}
plus.scratch = True
tf = plus(1)
plus.meta, plus.scratch = {"memory": 7, "more": 1}, False
print(dict(tf.meta), tf.scratch, dict(plus(1).meta), plus(1).scratch)
def change_meta(): tf.meta["memory"] = 6
def set_meta(): tf.meta = {}
def set_scratch(): tf.scratch = False
for change in (change_meta, set_meta, set_scratch):
    try:
        change()
    except (AttributeError, TypeError) as exc:
        print(change.__name__, type(exc).__name__)
pending = plus(plus(20)).start()
for make in (copy.copy, copy.deepcopy):
    print(make(tf).run(), make({"a": [pending]})["a"][0].run())
try:
    pickle.dumps(tf)
except TypeError as exc:
    print(exc)
print(pickle.loads(pickle.dumps(tf.result_checksum)) == tf.result_checksum, tf.buffer.get_value("mixed"))
try:
    plus([plus(1)])
except TypeError as exc:
    print(exc)
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines() == [
        "{'memory': 5} True {'memory': 7, 'more': 1} False",
        "change_meta TypeError",
        "set_meta AttributeError",
        "set_scratch AttributeError",
        "2 22",
        "2 22",
        "a transformation belongs to its process: pass on its result_checksum, or its value",
        "True 2",
        "argument 'x' holds a transformation: pass each as an argument of its own (such as *args)",
    ]


def test_transformers_are_pickled_by_name_and_copied_with_their_settings(shop: Shop) -> None:
    """Before their first call and after it; in workers of others as well."""
    shop.write(
        "mine.py",
        """from seamless.transformer import delayed, direct

@delayed
def plus(x, y):
    return x + y + [len(x)]

class Place:
    @staticmethod
    def make():
        @direct
        def inner(x):
            return x
        return inner
    @direct
    def held(x):
        return x

alias = delayed(plus)
text = delayed("a + 1")
""",
    )
    text = """
import copy, multiprocessing, pickle
import mine
from mine import plus
plus.args.y, plus.meta, plus.celltypes.x, plus.scratch = [1], {"a": [1]}, "plain", True
for _ in range(2):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(plus, protocol)) is plus
        assert pickle.loads(pickle.dumps(mine.Place.held, protocol)) is mine.Place.held
    for other in (copy.copy(plus), copy.deepcopy(plus)):
        print(type(other) is type(plus), other is plus, other.scratch, dict(other.meta), dict(other.celltypes), end=" ")
        other.celltypes.y = "mixed"
        other.meta = {"b": 2}
        print(list(plus.celltypes), dict(plus.meta), other(x=[2]).run(), other.args.y is plus.args.y)
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.apply(call, (plus,)))
for one in (mine.alias, mine.text, mine.Place.make(), copy.copy(plus), delayed(lambda: 1)):
    for action in (pickle.dumps, lambda one: pickle.dumps([one], 2)):
        try:
            action(one)
        except TypeError as exc:
            told = str(exc)
    print(told)
    print(copy.deepcopy(one))
"""
    script = "def call(f):\n    return f([3], [4]).run()\n\nif __name__ == '__main__':\n" + textwrap.indent(
        text, "    "
    )
    only = "cannot be pickled: only what a module has under its own name can, not"
    copied = "True False True {'a': [1]} {'x': 'plain'} ['x'] {'a': [1]} [2, 1, 1]"
    delayed = "<delayed python transformer"
    assert run_script(shop, script).splitlines() == [
        *[f"{copied} True", f"{copied} False"] * 2,
        "[3, 4, 1]",
        f"{delayed} plus> {only} mine.plus",
        f"{delayed} plus>",
        f"{delayed} python code> {only} code that is given as text",
        f"{delayed} python code>",
        f"<direct python transformer inner> {only} mine.Place.make.<locals>.inner",
        "<direct python transformer inner>",
        f"{delayed} plus> {only} mine.plus",
        f"{delayed} plus>",
        f"{delayed} <lambda>> {only} __main__.<lambda>",
        f"{delayed} <lambda>>",
    ]
