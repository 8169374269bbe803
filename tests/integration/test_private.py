"""Private stores: they are named after their process, and go with it however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import wait_until

from seamless_queue import owner, private
from seamless_queue.doorbell import Doorbell
from seamless_queue.errors import SeamlessError
from seamless_queue.settings import Settings
from seamless_queue.staged import Staged
from seamless_queue.store import open_store

USER = f"seamless-{os.geteuid()}"


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> list[Path]:
    """Places of this test alone: shared memory, temporary files, sockets."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(private, "SHARED_MEMORY", str(memory))
    places = [memory, home / "tmp", home / "run"]
    places[2].mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(places[2]))
    monkeypatch.setattr(private, "_roots", lambda: {str(place) for place in places})
    return places


def name_for(pid: int, started: int, *, namespace: str | None = None) -> str:
    """The name of a store of this process."""
    if namespace is None:
        namespace = private._namespace(owner.current().pid_namespace)
    return f"private-{namespace}-{pid}-{started}-0"


def plant(roots: list[Path], name: str) -> list[Path]:
    """What a process may have left everywhere."""
    made = []
    for root in roots:
        (root / USER).mkdir(mode=0o700, exist_ok=True)
        (root / USER / name / "inside").mkdir(parents=True)
        (root / USER / name / "inside" / "file").write_bytes(b"x")
        made.append(root / USER / name)
    return made


@pytest.fixture
def gone() -> Iterator[tuple[int, int]]:
    """The number and the start time of a process that is dead."""
    process = subprocess.Popen(["sleep", "300"])
    started = owner.start_time(process.pid)
    assert started is not None
    process.kill()
    process.wait()
    return process.pid, started


def test_a_name_tells_whose_it_is(roots: list[Path]) -> None:
    me = owner.current()
    first, second = private.new_path(), private.new_path()
    assert first != second
    assert os.path.dirname(first) == str(roots[1] / USER)
    assert f"-{me.pid}-{me.started}-" in os.path.basename(first)
    assert private.name_of(first) == os.path.basename(first)
    assert private.name_of("/home/me/.seamless/cache") is None
    assert private.name_of("/tmp/private-things") is None
    # Nothing is there before it is opened.
    assert not os.path.exists(first)


def test_a_private_store_is_removed_with_all_that_belongs_to_it(roots: list[Path]) -> None:
    store = open_store(Settings(private.new_path(), private=True))
    large = store.buffers.stage(os.urandom(100_000), Staged())
    bell = Doorbell(store.runtime_name)
    name = os.path.basename(store.path)
    assert [len(list(root.rglob(name))) for root in roots] == [1, 1, 1]
    assert list(roots[0].rglob(large))
    store.close()
    bell._socket.close()
    private.remove(store.path)
    assert [list(root.rglob(name)) for root in roots] == [[], [], []]


def test_removing_what_is_no_private_store_removes_that_alone(roots: list[Path], tmp_path: Path) -> None:
    other = plant(roots, "store")
    (tmp_path / "store").mkdir()
    private.remove(str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()
    assert all(path.exists() for path in other)


def test_what_the_dead_have_left_is_swept(roots: list[Path], gone: tuple[int, int]) -> None:
    left = plant(roots, name_for(*gone))
    private.new_path()
    assert not any(path.exists() for path in left)


def test_a_number_that_was_given_again_does_not_protect_what_was_left(roots: list[Path]) -> None:
    me = owner.current()
    left = plant(roots, name_for(me.pid, me.started - 1))
    private.sweep()
    assert not any(path.exists() for path in left)


def test_the_living_keep_what_is_theirs(roots: list[Path]) -> None:
    me = owner.current()
    other = subprocess.Popen(["sleep", "300"])
    try:
        names = [name_for(me.pid, me.started), name_for(other.pid, owner.start_time(other.pid) or 0)]
        kept = [path for name in names for path in plant(roots, name)]
        private.sweep()
        assert all((path / "inside" / "file").exists() for path in kept)
        # Stopped is not dead.
        other.send_signal(signal.SIGSTOP)
        private.sweep()
        assert all(path.exists() for path in kept)
    finally:
        other.kill()
        other.wait()


def test_who_cannot_be_seen_from_here_is_left_alone(roots: list[Path], gone: tuple[int, int]) -> None:
    """Another container may use the same places."""
    kept = plant(roots, name_for(*gone, namespace="12345"))
    kept += plant(roots, "store-of-another-kind")
    kept += plant(roots, f"private-{'x' * 5}")
    private.sweep()
    assert all(path.exists() for path in kept)


def test_a_link_leads_nobody_astray(roots: list[Path], gone: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"x")
    (roots[1] / USER).mkdir(mode=0o700, exist_ok=True)
    (roots[1] / USER / name_for(*gone)).symlink_to(tmp_path / "precious")
    private.sweep()
    assert (tmp_path / "precious" / "file").exists()


def test_several_may_sweep_at_once(roots: list[Path], gone: tuple[int, int]) -> None:
    left = []
    for number in range(20):
        left += plant(roots, name_for(*gone)[:-1] + str(number))
    errors: list[BaseException] = []

    def sweep() -> None:
        try:
            private.sweep()
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=sweep) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_place_that_others_can_enter_is_refused(roots: list[Path], mode: int) -> None:
    (roots[1] / USER).mkdir()
    (roots[1] / USER).chmod(mode)
    with pytest.raises(SeamlessError, match="is not a private directory of yours; remove it or set TMPDIR"):
        private.new_path()


def test_a_link_in_the_place_of_the_users_directory_is_refused(roots: list[Path], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (roots[1] / USER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SeamlessError, match="is not a private directory of yours"):
        private.new_path()


HOLDER = """
import os, sys
from seamless_queue import private
from seamless_queue.staged import Staged
from seamless_queue.settings import Settings
from seamless_queue.store import open_store
store = open_store(Settings(private.new_path(), private=True))
print(store.path, store.buffers.stage(os.urandom(100_000), Staged()), flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_nothing_for_long() -> None:
    """With the real places."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    path, checksum = process.stdout.readline().split()
    segment = Path(private.SHARED_MEMORY, USER, os.path.basename(path), checksum)
    assert segment.exists()
    private.sweep()
    assert segment.exists()
    process.kill()
    process.communicate()
    wait_until(lambda: owner.start_time(process.pid) is None, "its end")
    private.sweep()
    assert not segment.parent.exists()
    assert not os.path.exists(path)
