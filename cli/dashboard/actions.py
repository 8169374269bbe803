"""What the keys c and r do, and what is said of it."""

from __future__ import annotations

from seamless_queue.errors import SeamlessError
from seamless_queue.store import Store


def cancel(store: Store, request_id: int) -> str:
    """Take a request back; in one line, what came of it."""
    from ..controlling import cancel as take_back

    try:
        canceled, refused = take_back(store, [request_id])
    except SeamlessError as exc:
        return str(exc)
    if refused:
        return f"#{request_id} was not canceled: {refused[0].why}"
    below = f"; {len(canceled.below)} that waited for it failed" if canceled.below else ""
    return f"canceled #{request_id}{below}"


def retry(store: Store, request_id: int) -> str:
    """Ask again for what failed; in one line, what came of it."""
    from ..controlling import retry as ask_again

    try:
        retried, refused = ask_again(store, [request_id])
    except SeamlessError as exc:
        return str(exc)
    if refused and not retried:
        return f"#{request_id} was not retried: {refused[0].why}"
    return f"asked again for {len(retried)} request{'s' if len(retried) != 1 else ''}"
