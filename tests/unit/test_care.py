"""Sizes, durations, caps, and the set that forgets nothing."""

import hashlib
import os
from pathlib import Path

import pytest

from seamless.transformer import mentions, plain
from seamless.transformer.specification import Pin, Specification, identity_buffer
from seamless_queue.care import cap, marker, sizes
from seamless_queue.care.marks import BATCH, Marks
from seamless_queue.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("500", 500), ("1k", 1000), ("1.5 GB", 1_500_000_000), ("4KiB", 4096), ("2Ti", 2 << 40), ("3B", 3)],
)
def test_sizes(text: str, expected: int) -> None:
    assert sizes.size(text) == expected


@pytest.mark.parametrize("text", ["", "G", "-1", "1X", "1,5G", "1e9", "10 %%", "many"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a size"):
        sizes.check_size(text)


@pytest.mark.parametrize("text", ["none", "None", "10%", "2.5 %", "1G"])
def test_what_may_be_a_cap(text: str) -> None:
    sizes.check_size(text)


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("90", 90), ("10m", 600), ("1.5h", 5400), ("2w", 1_209_600)])
def test_durations(text: str, expected: float) -> None:
    assert sizes.duration(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-1d", "1y", "1d2h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a duration"):
        sizes.duration(text)


def test_the_cap_is_a_share_of_the_disk_that_leaves_some_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total, free = 1000 << 30, 500 << 30
    status = os.statvfs(tmp_path)
    values = list(status)
    values[1], values[2], values[3], values[4] = 4096, total // 4096, free // 4096, free // 4096
    disk = os.statvfs_result(values)
    monkeypatch.setattr(os, "statvfs", lambda path: disk)
    assert cap.of(str(tmp_path), None, 0).bytes == total // 4
    assert cap.of(str(tmp_path), "10%", 0).bytes == total // 10
    assert cap.of(str(tmp_path), "7G", 0).bytes == 7_000_000_000
    assert cap.of(str(tmp_path), "none", 0).bytes is None
    values[3] = values[4] = (60 << 30) // 4096
    disk = os.statvfs_result(values)
    # Of 60 free, 50 are to stay free: the store may take 10 more than it has.
    assert cap.of(str(tmp_path), None, 20 << 30).bytes == 30 << 30


def test_one_collection_an_hour(tmp_path: Path) -> None:
    assert marker.claim(str(tmp_path))
    assert not marker.claim(str(tmp_path))
    os.utime(tmp_path / marker.NAME, (1, 1))
    assert marker.claim(str(tmp_path))
    # A clock that was put back.
    os.utime(tmp_path / marker.NAME, (4e9, 4e9))
    assert marker.claim(str(tmp_path))


def sums(first: int, count: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in range(first, first + count)]


def test_marks_forget_nothing_and_know_few_strangers() -> None:
    marks = Marks()
    members = sums(0, 2 * BATCH)
    marks.add(members[:BATCH])
    marks.add_all(b"".join(members[BATCH:]))
    assert all(marks.among(members))
    assert sum(marks.among(sums(10**6, 10_000))) < 10
    assert marks.among([]) == []


CODE, FILE, INDEX = (hashlib.sha256(name.encode()).hexdigest() for name in ("code", "file", "index"))


@pytest.mark.parametrize("directory", [False, True])
@pytest.mark.parametrize("captures", [(), ("out.txt",)])
def test_identities_are_told_apart_quickly(directory: bool, captures: tuple[str, ...]) -> None:
    pins = (Pin("a.txt", FILE), Pin("d", INDEX, directory=directory))
    content = identity_buffer(Specification(CODE, pins, captures=captures))
    assert mentions.makes_index(content) is bool(captures)
    assert mentions.names_indices(content) is directory
    assert mentions.essence(content) == [bytes.fromhex(CODE)]


def test_specifications_are_told_apart_too() -> None:
    for directory in (False, True):
        content = Specification(CODE, (Pin("d", INDEX, directory=directory),)).encode()
        assert mentions.names_indices(content) is directory


def test_a_python_identity_with_a_folder_names_indices() -> None:
    fields = {"__output__": ["result", "deepcell", None], "code": ["python", "transformer", CODE]}
    for celltype, expected in (("mixed", False), ("folder", True), ("deepcell", True)):
        content = plain.dump({**fields, "x": [celltype, None, INDEX]})
        assert mentions.names_indices(content) is expected
        assert mentions.makes_index(content)
