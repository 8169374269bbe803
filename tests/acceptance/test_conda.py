"""--conda runs a command in an environment that is no part of its identity; where there is none, it says so first."""

from __future__ import annotations

from pathlib import Path

import pytest

from .script import run_script
from .shop import COUNTED, Shop

CONDA = """#!/bin/sh
[ "$*" = "env list --json" ] || exit 9
echo '{{"envs": ["{root}", "{root}/envs/my env"]}}'
"""
TOOL = "#!/bin/sh\necho this is my tool\n"


@pytest.fixture
def conda(shop: Shop) -> Path:
    """An environment, and a program that knows it, first on the PATH."""
    root = shop.top / "conda"
    prefix = root / "envs" / "my env"
    for path in (root / "bin", prefix / "bin", prefix / "conda-meta", prefix / "etc" / "conda" / "activate.d"):
        path.mkdir(parents=True)
    (root / "bin" / "conda").write_text(CONDA.format(root=root))
    (prefix / "bin" / "mytool").write_text(TOOL)
    (prefix / "etc" / "conda" / "activate.d" / "a.sh").write_text('export FROM_SCRIPT="set $UNSET"; false\n')
    for path in (root / "bin" / "conda", prefix / "bin" / "mytool"):
        path.chmod(0o755)
    shop.env["PATH"] = f"{root / 'bin'}:{shop.env['PATH']}"
    return prefix


TEXT = 'mytool; echo "$CONDA_PREFIX|$CONDA_DEFAULT_ENV|$FROM_SCRIPT|${BASH_ENV-none}"'


def test_a_command_runs_in_an_environment(shop: Shop, conda: Path) -> None:
    expected = f"this is my tool\n{conda}|my env|set |none\n"
    assert shop.good("--conda", "my env", *COUNTED, "-c", TEXT).out.decode() == expected
    assert shop.good(*COUNTED, "-c", TEXT).out.decode() == expected, "it is no part of the identity"
    by_path = f"this is my tool\n{conda}|{conda}|set |none\n"
    assert shop.good("--conda", str(conda), "--refresh", *COUNTED, "-c", TEXT).out.decode() in (expected, by_path)
    assert shop.executions == 2
    assert str(conda) in shop.call("seamless-why", "--json", "1").out.decode() + str(
        shop.rows("SELECT content FROM environments")
    )


def test_a_failing_command_fails_in_an_environment_as_well(shop: Shop, conda: Path) -> None:
    ended = shop.run("--conda", "my env", "-c", "false; echo not reached")
    assert (ended.status, ended.out) == (1, b"")
    ended = shop.run("--conda", "my env", "-c", 'echo "$UNSET"')
    assert "unbound variable" in ended.err


def test_it_travels_with_a_queued_request(shop: Shop, conda: Path) -> None:
    shop.submit("--conda", "my env", "-c", "mytool > o.txt")
    shop.work_off()
    assert shop.read("o.txt") == "this is my tool\n"
    # Conda is where the submitter has it; the server need not have it at all.
    shop.submit("--conda", "my env", "-c", "mytool > p.txt")
    shop.env["PATH"] = shop.env["PATH"].partition(":")[2]
    shop.work_off()
    assert shop.read("p.txt") == "this is my tool\n"
    shop.run("-c", "mytool 2 > o.txt")
    said = shop.call("seamless-why", "o.txt").out.decode()
    assert f"conda environment: {conda} -> (none)" in said
    assert "mytool was not found on the PATH, which it had been before" in said


def test_a_missing_environment_is_said_before_anything_runs(shop: Shop, conda: Path) -> None:
    for name, said in (
        ("nope", "there is no conda environment 'nope' (there is: conda, my env)"),
        ("./here", "is no conda environment (it has no conda-meta)"),
    ):
        for how in ((), ("--qsubmit",)):
            ended = shop.run(*how, "--conda", name, *COUNTED, "echo", "1")
            assert (ended.status, len(ended.lines)) == (1, 1)
            assert said in ended.err
    assert shop.executions == 0
    assert shop.rows("SELECT COUNT(*) FROM requests") == [(0,)]


def test_without_conda(shop: Shop) -> None:
    ended = shop.run("--conda", "some", "echo", "1")
    assert (ended.status, len(ended.lines)) == (1, 1)
    assert "there is no conda here" in ended.err
    assert "leave out --conda" in ended.err
    shop.good("echo", "1")
    assert shop.good("--conda", "some", "echo", "1").out == b"1\n", "what is known needs no environment"


def test_what_is_wrong_with_the_name_is_said(shop: Shop) -> None:
    ended = shop.run("--conda", "", "echo", "1")
    assert (ended.status, len(ended.lines)) == (1, 1)
    assert "the name of the conda environment is empty" in ended.err
    shop.write("notconda/file", "")
    ended = shop.run("--conda", "notconda", "echo", "1")
    assert (ended.status, len(ended.lines)) == (1, 1)
    assert "the directory ./notconda is none (it has no conda-meta)" in ended.err
    for name in ("mine/conda-meta/history", "mine/bin/tool"):
        shop.write(name, "")
    assert "the directory ./mine is one: give its path" in shop.run("--conda", "mine", "echo", "1").err


def test_python_needs_to_run_in_the_environment(shop: Shop) -> None:
    script = """
        @direct
        def f(x):
            return x
        f.environment.set_conda(sys.prefix)
        print(f(1))
        f.environment.set_conda("another")
        try:
            f(2)
        except Exception as exc:
            print(exc)
        f.environment.set_conda("name: x\\ndependencies: []")
        try:
            f(2)
        except Exception as exc:
            print(exc)
    """
    first, second, third = run_script(shop, script).splitlines()
    assert first == "1"
    assert "needs the conda environment another" in second
    assert "conda run -n another" in second
    assert "by its name or path" in third
