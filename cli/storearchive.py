"""`seamless-store export` and `import`: results that travel."""

from __future__ import annotations

import os

import click

from . import moments
from .entry import CONTEXT, debug_option, digest_option, store_option, with_names
from .storeopening import configured, opened, plural, quiet_option

EXPORT_EPILOG = """\b
Examples:
  seamless-store export everything.tar
  seamless-store export yeast.tar.zst --project yeast
  seamless-store export today.tar.gz --since 1d
  seamless-store export counts.tar counts.txt 3fa90c
  seamless-store export - | gzip > all.tar.gz
"""
IMPORT_EPILOG = """\b
Examples:
  seamless-store import yeast.tar.zst
  seamless-store import yeast.tar.zst --dry-run
"""


@click.command("export", context_settings=CONTEXT, epilog=EXPORT_EPILOG)
@click.argument("archive", type=click.Path(dir_okay=False))
@click.argument("things", nargs=-1, metavar="[JOB|FILE]...", callback=with_names)
@click.option("--project", metavar="NAME", help="Results that were asked for under this label.")
@click.option("--stage", metavar="NAME", help="Results that were asked for under this label.")
@click.option("--since", metavar="TIME", help="Results of the last 2h, 7d, …, or since a date such as 2026-11-22.")
@click.option("--no-upstream", is_flag=True, help="Without the jobs that made their inputs.")
@quiet_option
@store_option
@debug_option
def export(
    archive: str,
    things: tuple[str, ...],
    project: str | None,
    stage: str | None,
    since: str | None,
    no_upstream: bool,
    quiet: bool,
    store: str | None,
) -> int:
    """Write results with their inputs, code and provenance to ARCHIVE, a tar file, and the jobs that made the inputs.

    Of all jobs that are done, or of those named. ARCHIVE is compressed if its name ends with .zst or .gz.
    """
    from seamless.transformer import exchange
    from seamless_queue.care.archivefiles import is_stream
    from seamless_queue.care.selection import Selection
    from seamless_queue.care.sizes import readable

    chosen = Selection(project, stage, None if since is None else moments.since(since), things)
    with opened(configured(store)) as it:
        written = exchange.export(it, archive, chosen, with_upstream=not no_upstream)
    if not quiet:
        what = f"{plural(written.jobs, 'job')}, {plural(written.buffers, 'buffer')}, {readable(written.bytes)}"
        click.echo(f"{archive}: {what}", err=is_stream(archive))
    if written.left_out:
        click.echo(f"left out: {plural(written.left_out, 'job')} without results", err=True)
    if written.missing:
        click.echo(f"not in the store, so left out: {plural(written.missing, 'input')}", err=True)
    return 0


@click.command("import", context_settings=CONTEXT, epilog=IMPORT_EPILOG)
@click.argument("archive", type=click.Path(dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Check the archive and say what it holds.")
@quiet_option
@store_option
@digest_option
@debug_option
def import_(archive: str, dry_run: bool, quiet: bool, store: str | None, digest: str | None) -> int:
    """Take the results of ARCHIVE into the store.

    All of it is checked first; of an archive that is damaged or incomplete nothing is imported. Jobs that are known
    already stay as they are.
    """
    from seamless_queue.care import archive as archives
    from seamless_queue.care.sizes import readable
    from seamless_queue.store import exists

    found = configured(store)
    if digest is not None:
        found = found._replace(digest=digest)
    if archive != "-" and not os.path.exists(archive):
        raise click.UsageError(f"{archive} does not exist")
    if found.digest is None and not exists(found):
        found = found._replace(digest=archives.digest_of(archive))
    with opened(found, make=True) as it:
        unpacked = archives.unpack(it, archive)
        try:
            totals = archives.totals(it, unpacked) if dry_run else archives.take_in(it, unpacked)
        finally:
            unpacked.close()
    if not quiet:
        done = "would be imported" if dry_run else "imported"
        what = f"{plural(totals.jobs, 'job')} {done}, {totals.known:,} known already"
        click.echo(f"{archive}: {what}; {plural(totals.buffers, 'buffer')}, {readable(totals.bytes)}")
    return 0
