"""`seamless-cancel`: take back what has not ended, and stop what runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from .entry import CONTEXT, debug_option, program, say, store_option, version_option, with_names

if TYPE_CHECKING:
    from seamless_queue.broker.cancellations import Wanted
    from seamless_queue.canceling import Canceled
    from seamless_queue.store import Store

EPILOG = """\b
Examples:
  seamless-cancel 12
  seamless-cancel 98ea6e4f21
  seamless-cancel transformation.json.CHECKSUM
"""
NAME = "seamless-cancel"
#: Exit status where nothing was to be canceled.
NOT_RUNNING = 2
#: A shorter beginning of a checksum is taken for a slip.
LEAST_PREFIX = 6
_NUMBER = re.compile(r"#?([0-9]{1,18})")
_PREFIX = re.compile(rf"[0-9a-f]{{{LEAST_PREFIX},63}}")


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("targets", metavar="CHECKSUM|REQUEST...", nargs=-1, required=True, callback=with_names)
@click.option("-q", "--quiet", is_flag=True, help="Do not tell what was canceled.")
@store_option
@debug_option
@version_option
def command(targets: tuple[str, ...], quiet: bool, store: str | None) -> int:
    """Cancel all requests for a transformation, or one request by its number, and kill what runs for them.

    A transformation is named by its checksum, the beginning of it (as seamless-queue shows it), or a .CHECKSUM
    file. What needs the files of a canceled request fails.

    \b
    Exit status: 0 canceled; 2 there was nothing to cancel; 1 no such thing, or it could not be stopped.
    """
    from seamless.transformer import functions
    from seamless_queue import canceling, settings
    from seamless_queue.store import open_store

    opened = open_store(settings.load(store))
    try:
        # All are looked up before the first is canceled: a slip of the pen cancels nothing.
        found = [_find(opened, target) for target in targets]
        statuses = [_tell(canceling.cancel(opened, functions, wanted), quiet) for wanted in found]
    finally:
        opened.close()
    return 1 if 1 in statuses else max(statuses)


def _find(store: Store, target: str) -> list[Wanted]:
    from seamless_queue.broker import cancellations

    from .named import checksum_named

    number, text = _NUMBER.fullmatch(target), target.lower()
    if number is not None and len(target) < 64:
        return cancellations.wanted_of_number(store.database, int(number[1]))
    if _PREFIX.fullmatch(text):
        jobs = cancellations.jobs_like(store.database, text)
        if len(jobs) > 1:
            raise click.UsageError(f"{target} is the beginning of several transformations: give more of its digits")
        return cancellations.wanted_of_job(store.database, jobs[0]) if jobs else []
    return cancellations.wanted_of_job(store.database, checksum_named(target))


def _tell(canceled: Canceled, quiet: bool) -> int:
    if not canceled.requests:
        click.echo("process: not-running")
        return NOT_RUNNING
    click.echo("process: canceled")
    for one in canceled.requests if not quiet else ():
        say(NAME, f"canceled #{one.request_id} {one.command}")
    for one in canceled.below if not quiet else ():
        say(NAME, f"so fails #{one.request_id} {one.command}: it needed what was canceled")
    for holder in canceled.running:
        if holder.is_thread:
            why = f"it runs in the Python process {holder.pid} itself, which cannot stop it; its result will not count"
            say(NAME, f"warning: {why}")
        else:
            say(NAME, f"error: process {holder.pid} has not stopped it yet; its result will not count")
    return 1 if any(not holder.is_thread for holder in canceled.running) else 0


main = program(command, NAME)

if __name__ == "__main__":
    main()
