"""How projects and stages stand in requests."""

from __future__ import annotations


def label(name: str | None, part: str | None) -> str | None:
    """A project or stage with its part: `NAME/PART`."""
    return f"{name}/{part}" if name and part else name or part
