"""`seamless-checksum-index`: write the index of directories beside them."""

from __future__ import annotations

import click

from .entry import CONTEXT, debug_option, program, store_option, version_option, with_names
from .filechoice import wished_digest_option

EPILOG = """\b
Examples:
  seamless-checksum-index images                 writes images.INDEX and images.CHECKSUM
"""
NAME = "seamless-checksum-index"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("directories", nargs=-1, required=True, metavar="DIR...", callback=with_names)
@store_option
@wished_digest_option
@debug_option
@version_option
def command(directories: tuple[str, ...], store: str | None, digest: str | None) -> int:
    """Write DIR.INDEX, the checksums of its files, and DIR.CHECKSUM beside each DIR; nothing is stored."""
    import os

    from seamless.transformer import placing, plain, uploading
    from seamless_queue import sidecars
    from seamless_queue.signals import interrupting

    from .filechoice import hashing

    with interrupting(), hashing(store, digest) as hasher:
        for word in directories:
            path = uploading.named(word)
            if not os.path.isdir(path):
                missing = "is no directory" if os.path.lexists(path) else "does not exist"
                raise click.ClickException(f"{path} {missing}")
            placing.check_names(path)
            content = plain.dump(hasher.index_of(path))
            uploading.write_sidecar(path + sidecars.INDEX, content)
            uploading.write_sidecar(path + sidecars.CHECKSUM, f"{hasher.digest.of(content)}\n".encode())
    return 0


main = program(command, NAME)

if __name__ == "__main__":
    main()
