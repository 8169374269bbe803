"""Transformations of every kind are run again from their description alone, by Seamless and by hand."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from seamless_queue.driver import Database

from .script import run_script
from .shop import COUNTED, Ended, Shop, until

NAME = "seamless-run-transformation"
KINDS = """
import helper
from seamless import Buffer, Checksum
def double(x):
    return 2 * x
@delayed
def nested(a, d, *rest, **more):
    gates.count()
    return {"sum": sum(a), "leaves": sorted(d), "rest": list(rest), "more": more, "helped": helper.value(double(1))}
nested.celltypes.d = "deepcell"
nested.modules.gates, nested.modules.helper, nested.globals.double = gates, helper, double
@delayed
def folder(n):
    gates.count()
    return {"x": b"%d" % n, "sub/y": b"2"}
folder.celltypes.result, folder.modules.gates = "folder", gates
bash = delayed("cat x > RESULT; echo $y $(ls d) >> RESULT; echo r >> $COUNTER", "bash")
bash.celltypes.result, bash.celltypes.d = "text", "folder"
leaf = Buffer(b"leaf\\n")
leaf.incref()
leaves = {"one": leaf.get_checksum().hex(), "two": leaf.get_checksum().hex()}
for tf in (nested([1, 2], leaves, 5, q=7), folder(3), bash(x="it's", y=12, d=leaves)):
    print(tf.construct(), tf.compute())
