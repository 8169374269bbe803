"""`seamless-run-transformation`: run a transformation again of which only the description is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .bounds import SECONDS
from .entry import CONTEXT, debug_option, program, say, store_option, version_option

if TYPE_CHECKING:
    from seamless.transformer.replay import Described, Replayed
    from seamless_queue.inline import InlineSession
    from seamless_queue.store import Store

EPILOG = """\b
Examples:
  seamless-run-transformation 4ad251bcba741d0c10b72f20d2cd70e18575cc84d8cd19080a149ce24d18278e
  seamless-run-transformation job/transformation.json.CHECKSUM --output result.CHECKSUM
  seamless-run-transformation --fingertip --strict job
  seamless-run-transformation --dry-run -j job 4ad251bcba741d0c10b72f20d2cd70e18575cc84d8cd19080a149ce24d18278e
"""
NAME = "seamless-run-transformation"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("transformation", metavar="CHECKSUM|FILE.CHECKSUM|FILE|DIR")
@click.option("-o", "--output", metavar="FILE", help="Write the result's checksum to FILE instead of standard output.")
@click.option(
    "--dunder", metavar="FILE", help="What is not part of the identity [dunder.json beside the transformation]."
)
@click.option("--scratch", is_flag=True, help="Do not keep the result: it is made again when it is needed.")
@click.option(
    "--fingertip", is_flag=True, help="Have the bytes of all inputs and of the result, made again if need be."
)
@click.option(
    "--strict", is_flag=True, help="Refuse a file in another form, and a result that differs from the recorded."
)
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Stop it after so long.")
@click.option("--dry", "--dry-run", "dry", is_flag=True, help="Run nothing; print the identity.")
@click.option(
    "-j", "--write-job", "job_directory", metavar="DIR", help="With --dry: write a directory to run it by hand."
)
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@store_option
@debug_option
@version_option
def command(
    transformation: str,
    output: str | None,
    dunder: str | None,
    scratch: bool,
    fingertip: bool,
    strict: bool,
    timeout: float | None,
    dry: bool,
    job_directory: str | None,
    verbose: bool,
    store: str | None,
) -> int:
    """Run a transformation of any kind and print the checksum of its result; a known one is not run again.

    It is given by its checksum, a .CHECKSUM file, the file transformation.json, or a directory that
    seamless-run --dry-run -j has written.
    """
    if scratch and fingertip:
        raise click.UsageError("--scratch and --fingertip cannot be used together")
    if job_directory is not None and not dry:
        raise click.UsageError("--write-job goes with --dry-run")
    from seamless.transformer import replay
    from seamless_queue import settings
    from seamless_queue.store import open_store

    opened = open_store(settings.load(store))
    try:
        described = replay.describe(opened, transformation, dunder=dunder, strict=strict)
        if dry:
            return _dry(opened, described, job_directory)
        if verbose:
            say(NAME, f"transformation {described.checksum}")
        result = _run(opened, described, _Wishes(scratch, fingertip, strict, timeout, verbose))
    finally:
        opened.close()
    if result is None:
        return 1
    if output is None:
        click.echo(result)
    else:
        _write(output, result)
    return 0


class _Wishes:
    def __init__(self, scratch: bool, fingertip: bool, strict: bool, timeout: float | None, verbose: bool) -> None:
        self.scratch, self.fingertip, self.strict = scratch, fingertip, strict
        self.timeout, self.verbose = timeout, verbose


def _dry(store: Store, described: Described, directory: str | None) -> int:
    if directory is not None:
        from seamless.transformer import jobdirectory

        jobdirectory.write(store, described.checksum, directory, dunder=described.dunder)
    click.echo(described.checksum)
    return 0


def _run(store: Store, described: Described, wishes: _Wishes) -> str | None:
    from seamless.transformer import functions, provenance, replay
    from seamless_queue import scratch
    from seamless_queue.inline import inline_session
    from seamless_queue.signals import interrupting

    result = replay.known_result(store, described, scratch=wishes.scratch)
    if result is not None and not wishes.fingertip:
        return result
    try:
        with inline_session(store, functions) as session, interrupting():
            if wishes.fingertip:
                replay.bring_all(session, list(functions.needs(store, described.checksum)))
            if result is None:
                result = _execute(session, described, wishes)
            if result is not None and wishes.fingertip:
                found = provenance.result_buffers(store.buffers.read, described.fields, result)
                replay.bring_all(session, list(found))
            return result
    finally:
        scratch.drop_unused(store, functions)


def _execute(session: InlineSession, described: Described, wishes: _Wishes) -> str | None:
    from seamless.transformer import replay
    from seamless_queue.broker import submissions

    store = session.store
    before = submissions.known(store.database, described.checksum)
    done = replay.run(session, described, scratch=wishes.scratch, timeout=wishes.timeout, waiting=_say_waiting)
    _show(store, done)
    if done.result is None:
        summary, _, traceback = (done.error or done.state.name.lower()).partition("\n")
        click.echo(traceback.rstrip("\n"), nl=bool(traceback), err=True)
        say(NAME, f"error: {summary}")
        return None
    if before is not None and before.result != done.result:
        if wishes.strict:
            replay.refuse_if_differs(described, before.result, done.result)
        say(NAME, f"warning: not reproducible: it gave {before.result} before")
    return done.result


def _say_waiting() -> None:
    say(NAME, "waits: another process is running it")


def _show(store: Store, done: Replayed) -> None:
    """What it wrote: beside the result's checksum, so all of it is a message."""
    from .replaying import write_out

    streams = [one for one in (done.stdout, done.stderr) if one is not None and one != done.result]
    for checksum in streams:
        write_out(store, checksum, 2)


def _write(path: str, checksum: str) -> None:
    from seamless_queue.filesystems import write_atomically

    write_atomically(path, f"{checksum}\n".encode())


main = program(command, NAME)

if __name__ == "__main__":
    main()
