"""Output files: whole, inside of the request's directory, and no more writing than needed."""

import os
from pathlib import Path

import pytest

from seamless.transformer import plain
from seamless.transformer.delivery import deliver
from seamless_queue.broker.records import NewOutput
from seamless_queue.broker.work import Delivery
from seamless_queue.errors import BufferMissing, SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store

OLD_NS = 1_000_000_000_000_000_000


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The directory that requests come from."""
    path = tmp_path / "here"
    path.mkdir()
    return path


def keep(store: Store, files: dict[str, bytes]) -> str:
    """A result: the index of these files."""
    staged = Staged()
    index = {name: store.buffers.stage(content, staged) for name, content in files.items()}
    checksum = store.buffers.stage(plain.dump(index), staged)
    with store.database.transaction() as connection:
        staged.write(connection)
    return checksum


def send(
    store: Store, here: Path, files: dict[str, bytes], *outputs: tuple[str, str | bytes], sidecars_only: bool = False
) -> None:
    """Deliver a result; each output is the job's name and the path, relative to `here`."""
    places = tuple(
        NewOutput(os.fsencode(name), os.path.join(os.fsencode(here), os.fsencode(path))) for name, path in outputs
    )
    deliver(store, Delivery(1, keep(store, files), os.fsencode(here), places, sidecars_only))


