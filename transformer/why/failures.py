"""Why something failed: how it ended, what it said last, or which upstream did."""

from __future__ import annotations

from seamless_queue.broker import history
from seamless_queue.broker.attempts import Attempt, attempts_of
from seamless_queue.broker.history import Request
from seamless_queue.broker.states import Outcome, RequestState

from .contents import Contents
from .values import Reason, brief
from .waiting import MOST_LINKS
from .when import duration, moment

#: So many of the last lines of standard error are shown.
SHOWN_LINES = 5
_LINE_CHARACTERS = 200
_TAIL_BYTES = 4096
_ENDED_BADLY = frozenset({RequestState.FAILED, RequestState.CANCELED})


def of_request(contents: Contents, request: Request, mine: Attempt | None) -> list[Reason]:
    """Why a request failed."""
    root = _root(contents, request)
    if root is not None:
        chain = (
            f"request {root.id} ({brief(root.command)}) {'was canceled' if root.error is None else 'did not end well'}"
        )
        text = f"an input was to come from upstream: {chain}: {_first(root.error)}"
        reasons = [Reason("upstream_failed", text)]
        return reasons + _last_words(contents, _last_attempt(contents, root))
    error = request.error or (mine.error if mine is not None else None)
    reasons = [Reason("failed", f"{_first(error)}{_when(mine)}", _traceback(error))]
    return reasons + ([] if mine is None else _last_words(contents, mine))


def _when(attempt: Attempt | None) -> str:
    if attempt is None or attempt.started is None:
        return ""
    return f" ({moment(attempt.finished)}, after {duration(attempt.finished - attempt.started)})"


def _first(error: str | None) -> str:
    return (error or "canceled").partition("\n")[0]


def _traceback(error: str | None) -> tuple[str, ...]:
    """The last lines of what Python said."""
    lines = (error or "").splitlines()[1:]
    return tuple(line[:_LINE_CHARACTERS] for line in lines[-SHOWN_LINES:])


def _last_attempt(contents: Contents, request: Request) -> Attempt | None:
    if request.job_id is None:
        return None
    return next(iter(attempts_of(contents.store.database, request.job_id, 1)), None)


def _last_words(contents: Contents, attempt: Attempt | None) -> list[Reason]:
    """The last lines of standard error."""
    if attempt is None or attempt.stderr is None or attempt.outcome is Outcome.DONE:
        return []
    content = contents.text(attempt.stderr)
    if content is None:
        return []
    lines = content[-_TAIL_BYTES:].decode("utf-8", "replace").rstrip().splitlines()[-SHOWN_LINES:]
    shown = tuple(line[:_LINE_CHARACTERS] for line in lines if line.strip())
    return [Reason("stderr", "the last lines of its standard error:", shown)] if shown else []


def _root(contents: Contents, request: Request) -> Request | None:
    """The first of a chain of failures; None if the request failed by itself."""
    root = None
    for _ in range(MOST_LINKS):
        if request.job_id is not None:
            break
        failed = None
        for one in history.upstreams(contents.store.database, request.id):
            if one.checksum is None and one.request_id is not None:
                upstream = history.request(contents.store.database, one.request_id)
                if upstream is not None and upstream.state in _ENDED_BADLY:
                    failed = upstream
        if failed is None:
            break
        root = request = failed
    return root
