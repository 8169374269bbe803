"""`seamless-upload`: put files and directories into the store, and their checksums beside them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .entry import CONTEXT, program, say, speaker, with_names
from .filechoice import confirmation_options, copying_options

if TYPE_CHECKING:
    from seamless.transformer.uploading import Place, Source
    from seamless_queue.settings import Settings

EPILOG = """\b
Examples:
  seamless-upload data.csv                       writes data.csv.CHECKSUM
  seamless-upload images/                        writes images.CHECKSUM and images.INDEX
  seamless-upload -m huge.bin                    only the sidecar stays here
  seamless-upload --destination /mnt/buffers *.csv
"""
NAME = "seamless-upload"


class Options(NamedTuple):
    """The command line."""

    paths: tuple[str, ...]
    yes: bool
    no: bool
    move: bool
    destination: str | None
    hardlink: bool
    symlink: bool
    dest_skip: bool
    dest_verify: bool
    dest_repair: bool
    verbose: bool
    quiet: bool
    store: str | None
    digest: str | None

    def check(self) -> None:
        """UsageError for options that contradict each other."""
        for first, second in (
            ("yes", "no"),
            ("hardlink", "symlink"),
            ("dest_skip", "dest_verify"),
            ("dest_skip", "dest_repair"),
            ("dest_verify", "dest_repair"),
            ("symlink", "move"),
        ):
            if getattr(self, first) and getattr(self, second):
                raise click.UsageError(f"{_spelled(first)} and {_spelled(second)} cannot be used together")
        for name in ("hardlink", "symlink", "dest_skip", "dest_verify", "dest_repair"):
            if getattr(self, name) and self.destination is None:
                raise click.UsageError(f"{_spelled(name)} goes with --destination")
        if not self.paths:
            raise click.UsageError("nothing to upload: name a file or a directory")


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("paths", nargs=-1, metavar="PATH...", callback=with_names)
@confirmation_options
@click.option(
    "-m", "--move", is_flag=True, help="Remove each original when its bytes are safe and its sidecar written."
)
@click.option("--destination", metavar="DIR", help="Put buffers into DIR, as files named by checksum, not the store.")
@click.option("--hardlink", is_flag=True, help="With --destination: link the files there instead of copying them.")
@click.option("--symlink", is_flag=True, help="With --destination: symbolic links to the files.")
@click.option("--dest-skip", is_flag=True, help="With --destination: trust a buffer that is there (the default).")
@click.option("--dest-verify", is_flag=True, help="With --destination: verify it; a damaged one is an error.")
@click.option("--dest-repair", is_flag=True, help="With --destination: verify it; a damaged one is written anew.")
@copying_options
def command(**given: Any) -> int:
    """Put files and directories into the store to stay there, and write X.CHECKSUM beside each X.

    A directory gets X.INDEX too, with the checksums of its files. A compressed file (x.gz, x.zst) is known by
    what it holds: x.CHECKSUM. What the store has already is not copied again; after an interruption, the same command
    goes on.
    """
    from seamless_queue import settings
    from seamless_queue.signals import interrupting

    options = Options(**given)
    options.check()
    # An original goes only when even a loss of power leaves its bytes.
    configured = settings.load(options.store, options.digest, durable=options.move)
    with interrupting(), ExitStack() as stack:
        place, store = _place(options, configured, stack)
        return _upload(place, store, options)


def _place(options: Options, configured: Settings, stack: ExitStack) -> tuple[Place, str | None]:
    """Where buffers go, and the path of the store if there is one."""
    from .filechoice import asked_digest, opened

    if options.destination is None:
        from seamless.transformer.uploading import InStore

        store = stack.enter_context(opened(configured))
        return InStore(store), store.path
    from seamless.transformer.destination import Existing, How, InDirectory

    how = How.HARDLINK if options.hardlink else How.SYMLINK if options.symlink else How.COPY
    existing = Existing.REPAIR if options.dest_repair else Existing.VERIFY if options.dest_verify else Existing.SKIP
    digest, there = stack.enter_context(asked_digest(configured, options.digest))
    return InDirectory(options.destination, digest, how, existing), there.path if there is not None else None


def _upload(place: Place, store: str | None, options: Options) -> int:
    from seamless.transformer import uploading

    from .confirming import confirm, most_uploads, readable
    from .progress import shown

    tell = speaker(NAME, options.quiet)
    sources = _survey(options, store)
    files = [file for source in sources for file in source.files]
    count, size = place.measure(files)
    confirm("upload", count, size, most_uploads(), yes=options.yes, no=options.no)
    with shown("upload", len(files), sum(file.size for file in files), options.quiet) as advance:
        for source in sources:
            checksum, *members = uploading.upload(place, source, advance)
            if options.verbose:
                tell(f"{source.path} is {checksum}")
            if options.move:
                _move(place, source, (checksum, *members))
    count, size = place.kept
    if count:
        tell(f"Upload {count} files, total {readable(size)}")
    return 0


def _survey(options: Options, store: str | None) -> list[Source]:
    """What is to be uploaded; sidecars that a wildcard has found are left out."""
    from seamless.transformer import uploading
    from seamless_queue import sidecars

    paths = [path for path in options.paths if not sidecars.is_sidecar(path)]
    if not paths:
        raise click.UsageError(f"{options.paths[0]} is a sidecar: name the file that it is beside")
    sources = [uploading.survey(path, store) for path in dict.fromkeys(paths)]
    for source in sources:
        if sidecars.read_future(source.name) is not None:
            speaker(NAME, options.quiet)(
                f"warning: {source.name}{sidecars.FUTURE}: a job will write {source.name}; it is uploaded as it is now"
            )
    return sources


def _move(place: Place, source: Source, checksums: tuple[str, ...]) -> None:
    from seamless.transformer import uploading

    place.sync(checksums)
    for line in uploading.remove_original(source):
        say(NAME, f"warning: not removed: {line}")


main = program(command, NAME)

if __name__ == "__main__":
    main()
