"""`seamless-resolve`: the bytes of a checksum."""

from __future__ import annotations

import sys

import click

from .entry import CONTEXT, debug_option, digest_option, program, store_option, version_option

EPILOG = """\b
Examples:
  seamless-resolve data.csv.CHECKSUM > copy.csv
  seamless-resolve --output copy.csv 3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea
"""
NAME = "seamless-resolve"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("checksum", metavar="CHECKSUM|FILE.CHECKSUM")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, replacing it, rather than to standard output.")
@store_option
@digest_option
@debug_option
@version_option
def command(checksum: str, output: str | None, store: str | None, digest: str | None) -> int:
    """Print the bytes with this checksum, exactly as they are; of a directory, its index.

    Only what the store has is printed: seamless-fingertip makes again what it has not any more.
    """
    from seamless_queue import settings
    from seamless_queue.filesystems import write_atomically
    from seamless_queue.signals import interrupting

    from .filechoice import meant, opened_if_there

    wanted = meant(checksum)
    with interrupting(), opened_if_there(settings.load(store, digest)) as there:
        pieces = there.buffers.pieces(wanted)
        if output is not None:
            write_atomically(output, pieces)
            return 0
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0


main = program(command, NAME)

if __name__ == "__main__":
    main()
