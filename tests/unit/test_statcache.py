"""A checksum is remembered by a file's status, but only if no change can hide in the clock's grain."""

import os
from pathlib import Path

import pytest

from seamless_queue import statcache
from seamless_queue.store import Store

CHECKSUM = "ab" * 32
SECOND = statcache.SECOND_NS
#: A moment that is no whole second.
CHANGED = 1_700_000_000 * SECOND + 123_456_789


def status(mtime_ns: int = CHANGED, ctime_ns: int = CHANGED, device: int = 5, inode: int = 6) -> os.stat_result:
    """The status of a file as the kernel would report it."""
    return os.stat_result(
        (0o100644, inode, device, 1, 0, 0, 10, 0, 0, 0),
        {"st_mtime_ns": mtime_ns, "st_ctime_ns": ctime_ns, "st_atime_ns": 0},
    )


def test_a_file_changed_well_before_hashing_is_remembered() -> None:
    entry = statcache.entry(status(), CHANGED + statcache.GRAIN_NS, CHECKSUM)
    assert entry == (5, 6, 10, CHANGED, CHANGED, bytes.fromhex(CHECKSUM))


@pytest.mark.parametrize("late", [{"mtime_ns": CHANGED + 1}, {"ctime_ns": CHANGED + 1}])
def test_a_change_within_the_grain_of_the_start_of_hashing_is_not_trusted(late: dict[str, int]) -> None:
    assert statcache.entry(status(**late), CHANGED + statcache.GRAIN_NS, CHECKSUM) is None


def test_a_file_from_the_future_is_not_trusted() -> None:
    assert statcache.entry(status(mtime_ns=CHANGED + 3600 * SECOND), CHANGED + SECOND, CHECKSUM) is None


def test_whole_seconds_may_come_from_a_coarse_clock() -> None:
    whole = CHANGED - CHANGED % SECOND
    coarse = status(whole, whole)
    assert statcache.entry(coarse, whole + statcache.COARSE_GRAIN_NS - 1, CHECKSUM) is None
    assert statcache.entry(coarse, whole + statcache.COARSE_GRAIN_NS, CHECKSUM) is not None


def test_only_the_very_same_status_is_found_again(store: Store) -> None:
    # The highest device and inode numbers use the 64th bit.
    known = status(device=2**64 - 1, inode=2**63)
    entry = statcache.entry(known, CHANGED + SECOND, CHECKSUM)
    with store.database.transaction() as connection:
        connection.execute(statcache.RECORD, entry)
    assert statcache.lookup(store.database, known) == CHECKSUM
    for other in (
        status(CHANGED + 1, device=2**64 - 1, inode=2**63),
        status(ctime_ns=CHANGED + 1, device=2**64 - 1, inode=2**63),
        status(device=5, inode=2**63),
        status(device=2**64 - 1, inode=6),
    ):
        assert statcache.lookup(store.database, other) is None


def test_a_new_entry_replaces_the_old_one_of_its_inode(store: Store) -> None:
    with store.database.transaction() as connection:
        connection.execute(statcache.RECORD, statcache.entry(status(), CHANGED + SECOND, CHECKSUM))
        later = status(CHANGED + SECOND, CHANGED + SECOND)
        connection.execute(statcache.RECORD, statcache.entry(later, CHANGED + 3 * SECOND, "cd" * 32))
    assert statcache.lookup(store.database, status()) is None
    assert statcache.lookup(store.database, later) == "cd" * 32


def test_a_real_file_with_old_times_is_remembered_and_its_rewrite_noticed(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"one")
    before = path.stat()
    began = before.st_ctime_ns + SECOND
    with store.database.transaction() as connection:
        connection.execute(statcache.RECORD, statcache.entry(before, began, CHECKSUM))
    assert statcache.lookup(store.database, path.stat()) == CHECKSUM
    path.write_bytes(b"other")
    assert statcache.lookup(store.database, path.stat()) is None
