"""What is uploaded is there to stay, and its sidecars say what it is; nothing is lost on the way."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from seamless_queue.digest import DIGESTS

from .shop import Ended, Shop, until

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGE = os.urandom(50_000)
PINNED = "SELECT lower(hex(checksum)), CAST(path AS TEXT) FROM uploads ORDER BY 2"


def blake3(content: bytes) -> str:
    return DIGESTS["blake3"].of(content)


def good(shop: Shop, *words: str | bytes, **given: object) -> Ended:
    ended = shop.call(*words, **given)
    assert ended.status == 0, ended
    return ended


def upload(shop: Shop, *words: str | bytes, **given: object) -> Ended:
    return good(shop, "seamless-upload", *words, **given)


def refused(shop: Shop, *words: str | bytes, status: int = 1, **given: object) -> str:
    """The one line that a command ends with."""
    ended = shop.call(*words, **given)
    assert (ended.status, ended.out, len(ended.lines)) == (status, b"", 1), ended
    assert "Traceback" not in ended.err
    return ended.lines[0]


def files_of(directory: Path) -> dict[str, bytes | None]:
    """All files, and the directories with nothing in them."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
        if path.is_file() or not list(path.iterdir())
    }


# -- what is kept ------------------------------------------------------------------------------------
def test_a_file_gets_a_sidecar_and_is_pinned(shop: Shop) -> None:
    path = shop.write("a b.txt", LARGE)
    assert upload(shop, "a b.txt").lines == ["seamless-upload: Upload 1 files, total 50.00 KB"]
    assert shop.read("a b.txt.CHECKSUM") == blake3(LARGE) + "\n"
    assert shop.rows(PINNED) == [(blake3(LARGE), str(path))]
    assert path.read_bytes() == LARGE


def test_a_directory_gets_an_index_and_all_of_it_is_pinned(shop: Shop) -> None:
    shop.write("data/a.txt", "1\n")
    shop.write("data/s/big", LARGE)
    (shop.dir / "data/s/empty").mkdir()
    shop.write("data/tool", "#!/bin/sh\n").chmod(0o755)
    shop.write("data/a.txt.CHECKSUM", "not part of it")
    upload(shop, "data/")
    index = shop.read("data.INDEX")
    assert json.loads(index) == {
        "./s/empty": "directory",
        "./tool": "executable",
        "a.txt": blake3(b"1\n"),
        "s/big": blake3(LARGE),
        "tool": blake3(b"#!/bin/sh\n"),
    }
    assert shop.read("data.CHECKSUM") == blake3(index.encode()) + "\n"
    assert [path.removeprefix(f"{shop.dir}/") for _, path in shop.rows(PINNED)] == [
        "data",
        "data/a.txt",
        "data/s/big",
        "data/tool",
    ]


def test_what_is_known_is_not_copied_again_and_nothing_is_said(shop: Shop) -> None:
    for name in ("a", "d/b"):
        os.utime(shop.write(name, name), ns=(1, 1))
    script = "sleep 0.1; seamless-upload a d; stat -c %y.%i *.CHECKSUM *.INDEX"
    first = shop.bash(script)
    assert first.lines == ["seamless-upload: Upload 3 files, total 82.00 B"]
    assert shop.bash(script) == Ended(0, first.out, "")
    shop.write("a", "new")
    assert upload(shop, "-q", "a").err == ""
    assert shop.read("a.CHECKSUM") == blake3(b"new") + "\n"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_is_known_by_what_it_holds(shop: Shop, suffix: str) -> None:
    content = LARGE * 50
    compress = gzip.compress if suffix == ".gz" else zstd.compress
    shop.write(f"a{suffix}", compress(content[:70_000]) + compress(content[70_000:]))
    upload(shop, f"a{suffix}")
    assert shop.read("a.CHECKSUM") == blake3(content) + "\n"
    assert good(shop, "seamless-resolve", "a.CHECKSUM").out == content
    for name in ("a", f"a{suffix}"):
        assert good(shop, "seamless-checksum", name).out.decode() == blake3(content) + "\n"
    assert upload(shop, "a").err == ""


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
def test_a_damaged_compressed_file_is_refused(shop: Shop, suffix: str, damage: str) -> None:
    content = (gzip.compress if suffix == ".gz" else zstd.compress)(LARGE)
    if damage == "cut":
        content = content[:-2000]
    elif damage == "changed":
        content = content[:3000] + bytes([content[3000] ^ 255]) + content[3001:]
        # Without a checksum of its own zstd cannot tell.
        content = content if suffix == ".gz" else content[:4] + b"\xff" + content[5:]
    else:
        content = b"plain text"
    shop.write(f"a{suffix}", content)
    line = refused(shop, "seamless-upload", f"a{suffix}")
    assert f"a{suffix} " in line
    assert not shop.has("a.CHECKSUM")
    assert shop.rows(PINNED) == []
    assert shop.store_leftovers() == []


