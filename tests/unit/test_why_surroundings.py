"""What differs between the records of two attempts."""

from typing import Any

import pytest

from seamless.transformer.why.surroundings import between

BASE: dict[str, Any] = {
    "host": "a",
    "platform": {"system": "Linux", "kernel": "6.1", "libc": "glibc 2.36", "cpus": 2},
    "python": {"version": "3.11.2", "executable": "/usr/bin/python3"},
    "packages": {"numpy": "1.26"},
    "tools": {"sort": {"path": "/usr/bin/sort", "size": 1000, "mtime": 0}},
    "variables": {"PATH": "/usr/bin:/bin", "LANG": "C", "EDITOR": "vi"},
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"packages": {"numpy": "2.0", "scipy": "1.14"}}, ["numpy 1.26 -> 2.0"]),
        ({"host": "b"}, ["machine: a -> b"]),
        ({"platform": {**BASE["platform"], "cpus": 64}}, []),
        ({"platform": {**BASE["platform"], "libc": "glibc 2.40"}}, ["libc: glibc 2.36 -> glibc 2.40"]),
        ({"python": {**BASE["python"], "version": "3.12.1"}}, ["Python: 3.11.2 -> 3.12.1"]),
        ({"tools": {"sort": {**BASE["tools"]["sort"], "path": "/opt/sort"}}}, ["sort is /opt/sort, was /usr/bin/sort"]),
        ({"tools": {"sort": None}}, ["sort was not found on the PATH, which it had been before"]),
        ({"metavariables": {"T": "2"}}, ["meta variable T: (none) -> 2"]),
        ({"conda": "/envs/x"}, ["conda environment: (none) -> /envs/x"]),
        ({"variables": {**BASE["variables"], "PATH": "/opt:/bin"}}, ["PATH: with /opt and without /usr/bin"]),
        ({"variables": {**BASE["variables"], "PATH": "/bin:/usr/bin"}}, ["PATH: in another order"]),
        (
            {"variables": {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "4", "EDITOR": "ed"}},
            ["LANG: C -> (none)", "OMP_NUM_THREADS: (none) -> 4", "other variables of the environment: `EDITOR`"],
        ),
    ],
)
def test_between(changed: dict[str, Any], said: list[str]) -> None:
    assert [one.text for one in between(BASE, {**BASE, **changed})] == said


def test_a_replaced_tool() -> None:
    (one,) = between(BASE, {**BASE, "tools": {"sort": {"path": "/usr/bin/sort", "size": 1200, "mtime": 86_400 * 365}}})
    assert one.kind == "tool_changed"
    assert one.text.startswith("/usr/bin/sort was replaced (1,000 bytes of 19")
    assert "-> 1,200 bytes of 197" in one.text


@pytest.mark.parametrize("old", [{}, {"host": 3}, {"platform": None, "tools": [], "packages": "x"}])
def test_a_record_that_says_nothing(old: dict[str, Any]) -> None:
    assert all(
        one.kind in ("host_changed", "metavariable_changed", "environment_changed") for one in between(old, BASE)
    )
