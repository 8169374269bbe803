"""What the first page of the documentation shows, word for word, and under awkward names."""

from __future__ import annotations

import os
from pathlib import Path

from .shop import COUNTED, Shop

TRANSCRIPT = r"""
set -e
mkdir data
printf 'a1\na2\n' > data/a.txt
printf 'b1\nb2\n' > data/b.txt
printf '10\n9\n9\n1\n' > data/c.txt
seamless-run paste data/a.txt data/b.txt
seamless-run paste data/a.txt data/b.txt
seamless-queue --workers 8 > queue.log &
seamless-run --qsubmit paste data/a.txt data/b.txt
seamless-run --qsubmit -c 'sort -n data/c.txt > sorted.txt'
seamless-run --qsubmit -c 'uniq -c sorted.txt > counts.txt'
seamless-queue-finish
wait
"""


def test_transcript(bare_shop: Shop) -> None:
    shop = bare_shop
    ended = shop.bash(TRANSCRIPT)
    assert ended.status == 0, ended
    assert ended.out == b"a1\tb1\na2\tb2\n" * 2
    assert shop.read("sorted.txt") == "1\n9\n9\n10\n"
    assert shop.read("counts.txt").split() == ["1", "1", "2", "9", "1", "10"]
    assert shop.store_leftovers() == []


AWKWARD = ["plain", "two words", "it's", 'say "hi"', "é", "日本 語", "a$b", "semi;colon", "-dash", "star*", "new\nline"]


def test_awkward_names_as_words(shop: Shop) -> None:
    for name in AWKWARD:
        shop.write(f"{name}.txt", f"{name}\n")
    words = ("cat", "--", *(f"{name}.txt" for name in AWKWARD))
    content = "".join(f"{name}\n" for name in AWKWARD).encode()
    assert shop.good(*COUNTED, *words).out == content
    assert shop.good(*COUNTED, *words).out == content
    assert shop.executions == 1


def test_awkward_names_as_shell_text_and_outputs(shop: Shop) -> None:
    shop.server()
    lines = []
    for number, name in enumerate(AWKWARD):
        quoted = "'" + name.replace("'", "'\\''") + "'"
        shop.write(f"{name}.in", f"{number}\n")
        chain = (f"cat ./{quoted}.in > ./{quoted}.mid", f"cat ./{quoted}.mid ./{quoted}.in > ./{quoted}.out")
        if "\n" in name:
            for command in chain:
                shop.submit("-c", command)
        else:
            lines.extend(chain)
    shop.submit("--batch", "-", input="\n".join(lines).encode())
    shop.finish()
    for number, name in enumerate(AWKWARD):
        assert shop.read(f"{name}.out") == f"{number}\n{number}\n"


def test_awkward_directory(shop: Shop) -> None:
    place = shop.dir / 'it\'s "my" dirécté ory'
    place.mkdir()
    ended = shop.bash(TRANSCRIPT, cwd=place)
    assert ended.status == 0, ended
    assert (place / "counts.txt").read_text().split() == ["1", "1", "2", "9", "1", "10"]


def test_names_that_are_not_utf8(shop: Shop) -> None:
    """The file system's names are bytes; every one of them is as good as another."""
    place = os.path.join(os.fsencode(shop.dir), b"d\xff")
    os.mkdir(place)
    Path(os.fsdecode(os.path.join(place, b"a\xfe.txt"))).write_text("bytes\n")
    ended = shop.good(b"cat", b"a\xfe.txt", cwd=place)
    assert ended.out == b"bytes\n"
    server = shop.server("--log-file", str(shop.top / "log"))
    shop.submit(b"-c", b"cat 'a\xfe.txt' > 'b\xfd.txt'", cwd=place)
    shop.submit(b"-c", b"cat 'b\xfd.txt' > c.txt", cwd=place)
    shop.submit(b"-c", b"echo oops >&2; exit 3 # \xfc", cwd=place)
    ended = shop.finish(status=1)
    assert "exit code 3" in ended.err
    assert server.wait().status == 0
    assert Path(os.fsdecode(place), "c.txt").read_text() == "bytes\n"
    assert sorted(os.listdir(place)) == [
        b"a\xfe.txt",
        b"b\xfd.txt",
        b"b\xfd.txt.CHECKSUM",
        b"c.txt",
        b"c.txt.CHECKSUM",
    ]


def test_help_and_version(bare_shop: Shop) -> None:
    shop = bare_shop
    for name in ("seamless-run", "seamless-queue", "seamless-queue-finish"):
        ended = shop.call(name, "--help")
        assert ended.status == 0
        assert ended.out.startswith(f"Usage: {name}".encode())
        ended = shop.call(name, "--version")
        assert ended.status == 0
        assert ended.out.startswith(b"seamless-queue ")
    assert not shop.store.exists()
