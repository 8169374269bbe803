"""One hook, without a server."""

from __future__ import annotations

import os

from seamless_queue.broker.endings import RequestEnding
from seamless_queue.broker.states import RequestState
from seamless_queue.hooks import Hook, run


def test_a_hook_that_takes_too_long_is_killed() -> None:
    ending = RequestEnding(
        7, RequestState.FAILED, "sort", os.fsencode(os.getcwd()), "no", None, None, None, 1, 0.5, (), b""
    )
    hook = Hook("on_failure", 'echo "$SEAMLESS_REQUEST"; sleep 1000', ending)
    assert run(hook, "unit-test", lambda: False, limit=0.6) == ["7", "killed after 1 s"]
