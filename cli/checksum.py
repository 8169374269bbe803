"""`seamless-checksum`: print the checksums of files and directories."""

from __future__ import annotations

import click

from .entry import CONTEXT, debug_option, program, store_option, version_option, with_names
from .filechoice import wished_digest_option

EPILOG = """\b
Examples:
  seamless-checksum data.csv
  seamless-checksum *.csv images/
  [ "$(seamless-checksum a.txt)" = "$(seamless-checksum b.txt)" ] && echo the same
"""
NAME = "seamless-checksum"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", callback=with_names)
@store_option
@wished_digest_option
@debug_option
@version_option
def command(paths: tuple[str, ...], store: str | None, digest: str | None) -> int:
    """Print the checksum of each file or directory, one a line, in their order.

    A directory is known by its index, a compressed file (x.gz, x.zst) by what it holds. Nothing is stored or written.
    """
    from seamless_queue.signals import interrupting

    from .filechoice import hashing

    with interrupting(), hashing(store, digest) as hasher:
        for path in paths:
            click.echo(hasher.of_path(path))
    return 0


main = program(command, NAME)

if __name__ == "__main__":
    main()
