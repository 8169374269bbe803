"""`seamless-store pin` and `unpin`: what is to stay."""

from __future__ import annotations

import os

import click

from .entry import CONTEXT, debug_option, say, store_option, with_names
from .storeopening import NAME, configured, opened, plural, quiet_option

PIN_EPILOG = """\b
Examples:
  seamless-store pin counts.txt
  seamless-store pin 8dd67963c0706cbdc5339e81509173716d7eb42fe107a8d1e2c21d790b35eb1b
"""
UNPIN_EPILOG = """\b
Examples:
  seamless-store unpin data/
  seamless-store unpin counts.txt
"""


@click.command("pin", context_settings=CONTEXT, epilog=PIN_EPILOG)
@click.argument("things", nargs=-1, required=True, metavar="PATH|CHECKSUM...", callback=with_names)
@quiet_option
@store_option
@debug_option
def pin(things: tuple[str, ...], quiet: bool, store: str | None) -> int:
    """Keep buffers of the store until they are unpinned: by checksum, or what PATH.CHECKSUM names."""
    from seamless_queue.care import pins

    from .named import checksum_named

    checksums = [checksum_named(thing) for thing in things]
    with opened(configured(store)) as it:
        for checksum in checksums:
            pins.pin(it, checksum)
    if not quiet:
        click.echo(f"pinned: {plural(len(checksums), 'buffer')}")
    return 0


@click.command("unpin", context_settings=CONTEXT, epilog=UNPIN_EPILOG)
@click.argument("things", nargs=-1, required=True, metavar="PATH|CHECKSUM...", callback=with_names)
@quiet_option
@store_option
@debug_option
def unpin(things: tuple[str, ...], quiet: bool, store: str | None) -> int:
    """Let go what was uploaded or pinned: by checksum, by file, or by directory with all in it.

    It is removed by the next seamless-store gc, unless something else needs it.
    """
    from seamless_queue.care import pins
    from seamless_queue.digest import is_checksum
    from seamless_queue.sidecars import CHECKSUM, read_checksum

    status = total = 0
    with opened(configured(store)) as it:
        for thing in things:
            if is_checksum(thing.lower()):
                count = pins.unpin(it, thing.lower())
            else:
                path = thing.removesuffix(CHECKSUM).rstrip(os.sep) or os.sep
                count = pins.unpin_path(it, path)
                named = read_checksum(path)
                count += pins.unpin(it, named) if named is not None else 0
            total += count
            if not count:
                say(NAME, f"error: {thing} is not pinned in the store {it.path}")
                status = 1
    if not quiet:
        click.echo(f"unpinned: {plural(total, 'buffer')}")
    return status