def test_a_file_beside_its_compressed_form_must_be_the_same(shop: Shop) -> None:
    shop.write("a", "one")
    shop.write("a.gz", gzip.compress(b"another"))
    assert "a is not what a.gz holds; remove one of them" in refused(shop, "seamless-upload", "a.gz")


def test_an_absent_input_is_taken_from_what_was_uploaded(shop: Shop) -> None:
    shop.write("data/x", "x\n")
    shop.write("data/deep/e", "")
    shop.write("a.txt", "alpha\n")
    upload(shop, "-m", "data", "a.txt")
    assert shop.names() == set()
    found = shop.good("-i", "data", "-i", "a.txt", "-c", "find . | sort").out.decode()
    assert found == ".\n./a.txt\n./data\n./data/deep\n./data/deep/e\n./data/x\n"


# -- moving ------------------------------------------------------------------------------------------
def test_moving_takes_only_what_was_uploaded(shop: Shop) -> None:
    shop.write("outside/f", "far")
    shop.write("data/in/a", "1")
    shop.write("data/in/a.CHECKSUM", "whatever")
    shop.write("data/b.CHECKSUM", "of a file that is absent")
    (shop.dir / "data/linked").symlink_to("../outside")
    (shop.dir / "data/file").symlink_to("../outside/f")
    ended = upload(shop, "--move", "data")
    assert ended.lines[-2:-1] == ["seamless-upload: warning: not removed: data/b.CHECKSUM was not part of the upload"]
    assert files_of(shop.dir / "data") == {"b.CHECKSUM": b"of a file that is absent"}
    assert files_of(shop.dir / "outside") == {"f": b"far"}


# -- another destination -----------------------------------------------------------------------------
@pytest.mark.parametrize(("option", "links"), [((), 1), (("--hardlink",), 2), (("--symlink",), 1)])
def test_buffers_go_to_a_directory_of_their_own(bare_shop: Shop, option: tuple[str, ...], links: int) -> None:
    shop = bare_shop
    path = shop.write("a", LARGE)
    shop.write("d/b", "b")
    upload(shop, "--destination", "buffers", *option, "a", "d")
    names = {blake3(LARGE), blake3(b"b"), blake3((shop.dir / "d.INDEX").read_bytes())}
    assert {file.name for file in (shop.dir / "buffers").iterdir()} == names
    assert (shop.dir / "buffers" / blake3(LARGE)).read_bytes() == LARGE
    assert path.stat().st_nlink == links
    assert (shop.dir / "buffers" / blake3(LARGE)).is_symlink() == ("--symlink" in option)
    assert not shop.store.exists()


