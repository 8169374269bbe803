"""`seamless-fingertip`: the bytes of a checksum, made again if they are gone."""

from __future__ import annotations

import click

from .entry import CONTEXT, debug_option, program, store_option, version_option

EPILOG = """\b
Examples:
  seamless-fingertip result.txt.CHECKSUM
  seamless-fingertip 98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4 --output result.txt
"""
NAME = "seamless-fingertip"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("checksum", metavar="CHECKSUM|FILE.CHECKSUM")
@click.option("-o", "--output", metavar="FILE", help="Write the bytes to FILE instead of standard output.")
@store_option
@debug_option
@version_option
def command(checksum: str, output: str | None, store: str | None) -> int:
    """Write the bytes of a buffer, whether or not they are kept.

    If they are gone, the job that made them is run again, and so are those that made its inputs, as far as need be.
    If it gives something else by now, that is an error which names both checksums.
    """
    from seamless.transformer.fingertip import Fingertips
    from seamless_queue import settings

    from .filechoice import opened
    from .named import checksum_named
    from .replaying import write_file, write_out

    wanted = checksum_named(checksum)
    with opened(settings.load(store)) as there, Fingertips(there) as tips:
        tips.bring(wanted)
        if output is None:
            write_out(there, wanted, 1)
        else:
            write_file(there, wanted, output)
    return 0


main = program(command, NAME)

if __name__ == "__main__":
    main()
