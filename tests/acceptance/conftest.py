"""Every test gets a shop of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seamless_queue.settings import Settings
from seamless_queue.store import open_store

from .shop import Shop, opened


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store without an id: whoever opens a copy gives it one. A migration takes long."""
    path = tmp_path_factory.mktemp("template") / "store"
    store = open_store(Settings(str(path), "blake3"))
    with store.database.transaction() as connection:
        connection.execute("DELETE FROM facts WHERE name = 'id'")
    store.close()
    return path


@pytest.fixture
def shop(template: Path) -> Iterator[Shop]:
    """A shop with an empty store at its default place."""
    with opened(template) as shop:
        yield shop


@pytest.fixture
def bare_shop() -> Iterator[Shop]:
    """A shop whose store is made by the first command."""
    with opened() as shop:
        yield shop