def content(root: Path) -> dict[str, bytes]:
    """All files below a directory but the sidecars."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in (".CHECKSUM", ".INDEX")
    }


@pytest.mark.both_digests
def test_a_file_is_written_with_its_checksum(store: Store, here: Path) -> None:
    send(store, here, {"out": b"content"}, ("out", "sub/deep/out.txt"))
    assert content(here) == {"sub/deep/out.txt": b"content"}
    assert (here / "sub/deep/out.txt.CHECKSUM").read_text() == store.digest.of(b"content") + "\n"


def test_a_directory_is_written_with_its_index(store: Store, here: Path) -> None:
    send(store, here, {"d/x": b"X", "d/e/y": os.urandom(20_000), "other": b"no"}, ("d", "result"))
    assert set(content(here)) == {"result/x", "result/e/y"}
    index = (here / "result.INDEX").read_bytes()
    assert set(plain.load(index)) == {"x", "e/y"}
    assert (here / "result.CHECKSUM").read_text() == store.digest.of(index) + "\n"


def test_sidecars_alone_stand_for_the_files(store: Store, here: Path) -> None:
    files = {"out": b"content", "d/x": b"X"}
    send(store, here, files, ("out", "out"), ("d", "d"), sidecars_only=True)
    assert sorted(os.listdir(here)) == ["d.CHECKSUM", "d.INDEX", "out.CHECKSUM"]


@pytest.mark.parametrize("path", ["../outside", "sub/../../outside", "/etc/seamless-test", "."])
def test_nothing_is_written_outside(store: Store, here: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(SeamlessError, match="lies outside of"):
        send(store, here, {"out": b"content"}, ("out", path))
    assert content(tmp_path / "here") == {}
    assert not (tmp_path / "outside").exists()
    assert not os.path.exists("/etc/seamless-test")


@pytest.mark.parametrize("path", ["link/out", "sub/link/out"])
def test_nothing_is_written_through_a_link(store: Store, here: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = here / os.path.dirname(path)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SeamlessError, match="is a link or a file; outputs are not written through it"):
        send(store, here, {"out": b"content"}, ("out", path))
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_directory_is_not_written_through_a_link_either(store: Store, here: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (here / "d").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SeamlessError, match="is a link or a file"):
        send(store, here, {"d/x": b"X"}, ("d", "d"))
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_link_in_place_of_the_file_is_replaced_not_followed(store: Store, here: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (here / "out").symlink_to(tmp_path / "precious")
    send(store, here, {"out": b"content"}, ("out", "out"))
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (here / "out").is_symlink()
    assert content(here) == {"out": b"content"}


def test_an_index_cannot_lead_outside(store: Store, here: Path, tmp_path: Path) -> None:
    with pytest.raises(SeamlessError, match="outside of its directory"):
        send(store, here, {"d/../../outside": b"X"}, ("d", "d"))
    assert not (tmp_path / "outside").exists()


def test_a_file_that_has_its_content_keeps_its_time(store: Store, here: Path) -> None:
    send(store, here, {"out": b"content", "d/x": b"X"}, ("out", "out"), ("d", "d"))
    for name in ("out", "d/x"):
        os.utime(here / name, ns=(OLD_NS, OLD_NS))
    before = {name: (here / name).stat().st_ino for name in ("out", "d/x")}
    send(store, here, {"out": b"content", "d/x": b"X"}, ("out", "out"), ("d", "d"))
    assert {(here / name).stat().st_mtime_ns for name in before} == {OLD_NS}
    assert {name: (here / name).stat().st_ino for name in before} == before


def test_a_changed_file_is_replaced_by_rename(store: Store, here: Path) -> None:
    (here / "out").write_bytes(b"CONTENT")
    with (here / "out").open("rb") as reader:
        send(store, here, {"out": b"content"}, ("out", "out"))
        assert reader.read() == b"CONTENT"
    assert content(here) == {"out": b"content"}


def test_a_new_delivery_of_a_directory_removes_what_the_last_one_wrote(store: Store, here: Path) -> None:
    send(store, here, {"d/stale": b"old", "d/edited": b"old", "d/kept": b"kept"}, ("d", "d"))
    (here / "d" / "edited").write_bytes(b"edited by the user")
    (here / "d" / "foreign").write_bytes(b"made by the user")
    send(store, here, {"d/kept": b"kept", "d/new": b"new"}, ("d", "d"))
    assert content(here) == {
        "d/edited": b"edited by the user",
        "d/foreign": b"made by the user",
        "d/kept": b"kept",
        "d/new": b"new",
    }


@pytest.mark.parametrize(
    "index", [b"not json", b"[]", b'{"../precious": "%s"}', b'{"link/precious": "%s"}', b'{"x": 7}'], ids=repr
)
def test_an_index_that_was_tampered_with_removes_nothing(
    store: Store, here: Path, tmp_path: Path, index: bytes
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (here / "precious").write_bytes(b"precious")
    (here / "d").mkdir()
    (here / "d" / "link").symlink_to(tmp_path)
    (here / "d.INDEX").write_bytes(index.replace(b"%s", store.digest.of(b"precious").encode()))
    send(store, here, {"d/new": b"new"}, ("d", "d"))
    assert precious.read_bytes() == (here / "precious").read_bytes() == b"precious"
    assert (here / "d" / "new").read_bytes() == b"new"


def test_names_that_are_not_utf_8_are_written_as_they_are(store: Store, here: Path) -> None:
    name = b"caf\xe9"
    text = os.fsdecode(name)
    send(store, here, {text: b"file", f"d/{text}": b"inside"}, (text, name), ("d", b"d-" + name))
    names = set(os.listdir(os.fsencode(here)))
    assert {name, name + b".CHECKSUM", b"d-" + name, b"d-" + name + b".INDEX"} <= names
    assert os.listdir(os.fsencode(here) + b"/d-" + name) == [name]


def test_a_directory_in_place_of_the_file_is_an_error_that_names_it(store: Store, here: Path) -> None:
    (here / "out").mkdir()
    with pytest.raises(SeamlessError, match="out is a directory; remove it or choose another output name"):
        send(store, here, {"out": b"content"}, ("out", "out"))


def test_a_missing_buffer_leaves_the_old_file_and_no_temporary_one(store: Store, here: Path) -> None:
    (here / "out").write_bytes(b"old")
    checksum = keep(store, {"out": b"x" * 20_000})
    os.unlink(store.buffers.path(store.digest.of(b"x" * 20_000)))
    output = NewOutput(b"out", os.fsencode(here / "out"))
    with pytest.raises(BufferMissing):
        deliver(store, Delivery(1, checksum, os.fsencode(here), (output,), False))
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {"out": b"old"}


def test_a_fifo_in_place_of_the_file_does_not_block(store: Store, here: Path) -> None:
    os.mkfifo(here / "out")
    send(store, here, {"out": b"content"}, ("out", "out"))
    assert content(here) == {"out": b"content"}
