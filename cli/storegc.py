"""`seamless-store gc`: give back space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .entry import CONTEXT, debug_option, store_option
from .storeopening import configured, json_option, opened, plural, print_json, quiet_option

if TYPE_CHECKING:
    from seamless_queue.care.collect import Collected

EPILOG = """\b
Examples:
  seamless-store gc --dry-run
  seamless-store gc
  seamless-store gc --max-size 20G
  seamless-store gc --max-size 0 --older-than 30d
  seamless-store gc --forget 365d --failed
"""


@click.command("gc", context_settings=CONTEXT, epilog=EPILOG)
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would be removed.")
@click.option("--max-size", metavar="SIZE", help="Give up results until the store has 20G, 10%, 0, … [its cap].")
@click.option("--older-than", metavar="DURATION", help="Only what was not used for so long [10m].")
@click.option("--inputs", is_flag=True, help="Also inputs of jobs whose results are there, unless they are pinned.")
@click.option("--failed", is_flag=True, help="Forget failed and canceled jobs.")
@click.option("--forget", metavar="DURATION", help="Forget jobs that ended so long ago, with all they have made.")
@json_option
@quiet_option
@store_option
@debug_option
def gc(
    dry_run: bool,
    max_size: str | None,
    older_than: str | None,
    inputs: bool,
    failed: bool,
    forget: str | None,
    as_json: bool,
    quiet: bool,
    store: str | None,
) -> int:
    """Remove what nobody needs; results that can be made again until the store is below its cap.

    What was uploaded or pinned, what pending requests need, and what a sidecar beside an output still names, stays.
    """
    from seamless.transformer import functions, mentions
    from seamless_queue.care import collect, evict, sizes

    if max_size is not None:
        sizes.check_size(max_size)
    age = None if older_than is None else sizes.duration(older_than)
    wish = collect.Wish(
        max_size,
        evict.GRACE_SECONDS if age is None else age,
        collect.DAMAGED_SECONDS if age is None else age,
        inputs,
        failed,
        None if forget is None else sizes.duration(forget),
        dry_run,
    )
    found = configured(store)
    with opened(found) as it:
        done = collect.collect(it, functions, mentions, found.max_size, wish)
    if as_json:
        print_json({**done._asdict(), "freed": done.freed, **_plain(done)})
    elif not quiet:
        for line in lines(done, dry_run):
            click.echo(line)
    return 0


def _plain(done: Collected) -> dict[str, object]:
    fields = done._asdict()
    return {name: value._asdict() for name, value in fields.items() if hasattr(value, "_asdict")}


def lines(done: Collected, dry: bool) -> list[str]:
    """What was done, for people."""
    from seamless_queue.care.sizes import readable

    would = "would be " if dry else ""
    evicted = done.evicted
    found = []
    if evicted.jobs:
        what = f"{plural(evicted.jobs, 'result')}, {plural(evicted.files, 'file')}, {readable(evicted.bytes)}"
        found.append(f"{would}given up, to be made again when needed: {what}")
    if evicted.named:
        found.append(f"kept because sidecars name them: {plural(evicted.named, 'file')}")
    if done.forgotten:
        found.append(f"{would}forgotten: {plural(done.forgotten, 'job')}")
    for title, heap in (
        ("that nobody refers to", done.orphans),
        ("in the database that nobody refers to", done.rows),
    ):
        if heap.number:
            found.append(f"{would}removed: {plural(heap.number, 'buffer')} {title}, {readable(heap.bytes)}")
    for title, heap in (("temporary file", done.temporary), ("damaged copy", done.damaged)):
        if heap.number:
            found.append(f"{would}removed: {plural(heap.number, title)}, {readable(heap.bytes)}")
    limit = "no cap" if done.cap.bytes is None else f"cap {readable(done.cap.bytes)} ({done.cap.why})"
    inside = f", and {readable(done.rows.bytes)} for new rows inside the database" if done.rows.bytes else ""
    found.append(f"{readable(done.freed)} {would}freed of {readable(done.used)}{inside}; {limit}")
    if done.cap.bytes is not None and done.used - done.freed > done.cap.bytes:
        found.append(
            "above the cap all the same: the database, inputs, what is pinned, needed or beside its sidecar, and "
            "what was used lately (see --older-than)"
        )
    return found
