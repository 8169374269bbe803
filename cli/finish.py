"""`seamless-queue-finish`: wait until the queue is empty, then stop its servers."""

from __future__ import annotations

import os

import click

from .bounds import SECONDS_OR_NONE
from .entry import CONTEXT, debug_option, program, say, store_option, version_option

EPILOG = """\b
Examples:
  seamless-queue-finish
  seamless-queue-finish --timeout 3600
  seamless-queue-finish --no-wait
"""
NAME = "seamless-queue-finish"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.option("--no-wait", is_flag=True, help="Tell the servers to stop when all is done, and return.")
@click.option("--timeout", type=SECONDS_OR_NONE, metavar="SECONDS", help="Give up waiting after so long.")
@click.option("--notify", is_flag=True, help="Ring the bell, or show a notification, when all is done.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@store_option
@debug_option
@version_option
def command(no_wait: bool, timeout: float | None, notify: bool, quiet: bool, store: str | None) -> int:
    """Drain the queue of the store and stop its servers.

    \b
    Exit status: 0 all was done; 1 jobs failed (they are listed), or the timeout passed;
    2 jobs are pending and no server runs (they stay in the queue).
    """
    from seamless_queue import finish, settings
    from seamless_queue.signals import interrupting
    from seamless_queue.store import open_store

    from .progress import draining as shown

    configured = settings.load(store)
    if not finish.wait_for_store(configured):
        return _tell(finish.Ending(finish.Verdict.NOTHING_TO_DO, 0))
    opened = open_store(configured)
    try:
        with interrupting(), shown(quiet) as show:
            ending = finish.drain(opened, show, wait=not no_wait, timeout=timeout)
    finally:
        opened.close()
    status = _tell(ending)
    if notify:
        from .notify import notify as tell_desktop

        count = len(ending.failures)
        tell_desktop("the queue is empty" if status == 0 else "the queue has ended", f"{count} failed" if count else "")
    return status


def _tell(ending: object) -> int:
    from seamless_queue.finish import Ending, Verdict

    assert isinstance(ending, Ending)
    if ending.verdict is Verdict.NO_SERVER:
        say(
            NAME,
            f"error: {_jobs(ending.pending)} pending and no server runs; start one with: seamless-queue",
        )
        return 2
    if ending.verdict is Verdict.TIMED_OUT:
        say(
            NAME,
            f"error: gave up waiting, {_jobs(ending.pending)} pending; the servers go on and stop when done",
        )
        return 1
    if ending.verdict is Verdict.NOTHING_TO_DO and not ending.failures:
        say(NAME, "no server runs and nothing is pending")
    from .statustext import first_line

    for failure in ending.failures:
        place = os.fsdecode(failure.directory)
        click.echo(
            f"failed: #{failure.request_id} {failure.command} (in {place}): {first_line(failure.error)}", err=True
        )
    if ending.failures:
        count = len(ending.failures)
        say(NAME, f"error: {count} job{'s' if count > 1 else ''} failed")
        return 1
    return 0


def _jobs(count: int) -> str:
    return "1 job is" if count == 1 else f"{count} jobs are"


main = program(command, NAME)

if __name__ == "__main__":
    main()
