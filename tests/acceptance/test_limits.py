"""What is too long or too large is refused before anything is done: one line, exit status 2."""

from __future__ import annotations

import os

import pytest

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
