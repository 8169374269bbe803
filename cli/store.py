"""`seamless-store`: care of a store."""

from __future__ import annotations

import click

from .entry import CONTEXT, debug_option, program, store_option, version_option
from .storearchive import export, import_
from .storedoctor import doctor
from .storegc import gc
from .storeinfo import info
from .storeopening import NAME
from .storepins import pin, unpin
from .storeverify import repair, verify

EPILOG = """\b
Examples:
  seamless-store info
  seamless-store gc --dry-run
  seamless-store export results.tar.zst --project yeast
  seamless-store import results.tar.zst
  seamless-store COMMAND --help
"""


@click.group(NAME, context_settings=CONTEXT, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
@store_option
@debug_option
@version_option
def command(context: click.Context, store: str | None) -> None:
    """Look after a store: what it holds, how large it grows, whether it is whole; take results elsewhere."""
    if context.invoked_subcommand is None:
        raise click.UsageError(f"say what is to be done: {', '.join(command.list_commands(context))}")


for one in (info, gc, verify, repair, export, import_, pin, unpin, doctor):
    command.add_command(one)

main = program(command, NAME)

if __name__ == "__main__":
    main()
