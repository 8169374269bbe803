"""Network file systems are refused, writes are whole or not at all, copies are exact."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from seamless_queue import filesystems
from seamless_queue.errors import NetworkFileSystem
from seamless_queue.filesystems import copy_descriptor, is_disk_full, refuse_network, type_of, write_atomically


def mountinfo(tmp_path: Path, kind: str) -> str:
    """A mountinfo (proc(5)) in which the device of tmp_path has this type, after another one."""
    device = tmp_path.stat().st_dev
    path = tmp_path / "mountinfo"
    path.write_text(
        "22 1 0:99999 / /proc rw,nosuid - proc proc rw\n"
        f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime shared:1 master:2 - {kind} server:/x rw,a=b\n"
    )
    return str(path)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "lustre", "gpfs", "fuse.sshfs", "fuse.glusterfs"])
def test_a_network_file_system_is_refused_with_the_remedy(tmp_path: Path, kind: str) -> None:
    with pytest.raises(NetworkFileSystem, match=rf"network file system \({kind}\).*--store or SEAMLESS_CACHE"):
        refuse_network(str(tmp_path), mountinfo(tmp_path, kind))


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse.bindfs"])
def test_a_local_file_system_is_accepted(tmp_path: Path, kind: str) -> None:
    info = mountinfo(tmp_path, kind)
    assert type_of(str(tmp_path), info) == kind
    refuse_network(str(tmp_path), info)


def test_where_mounts_cannot_be_told_nothing_is_refused(tmp_path: Path) -> None:
    assert type_of(str(tmp_path), str(tmp_path / "no-such-file")) is None
    refuse_network(str(tmp_path), str(tmp_path / "no-such-file"))


def test_an_atomic_write_replaces_the_file_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_atomically(str(path), b"new content", durable=True)
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new content"
    assert os.listdir(tmp_path) == ["file"]


def test_an_atomic_write_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(str(target), b"data")
    assert os.listdir(tmp_path) == ["directory"]
    assert stat.S_ISDIR(target.stat().st_mode)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_a_copy_is_exact_wherever_the_descriptors_stand(
    tmp_path: Path, size: int, by_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_hand:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("xb") as target:
        os.lseek(source.fileno(), size, os.SEEK_SET)
        copy_descriptor(source.fileno(), target.fileno(), size)
    assert (tmp_path / "target").read_bytes() == data


def test_a_full_disk_is_not_answered_by_another_way_of_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full, raising=False)
    (tmp_path / "source").write_bytes(b"data")
    with (
        (tmp_path / "source").open("rb") as source,
        (tmp_path / "target").open("xb") as target,
        pytest.raises(OSError, match="No space left") as caught,
    ):
        copy_descriptor(source.fileno(), target.fileno(), 4)
    assert is_disk_full(caught.value)


def test_what_counts_as_a_full_disk() -> None:
    assert is_disk_full(OSError(errno.EDQUOT, "quota"))
    assert not is_disk_full(OSError(errno.EACCES, "no"))
    assert not is_disk_full(ValueError())


def test_unique_names_differ_and_name_their_process() -> None:
    names = [filesystems.unique_name() for _ in range(1000)]
    assert len(set(names)) == 1000
    assert {name.partition("-")[0] for name in names} == {str(os.getpid())}
