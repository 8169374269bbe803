"""Writes what happened in a store as one page that needs nothing else: `seamless-status --html FILE`."""

from __future__ import annotations

import os
import sys
import time

from seamless_queue.errors import SeamlessError
from seamless_queue.filesystems import write_atomically
from seamless_queue.store import Store

#: What a report tells of if nobody says since when.
LAST_DAY_SECONDS = 86_400.0
STANDARD_OUTPUT = "-"


def write(
    store: Store,
    path: str,
    *,
    since: float | None = None,
    project: str | None = None,
    stage: str | None = None,
    title: str = "",
) -> None:
    """Write the page, of what is alive and what ended since a moment. `-`: to standard output.

    Without `since` of the last day, or of all that has the labels. An existing file is replaced by a whole one.
    """
    if path != STANDARD_OUTPUT:
        _reject_unwritable(path)
    content = made(store, since, project, stage, title)
    if path == STANDARD_OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_atomically(os.path.realpath(path), content)


def made(
    store: Store,
    since: float | None = None,
    project: str | None = None,
    stage: str | None = None,
    title: str = "",
) -> bytes:
    """The page's bytes."""
    from seamless_queue.broker.timeline import Wanted

    from .report.columns import report
    from .report.gathering import gather
    from .report.page import page
    from .report.summary import meanings, summary

    now = time.time()
    if since is None:
        since = now - LAST_DAY_SECONDS if project is None and stage is None else 0.0
    labels = [f"{name} {label}" for name, label in (("project", project), ("stage", stage)) if label is not None]
    about = ", ".join(labels)
    found = report(store, gather(store, Wanted(since, project, stage), now), title or "Seamless Queue", about)
    title = title or ": ".join(["Seamless Queue", *filter(None, [about])])
    return page(found.data, title, summary(found), meanings()).encode("utf-8", "replace")


def _reject_unwritable(path: str) -> None:
    """To say so before the work is done."""
    directory = os.path.dirname(os.path.abspath(path))
    if not path:
        raise SeamlessError("name a file for the report, or - for standard output")
    if os.path.isdir(path):
        raise SeamlessError(f"{path} is a directory; name a file for the report")
    if not os.path.isdir(directory):
        raise SeamlessError(f"the directory {directory} does not exist; make it, or write the report elsewhere")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SeamlessError(f"the directory {directory} cannot be written to; write the report elsewhere")
