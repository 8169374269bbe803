"""`seamless-store verify` and `repair`: whether a store is whole, and making it whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .entry import CONTEXT, debug_option, store_option
from .storeopening import configured, json_option, opened, plural, print_json, quiet_option

if TYPE_CHECKING:
    from seamless_queue.care.verify import Verified
    from seamless_queue.store import Store

VERIFY_EPILOG = """\b
Examples:
  seamless-store verify
  seamless-store verify --quick
  seamless-store verify --jobs 8 --json
"""
REPAIR_EPILOG = """\b
Examples:
  seamless-store repair
  SEAMLESS_SOURCES=/backup/store seamless-store repair
"""

jobs_option = click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Threads that hash [processors].")
quick_option = click.option("--quick", is_flag=True, help="Hash nothing; look for what is missing only.")


def looking_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How the store is looked at, and how that is told."""
    return jobs_option(quick_option(json_option(quiet_option(store_option(debug_option(function))))))


@click.command("verify", context_settings=CONTEXT, epilog=VERIFY_EPILOG)
@looking_options
def verify(jobs: int | None, quick: bool, as_json: bool, quiet: bool, store: str | None) -> int:
    """Hash every buffer; list those that are damaged, and those that are promised and missing.

    \b
    Damaged copies are set aside. What was set aside earlier, and no job makes, is listed as lost.
    Exit status: 0 the store is whole; 1 it is not.
    """
    with opened(configured(store)) as it:
        found = _verified(it, jobs, quick, quiet or as_json)
    if as_json:
        print_json(found._asdict() | {"faults": [fault._asdict() for fault in found.faults]})
    else:
        _tell(found, quiet)
    return 1 if found.faults else 0


def _verified(store: Store, jobs: int | None, quick: bool, quiet: bool) -> Verified:
    from seamless.transformer import mentions
    from seamless_queue.care import files
    from seamless_queue.care.verify import verify as look

    from .progress import shown

    large = files.below(store.buffers.directory)
    with shown("verify", large.number, large.bytes, quiet or quick) as advance:
        return look(store, mentions, quick=quick, threads=jobs, progress=advance)


def _tell(found: Verified, quiet: bool) -> None:
    from seamless_queue.care.sizes import readable

    for fault in found.faults:
        click.echo(f"{fault.kind}: {fault.checksum} ({fault.what})")
    for path in found.strangers:
        click.echo(f"not a buffer: {path}", err=True)
    if not quiet:
        what = f"{plural(found.buffers, 'buffer')}, {readable(found.bytes)}"
        click.echo(f"{what}: {_whole(found)}")


def _whole(found: Verified) -> str:
    if not found.faults:
        return "all is well"
    kinds = [fault.kind for fault in found.faults]
    counts = ", ".join(f"{kinds.count(kind):,} {kind}" for kind in dict.fromkeys(kinds))
    return f"{counts}; try: seamless-store repair"


@click.command("repair", context_settings=CONTEXT, epilog=REPAIR_EPILOG)
@looking_options
def repair(jobs: int | None, quick: bool, as_json: bool, quiet: bool, store: str | None) -> int:
    """Bring back what is damaged or missing: from other stores, from the files it was, or by running its job again.

    \b
    Looks for it first, as verify does.
    Exit status: 0 the store is whole now; 1 something could not be brought back.
    """
    from seamless.transformer.repair import Repaired
    from seamless.transformer.repair import repair as mend
    from seamless_queue.care.verify import set_aside

    def tell(one: Repaired) -> None:
        if not as_json and (not one.is_there or not quiet):
            click.echo(f"{'repaired' if one.is_there else 'lost'}: {one.checksum} ({one.how})")

    with opened(configured(store)) as it:
        found = _verified(it, jobs, quick, quiet or as_json)
        faults = {fault.checksum: fault for fault in (*found.faults, *set_aside(it))}
        done = mend(it, faults.values(), tell)
    lost = sum(not one.is_there for one in done)
    if as_json:
        print_json([one._asdict() for one in done])
    elif not quiet:
        what = f"{len(done) - lost:,} repaired, {lost:,} lost" if done else "nothing to repair"
        click.echo(f"{plural(found.buffers, 'buffer')}: {what}")
    return 1 if lost else 0
