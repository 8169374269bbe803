"""Control of a store's queue: pause and resume, cancel, retry, reorder. Each is safe to be killed in the middle."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from . import canceling, crashpoints, doorbell, sidecars
from .broker import cancellations, control, sessions, submissions
from .broker.cancellations import Wanted
from .broker.control import Former
from .broker.records import Consequences, NewRequest, Submitted, merged
from .broker.states import RequestState
from .canceling import Canceled
from .clerk import Functions
from .staged import Staged
from .store import Store

#: So many requests are made again in one transaction.
RETRIES_TOGETHER = 200


class Refused(NamedTuple):
    """A request to which nothing was done, and why."""

    request_id: int
    why: str


class Retried(NamedTuple):
    """A request that was made again."""

    former_id: int
    request_id: int
    command: str
    #: it is run in the environment of whoever retries: the one it had is not kept any more
    environment_is_new: bool


# -- the whole queue ---------------------------------------------------------------------------
def pause(store: Store) -> bool:
    """Let no job of the queue be begun, by servers to come neither; False if it was paused already."""
    with store.database.transaction() as connection:
        return control.pause(connection)


def resume(store: Store) -> bool:
    """Let the queue go on, at once; False if it was not paused."""
    with store.database.transaction() as connection:
        was_paused = control.resume(connection)
    doorbell.ring(sessions.queue_addresses(store.database))
    return was_paused


# -- single requests -----------------------------------------------------------------------------
def cancel(store: Store, functions: Functions, request_ids: Iterable[int]) -> tuple[Canceled, list[Refused]]:
    """Take requests back, and return when what runs for them has stopped: see canceling.py."""
    wanted, refused = list[Wanted](), list[Refused]()
    for request_id in dict.fromkeys(request_ids):
        found = cancellations.wanted_of_number(store.database, request_id)
        wanted += found
        if not found:
            refused.append(Refused(request_id, _not_live(control.request(store.database, request_id))))
    return canceling.cancel(store, functions, wanted), refused


def goes_on(store: Store, request_ids: Iterable[int]) -> dict[int, int]:
    """Of these canceled requests those whose job goes on, and for how many others."""
    formers = [control.request(store.database, request_id) for request_id in request_ids]
    shared = {former.id: control.shared_with(store.database, former) for former in formers if former is not None}
    return {request_id: count for request_id, count in shared.items() if count}


def _not_live(former: Former | None) -> str:
    return "there is no such request" if former is None else f"it is {former.state.name.lower()} already"


def set_priority(store: Store, request_ids: Iterable[int], priority: int) -> tuple[list[int], list[Refused]]:
    """Change the priority of requests that have not ended; a job takes the highest of those who wait for it."""
    done, refused = list[int](), list[Refused]()
    with store.database.transaction() as connection:
        for request_id in dict.fromkeys(request_ids):
            if control.set_priority(connection, request_id, priority):
                done.append(request_id)
            else:
                refused.append(Refused(request_id, _not_live(control.request(store.database, request_id))))
    return done, refused


# -- once more -----------------------------------------------------------------------------------
def all_failed(store: Store) -> list[int]:
    """The requests of the queue that failed and that nobody has asked for again."""
    return control.all_failed(store.database)


def retry(
    store: Store, request_ids: Iterable[int], functions: Functions, new_context: Callable[[str | None], bytes]
) -> tuple[list[Retried], list[Refused]]:
    """Ask again for what failed or was canceled: the same thing on the same inputs, with what it lacked, and with
    what has failed for want of it. `new_context` is called with a request's metavariables where its environment is
    not kept any more.
    """
    named = set(request_ids)
    formers, refused = list[Former](), list[Refused]()
    for request_id in control.with_relatives(store.database, sorted(named)):
        former = control.request(store.database, request_id)
        why = _cannot_be_retried(store, former, named)
        if former is None or why is not None:
            refused.append(Refused(request_id, why or ""))
        else:
            formers.append(former)
    done, renamed = list[Retried](), dict[int, int]()
    for start in range(0, len(formers), RETRIES_TOGETHER):
        done += _retry_some(store, formers[start : start + RETRIES_TOGETHER], renamed, functions, new_context)
    return done, [one for one in refused if one.request_id in named]


def _cannot_be_retried(store: Store, former: Former | None, named: set[int]) -> str | None:
    if former is None:
        return "there is no such request"
    if former.state not in (RequestState.FAILED, RequestState.CANCELED):
        return f"it has not failed: it is {former.state.name.lower()}"
    if former.parent is not None:
        return "the code of another job has asked for it: retry that one"
    newer = control.newer_writer(store.database, former.id)
    if newer is not None:
        return f"request {newer[0]}, which is newer, is for {os.fsdecode(newer[1])} too"
    if former.specification is None and former.checksum is None:
        return "nothing is kept of what it was to do: submit it again"
    return None


def _retry_some(
    store: Store,
    formers: Sequence[Former],
    renamed: dict[int, int],
    functions: Functions,
    new_context: Callable[[str | None], bytes],
) -> list[Retried]:
    from .inline import inline_session

    done, pairs, following = list[Retried](), list[tuple[NewRequest, Submitted]](), list[Consequences]()
    staged = Staged()
    contexts = {former.id: _context(store, former, staged, new_context) for former in formers}
    with store.database.transaction() as connection:
        staged.write(connection)
        for former in formers:
            checksum, is_new = contexts[former.id]
            new, submitted, consequences = control.again(connection, former, checksum, renamed)
            renamed[former.id] = submitted.request_id
            pairs.append((new, submitted))
            following.append(consequences)
            done.append(Retried(former.id, submitted.request_id, former.command, is_new))
    crashpoints.reached("retried")
    _promise(store, pairs)
    doorbell.ring(sessions.queue_addresses(store.database))
    consequences = merged(following)
    if consequences != Consequences():
        with inline_session(store, functions) as session:
            session.clerk.handle(consequences)
    return done


def _context(
    store: Store, former: Former, staged: Staged, new_context: Callable[[str | None], bytes]
) -> tuple[str, bool]:
    if former.context is not None and control.has_context(store.database, former):
        return former.context.hex(), False
    content = new_context(former.metavariables)
    checksum = store.digest.of(content)
    staged.contexts[checksum] = content
    return checksum, True


def _promise(store: Store, pairs: Sequence[tuple[NewRequest, Submitted]]) -> None:
    """The .FUTUREs of what is to come; where somebody was quicker than we, they go again."""
    for new, submitted in pairs:
        content = sidecars.future_content(store.id, submitted.request_id)
        for output in new.outputs if submitted.result is None else ():
            with suppress(OSError):
                sidecars.write_future(os.fsdecode(output.path), content)
    settled = submissions.settled(store.database, pairs[0][1].request_id, pairs[-1][1].request_id)
    for new, submitted in pairs:
        if submitted.request_id in settled:
            for output in new.outputs:
                sidecars.remove_future(os.fsdecode(output.path), store.id, submitted.request_id)
