"""`seamless-download`: bring files and directories back from the store, by their sidecars or by checksum."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from .entry import CONTEXT, program, say, speaker, with_names
from .filechoice import confirmation_options, copying_options

if TYPE_CHECKING:
    from seamless.transformer.downloading import Plan, Wanted
    from seamless.transformer.fingertip import Fingertips
    from seamless_queue.store import Store

EPILOG = """\b
Examples:
  seamless-download data.csv                     data.csv.CHECKSUM says which bytes
  seamless-download images                       the whole directory
  seamless-download --index images               only images/*.CHECKSUM
  seamless-download -o old.csv 3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea
"""
NAME = "seamless-download"


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    words: tuple[str, ...]
    yes: bool
    no: bool
    output: str | None
    stdout: bool
    directory: bool
    index: bool
    force: bool
    verbose: bool
    quiet: bool
    store: str | None
    digest: str | None

    def check(self) -> None:
        """UsageError for options that contradict each other."""
        if not self.words:
            raise click.UsageError("nothing to download: name a file that has a sidecar, or a checksum")
        if self.output is not None and len(self.words) > 1:
            raise click.UsageError("-o takes one file or checksum")
        for first, second in (("yes", "no"), ("output", "stdout"), ("stdout", "directory"), ("stdout", "index")):
            if getattr(self, first) and getattr(self, second):
                raise click.UsageError(f"--{first} and --{second} cannot be used together")


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("words", nargs=-1, metavar="FILE|CHECKSUM...", callback=with_names)
@confirmation_options
@click.option("-o", "--output", metavar="FILE", help="Write to FILE (a single file or directory).")
@click.option("--stdout", is_flag=True, help="Write the bytes to standard output.")
@click.option("--directory", is_flag=True, help="It is a directory: the checksum is that of its index.")
@click.option("--index", is_flag=True, help="Write only the sidecars of a directory's files, into the directory.")
@click.option("-f", "--force", is_flag=True, help="Replace files that are there with other content.")
@copying_options
def command(**given: Any) -> int:
    """Bring back X, of which X.CHECKSUM is there, or any bytes by their checksum.

    Files that are there and right are left alone; others are an error, unless --force. What the store has not any
    more is made again if a job has made it once. Of a bare checksum a file of that name is written, unless -o or
    --stdout.
    """
    from seamless.transformer import downloading
    from seamless.transformer.fingertip import Fingertips
    from seamless_queue import settings
    from seamless_queue.signals import interrupting

    from .filechoice import opened_if_there

    options = Options(**given)
    options.check()
    wanted = _wanted(options)
    with (
        interrupting(),
        opened_if_there(settings.load(options.store, options.digest)) as store,
        Fingertips(store) as tips,
    ):
        wanted = [downloading.as_it_was(store, one) for one in wanted]
        return _print(store, wanted, tips) if options.stdout else _download(store, wanted, tips, options)


def _wanted(options: Options) -> list[Wanted]:
    from seamless.transformer import downloading

    is_directory = options.directory or options.index
    return [
        one
        for word in dict.fromkeys(options.words)
        for one in downloading.wanted(word, is_directory=is_directory, output=options.output)
    ]


def _print(store: Store, wanted: list[Wanted], tips: Fingertips) -> int:
    from seamless.transformer import downloading

    for one in wanted:
        if one.is_directory:
            raise click.UsageError(f"{one.path} is a directory and cannot be written to standard output")
        for piece in downloading.pieces(store, one.checksum, tips.bring):
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return 0


def _download(store: Store, wanted: list[Wanted], tips: Fingertips, options: Options) -> int:
    from seamless.transformer import downloading

    from .confirming import NotConfirmed, confirm, most_downloads

    plans = [downloading.plan(store, one, tips.bring) for one in wanted]
    if options.index:
        for plan in plans:
            downloading.write_sidecars(plan)
        return 0
    if not options.force:
        _refuse_different(plans)
    count, size = sum(plan.count for plan in plans), sum(plan.size for plan in plans)
    try:
        confirm("download", count, size, most_downloads(), yes=options.yes, no=options.no)
    except NotConfirmed as exc:
        if not options.no:
            raise
        for plan in plans:
            downloading.make_directories(plan)
        speaker(NAME, options.quiet)(f"nothing was downloaded: {exc}")
        return 0
    return _write(store, plans, tips, options, count, size)


def _refuse_different(plans: list[Plan]) -> None:
    from seamless_queue.errors import SeamlessError

    if different := [path for plan in plans for path in plan.different]:
        first, more = os.path.relpath(different[0]), len(different) - 1
        others = f" (and {more} more)" if more else ""
        raise SeamlessError(
            f"{first}{others} is there with other content; nothing was downloaded, use --force to replace it"
        )


def _write(store: Store, plans: list[Plan], tips: Fingertips, options: Options, count: int, size: int) -> int:
    from seamless.transformer import downloading
    from seamless_queue.errors import SeamlessError

    from .progress import shown

    status = 0
    with shown("download", count, size, options.quiet) as advance:
        for plan in plans:
            try:
                downloading.write(store, plan, tips.bring, advance)
            except SeamlessError as exc:
                # What can be had is had, all the same.
                say(NAME, f"error: {plan.wanted.path} cannot be had: {exc}")
                status = 1
            else:
                if options.verbose:
                    speaker(NAME, options.quiet)(f"{plan.wanted.path} is {plan.wanted.checksum}")
    return status


main = program(command, NAME)

if __name__ == "__main__":
    main()
