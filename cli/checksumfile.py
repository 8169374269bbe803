"""`seamless-checksum-file`: write the checksums of files beside them."""

from __future__ import annotations

import click

from .entry import CONTEXT, debug_option, program, store_option, version_option, with_names
from .filechoice import wished_digest_option

EPILOG = """\b
Examples:
  seamless-checksum-file data.csv                writes data.csv.CHECKSUM
"""
NAME = "seamless-checksum-file"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", callback=with_names)
@store_option
@wished_digest_option
@debug_option
@version_option
def command(paths: tuple[str, ...], store: str | None, digest: str | None) -> int:
    """Write FILE.CHECKSUM beside each FILE; nothing is stored."""
    from seamless.transformer import uploading
    from seamless_queue import sidecars
    from seamless_queue.signals import interrupting

    from .filechoice import hashing

    with interrupting(), hashing(store, digest) as hasher:
        for path in paths:
            source = uploading.survey(path, None)
            if source.is_directory:
                raise click.UsageError(f"{path} is a directory: use seamless-checksum-index")
            uploading.write_sidecar(source.name + sidecars.CHECKSUM, f"{hasher.of_path(source.path)}\n".encode())
    return 0


main = program(command, NAME)

if __name__ == "__main__":
    main()
