"""Control of the queue with all that it takes: for `seamless-queue` and the keys of `seamless-status`."""

from __future__ import annotations

from collections.abc import Iterable

from seamless.transformer import functions
from seamless.transformer.context import Context, remembered, submitters_environment
from seamless_queue import control
from seamless_queue.canceling import Canceled
from seamless_queue.control import Refused, Retried
from seamless_queue.store import Store


def cancel(store: Store, request_ids: Iterable[int]) -> tuple[Canceled, list[Refused]]:
    """Take requests back, and return when what runs for them has stopped, or does not in a few seconds."""
    return control.cancel(store, functions, request_ids)


def retry(store: Store, request_ids: Iterable[int]) -> tuple[list[Retried], list[Refused]]:
    """Ask again for what failed or was canceled; in this process's environment where the former one is gone."""
    return control.retry(store, request_ids, functions, _new_context)


def _new_context(metavariables: str | None) -> bytes:
    return remembered(metavariables) or Context(submitters_environment(), {}, ()).encode()
