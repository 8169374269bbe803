"""`seamless-cancel`: take back what has not ended, and stop what runs."""

from __future__ import annotations

import os
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
  seamless-cancel counts.txt
  seamless-cancel transformation.json.CHECKSUM
"""
NAME = "seamless-cancel"
#: Exit status where nothing was to be canceled.
NOT_RUNNING = 2
#: What may be a number or a checksum, though of nothing that is here.
_NUMBER = re.compile(r"#?[0-9]{1,18}")
_CHECKSUM = re.compile(r"[0-9a-fA-F]{4,64}")


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("targets", metavar="JOB...", nargs=-1, required=True, callback=with_names)
@click.option("-q", "--quiet", is_flag=True, help="Do not tell what was canceled.")
@store_option
@debug_option
@version_option
def command(targets: tuple[str, ...], quiet: bool, store: str | None) -> int:
    """Cancel all requests for a transformation, or one request, and kill what runs for them.

    JOB is a request's number, the beginning of a transformation's checksum, a .CHECKSUM file that holds it, or a file
    that a command writes. What needs the files of a canceled request fails.

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
    """The requests that are meant and have not ended; NotFound for what can be no job."""
    from seamless_queue.broker import cancellations, finding

    try:
        match = finding.the_one(store.database, target, os.getcwd())
    except finding.NotFound:
        if _NUMBER.fullmatch(target) or (_CHECKSUM.fullmatch(target) and not _begins_several(store, target)):
            return []
        raise
    ids = finding.live_requests(store.database, match)
    return [one for request_id in ids for one in cancellations.wanted_of_number(store.database, request_id)]


def _begins_several(store: Store, target: str) -> bool:
    from seamless_queue.broker.finding import by_prefix

    return len(by_prefix(store.database, target.lower())) > 1


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
