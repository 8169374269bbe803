"""A backlog of ten thousand: every file is there, and right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.shop import Shop, opened

JOBS = 10_000
PATIENCE_SECONDS = 1800.0


@pytest.fixture
def shop(template: Path) -> Iterator[Shop]:
    with opened(template) as shop:
        yield shop


@pytest.mark.parametrize("when", ["before the server", "while it serves"])
def test_ten_thousand(shop: Shop, when: str) -> None:
    lines = "".join(f"echo {n} > {n}.txt\n" for n in range(JOBS)).encode()
    if when == "while it serves":
        server = shop.server()
        shop.submit("--batch", "-", input=lines, timeout=PATIENCE_SECONDS)
    else:
        shop.submit("--batch", "-", input=lines, timeout=PATIENCE_SECONDS)
        server = shop.server()
    ended = shop.finish(timeout=PATIENCE_SECONDS)
    assert "failed" not in ended.err
    assert server.wait().status == 0
    assert server.err == ""
    wrong = [n for n in range(JOBS) if (shop.dir / f"{n}.txt").read_text() != f"{n}\n"]
    assert wrong == []
    assert len(shop.names()) == JOBS
    assert shop.store_leftovers() == []
    assert shop.rows("SELECT COUNT(*) FROM attempts") == [(JOBS,)]
