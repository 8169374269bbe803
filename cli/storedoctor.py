"""`seamless-store doctor`: what around a store gives trouble, and the remedy."""

from __future__ import annotations

import click

from .entry import CONTEXT, debug_option, store_option
from .storeopening import configured, json_option, print_json

EPILOG = """\b
Examples:
  seamless-store doctor
  seamless-store doctor --fix
"""


@click.command("doctor", context_settings=CONTEXT, epilog=EPILOG)
@click.option("--fix", is_flag=True, help="Mend what can be mended safely: permissions, leftovers of dead processes.")
@json_option
@store_option
@debug_option
def doctor(fix: bool, as_json: bool, store: str | None) -> int:
    """Look at SQLite, file system, disk, clock, permissions, sessions and leftovers.

    \b
    Each line says ok, warn or FAIL, and what to do.
    Exit status: 0 nothing fails; 1 something does.
    """
    from seamless.transformer import functions
    from seamless_queue.care.doctor import Grade, examine

    found = []
    for finding in examine(configured(store), functions, fix=fix):
        found.append(finding)
        if not as_json:
            click.echo(f"{finding.grade.value:<5} {finding.about:<12} {finding.text}")
    if as_json:
        print_json([{"grade": one.grade.value, "about": one.about, "text": one.text} for one in found])
    return 1 if any(one.grade is Grade.FAIL for one in found) else 0
