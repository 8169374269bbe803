"""What is too long or too large is refused before anything is done: one line, exit status 2."""

from __future__ import annotations

import os

import click
import pytest

from seamless.cli import queue

from .script import run_script
from .shop import COUNTED, Shop
from .test_uploads import good, refused, upload

LONGEST = os.pathconf("/tmp", "PC_NAME_MAX")
#: Has room for its sidecar, and has none.
FITS, TOO_LONG = "x" * (LONGEST - len(".CHECKSUM")), "x" * (LONGEST - len(".CHECKSUM") + 1)


# -- names -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [(), ("--qsubmit",), ("--dry",), ("-nd",)], ids=str)
@pytest.mark.parametrize(
    "name", [TOO_LONG, "x" * (LONGEST + 1) + "/y", "é" * (LONGEST // 2)], ids=lambda name: name[:1]
)
def test_an_output_whose_name_is_too_long_is_refused_at_once(shop: Shop, options: tuple[str, ...], name: str) -> None:
    for words in (("-c", f"echo 1 > {name}"), ("-cp", f"x:{name}", "-c", "true > x")):
        line = refused(shop, "seamless-run", *options, *COUNTED, *words, status=2)
        assert f"too long for the file system, which takes {LONGEST} (.CHECKSUM included)" in line
    assert (shop.executions, shop.request_states(), shop.names()) == (0, [], set())


def test_names_that_just_fit(shop: Shop) -> None:
    shop.good("-c", f"echo 1 > {FITS}")
    shop.submit("-c", f"echo 2 > {FITS}")
    shop.work_off()
    assert shop.read(FITS) == "2\n"
    upload(shop, FITS)
    # What is only read needs no room for a sidecar.
    shop.write("y" * LONGEST, "3\n")
    assert shop.good("-g2", "cat", "y" * LONGEST).out == b"3\n"


def test_a_batch_ends_where_a_name_is_too_long(shop: Shop) -> None:
    shop.write("batch", f"echo 1 > a.txt\necho 2 > {TOO_LONG}\n")
    assert "batch, line 2: " in refused(shop, "seamless-run", "--qsubmit", "--batch", "batch", status=2)
    shop.work_off()
    assert shop.read("a.txt") == "1\n"


def test_what_has_no_room_for_a_sidecar_is_not_uploaded(shop: Shop) -> None:
    shop.write(TOO_LONG, "1\n")
    shop.write(f"d/{TOO_LONG}", "1\n")
    (shop.dir / "y").mkdir()
    (shop.dir / "y").rename(shop.dir / f"{TOO_LONG[1:]}y")
    for words in (("upload", TOO_LONG), ("checksum-file", TOO_LONG), ("checksum-index", f"{TOO_LONG[1:]}y")):
        assert "too long" in refused(shop, f"seamless-{words[0]}", *words[1:], status=2)
    assert shop.rows("SELECT * FROM uploads") == []
    # Inside of a directory a file needs none, unless it is to get one.
    upload(shop, "d")
    assert "too long" in refused(shop, "seamless-download", "--index", "d", status=2)
    assert sorted(os.listdir(shop.dir / "d")) == [TOO_LONG]
    assert "too long" in refused(shop, "seamless-download", "-o", "x" * (LONGEST + 1), "d", status=2)
    good(shop, "seamless-download", "-o", "y" * LONGEST, "d")


# -- numbers -----------------------------------------------------------------------------------------
HUGE = "9" * 20
NUMBERS = [
    ("seamless-run", "--priority", (HUGE, f"-{HUGE}", "1.5", "nan")),
    ("seamless-run", "--retries", (HUGE, "-1", "inf")),
    ("seamless-run", "--timeout", ("nan", "NaN", "-nan", "inf", "-inf", "0", "-1", "1e300", HUGE)),
    ("seamless-run", "--cpus", (HUGE, "9e22", "-1", "nan")),
    ("seamless-run", "--memory", (f"{HUGE}T", "9" * 400, "-1G", "nan", "inf")),
    ("seamless-run", "--gpus", (HUGE, "-1")),
    ("seamless-run", "--slot", (f"x={HUGE}", "x=-1", "x=nan", "x=1.5")),
    ("seamless-run-transformation", "--timeout", ("nan", "inf", "0", "-1")),
    ("seamless-status", "--limit", (HUGE, "-1")),
    ("seamless-queue", "--workers", ("99999", HUGE, "0", "-1")),
    ("seamless-queue", "--cpus", (HUGE, "0")),
    ("seamless-queue", "--memory", (f"{HUGE}T",)),
    ("seamless-queue", "--gpus", (HUGE, "-1")),
    ("seamless-queue", "--slot", (f"x={HUGE}",)),
    ("seamless-queue", "--exit-when-idle", ("nan", "inf", "-1")),
    ("seamless-queue-finish", "--timeout", ("nan", "inf", "-1")),
]


@pytest.mark.parametrize(("name", "option", "values"), NUMBERS, ids=[f"{name} {option}" for name, option, _ in NUMBERS])
def test_numbers_without_sense_are_refused(shop: Shop, name: str, option: str, values: tuple[str, ...]) -> None:
    words = {"seamless-run": ("--qsubmit", "true"), "seamless-run-transformation": ("0" * 64,)}.get(name, ())
    for value in values:
        assert option in refused(shop, name, f"{option}={value}", *words, status=2), value
    assert shop.request_states() == []


def test_the_largest_numbers_that_are_taken(shop: Shop) -> None:
    most = "1000000000"
    amounts = ("--cpus", most, "--gpus", most, "--memory", "100P", "--slot", "x=999999999")
    shop.submit("--priority", most, "--retries", most, "--timeout", most, *amounts, "-c", "echo 1 > x.txt")
    shop.submit("--priority", f"-{most}", "-c", "echo 2 > y.txt")
    good(shop, "seamless-queue", "priority", most, "2")
    for command in (("--once",), ("--failed",), ("--json",)):
        good(shop, "seamless-status", *command, "--limit", most, "--since", f"{most}w")
    for value in (HUGE, f"-{HUGE}"):
        refused(shop, "seamless-queue", "priority", value, "1", status=2)
    assert shop.rows("SELECT priority FROM requests ORDER BY id") == [(10**9,), (10**9,)]
    good(shop, "seamless-queue", "cancel", "1", "2")


# -- workers -----------------------------------------------------------------------------------------
def test_the_number_of_workers_is_bounded() -> None:
    """By the parser only: nobody is started."""
    most = max(256, 32 * (os.cpu_count() or 1))
    context = queue.command.make_context("seamless-queue", ["--workers", str(most)])
    assert context.params["workers"] == most
    with pytest.raises(click.UsageError, match=f"{most + 1} is not in the range 1<=x<={most}"):
        queue.command.make_context("seamless-queue", ["--workers", str(most + 1)])


def test_spawn_is_bounded(shop: Shop) -> None:
    said = run_script(
        shop,
        """
        for wrong in (99_999, 10**30):
            try:
                spawn(wrong)
            except ValueError as exc:
                print(exc)
        print(has_spawned())
        """,
    ).splitlines()
    most = max(256, 32 * (os.cpu_count() or 1))
    assert said[0] == f"spawn() starts {most} workers at most on this machine, not 99999"
    assert said[2] == "False"
