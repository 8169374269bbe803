"""`seamless-queue`: the server that runs queued commands, and the control of what is queued."""

from __future__ import annotations

import os

import click

from . import queueverbs
from .bounds import COUNT, POSITIVE_COUNT, SECONDS_OR_NONE, WORKERS
from .entry import CONTEXT, debug_option, digest_option, durable_option, program, store_option, version_option

EPILOG = """\b
Examples:
  seamless-queue --workers 8 &
  seamless-queue --cpus 16 --memory 60G --slot license=1 &
  seamless-queue --exit-when-idle 60
  seamless-queue pause
  seamless-queue cancel 12 counts.txt
  seamless-queue retry --failed
"""
NAME = "seamless-queue"


@click.group(
    NAME,
    context_settings=CONTEXT,
    epilog=EPILOG,
    invoke_without_command=True,
    subcommand_metavar="[pause | resume | cancel JOB… | retry JOB… | priority N JOB…]",
)
@click.option("--workers", type=WORKERS, metavar="N", help="How many commands run at once [processors].")
@click.option("--cpus", type=POSITIVE_COUNT, metavar="N", help="Processors for jobs, which take 1 each [workers].")
@click.option("--memory", metavar="SIZE", help="Memory for jobs that say what they need [the machine's].")
@click.option("--gpus", type=COUNT, metavar="N", help="GPUs for jobs that ask for them [those there are].")
@click.option(
    "--slot", "slots", metavar="NAME=N", multiple=True, help="So many jobs of the store may use NAME at once."
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.option("--log-file", type=click.Path(dir_okay=False), metavar="FILE", help="Append every line to FILE as well.")
@click.option("--exit-when-idle", type=SECONDS_OR_NONE, metavar="SECONDS", help="Stop after so long without work.")
@store_option
@digest_option
@durable_option
@debug_option
@version_option
@click.pass_context
def command(context: click.Context, /, **given: object) -> int:
    """Run the commands that `seamless-run --qsubmit` submits to the store.

    Ctrl-C (or SIGTERM) once: finish what runs, then stop. Twice: stop at once; unfinished commands
    stay in the queue. Several servers on one store share its work.

    With a command, no server is started: it controls what is queued, whether servers run or not.
    """
    if context.invoked_subcommand is not None:
        context.obj = _store_for(context, given)
        return 0
    return _serve(**given)  # type: ignore[arg-type]


def _store_for(context: click.Context, given: dict[str, object]) -> str | None:
    """The store that was named before the verb; options of the server have no meaning there."""
    for name, value in given.items():
        if name != "store" and value not in (None, False, ()):
            option = next(one.opts[-1] for one in context.command.params if one.name == name)
            raise click.UsageError(f"{option} is for a server, not for {context.invoked_subcommand}")
    store = given["store"]
    return None if store is None else str(store)


def _serve(
    workers: int | None,
    cpus: int | None,
    memory: str | None,
    gpus: int | None,
    slots: tuple[str, ...],
    quiet: bool,
    verbose: bool,
    log_file: str | None,
    exit_when_idle: float | None,
    store: str | None,
    digest: str | None,
    durable: bool,
) -> int:
    from seamless.transformer.functions import NAME as FUNCTIONS
    from seamless_queue import machine, settings
    from seamless_queue.server import Server

    from .resourceoptions import amounts
    from .serverlog import ServerLog

    offer = {**machine.offer(), **amounts(cpus, memory, gpus, slots)}
    with ServerLog(quiet=quiet, verbose=verbose, path=log_file) as log:
        count = workers or _processors()
        settled = settings.load(store, digest, durable=durable)
        Server(settled, FUNCTIONS, count, log.show, exit_when_idle, offer).run()
    return 0


def _processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


for verb in queueverbs.VERBS:
    command.add_command(verb)
main = program(command, NAME)

if __name__ == "__main__":
    main()
