"""Directories by index: what is in one, links, loops, and names that would lead outside."""

import os
import re
import time
from pathlib import Path

import pytest

from seamless.transformer import directories, pinfiles, plain
from seamless.transformer.arguments import received
from seamless_queue import statcache
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


def test_what_is_just_being_written_is_no_part_of_an_index(tmp_path: Path, store: Store) -> None:
    root = fill(tmp_path / "d", {"a": b"1", ".seamless-12-3.tmp": b"half", "e/.seamless-12-4.tmp": b"half"})
    index = directories.stage(store, str(root), Staged())
    assert sorted(index) == ["./e", "a"]


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


# -- what a checksum cannot tell ---------------------------------------------------------------------
def marked(tmp_path: Path) -> Path:
    root = fill(tmp_path / "d", {"x": b"X", "s/tool": b"#!", "s/y": b"Y"})
    (root / "s" / "tool").chmod(0o744)
    (root / "e" / "inner").mkdir(parents=True)
    (root / "only").mkdir()
    (root / "only" / "gone.CHECKSUM").write_text("a sidecar")
    return root


def test_empty_directories_and_executable_files_are_marked_and_come_back(tmp_path: Path, store: Store) -> None:
    staged = Staged()
    index = directories.stage(store, str(marked(tmp_path)), staged)
    marks = {name: entry for name, entry in index.items() if name.startswith("./")}
    assert marks == {"./s/tool": "executable", "./e/inner": "directory", "./only": "directory"}
    checksum = store.buffers.stage(plain.dump(index), staged)
    keep(store, staged)
    read = directories.read_index(store, checksum)
    assert read == index
    directories.materialise(store, read, str(tmp_path / "copy"))
    assert directories.stage(store, str(tmp_path / "copy"), Staged()) == index
    assert set(dict(directories.files(read))) == {"x", "s/tool", "s/y"}
    assert directories.without_marks(read) == dict(directories.files(read))
    assert len(directories.members(read)) == 3


def test_marks_belong_to_their_part(tmp_path: Path, store: Store) -> None:
    index = directories.stage(store, str(marked(tmp_path)), Staged())
    part = directories.part_of(index, "s")
    assert isinstance(part, dict)
    assert part == {"./tool": "executable", "tool": index["s/tool"], "y": index["s/y"]}
    assert directories.part_of(index, "e") == {"./inner": "directory"}
    assert directories.has_part(index, "e/inner")
    assert not directories.has_part(index, "e/other")
    whole: directories.Index = {}
    for name in ("s", "e", "only"):
        directories.put(whole, name, directories.part_of(index, name))
    directories.put(whole, "x", index["x"])
    assert whole == index


def test_what_is_put_into_an_empty_directory_takes_its_mark() -> None:
    index = {"./a/b": "directory", "./t": "executable", "t": A}
    directories.put(index, "a/b/c", A)
    directories.put(index, "t", B)
    directories.put(index, "n", A, executable=True)
    directories.put(index, "m", {})
    assert index == {"a/b/c": A, "t": B, "n": A, "./n": "executable", "./m": "directory"}


A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"./x": "executable"}', "marks 'x' as executable, but has no such file"),
        (f'{{"x": "{A}", "./x": "directory"}}', "marks 'x' as directory, but has a file of this name"),
        (f'{{"x": "{A}", "./x": "sticky"}}', "marks 'x' as 'sticky', which this version does not know"),
        ('{"./../x": "directory"}', "outside of its directory"),
        (f'{{"x": "{A}", "x": "{B}"}}', "names a file twice"),
        (f'{{"x": "{A}", "x/y": "{B}"}}', "has 'x' as a file and as a directory"),
        (f'{{"x": "{A}", "./x/y": "directory"}}', "has 'x' as a file and as a directory"),
        ('{"x": "short"}', "has no checksum for 'x'"),
        ('{"x": {"y": 1}}', "has no checksum for 'x'"),
        (f'{{"x\\u0000y": "{A}"}}', "outside of its directory"),
        ('"text"', "is not the index of a directory"),
        ("{", "is not the index of a directory"),
        ("[" * 10_000, "is not the index of a directory"),
    ],
)
def test_an_unsound_index_is_not_used(content: str, complaint: str) -> None:
    with pytest.raises(SeamlessError, match=re.escape(complaint)) as caught:
        directories.parse(content.encode(), "index")
    assert "\n" not in str(caught.value)


def test_an_index_that_is_written_otherwise_is_read_all_the_same() -> None:
    assert directories.parse(f'{{"b":"{A}",\n"a":"{B}"}}'.encode(), "index") == {"a": B, "b": A}


def test_an_index_without_end_is_refused_before_it_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = Staged()
    checksum = store.buffers.stage(plain.dump({f"file {number}": A for number in range(1000)}), staged)
    keep(store, staged)
    monkeypatch.setattr(directories, "MOST_INDEX_BYTES", 10_000)
    monkeypatch.setattr(store.buffers, "read", lambda _: pytest.fail("read"))
    with pytest.raises(SeamlessError, match="is larger than"):
        directories.read_index(store, checksum)


def test_the_store_is_never_part_of_a_directory(tmp_path: Path, store: Store) -> None:
    root = fill(tmp_path / "d", {"x": b"X"})
    (root / "linked").symlink_to(store.path)
    with pytest.raises(SeamlessError, match="linked is the store itself"):
        directories.stage(store, str(root), Staged())


def test_what_is_known_is_neither_hashed_nor_asked_for_one_by_one(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path / "d", {f"{number}": b"%d" % number for number in range(50)})
    for number in range(50):
        os.utime(root / str(number), ns=(1, 1))
    until_old = max((root / name).stat().st_ctime_ns for name in os.listdir(root)) + 2 * statcache.GRAIN_NS
    while time.time_ns() < until_old:
        os.sched_yield()
    staged = Staged()
    index = directories.stage(store, str(root), staged)
    keep(store, staged)
    monkeypatch.setattr(store.buffers, "stage_file", lambda *_, **__: pytest.fail("hashed again"))
    monkeypatch.setattr(statcache, "lookup", lambda *_: pytest.fail("asked one by one"))
    assert directories.stage(store, str(root), Staged()) == index


def test_python_code_receives_the_files_and_bash_code_all_of_it(tmp_path: Path, store: Store) -> None:
    staged = Staged()
    index = directories.stage(store, str(marked(tmp_path)), staged)
    checksum = store.buffers.stage(plain.dump(index), staged)
    keep(store, staged)
    content = plain.dump(index)
    assert received(store, content, "folder") == {"x": b"X", "s/tool": b"#!", "s/y": b"Y"}
    assert set(received(store, content, "deepfolder")) == {"x", "s/tool", "s/y"}
    (tmp_path / "job").mkdir()
    pinfiles.write(store, pinfiles.Argument("d", "deepfolder", checksum), str(tmp_path / "job"))
    assert directories.stage(store, str(tmp_path / "job" / "d"), Staged()) == index
