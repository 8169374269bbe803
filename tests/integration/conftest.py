"""Fixtures of the tests that use several parts together."""

import pytest
from desk import Desk

from seamless_queue.store import Store


@pytest.fixture
def desk(store: Store) -> Desk:
    """A queue on an empty store."""
    return Desk(store)
