"""Commands that are killed at the worst moment: what they began is whole, or comes whole the next time."""

from __future__ import annotations

import signal

from .shop import COUNTED, Shop
from .test_exchange import care, elsewhere, forget_files


def test_an_import_that_is_killed_promises_nothing(shop: Shop) -> None:
    words = (*COUNTED, "-cp", "a.txt", "-c", "seq 20000 > a.txt; true")
    shop.good(*words)
    archive = str(shop.top / "results.tar")
    care(shop, "export", archive)
    forget_files(shop)
    store = elsewhere(shop)
    ended = shop.call("seamless-store", "import", archive, env={"SEAMLESS_CRASH_AT": "bytes-imported"})
    assert ended.status == -signal.SIGKILL
    assert care(shop, "verify").status == 0
    assert shop.rows("SELECT COUNT(*) FROM jobs", store) == [(0,)]
    assert b"1 job imported" in care(shop, "import", archive).out
    shop.good(*words)
    assert shop.executions == 1
    assert shop.read("a.txt").endswith("20000\n")
    care(shop, "gc")
    assert shop.store_leftovers(store) == []


def test_a_retry_that_is_killed_has_asked_again(shop: Shop) -> None:
    """The next server writes the .FUTUREs that it has not come to write."""
    shop.submit(*COUNTED, "-c", 'test -e "$GATES/ok"; echo 1 > a.txt')
    shop.submit(*COUNTED, "-c", "cat a.txt > b.txt")
    shop.work_off(status=1)
    shop.let("ok")
    ended = shop.call("seamless-queue", "retry", "--failed", env={"SEAMLESS_CRASH_AT": "retried"})
    assert ended.status == -signal.SIGKILL
    assert shop.leftovers() == []
    shop.work_off()
    assert shop.read("b.txt") == "1\n"
    assert shop.executions == 3
    assert shop.call("seamless-queue", "retry", "--failed").out == b"nothing has failed\n"
