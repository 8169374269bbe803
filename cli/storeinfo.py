"""`seamless-store info`: what a store holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from .entry import CONTEXT, debug_option, store_option
from .storeopening import configured, json_option, opened, print_json

if TYPE_CHECKING:
    from seamless_queue.care.usage import Usage

EPILOG = """\b
Examples:
  seamless-store info
  seamless-store info --store /data/results --json
"""


@click.command("info", context_settings=CONTEXT, epilog=EPILOG)
@json_option
@store_option
@debug_option
def info(as_json: bool, store: str | None) -> int:
    """Say what the store holds, how full it is, and how full it may be."""
    from seamless_queue.care import usage

    found = configured(store)
    with opened(found) as it:
        counted = usage.of(it, found.max_size, found.sources)
    if as_json:
        print_json(usage.as_fields(counted))
    else:
        for name, value in lines(counted):
            click.echo(f"{name:<14}{value}")
    return 0


def lines(found: Usage) -> list[tuple[str, str]]:
    """What is told, with its heading."""
    rows = [
        ("store", found.path),
        ("id", found.id),
        ("digest", f"{found.digest}, schema {found.schema}, owner {found.owner}"),
        ("first job", _moment(found.since) if found.since else "none yet"),
        ("jobs", _counts(found.jobs) + (f" (of them {found.evicted:,} without their bytes)" if found.evicted else "")),
        ("requests", _counts(found.requests)),
        ("attempts", f"{found.attempts:,}"),
        ("sessions", f"{found.sessions:,} open"),
        *_bytes(found),
    ]
    rows += [("project", f"{name}: {_size(size)} of results") for name, size in found.projects.items()]
    rows += [("source", path) for path in found.sources]
    return rows


def _bytes(found: Usage) -> list[tuple[str, str]]:
    small, large = found.small, found.large
    return [
        ("database", f"{_size(found.database)}, with {small.number:,} buffers of up to 8 KiB ({_size(small.bytes)})"),
        ("files", f"{large.number:,} larger buffers, {_size(large.bytes)}"),
        ("  results", f"{found.results.number:,}, {_size(found.results.bytes)}"),
        ("  pinned", f"{found.pinned.number:,}, {_size(found.pinned.bytes)} ({found.uploads:,} uploads in all)"),
        ("  others", f"{found.other.number:,}, {_size(found.other.bytes)} (inputs, streams)"),
        ("set aside", f"{found.damaged.number:,} damaged, {_size(found.damaged.bytes)}"),
        ("temporary", f"{found.temporary.number:,}, {_size(found.temporary.bytes)}"),
        ("cap", _cap(found)),
        ("collected", _moment(found.collected) if found.collected else "never by itself"),
    ]


def _cap(found: Usage) -> str:
    if found.cap.bytes is None:
        return f"none ({found.cap.why}); {_size(found.used)} used"
    full = found.used / found.cap.bytes if found.cap.bytes else 1.0
    return f"{_size(found.cap.bytes)} ({found.cap.why}); {_size(found.used)} used, {full:.1%}"


def _counts(counts: dict[str, int]) -> str:
    named = [f"{count:,} {state}" for state, count in counts.items() if count]
    return ", ".join(named) or "none"


def _size(count: int) -> str:
    from seamless_queue.care.sizes import readable

    return readable(count)


def _moment(when: float) -> str:
    from seamless_queue.care.sizes import readable_seconds

    return f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(when))} ({readable_seconds(time.time() - when)} ago)"
