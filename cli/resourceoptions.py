"""What `seamless-run` demands and `seamless-queue` offers: the same words in both."""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

from seamless_queue.broker.resources import CPUS, GPUS, MEMORY, OF_SERVER
from seamless_queue.care.sizes import readable, size
from seamless_queue.errors import ConfigurationError

from .bounds import MOST_MEMORY

_SLOT = re.compile(r"([A-Za-z_][\w.-]*)(?:=(\d{1,9}))?")


def amounts(cpus: int | None, memory: str | None, gpus: int | None, slots: Iterable[str]) -> dict[str, int]:
    """What was given, by name."""
    given = {CPUS: cpus, MEMORY: None if memory is None else _bytes(memory), GPUS: gpus, **_slots(slots)}
    return {name: amount for name, amount in given.items() if amount is not None}


def _bytes(text: str) -> int:
    try:
        count = size(text)
    except ConfigurationError as exc:
        raise click.UsageError(f"--memory: {exc}") from None
    except OverflowError:
        count = MOST_MEMORY + 1
    if count > MOST_MEMORY:
        raise click.UsageError(f"--memory: {text:.40} is more than any machine has (at most {readable(MOST_MEMORY)})")
    return count


def _slots(texts: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in texts:
        match = _SLOT.fullmatch(text.strip())
        if match is None or match[1] in OF_SERVER:
            raise click.UsageError(f"--slot {text!r}: write a name of your own and a number, such as license=1")
        if match[1] in found:
            raise click.UsageError(f"--slot {match[1]} is given twice")
        found[match[1]] = int(match[2] or 1)
    return found
