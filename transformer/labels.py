"""How transformations, projects and stages are called for people."""

from __future__ import annotations

from collections.abc import Iterable

from .python.pins import argument_name, star_index

#: The name of a command that is longer is cut.
COMMAND_CHARACTERS = 200


def label(name: str | None, part: str | None) -> str | None:
    """A project or stage with its part: `NAME/PART`."""
    return f"{name}/{part}" if name and part else name or part


def call(name: str, pins: Iterable[str]) -> str:
    """A call with the keys of its arguments, of a bounded length: `total(first, *numbers: 20,000 arguments)`."""
    shown: list[str] = []
    star, count = "", 0
    for pin in pins:
        if star_index(pin) is not None:
            star, count = argument_name(pin), count + 1
        else:
            shown.append(pin)
    if count:
        shown.append(f"*{star}: {count:,} argument{'' if count == 1 else 's'}")
    text = f"{name}({', '.join(shown)})"
    return text if len(text) <= COMMAND_CHARACTERS else f"{text[: COMMAND_CHARACTERS - 2]}…)"
