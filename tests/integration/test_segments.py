"""Large buffers of a private store: in shared memory as long as there is room, in files otherwise, never torn."""

from __future__ import annotations

import errno
import mmap
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from seamless_queue import bufferfiles, filesystems, private, segments
from seamless_queue.bufferfiles import MEANWHILE_BYTES
from seamless_queue.buffers import SMALL_BYTES
from seamless_queue.errors import BufferMissing
from seamless_queue.segments import Segments
from seamless_queue.settings import Settings
from seamless_queue.staged import Staged
from seamless_queue.store import Store, open_store

LARGE = 100_000


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the place of /dev/shm."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(private, "SHARED_MEMORY", str(place))
    return place


@pytest.fixture
def private_store(memory: Path, digest_name: str) -> Iterator[Store]:
    store = open_store(Settings(private.new_path(), digest_name, private=True))
    yield store
    store.close()
    private.remove(store.path)


def cap_at(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(Segments, "_cap", lambda *_: size)


def keep(store: Store, data: bytes) -> str:
    """As a result is kept."""
    staged = Staged()
    checksum = store.buffers.stage(data, staged)
    with store.database.transaction() as connection:
        staged.write(connection)
    return checksum


def in_memory(memory: Path) -> set[str]:
    """The names of all segments, half-written ones too."""
    return {path.name for path in memory.rglob("*") if path.is_file()}


def in_files(store: Store) -> set[str]:
    return {path.name for path in Path(store.buffers.directory).rglob("*") if path.is_file()}


# -- where they are ------------------------------------------------------------------------------
@pytest.mark.both_digests
@pytest.mark.parametrize("size", [0, SMALL_BYTES, SMALL_BYTES + 1, LARGE])
def test_a_large_buffer_is_in_memory_and_comes_back_every_way(
    private_store: Store, memory: Path, tmp_path: Path, size: int
) -> None:
    store, data = private_store, os.urandom(size)
    checksum = keep(store, data)
    assert checksum == store.digest.of(data)
    assert in_memory(memory) == ({checksum} if size > SMALL_BYTES else set())
    assert in_files(store) == set()
    assert store.buffers.has(checksum)
    assert store.buffers.size(checksum) == size
    assert store.buffers.read(checksum) == data
    assert bytes(store.buffers.view(checksum)) == data
    assert b"".join(store.buffers.pieces(checksum)) == data
    store.buffers.copy_to(checksum, str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == data


@pytest.mark.both_digests
@pytest.mark.parametrize("size", [100, LARGE, MEANWHILE_BYTES - 1, MEANWHILE_BYTES + 5])
@pytest.mark.parametrize("is_private", [False, True])
def test_parts_are_kept_as_the_whole_is(private_store: Store, store: Store, size: int, is_private: bool) -> None:
    place = private_store if is_private else store
    data = os.urandom(size)
    parts = [b"", data[: size // 3], b"", memoryview(data)[size // 3 :]]
    staged, other = Staged(), Staged()
    checksum = place.buffers.stage_parts(parts, staged)
    assert checksum == place.digest.of(data)
    place.buffers.keep(checksum, parts, other)
    assert staged.small == other.small
    with place.database.transaction() as connection:
        staged.write(connection)
    assert place.buffers.read(checksum) == data
    assert not [name for name in in_files(place) if len(name) != 64]


def test_a_segment_is_private_and_its_directory_too(private_store: Store, memory: Path) -> None:
    checksum = keep(private_store, os.urandom(LARGE))
    (segment,) = memory.rglob(checksum)
    modes = [path.stat().st_mode & 0o777 for path in (segment, segment.parent, segment.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_a_store_without_large_buffers_leaves_nothing_in_memory(private_store: Store, memory: Path) -> None:
    keep(private_store, b"small")
    assert not private_store.buffers.has("a" * 64)
    with pytest.raises(BufferMissing):
        private_store.buffers.read("a" * 64)
    assert list(memory.iterdir()) == []


def test_what_is_in_memory_is_not_written_again(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(LARGE)
    checksum = keep(private_store, data)
    monkeypatch.setattr(filesystems, "write_new_file", lambda *_: pytest.fail("written again"))
    assert keep(private_store, data) == checksum


def test_another_process_of_the_store_reads_it(private_store: Store) -> None:
    checksum = keep(private_store, os.urandom(LARGE))
    other = open_store(Settings(private_store.path, private=True))
    assert other.buffers.read(checksum) == private_store.buffers.read(checksum)
    other.close()


def test_a_view_is_read_only_and_outlives_its_segment(private_store: Store, memory: Path) -> None:
    data = os.urandom(LARGE)
    checksum = keep(private_store, data)
    view = private_store.buffers.view(checksum)
    assert isinstance(view, memoryview)
    assert isinstance(view.obj, mmap.mmap)
    assert view.readonly
    private_store.buffers.drop(checksum)
    assert in_memory(memory) == set()
    assert not private_store.buffers.has(checksum)
    assert bytes(view) == data
    # Kept again, it is a new one; dropped twice, it is gone once.
    assert keep(private_store, data) == checksum
    assert private_store.buffers.read(checksum) == data
    private_store.buffers.drop(checksum)
    private_store.buffers.drop(checksum)


def test_a_buffer_in_a_file_is_not_dropped(store: Store) -> None:
    data = os.urandom(LARGE)
    checksum = keep(store, data)
    store.buffers.drop(checksum)
    assert store.buffers.read(checksum) == data


def test_any_number_of_buffers_can_be_looked_at(private_store: Store) -> None:
    """Every mapping keeps a descriptor, of which a process may have few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    checksums = [keep(private_store, bytes([number % 256]) * (SMALL_BYTES + 1 + number)) for number in range(600)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        views = [private_store.buffers.view(checksum) for checksum in checksums]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [len(view) for view in views] == [SMALL_BYTES + 1 + number for number in range(600)]


# -- no more room --------------------------------------------------------------------------------
def test_the_oldest_go_into_files_when_there_are_too_many(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap_at(monkeypatch, 3 * LARGE)
    contents = [os.urandom(LARGE) for _ in range(5)]
    checksums = []
    for number, content in enumerate(contents):
        checksums.append(keep(private_store, content))
        (segment,) = memory.rglob(checksums[-1])
        os.utime(segment, (number, number))
    assert in_memory(memory) == set(checksums[2:])
    assert in_files(private_store) == set(checksums[:2])
    assert [private_store.buffers.read(checksum) for checksum in checksums] == contents
    assert [bytes(private_store.buffers.view(checksum)) for checksum in checksums] == contents


def test_a_buffer_that_can_never_fit_throws_nobody_out(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap_at(monkeypatch, 3 * LARGE)
    small = keep(private_store, os.urandom(LARGE))
    huge = keep(private_store, os.urandom(4 * LARGE))
    assert in_memory(memory) == {small}
    assert in_files(private_store) == {huge}


def test_a_view_of_what_was_moved_out_stays_good(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(LARGE)
    view = private_store.buffers.view(keep(private_store, data))
    cap_at(monkeypatch, LARGE + 1)
    keep(private_store, os.urandom(LARGE))
    assert len(in_memory(memory)) == 1
    assert bytes(view) == data


@pytest.mark.parametrize("where", ["little", "full meanwhile"])
def test_where_memory_is_full_files_do(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "little":
        monkeypatch.setattr(segments, "LEAST_BYTES", 1 << 60)
    else:
        monkeypatch.setattr(os, "write", full_after(3 * SMALL_BYTES, os.write))
    for data in (os.urandom(LARGE), os.urandom(MEANWHILE_BYTES)):
        checksum = private_store.buffers.stage_parts([data[:5], data[5:]], Staged())
        assert private_store.buffers.read(checksum) == data
        assert checksum in in_files(private_store)
    assert in_memory(memory) == set()
    assert all(len(name) == 64 for name in in_files(private_store))


def full_after(room: int, write: object) -> object:
    """A write(2) that finds no room in shared memory after so many bytes."""

    def write_some(descriptor: int, data: memoryview) -> int:
        if "/memory/" not in os.readlink(f"/proc/self/fd/{descriptor}"):
            return int(write(descriptor, data))  # type: ignore[operator]
        if os.fstat(descriptor).st_size >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(write(descriptor, data[:SMALL_BYTES]))  # type: ignore[operator]

    return write_some


def test_somebody_elses_directory_in_memory_is_not_used(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user was there first."""
    (memory / f"seamless-{os.geteuid()}").mkdir(mode=0o777)
    (memory / f"seamless-{os.geteuid()}").chmod(0o777)
    checksum = keep(private_store, os.urandom(LARGE))
    assert in_memory(memory) == set()
    assert in_files(private_store) == {checksum}


def test_what_cannot_be_moved_out_stays_where_it_is(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full as well: an error, and no half-written file."""
    data = os.urandom(LARGE)
    checksum = keep(private_store, data)
    cap_at(monkeypatch, LARGE + 1)

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(bufferfiles, "copy_descriptor", full)
        with pytest.raises(OSError, match="No space"):
            keep(private_store, os.urandom(LARGE))
    assert in_memory(memory) == {checksum}
    assert in_files(private_store) == set()
    assert private_store.buffers.read(checksum) == data


def test_two_who_move_out_the_same_do_not_disturb_each_other(
    private_store: Store, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap_at(monkeypatch, 2 * LARGE)
    stores = [open_store(Settings(private_store.path, private=True), shared=True) for _ in range(4)]
    contents = {name: [os.urandom(LARGE) for _ in range(10)] for name in range(4)}
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for content in contents[number]:
                checksum = stores[number].buffers.stage(content, Staged())
                assert stores[number].buffers.read(checksum) == content
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=write, args=(number,)) for number in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for content in (content for several in contents.values() for content in several):
        assert private_store.buffers.read(private_store.digest.of(content)) == content
    for store in stores:
        store.close()


LITTLE_MEMORY = """
import os, sys
from seamless_queue import private, segments
from seamless_queue.staged import Staged
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
private.SHARED_MEMORY = sys.argv[1]
segments.LEAST_BYTES, segments.SHARE = -(1 << 30), 10.0
store = open_store(Settings(private.new_path(), private=True))
contents = [os.urandom(300_000) for _ in range(20)] + [os.urandom(9_000_000)]
views = []
for data in contents:
    checksum = store.buffers.stage_parts([data[:7], data[7:]], Staged())
    views.append(store.buffers.view(checksum))
place = f"{sys.argv[1]}/seamless-{os.geteuid()}/{os.path.basename(store.path)}"
assert 5 < len(os.listdir(place)) < 15, os.listdir(place)
assert not [name for name in os.listdir(place) if name.startswith(".")]
assert [bytes(view) for view in views] == contents
store.close()
private.remove(store.path)
assert not os.path.exists(place)
print("ok")
"""
MOUNT = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" -c "$3" "$1"'


def test_a_memory_that_is_really_full_is_no_bus_error(tmp_path: Path) -> None:
    place = tmp_path / "memory"
    place.mkdir()
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    probe = [*unshare, "mount", "-t", "tmpfs", "none", str(place)]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted in a mount namespace of our own here")
    done = subprocess.run(
        [*unshare, "sh", "-c", MOUNT, "sh", str(place), sys.executable, LITTLE_MEMORY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("ok\n", "")
