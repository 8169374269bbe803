"""What a command finds in its directory: inputs inside of others, and outputs, which are none."""

from __future__ import annotations

import os

import pytest

from .shop import COUNTED, Shop

DIFFERENCES = "Only in d: a.txt\nOnly in d/sub: b.txt\nOnly in d: sub\nOnly in d/sub: tool\n"


# -- a directory and a part of it --------------------------------------------------------------------
@pytest.fixture
def tree(shop: Shop) -> Shop:
    """A directory with another one in it."""
    shop.write("d/a.txt", "a\n")
    shop.write("d/sub/b.txt", "b\n")
    shop.write("d/sub/tool", "#!/bin/sh\necho tool\n").chmod(0o755)
    (shop.dir / "d/sub/empty").mkdir()
    return shop


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (("diff -rq d d/sub || true",), DIFFERENCES),
        (("-i", "d", "-i", "d/sub", "-c", "find d -type f | sort"), "d/a.txt\nd/sub/b.txt\nd/sub/tool\n"),
        (("-i", "d/sub", "-i", "d", "-c", "find d -type f | sort"), "d/a.txt\nd/sub/b.txt\nd/sub/tool\n"),
        (("-i", "d", "ls", "d/sub"), "b.txt\ntool\n"),
        (("-i", "d", "-i", ".", "-c", "cat d/a.txt d/sub/b.txt"), "a\nb\n"),
        (("-i", "d", "-i", "d/sub", "-i", "d/sub/b.txt", "-c", "cat d/sub/b.txt; d/sub/tool"), "b\ntool\n"),
    ],
    ids=("diff", "outer first", "inner first", "a word", "all", "three"),
)
def test_a_directory_and_a_part_of_it_are_inputs(tree: Shop, words: tuple[str, ...], out: str) -> None:
    assert tree.good(*words).out.decode() == out
    tree.submit("--refresh", "-cp", ":out.txt", *words)
    tree.work_off()
    assert tree.read("out.txt") == out


def test_a_part_that_is_still_to_be_written(tree: Shop) -> None:
    tree.submit("-c", "echo new > d/sub/new.txt")
    tree.submit("-i", "d", "-i", "d/sub", "-c", "cat d/sub/new.txt d/a.txt > both.txt")
    tree.work_off()
    assert tree.read("both.txt") == "new\na\n"


def test_a_job_directory_has_the_part_once(tree: Shop) -> None:
    tree.good("--dry", "-j", "job", "-i", "d", "-i", "d/sub", "ls d/sub")
    assert sorted(os.listdir(tree.dir / "job/inputs/d/sub")) == ["b.txt", "tool"]


# -- outputs that are there from the last time -----------------------------------------------------
@pytest.mark.parametrize(
    "words",
    [
        ("-cp", "out", "-c", "mkdir out; echo 1 > out/x.txt; true"),
        ("-cp", "o.txt", "cp", "in.txt", "o.txt"),
        ("-cp", "o.txt", "-c", "sort -o o.txt in.txt"),
    ],
    ids=("mkdir", "cp", "sort"),
)
def test_the_second_time_is_a_hit(shop: Shop, words: tuple[str, ...]) -> None:
    shop.write("in.txt", "2\n1\n")
    for _ in range(3):
        shop.good(*COUNTED, *words)
    assert shop.executions == 1
    # Nor do queued ones wait for each other.
    for _ in range(3):
        shop.submit("--prologue", "true", *COUNTED, *words)
    assert shop.rows("SELECT count(*) FROM dependencies") == [(0,)]
    shop.work_off()
    assert shop.executions == 2


def test_an_output_that_is_named_as_an_input_is_read(shop: Shop) -> None:
    shop.write("x.txt", "1\n")
    for _ in range(2):
        shop.submit("-i", "x.txt", "-cp", "x.txt", "sed", "-i", "p", "x.txt")
    shop.work_off()
    assert shop.read("x.txt") == "1\n" * 4


# -- options behind the text -----------------------------------------------------------------------
@pytest.mark.parametrize("behind", [("-cp", "parts"), ("--capture=parts",), ("--qsubmit",), ("-h",)], ids=" ".join)
def test_an_option_behind_the_text_is_part_of_it_but_told_of(shop: Shop, behind: tuple[str, ...]) -> None:
    words = ("-c", "printf %s\\\\n > list.txt", *behind)
    ended = shop.good(*words)
    option = behind[0].partition("=")[0]
    assert ended.err == (
        f"seamless-run: warning: {option} stands behind the text of -c and is part of it; "
        "options come before the text\n"
    )
    assert shop.read("list.txt") == "\n".join(behind) + "\n"
    assert shop.good("-q", *words).err == ""


@pytest.mark.parametrize(
    "words",
    [("-c", "printf %s", "-1"), ("-c", "ls", "-lah"), ("-c", "echo", "x", "-cp"), ("echo", "-cp"), ("-c", "echo -cp")],
    ids=" ".join,
)
def test_nothing_is_said_of_what_is_no_option_there(shop: Shop, words: tuple[str, ...]) -> None:
    assert shop.good(*words).err == ""
