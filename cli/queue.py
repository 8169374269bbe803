"""`seamless-queue`: the server that runs queued commands."""

from __future__ import annotations

import os

import click

from .entry import CONTEXT, debug_option, digest_option, durable_option, program, store_option, version_option

EPILOG = """\b
Examples:
  seamless-queue --workers 8 &
  seamless-queue --quiet --log-file queue.log &
  seamless-queue --exit-when-idle 60
"""


@click.command("seamless-queue", context_settings=CONTEXT, epilog=EPILOG)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="How many commands run at once [processors].")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.option("--log-file", type=click.Path(dir_okay=False), metavar="FILE", help="Append every line to FILE as well.")
@click.option(
    "--exit-when-idle",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Stop after so long without work.",
)
@store_option
@digest_option
@durable_option
@debug_option
@version_option
def command(
    workers: int | None,
    quiet: bool,
    verbose: bool,
    log_file: str | None,
    exit_when_idle: float | None,
    store: str | None,
    digest: str | None,
    durable: bool,
) -> int:
    """Run the commands that `seamless-run --qsubmit` submits to the store.

    Ctrl-C (or SIGTERM) once: finish what runs, then stop. Twice: stop at once; unfinished commands
    stay in the queue. Several servers on one store share its work.
    """
    from seamless.transformer.functions import NAME
    from seamless_queue import settings
    from seamless_queue.server import Server

    from .serverlog import ServerLog

    with ServerLog(quiet=quiet, verbose=verbose, path=log_file) as log:
        count = workers or _processors()
        Server(settings.load(store, digest, durable=durable), NAME, count, log.show, exit_when_idle).run()
    return 0


def _processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


main = program(command, "seamless-queue")

if __name__ == "__main__":
    main()
