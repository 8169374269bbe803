"""The same shops as in the acceptance tests; everything here is long."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from acceptance.conftest import template

__all__ = ["template"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is for `make stress`."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.stress)
