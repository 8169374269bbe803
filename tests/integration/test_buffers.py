"""The buffer store on real files: whole and verified, or not at all."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from seamless_queue import buffers
from seamless_queue.buffers import SMALL_BYTES
from seamless_queue.errors import BufferCorrupt, BufferMissing, SeamlessError
from seamless_queue.settings import Settings
from seamless_queue.staged import Staged
from seamless_queue.store import Store

SMALL, LARGE = b"small\n", os.urandom(3 * SMALL_BYTES)
SIZES = (0, 1, SMALL_BYTES, SMALL_BYTES + 1, 3_000_000)


def keep(store: Store, data: bytes) -> str:
    staged = Staged()
    checksum = store.buffers.stage(data, staged)
    commit(store, staged)
    return checksum


def commit(store: Store, staged: Staged) -> None:
    with store.database.transaction() as connection:
        staged.write(connection)


def new_files(store: Store) -> list[str]:
    return os.listdir(os.path.join(store.buffers.directory, ".new"))


def damaged_files(store: Store) -> list[Path]:
    return list(Path(store.buffers.directory, ".damaged").iterdir())


@pytest.mark.both_digests
@pytest.mark.parametrize("size", SIZES)
def test_what_is_kept_comes_back_every_way(store: Store, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    checksum = keep(store, data)
    assert checksum == store.digest.of(data)
    assert store.buffers.has(checksum)
    assert store.buffers.size(checksum) == size
    assert store.buffers.read(checksum) == data
    assert b"".join(store.buffers.pieces(checksum)) == data
    store.buffers.copy_to(checksum, str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == data
    assert os.path.exists(store.buffers.path(checksum)) is (size > SMALL_BYTES)
    assert new_files(store) == []


def test_a_small_buffer_is_there_once_its_transaction_is(store: Store, opened: Callable[..., Store]) -> None:
    staged = Staged()
    checksum = store.buffers.stage(SMALL, staged)
    assert not store.buffers.has(checksum)

    def fail() -> None:
        with store.database.transaction() as connection:
            staged.write(connection)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not store.buffers.has(checksum)
    commit(store, staged)
    assert opened().buffers.read(checksum) == SMALL


@pytest.mark.parametrize("ask", ["read", "size", "open", "pieces", "copy_to"])
def test_a_missing_buffer_is_named(store: Store, tmp_path: Path, ask: str) -> None:
    arguments = ("a" * 64, str(tmp_path / "copy")) if ask == "copy_to" else ("a" * 64,)
    with pytest.raises(BufferMissing, match=r"no buffer a{64} in the store \(digest blake3\)") as caught:
        list(getattr(store.buffers, ask)(*arguments))
    assert caught.value.checksum == "a" * 64
    assert not (tmp_path / "copy").exists()


def test_a_copy_never_replaces_a_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        store.buffers.copy_to(keep(store, LARGE), str(tmp_path / "mine"))
    assert (tmp_path / "mine").read_bytes() == b"mine"


@pytest.mark.both_digests
@pytest.mark.parametrize("damage", ["truncated", "same size", "longer", "empty"])
def test_a_damaged_file_is_set_aside_and_never_served(opened: Callable[..., Store], damage: str) -> None:
    store = opened()
    checksum = keep(store, LARGE)
    path = Path(store.buffers.path(checksum))
    bad = {
        "truncated": LARGE[:-5],
        "same size": LARGE[:-1] + bytes([LARGE[-1] ^ 1]),
        "longer": LARGE + b"x",
        "empty": b"",
    }[damage]
    path.write_bytes(bad)
    # The digest is checked once a process; another one comes along.
    other = opened()
    with pytest.raises(BufferCorrupt, match=r"was damaged on disk; it was set aside as .* submit its job again"):
        other.buffers.read(checksum)
    assert [file.read_bytes() for file in damaged_files(store)] == [bad]
    assert not other.buffers.has(checksum)
    with pytest.raises(BufferMissing):
        other.buffers.read(checksum)
    # Kept again, it is whole again.
    keep(other, LARGE)
    assert opened().buffers.read(checksum) == LARGE


def test_a_damaged_file_is_not_copied_anywhere(opened: Callable[..., Store], tmp_path: Path) -> None:
    store = opened()
    checksum = keep(store, LARGE)
    Path(store.buffers.path(checksum)).write_bytes(LARGE[::-1])
    with pytest.raises(BufferCorrupt):
        opened().buffers.copy_to(checksum, str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


def test_a_damaged_row_is_set_aside_too(store: Store) -> None:
    checksum = keep(store, SMALL)
    with store.database.transaction() as connection:
        connection.execute("UPDATE buffers SET content = ?", (b"SMALL\n",))
    with pytest.raises(BufferCorrupt):
        store.buffers.read(checksum)
    assert not store.buffers.has(checksum)
    assert [file.read_bytes() for file in damaged_files(store)] == [b"SMALL\n"]


def test_a_file_that_is_changed_after_it_was_verified_is_noticed(store: Store) -> None:
    checksum = keep(store, LARGE)
    assert store.buffers.read(checksum) == LARGE
    path = Path(store.buffers.path(checksum))
    path.write_bytes(LARGE[::-1])
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(BufferCorrupt):
        store.buffers.read(checksum)


def test_a_truncated_file_is_replaced_by_whoever_keeps_it_again(store: Store) -> None:
    checksum = keep(store, LARGE)
    Path(store.buffers.path(checksum)).write_bytes(LARGE[:100])
    keep(store, LARGE)
    assert store.buffers.read(checksum) == LARGE


WRITER = """
import sys
from seamless_queue.staged import Staged
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
store = open_store(Settings(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(8):
    staged = Staged()
    for data in (bytes(range(256)) * 40_000, b"tiny"):
        checksum = store.buffers.stage(data, staged)
        with store.database.transaction() as connection:
            staged.write(connection)
        assert store.buffers.read(checksum) == data
store.close()
"""


def test_eight_processes_keep_the_same_buffers_at_once(store: Store, settings: Settings) -> None:
    arguments = [sys.executable, "-c", WRITER, settings.store]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n")
    assert [process.returncode for process in processes] == [0] * 8
    large = bytes(range(256)) * 40_000
    assert store.buffers.read(store.digest.of(large)) == large
    assert store.buffers.read(store.digest.of(b"tiny")) == b"tiny"
    assert new_files(store) == []
    assert damaged_files(store) == []


@pytest.mark.parametrize("size", [10, SMALL_BYTES, SMALL_BYTES + 1, 3_000_000])
def test_an_adopted_file_moves_in_if_it_is_large(store: Store, size: int) -> None:
    data = os.urandom(size)
    path = Path(store.work) / "output"
    path.write_bytes(data)
    path.chmod(0o777)
    staged = Staged()
    checksum = store.buffers.adopt(str(path), staged)
    commit(store, staged)
    assert store.buffers.read(checksum) == data
    assert path.exists() is (size <= SMALL_BYTES)
    if size > SMALL_BYTES:
        assert os.stat(store.buffers.path(checksum)).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("again", ["adopt", "stage", "stage_file"])
def test_keeping_again_mends_a_damaged_file_of_the_same_size(store: Store, tmp_path: Path, again: str) -> None:
    checksum = keep(store, LARGE)
    Path(store.buffers.path(checksum)).write_bytes(LARGE[::-1])
    path = Path(store.work) / "output"
    path.write_bytes(LARGE)
    if again == "stage":
        store.buffers.stage(LARGE, Staged())
    else:
        getattr(store.buffers, again)(str(path), Staged())
    assert store.buffers.read(checksum) == LARGE


def test_a_file_with_a_second_name_is_copied_not_moved(store: Store, tmp_path: Path) -> None:
    """Whoever holds the other name could write into the store."""
    path = Path(store.work) / "output"
    path.write_bytes(LARGE)
    os.link(path, tmp_path / "kept by the user")
    checksum = store.buffers.adopt(str(path), Staged())
    (tmp_path / "kept by the user").write_bytes(b"changed")
    assert store.buffers.read(checksum) == LARGE


def test_a_link_is_not_adopted(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(LARGE)
    (Path(store.work) / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        store.buffers.adopt(os.path.join(store.work, "link"), Staged())


@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_a_users_file_is_copied_and_hashed_once(store: Store, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data"
    path.write_bytes(data)
    os.utime(path, (1_000_000_000.5, 1_000_000_000.5))
    staged = Staged()
    checksum = store.buffers.stage_file(str(path), staged)
    assert checksum == store.digest.of(data)
    commit(store, staged)
    path.write_bytes(b"changed by its user")
    assert store.buffers.read(checksum) == data


def test_a_file_whose_status_is_known_is_not_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_bytes(LARGE)
    monkeypatch.setattr(buffers.time, "time_ns", lambda: path.stat().st_ctime_ns + 10_000_000_000)
    staged = Staged()
    checksum = store.buffers.stage_file(str(path), staged)
    commit(store, staged)
    monkeypatch.setattr(store.buffers, "_copy_in", lambda *_: pytest.fail("hashed again"))
    assert store.buffers.stage_file(str(path), Staged()) == checksum


def test_a_known_file_whose_bytes_are_gone_is_kept_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_bytes(LARGE)
    monkeypatch.setattr(buffers.time, "time_ns", lambda: path.stat().st_ctime_ns + 10_000_000_000)
    staged = Staged()
    checksum = store.buffers.stage_file(str(path), staged)
    commit(store, staged)
    os.unlink(store.buffers.path(checksum))
    assert store.buffers.stage_file(str(path), Staged()) == checksum
    assert store.buffers.read(checksum) == LARGE


def test_a_file_that_changes_once_while_it_is_read_is_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_bytes(LARGE)
    copy, later = store.buffers._copy_in, LARGE[::-1] + b"more"

    def change(source: str, staged: Staged, _: object) -> str:
        checksum = copy(source, staged)
        if path.read_bytes() == LARGE:
            path.write_bytes(later)
        return checksum

    monkeypatch.setattr(store.buffers, "_copy_in", change)
    checksum = store.buffers.stage_file(str(path), Staged())
    assert checksum == store.digest.of(later)
    assert store.buffers.read(checksum) == later


def test_a_file_that_keeps_changing_is_an_error_and_what_was_kept_is_whole(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_bytes(LARGE)
    copy = store.buffers._copy_in

    def change(source: str, staged: Staged, _: object) -> str:
        checksum = copy(source, staged)
        with path.open("ab") as file:
            file.write(b"more")
        return checksum

    monkeypatch.setattr(store.buffers, "_copy_in", change)
    with pytest.raises(SeamlessError, match="data keeps changing while it is read"):
        store.buffers.stage_file(str(path), Staged())
    kept = list(Path(store.buffers.directory).glob("[0-9a-f]*/*"))
    assert len(kept) == buffers.TRIES_WHILE_CHANGING
    assert [store.digest.of_file(str(file)) for file in kept] == [file.name for file in kept]
    assert new_files(store) == []


@pytest.mark.parametrize("data", [b"", SMALL, LARGE, LARGE * 100])
def test_a_stream_is_kept_to_its_end(store: Store, data: bytes) -> None:
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    staged = Staged()
    try:
        checksum = store.buffers.stage_stream(reader, staged)
    finally:
        os.close(reader)
        thread.join()
    commit(store, staged)
    assert store.buffers.read(checksum) == data
    assert new_files(store) == []


FULL_DISK = """
import errno, os, sys
from seamless_queue.staged import Staged
from seamless_queue.filesystems import is_disk_full
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
store = open_store(Settings(sys.argv[1] + "/store"))
source = sys.argv[1] + "/../source"
def attempts():
    yield lambda: store.buffers.stage(os.urandom(9_000_000), Staged())
    yield lambda: store.buffers.stage_file(source, Staged())
    with open(source, "rb") as file:
        yield lambda: store.buffers.stage_stream(file.fileno(), Staged())
for attempt in attempts():
    try:
        attempt()
    except OSError as exc:
        assert is_disk_full(exc), exc
    else:
        raise SystemExit("it fitted")
    assert os.listdir(store.buffers.directory + "/.new") == [], "a piece is left"
assert [name for name in os.listdir(store.buffers.directory) if not name.startswith(".")] == []
# There is room again, and all goes on.
staged = Staged()
checksum = store.buffers.stage(b"x" * 100_000, staged)
assert store.buffers.read(checksum) == b"x" * 100_000
store.close()
print("ok")
"""
MOUNT = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" -c "$3" "$1"'


def test_a_full_disk_is_an_error_that_leaves_no_piece_behind(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    probe = [*unshare, "mount", "-t", "tmpfs", "none", str(place)]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted in a mount namespace of our own here")
    (tmp_path / "source").write_bytes(os.urandom(9_000_000))
    done = subprocess.run(
        [*unshare, "sh", "-c", MOUNT, "sh", str(place), sys.executable, FULL_DISK],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("ok\n", "")
