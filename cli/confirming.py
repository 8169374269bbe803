"""Asking before many or large files are copied."""

from __future__ import annotations

import os
import sys

import click

from seamless_queue.errors import SeamlessError

#: Above these, copying files wants a yes.
MAX_FILES, MAX_BYTES = 10_000, 10_000_000_000


class NotConfirmed(SeamlessError):
    """A copy was not confirmed."""


def confirm(what: str, count: int, size: int, most: tuple[int, int], *, yes: bool = False, no: bool) -> None:
    """Ask if there is more than may be copied without a yes; NotConfirmed if the answer is no."""
    if yes or (count <= most[0] and size <= most[1]):
        return
    wish = f"{what} of {count} file{'s' if count > 1 else ''}, total {readable(size)}"
    if no:
        raise NotConfirmed(f"cannot confirm {wish}; use -y to allow it")
    if not _ask(f"Confirm {wish}? (y/[n])? "):
        raise NotConfirmed(f"{wish} was not confirmed; nothing was done")


def _ask(question: str) -> bool:
    click.echo(question, nl=False, err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def readable(size: int) -> str:
    """A number of bytes for people."""
    value, units = float(size), ["B", "KB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.2f} {units[0]}"


def most_uploads() -> tuple[int, int]:
    """How many files and bytes may be kept without a yes."""
    return _number("SEAMLESS_MAX_UPLOAD_FILES", MAX_FILES), _number("SEAMLESS_MAX_UPLOAD_SIZE", MAX_BYTES)


def most_downloads() -> tuple[int, int]:
    """How many files and bytes may be written without a yes."""
    return most_outputs(), _number("SEAMLESS_MAX_DOWNLOAD_SIZE", MAX_BYTES)


def most_outputs() -> int:
    """How many outputs may be written in spite of a no; of more, only the sidecars are."""
    return _number("SEAMLESS_MAX_DOWNLOAD_FILES", MAX_FILES)


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise click.UsageError(f"{name} is {text!r}, not a whole number") from None
