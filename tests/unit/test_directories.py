"""Directories by index: what is in one, links, loops, and names that would lead outside."""

import os
from pathlib import Path

import pytest

from seamless.transformer import directories, plain
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store


def fill(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def keep(store: Store, staged: Staged) -> None:
    with store.database.transaction() as connection:
        staged.write(connection)


@pytest.mark.both_digests
def test_an_index_names_every_file_by_its_path_and_checksum(tmp_path: Path, store: Store) -> None:
    files = {"b": b"B", "a/x": b"X", "a/deep/er": b"", "big": os.urandom(20_000)}
    root = fill(tmp_path / "d", files)
    (root / "empty").mkdir()
    staged = Staged()
    index = directories.stage(store, str(root), staged)
    expected = {name: store.digest.of(content) for name, content in files.items()}
    assert index == {**expected, "./empty": "directory"}
    keep(store, staged)
    directories.materialise(store, index, str(tmp_path / "copy"))
    assert {name: (tmp_path / "copy" / name).read_bytes() for name in files} == files
    assert os.listdir(tmp_path / "copy" / "empty") == []


def test_sidecars_are_never_part_of_an_index(tmp_path: Path, store: Store) -> None:
    names = ("x", "x.CHECKSUM", "y.FUTURE", "sub/z.INDEX", "sub/z")
    root = fill(tmp_path / "d", dict.fromkeys(names, b"content"))
    assert set(directories.stage(store, str(root), Staged())) == {"x", "sub/z"}


def test_links_are_followed_also_to_outside(tmp_path: Path, store: Store) -> None:
    outside = fill(tmp_path / "outside", {"far": b"far away"})
    root = fill(tmp_path / "d", {"x": b"X"})
    (root / "file").symlink_to("x")
    (root / "elsewhere").symlink_to(outside)
    index = directories.stage(store, str(root), Staged())
    assert set(index) == {"x", "file", "elsewhere/far"}
    assert index["file"] == index["x"]


def test_a_directory_may_be_linked_twice_but_not_into_itself(tmp_path: Path, store: Store) -> None:
    root = fill(tmp_path / "d", {"real/x": b"X"})
    (root / "again").symlink_to("real")
    assert set(directories.stage(store, str(root), Staged())) == {"real/x", "again/x"}
    (root / "real" / "loop").symlink_to(root)
    with pytest.raises(SeamlessError, match="links back to a directory above it; remove the link"):
        directories.stage(store, str(root), Staged())


def test_what_is_neither_file_nor_directory_is_an_error(tmp_path: Path, store: Store) -> None:
    root = fill(tmp_path / "d", {"x": b"X"})
    os.mkfifo(root / "odd")
    with pytest.raises(SeamlessError, match="odd is neither a file nor a directory"):
        directories.stage(store, str(root), Staged())


def test_a_link_that_leads_nowhere_is_an_error_that_names_both(tmp_path: Path, store: Store) -> None:
    root = fill(tmp_path / "d", {"x": b"X"})
    (root / "odd").symlink_to("nowhere")
    with pytest.raises(SeamlessError, match="odd links to nowhere, which is not there"):
        directories.stage(store, str(root), Staged())


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../b", "a//b", "./x", "a/.", "", "a/", ".."])
def test_an_index_that_leads_outside_is_not_used(store: Store, name: str) -> None:
    staged = Staged()
    checksum = store.buffers.stage(plain.dump({name: "a" * 64}), staged)
    keep(store, staged)
    with pytest.raises(SeamlessError, match="outside of its directory; it is not used"):
        directories.read_index(store, checksum)


def test_what_is_not_an_index_is_an_error(store: Store) -> None:
    staged = Staged()
    checksum = store.buffers.stage(plain.dump(["x"]), staged)
    keep(store, staged)
    with pytest.raises(SeamlessError, match="is not the index of a directory"):
        directories.read_index(store, checksum)


def test_names_that_are_not_utf_8_go_round(tmp_path: Path, store: Store) -> None:
    name = b"caf\xe9"
    (tmp_path / "d").mkdir()
    with open(os.path.join(os.fsencode(tmp_path / "d"), name), "wb") as file:
        file.write(b"content")
    staged = Staged()
    index = directories.stage(store, str(tmp_path / "d"), staged)
    checksum = store.buffers.stage(plain.dump(index), staged)
    keep(store, staged)
    directories.materialise(store, directories.read_index(store, checksum), str(tmp_path / "copy"))
    assert os.listdir(os.fsencode(tmp_path / "copy")) == [name]


def test_adopted_files_move_into_the_store_and_links_are_copied(tmp_path: Path, store: Store) -> None:
    job = Path(store.work) / "1-0"
    outside = fill(tmp_path, {"user.dat": os.urandom(20_000)}) / "user.dat"
    fill(job, {"big": os.urandom(20_000)})
    (job / "link").symlink_to(outside)
    staged = Staged()
    index = directories.adopt(store, str(job), staged)
    assert set(index) == {"big", "link"}
    assert not (job / "big").exists()
    assert outside.exists()
    outside.write_bytes(b"changed later")
    assert len(store.buffers.read(index["link"])) == 20_000


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x", "1"), ("d", {"x": "2", "e/y": "3"}), ("d/e", {"y": "3"}), ("nothing", {}), ("d/x", "2")],
)
def test_the_part_of_an_index(name: str, expected: object) -> None:
    assert directories.part_of({"x": "1", "d/x": "2", "d/e/y": "3", "dd": "4"}, name) == expected
