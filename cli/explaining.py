"""Says before a command runs whether it will, and why: the words of `seamless-why`, on standard error."""

from __future__ import annotations

from seamless.transformer.why.answers import about_command
from seamless.transformer.why.words import verdict
from seamless_queue.broker.records import NewRequest
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from .entry import say
from .replaying import NAME
from .runoptions import RunOptions


def explain(store: Store, request: NewRequest, staged: Staged, options: RunOptions) -> None:
    """Tell what will become of a command."""
    for line in verdict(about_command(store, request, staged, options.label)):
        say(NAME, line)