def test_a_buffer_that_is_there_is_trusted_verified_or_repaired(shop: Shop) -> None:
    shop.write("a", LARGE)
    to = ("--destination", "buffers")
    upload(shop, *to, "a")
    kept = shop.dir / "buffers" / blake3(LARGE)
    kept.write_bytes(b"damaged")
    assert upload(shop, *to, "--dest-skip", "a").err == ""
    line = refused(shop, "seamless-upload", *to, "--dest-verify", "a")
    assert line.endswith("is damaged: its bytes are not those of its name; write it anew: --dest-repair")
    assert kept.read_bytes() == b"damaged"
    upload(shop, *to, "--dest-repair", "a")
    assert kept.read_bytes() == LARGE
    assert upload(shop, *to, "--dest-verify", "a").err == ""


# -- asking ------------------------------------------------------------------------------------------
def test_many_files_want_a_yes(shop: Shop) -> None:
    for name in ("a", "b"):
        shop.write(name, name)
    limit = {"SEAMLESS_MAX_UPLOAD_FILES": "1"}
    line = refused(shop, "seamless-upload", "-n", "a", "b", env=limit)
    assert line == "seamless-upload: error: cannot confirm upload of 2 files, total 2.00 B; use -y to allow it"
    ended = shop.call("seamless-upload", "a", "b", env=limit, input=b"no\n")
    assert ended.status == 1
    assert shop.names() == {"a", "b"}
    assert not shop.has("a.CHECKSUM")
    assert shop.call("seamless-upload", "a", "b", env=limit, input=b"y\n").status == 0
    assert shop.has("a.CHECKSUM")
    upload(shop, "-n", "a", env=limit)


# -- bad input ---------------------------------------------------------------------------------------
def test_what_cannot_be_uploaded(shop: Shop) -> None:
    os.mkfifo(shop.dir / "fifo")
    (shop.dir / "lost").symlink_to("nowhere")
    shop.write("d/x", "x")
    (shop.dir / "d/lost").symlink_to("nowhere")
    (shop.dir / "holds").symlink_to(shop.home)
    shop.write("gone.CHECKSUM", "a" * 64)
    for name, complaint in {
        "nothing": "nothing does not exist",
        "gone": "gone is absent, only gone.CHECKSUM is there; fetch it with: seamless-download gone",
        "fifo": "fifo is neither a file nor a directory",
        "lost": "lost links to nowhere, which is not there",
        "d": "d/lost links to nowhere, which is not there",
        ".": ". has no name that a sidecar could be beside",
        str(shop.store): "is part of the store",
        "holds": "holds/.seamless/cache is the store itself; leave it out",
    }.items():
        assert complaint in refused(shop, "seamless-upload", name)
    assert shop.rows(PINNED) == []
    assert "d.CHECKSUM is a sidecar" in refused(shop, "seamless-upload", "d.CHECKSUM", status=2)
    assert "nothing to upload" in refused(shop, "seamless-upload", status=2)
    assert "goes with --destination" in refused(shop, "seamless-upload", "--hardlink", "d", status=2)


def test_names_that_are_not_utf_8(shop: Shop) -> None:
    names = [b"caf\xe9 1", b"d\xff"]
    shop.bash(rb"printf x > $'caf\xe9 1'; mkdir -p $'d\xff'; printf y > $'d\xff/\xfe'")
    upload(shop, *names)
    shop.bash(rb"rm -r $'caf\xe9 1' $'d\xff'")
    good(shop, "seamless-download", *names)
    assert shop.bash(rb"cat $'caf\xe9 1' $'d\xff/\xfe'").out == b"xy"


# -- interruption ------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_upload_goes_on(shop: Shop, number: signal.Signals) -> None:
    shop.bash("mkdir d; for i in $(seq 2500); do echo $i > d/$i; done; sleep 0.1")
    shop.write("d/zz", LARGE)
    started = shop.start("seamless-upload", "d")
    until(lambda: shop.rows("SELECT 1 FROM uploads LIMIT 1") or started.process.poll() is not None, "the first of it")
    started.signal(number)
    started.wait()
    upload(shop, "d")
    assert len(shop.rows("SELECT 1 FROM uploads")) == 2502
    assert shop.read("d.CHECKSUM") == good(shop, "seamless-checksum", "d").out.decode()
