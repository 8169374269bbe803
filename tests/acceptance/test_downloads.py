"""What was uploaded or computed comes back as it was, beside what is there, and never over it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from pathlib import Path

import pytest

from .shop import COUNTED, Shop, until
from .test_uploads import LARGE, blake3, files_of, good, refused, upload

UNKNOWN = "0123456789abcdef" * 4


def download(shop: Shop, *words: str | bytes, **given: object) -> None:
    good(shop, "seamless-download", *words, **given)


@pytest.fixture
def data(shop: Shop) -> dict[str, bytes | None]:
    """A directory and a file that were uploaded and are gone."""
    shop.write("data/a", "1\n")
    shop.write("data/s/big", LARGE)
    (shop.dir / "data/s/empty").mkdir()
    shop.write("data/tool", "#!/bin/sh\n").chmod(0o755)
    shop.write("file", "alpha\n")
    upload(shop, "data", "file")
    files = files_of(shop.dir / "data")
    shutil.rmtree(shop.dir / "data")
    (shop.dir / "file").unlink()
    return files


# -- what comes back ---------------------------------------------------------------------------------
def test_files_and_directories_come_back_by_name_sidecar_and_checksum(
    shop: Shop, data: dict[str, bytes | None]
) -> None:
    download(shop, "file", "data.INDEX")
    assert shop.read("file") == "alpha\n"
    assert files_of(shop.dir / "data") == data
    assert (shop.dir / "data/tool").stat().st_mode & stat.S_IXUSR
    assert not (shop.dir / "data/a").stat().st_mode & stat.S_IXUSR
    (shop.dir / "file").unlink()
    download(shop, "file.CHECKSUM", blake3(b"alpha\n"))
    assert shop.read("file") == shop.read(blake3(b"alpha\n")) == "alpha\n"
    download(shop, "-o", "again", "--directory", shop.read("data.CHECKSUM").strip())
    assert files_of(shop.dir / "again") == data
    assert not shop.has("again.CHECKSUM")
    assert good(shop, "seamless-download", "--stdout", "file", blake3(LARGE)).out == b"alpha\n" + LARGE


def test_what_is_there_and_right_is_left_alone(shop: Shop, data: dict[str, bytes | None]) -> None:
    download(shop, "data")
    before = {path: path.stat().st_mtime_ns for path in (shop.dir / "data").rglob("*") if path.is_file()}
    (shop.dir / "data/s/big").unlink()
    (shop.dir / "data/tool").chmod(0o644)
    download(shop, "data")
    del before[shop.dir / "data/s/big"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert files_of(shop.dir / "data") == data
    assert (shop.dir / "data/tool").stat().st_mode & stat.S_IXUSR


def test_what_is_there_and_different_stays_unless_forced(shop: Shop, data: dict[str, bytes | None]) -> None:
    shop.write("data/a", "mine")
    (shop.dir / "data/tool").symlink_to("/etc/passwd")
    line = refused(shop, "seamless-download", "-y", "data")
    assert line.endswith(
        "data/a (and 1 more) is there with other content; nothing was downloaded, use --force to replace it"
    )
    assert set(os.listdir(shop.dir / "data")) == {"a", "tool"}
    download(shop, "--force", "data")
    assert files_of(shop.dir / "data") == data


def test_only_sidecars(shop: Shop, data: dict[str, bytes | None]) -> None:
    (shop.dir / "data.INDEX").unlink()
    download(shop, "--index", "data")
    assert set(files_of(shop.dir / "data")) == {"a.CHECKSUM", "s/big.CHECKSUM", "s/empty", "tool.CHECKSUM"}
    assert shop.has("data.INDEX")
    shop.bash("rm -r data.*")
    download(shop, "data")
    assert (shop.dir / "data/s/big").read_bytes() == LARGE


# -- a sidecar without its index ---------------------------------------------------------------------
def test_a_directory_that_was_uploaded_comes_back_by_its_checksum_alone(
    shop: Shop, data: dict[str, bytes | None]
) -> None:
    (shop.dir / "data.INDEX").unlink()
    assert shop.good("ls", "data").out == b"a\ns\ntool\n"
    # Its sidecar may be carried elsewhere.
    shop.write("elsewhere/other.CHECKSUM", shop.read("data.CHECKSUM"))
    download(shop, "-o", "copy", "data")
    download(shop, "data", "elsewhere/other")
    for name in ("copy", "data", "elsewhere/other"):
        assert files_of(shop.dir / name) == data
    assert shop.has("data.INDEX")
    # A bare checksum is what was said to be.
    checksum = shop.read("data.CHECKSUM").strip()
    download(shop, checksum)
    assert shop.read(checksum) == shop.read("data.INDEX")


def test_a_directory_that_was_captured_comes_back_by_its_checksum_alone(shop: Shop) -> None:
    shop.good("-cp", "out", "-cp", "x.txt", "-c", "mkdir -p out/s; echo 1 > out/s/x; cp out/s/x x.txt")
    shop.bash("rm -r out out.INDEX x.txt")
    shop.submit("-c", "ls out > listed.txt")
    shop.work_off()
    assert shop.read("listed.txt") == "s\n"
    download(shop, "out", "x.txt")
    assert shop.read("out/s/x") == shop.read("x.txt") == "1\n"


def test_what_nobody_knows_to_be_a_directory_comes_back_as_a_file(shop: Shop, data: dict[str, bytes | None]) -> None:
    (shop.dir / "data.INDEX").rename(shop.dir / "index.json")
    index = shop.read("index.json")
    shop.good("-cp", "copy.json", "cp", "index.json", "copy.json")
    upload(shop, "index.json")
    (shop.dir / "nothing").mkdir()
    upload(shop, "nothing")
    shop.bash("rmdir nothing; rm nothing.INDEX index.json copy.json")
    download(shop, "index.json", "copy.json", "nothing")
    assert shop.read("index.json") == shop.read("copy.json") == index
    assert shop.read("nothing") == "{}\n"


def test_a_directory_through_a_link_is_refused(shop: Shop, data: dict[str, bytes | None]) -> None:
    outside = shop.top / "outside"
    outside.mkdir()
    (shop.dir / "data").symlink_to(outside)
    assert "data is a link" in refused(shop, "seamless-download", "data")
    (shop.dir / "data").unlink()
    (shop.dir / "data").mkdir()
    (shop.dir / "data/s").symlink_to(outside)
    assert "not written through it" in refused(shop, "seamless-download", "--force", "data")
    assert list(outside.iterdir()) == []
    assert list((shop.dir / "data").iterdir()) == [shop.dir / "data/s"]


def test_beyond_the_limit(shop: Shop, data: dict[str, bytes | None]) -> None:
    ended = shop.call("seamless-download", "-n", "data", env={"SEAMLESS_MAX_DOWNLOAD_FILES": "1"})
    assert (ended.status, len(ended.lines)) == (0, 1)
    assert "nothing was downloaded: cannot confirm download of 3 files, total 50.01 KB" in ended.err
    assert files_of(shop.dir / "data") == {"s/empty": None}
    limit = {"SEAMLESS_MAX_DOWNLOAD_SIZE": "1"}
    assert shop.call("seamless-download", "file", env=limit, input=b"\n").status == 1
    download(shop, "-y", "file", env=limit)


def test_what_cannot_be_downloaded(shop: Shop, data: dict[str, bytes | None]) -> None:
    shop.write("bad.CHECKSUM", "no checksum\n")
    shop.write("unknown.CHECKSUM", UNKNOWN)
    (shop.dir / "file").mkdir()
    for words, complaint in {
        ("nope",): "nope has no sidecar nope.CHECKSUM",
        ("bad",): "bad.CHECKSUM does not hold a checksum",
        ("file",): "is not the index of a directory",
        (UNKNOWN,): f"{UNKNOWN} cannot be had: no buffer {UNKNOWN}",
        ("unknown",): f"unknown cannot be had: no buffer {UNKNOWN}",
        ("-o", "no/where", blake3(LARGE)): "no is no directory",
        ("--directory", blake3(LARGE)): "is not the index of a directory",
        ("--store", "nowhere", "data"): "there is no store at",
    }.items():
        assert complaint in refused(shop, "seamless-download", *words)
    for words in ((), ("--stdout", "data"), ("-o", "x", "a", "b"), ("-y", "-n", "file")):
        refused(shop, "seamless-download", *words, status=2)
    assert shop.names() == set()
    assert not shop.has("nowhere")


# -- results -----------------------------------------------------------------------------------------
def test_results_whose_bytes_are_gone_are_made_again(shop: Shop) -> None:
    text = "mkdir -p out/empty; yes | head -c 30000 > out/x; chmod +x out/x; head -c 20000 out/x > single"
    shop.good(*COUNTED, "-cp", "out", "-cp", "single", "-c", text)
    files = files_of(shop.dir / "out")
    shutil.rmtree(shop.dir / "out")
    (shop.dir / "single").unlink()
    for path in shop.buffer_files():
        path.unlink()
    download(shop, "out", "single")
    assert files_of(shop.dir / "out") == files
    assert (shop.dir / "out/x").stat().st_mode & stat.S_IXUSR
    assert (shop.dir / "single").read_bytes() == b"y\n" * 10_000
    assert shop.executions == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_download_goes_on(shop: Shop, number: signal.Signals) -> None:
    shop.bash("mkdir d; for i in $(seq 1500); do echo $i > d/$i; done")
    upload(shop, "d")
    files = files_of(shop.dir / "d")
    shutil.rmtree(shop.dir / "d")
    started = shop.start("seamless-download", "d")
    until(lambda: any((shop.dir / "d").glob("1*")) or started.process.poll() is not None, "a file")
    started.signal(number)
    started.wait()
    left = shop.leftovers()
    assert number is signal.SIGKILL or left == []
    there = files_of(shop.dir / "d")
    assert all(there[name] == files[name] for name in there if f"d/{name}" not in left)
    download(shop, "d")
    for name in left:
        (shop.dir / name).unlink()
    assert files_of(shop.dir / "d") == files


# -- the small commands ------------------------------------------------------------------------------
def test_checksums_are_printed_in_order(bare_shop: Shop) -> None:
    shop = bare_shop
    shop.write("a b", LARGE)
    shop.write("d/x", "x")
    index = f'{{\n  "x": "{blake3(b"x")}"\n}}\n'.encode()
    ended = good(shop, "seamless-checksum", "d", "a b", "d/x")
    assert ended.out.decode().split() == [blake3(index), blake3(LARGE), blake3(b"x")]
    good(shop, "seamless-checksum-index", "d/")
    good(shop, "seamless-checksum-file", "a b")
    assert (shop.read("d.INDEX").encode(), shop.read("d.CHECKSUM")) == (index, blake3(index) + "\n")
    assert shop.read("a b.CHECKSUM") == blake3(LARGE) + "\n"
    sha256 = shop.bash("sha256sum 'a b'").out.split()[0]
    assert good(shop, "seamless-checksum", "--digest", "sha256", "a b").out.strip() == sha256
    assert not shop.store.exists()
    (shop.dir / "a b").unlink()
    assert good(shop, "seamless-checksum", "a b").out.decode().strip() == blake3(LARGE)


def test_checksums_go_by_the_digest_of_the_store(bare_shop: Shop) -> None:
    shop = bare_shop
    shop.write("a", LARGE)
    good(shop, "seamless-upload", "--digest", "sha256", "a")
    sha256 = shop.bash("sha256sum a").out.split()[0].decode()
    assert good(shop, "seamless-checksum", "a").out.decode().strip() == sha256
    assert shop.read("a.CHECKSUM").strip() == sha256


def test_what_has_no_checksum(shop: Shop) -> None:
    shop.write("f", "x")
    (shop.dir / "d").mkdir()
    assert "nope does not exist" in refused(shop, "seamless-checksum", "nope")
    assert "nope does not exist" in refused(shop, "seamless-checksum-file", "nope")
    assert "use seamless-checksum-index" in refused(shop, "seamless-checksum-file", "d", status=2)
    assert "f is no directory" in refused(shop, "seamless-checksum-index", "f")
    assert "nope does not exist" in refused(shop, "seamless-checksum-index", "nope")
    assert set(os.listdir(shop.dir)) == {"f", "d"}


@pytest.mark.parametrize("content", [b"", b"\x00\xff\n\r", LARGE], ids=["empty", "binary", "large"])
def test_bytes_are_resolved_exactly(shop: Shop, content: bytes) -> None:
    shop.write("a", content)
    upload(shop, "a")
    assert good(shop, "seamless-resolve", blake3(content)).out == content
    good(shop, "seamless-resolve", "--output", "b", "a.CHECKSUM")
    assert (shop.dir / "b").read_bytes() == content
    assert good(shop, "seamless-resolve", "-o", "/dev/stdout", "a.CHECKSUM").out == content


def test_what_cannot_be_resolved(shop: Shop) -> None:
    shop.write("a", "x")
    shop.write("bad.CHECKSUM", "x")
    assert "a is neither a checksum" in refused(shop, "seamless-resolve", "a")
    assert "bad.CHECKSUM does not hold a checksum" in refused(shop, "seamless-resolve", "bad.CHECKSUM")
    assert f"no buffer {UNKNOWN}" in refused(shop, "seamless-resolve", "-o", "o", UNKNOWN)
    assert not shop.has("o")
    assert shop.leftovers() == []


def test_a_project_is_begun(bare_shop: Shop) -> None:
    shop = bare_shop
    good(shop, "seamless-init", "--project", "1.10:x y", "--stage", "no", "--nparallel", "3", "my project")
    project = shop.dir / "my project"
    assert (project / ".seamless/cache/seamless.db").exists()
    shop.good("--project", "other", "echo", "hi", cwd=project)
    shop.good("echo", "ho", cwd=project)
    rows = shop.rows("SELECT project, stage FROM requests ORDER BY id", project / ".seamless/cache")
    assert rows == [("other", "no"), ("1.10", "no")]
    assert not shop.store.exists()
    before = (project / "seamless.yaml").read_bytes()
    assert "is there already" in refused(shop, "seamless-init", "my project")
    assert (project / "seamless.yaml").read_bytes() == before


def test_a_project_that_cannot_be_begun_leaves_nothing(bare_shop: Shop) -> None:
    shop = bare_shop
    refused(shop, "seamless-init", "--digest", "md5", "new", status=2)
    refused(shop, "seamless-init", "--execution", "nowhere", "new", status=2)
    refused(shop, "seamless-init", "--nparallel", "0", "new", status=2)
    shop.write("file", "")
    refused(shop, "seamless-init", "file")
    refused(shop, "seamless-init", "--store", "file", "new")
    assert not Path(shop.dir / "new/seamless.yaml").exists()