"""


def replay(shop: Shop, *words: str) -> Ended:
    return shop.call(NAME, *words)


def good(shop: Shop, *words: str) -> str:
    """What it prints when all is well."""
    ended = replay(shop, *words)
    assert (ended.status, ended.err) == (0, ""), ended
    return ended.out.decode().strip()


def fails(shop: Shop, *words: str, status: int = 1) -> str:
    """The one line that it says."""
    ended = replay(shop, *words)
    assert (ended.status, ended.out, len(ended.lines)) == (status, b"", 1), ended
    return ended.err


def forget_results(shop: Shop) -> None:
    database = Database(str(shop.store / "seamless.db"))
    with database.transaction() as connection:
        connection.execute("DELETE FROM buffers WHERE checksum IN (SELECT result FROM jobs)")
    database.close()
    for path in shop.buffer_files():
        path.unlink()


# -- replaying ------------------------------------------------------------------------------------
def test_python_and_bash_through_python(shop: Shop) -> None:
    shop.write("helper.py", "def value(x):\n    return x + 100\n")
    header = f'seamless.config.select_store("{shop.store}")\n'
    lines = [line.split() for line in run_script(shop, header + KINDS).splitlines()]
    assert shop.executions == 3
    for identity, result in lines:
        assert good(shop, identity) == result
    assert shop.executions == 3
    forget_results(shop)
    for identity, result in lines:
        assert good(shop, identity, "--fingertip", "--strict") == result
    assert shop.executions == 6
    fingertip = shop.call("seamless-fingertip", lines[2][1])
    assert fingertip.out == b"it's\n12 one two\n"


def test_commands_by_checksum_sidecar_file_and_directory(shop: Shop) -> None:
    shop.write("a.txt", "alpha\n")
    words = (*COUNTED, "--metavar", "M=it's", "-cp", "b.txt", "-c", 'cat a.txt > b.txt; echo "$M" >> b.txt')
    identity = shop.good("--dry-run", "--upload", "-j", "X", *words).out.decode().strip()
    assert shop.read("X/transformation.json.CHECKSUM") == identity
    result = good(shop, "X/transformation.json.CHECKSUM")
    assert shop.executions == 1
    assert good(shop, identity) == result
    for target in ("X/transformation.json.CHECKSUM", "X/transformation.json", "X"):
        assert good(shop, target) == result
    assert shop.executions == 1
    assert good(shop, "X", "--output", "rc.txt") == ""
    assert shop.read("rc.txt") == result + "\n"
    shop.good(*words)
    assert shop.executions == 1
    assert shop.read("b.txt") == "alpha\nit's\n"


def test_a_failing_transformation(shop: Shop) -> None:
    shop.good("--dry-run", "-j", "X", "-c", "echo why >&2; exit 5")
    ended = replay(shop, "X")
    assert (ended.status, ended.out) == (1, b"")
    assert ended.lines == ["why", f"{NAME}: error: exit code 5: why"]


def test_failing_python_code_has_its_traceback(shop: Shop) -> None:
    header = f'seamless.config.select_store("{shop.store}")\n'
    text = "@delayed\ndef f(x):\n    return 1 / x\nprint(f(0).construct())\n"
    ended = replay(shop, run_script(shop, header + text).strip())
    assert (ended.status, ended.out) == (1, b"")
    assert ended.lines[-1].startswith(f"{NAME}: error: ZeroDivisionError: division by zero (line 2 of f)")
    assert "return 1 / x" in ended.err


def test_what_python_code_prints_is_a_message(shop: Shop) -> None:
    header = f'seamless.config.select_store("{shop.store}")\n'
    text = "@delayed\ndef f(x):\n    print('printed')\n    return x\nprint(f(1).construct())\n"
    identity = run_script(shop, header + text).strip()
    ended = replay(shop, identity)
    assert (ended.status, ended.err) == (0, "printed\n")
    assert len(ended.out) == 65


@pytest.mark.parametrize("code", ["import time; time.sleep(60); return x", "while True: pass"])
def test_a_time_limit(shop: Shop, code: str) -> None:
    header = f'seamless.config.select_store("{shop.store}")\n'
    identity = run_script(shop, f"{header}@delayed\ndef f(x):\n    {code}\nprint(f(1).construct())\n").strip()
    assert "timed out after 0.3 s" in fails(shop, identity, "--timeout", "0.3")


def test_a_time_limit_of_a_command(shop: Shop) -> None:
    shop.good("--dry-run", "-j", "X", "-c", "sleep 60")
    assert "timed out after 0.3 s" in fails(shop, "X", "--timeout", "0.3")


def test_scratch_and_irreproducible_results(shop: Shop) -> None:
    (shop.top / "changing").write_text("one\n")
    shop.good("--dry-run", "-j", "X", "-c", f"eval cat {shop.top}/changin?")
    result = good(shop, "X", "--scratch")
    assert good(shop, "X", "--scratch") == result
    assert shop.call("seamless-resolve", result).status == 1
    (shop.top / "changing").write_text("two\n")
    error = fails(shop, "X", "--strict")
    assert "not reproducible" in error
    assert result in error


def test_ctrl_c(shop: Shop) -> None:
    shop.good("--dry-run", "-j", "X", *shop.held("gate"), "-c", "echo 1")
    run = shop.start(NAME, "X")
    shop.runs("gate")
    run.signal(signal.SIGINT)
    ended = run.wait()
    assert (ended.status, ended.out, len(ended.lines)) == (130, b"", 1)
    shop.everyone_gone()
    assert shop.request_states() == ["canceled"]


# -- what is malformed ------------------------------------------------------------------------------
MALFORMED = {
    "not json": (b"{", "not JSON"),
    "a list": (b"[]\n", "not a JSON object"),
    "no language": ({"__language__": None}, "__language__"),
    "another language": ({"__language__": "perl"}, "perl"),
    "no code": ({"code": None}, "'code'"),
    "no output": ({"__output__": None}, "'__output__'"),
    "unknown celltype": ({"__output__": ["result", "nothing", None]}, "__output__"),
    "no checksum": ({"a.txt": ["bytes", None, "abc"]}, "'a.txt'"),
    "no triple": ({"a.txt": "abc"}, "'a.txt'"),
    "no captures": ({"__capture__": None}, "another tool"),
}


def test_malformed_transformations(shop: Shop) -> None:
    shop.write("a.txt", "alpha\n")
    shop.good("--dry-run", "-j", "X", "cat", "a.txt")
    good_fields = json.loads(shop.read("X/transformation.json"))
    for name, (change, says) in MALFORMED.items():
        if isinstance(change, bytes):
            shop.write("bad.json", change)
        else:
            fields = {key: value for key, value in {**good_fields, **change}.items() if value is not None}
            shop.write("bad.json", json.dumps(fields))
        assert says in fails(shop, "bad.json"), name


def test_what_is_not_there(shop: Shop) -> None:
    assert "neither" in fails(shop, "nothing")
    assert "no transformation" in fails(shop, "0123456789abcdef" * 4)
    shop.write("a.txt", "alpha\n")
    identity = shop.good("--dry-run", "-j", "X", "cat", "a.txt").out.decode().strip()
    fields = json.loads(shop.read("X/transformation.json"))
    fields["a.txt"][2] = "0123456789abcdef" * 4
    shop.write("gone.json", json.dumps(fields))
    assert f"its 'a.txt' ({'0123456789abcdef' * 4}) is not in the store" in fails(shop, "gone.json")
    shop.write("loose.json", json.dumps(json.loads(shop.read("X/transformation.json"))))
    assert "--strict" in fails(shop, "loose.json", "--strict")
    assert good(shop, "loose.json", "--dry-run") == identity


# -- job directories ----------------------------------------------------------------------------------
def test_a_job_directory_is_run_by_hand(shop: Shop) -> None:
    shop.write("a b.txt", "alpha\n")
    shop.write("d/sub/x", "x\n")
    shop.write("tool.sh", '#!/bin/sh\ncat "$@"\n').chmod(0o755)
    (shop.dir / "out").mkdir()
    words = (
        *("--var", 'V=x "y"', "--metavar", "M=it's", "-i", "d", "-i", "a b.txt", "-cp", "out/r.txt", "-cp", ":log.txt"),
        *("-c", './tool.sh "a b.txt" d/sub/x; echo "$V" "$M" > out/r.txt'),
    )
    shop.good("--dry-run", "-g2", "-j", "job ü", *words)
    for _ in range(2):
        ended = shop.bash('cd / && exec env PATH=/usr/bin:/bin bash "$OLDPWD/job ü/transform.sh"')
        assert (ended.status, ended.out, ended.err) == (0, b"", "")
    shop.good("-g2", *words)
    assert shop.read("job ü/result/STDOUT") == shop.read("log.txt") == "alpha\nx\n"
    assert shop.read("job ü/result/out/r.txt") == shop.read("out/r.txt") == 'x "y" it\'s\n'


def test_output_and_input_by_hand(shop: Shop) -> None:
    ended = shop.run("--dry-run", "-j", "X", "--stdin", "-c", r"cat; printf '\000\377'; exit 3", input=b"in\xff\n")
    assert ended.status == 0
    ended = shop.call("bash", "X/transform.sh")
    assert (ended.status, ended.err) == (3, "")
    assert (shop.dir / "X/stdout").read_bytes() == b"in\xff\n\x00\xff"


def test_bash_through_python_by_hand(shop: Shop) -> None:
    header = f'seamless.config.select_store("{shop.store}")\n'
    text = 'tf = delayed("cat x > RESULT; echo $y >> RESULT", "bash")(x="it\'s", y=12)\nprint(tf.construct())\n'
    identity = run_script(shop, header + text).strip()
    assert good(shop, "--dry-run", "-j", "X", identity) == identity
    assert shop.call("bash", "X/transform.sh").status == 0
    assert shop.read("X/result") == "it's\n12\n"


def test_a_job_directory_never_replaces_anything(shop: Shop) -> None:
    shop.write("X/f", "1\n")
    for words in (("-j", "X"), ("-j", "X/f")):
        ended = shop.run("--dry-run", *words, "echo", "hi")
        assert (ended.status, ended.out, len(ended.lines)) == (1, b"", 1)
        assert "exists" in ended.err
    assert shop.names() == {"X/f"}
    ended = shop.run("-j", "Y", "echo", "hi")
    assert (ended.status, "--dry-run" in ended.err) == (2, True)


def test_what_a_job_directory_says(shop: Shop) -> None:
    shop.good(
        "--dry-run", "--scratch", "--local", "--direct-print", "-j", "X", "-cp", "r.txt", "-c", "echo 1 > r.txt; true"
    )
    shop.good("--dry-run", "-j", "Y", "-cp", "r.txt", "-c", "echo 1 > r.txt; true")
    assert shop.read("X/transformation.json") == shop.read("Y/transformation.json")
    assert shop.read("X/command.txt") == "echo 1 > r.txt; true\n"
    assert json.loads(shop.read("X/dunder.json")) == {"__meta__": {"__direct_print__": True}}
    assert not shop.has("Y/dunder.json")
    assert not Path(shop.dir / "X/transformation.json.CHECKSUM").exists()


def test_the_transformation_of_a_lost_input_is_replayed(shop: Shop) -> None:
    shop.good(*COUNTED, "--scratch", "-cp", "a.txt", "-c", "seq 20000 > a.txt; true")
    identity = shop.good("--dry-run", *COUNTED, "--upload", "tail", "-n", "1", "a.txt").out.decode().strip()
    result = good(shop, identity, "--fingertip")
    assert shop.executions == 3
    assert shop.call("seamless-fingertip", result).out == b"20000\n"
    assert until(lambda: shop.buffer_files() == [], "scratch bytes to be given up")
