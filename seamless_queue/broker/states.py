"""The states of requests and jobs, and the one table of the moves between them.

    request:  waiting ──▶ keyable ──▶ queued ──▶ delivering ──▶ delivered
                 └───────────┴──────────┴────────────┴──▶ failed | canceled | superseded
    job:      ready ──▶ running ──▶ done         done ──▶ ready      on refresh, or when its bytes are gone
                ▲          ├──▶ failed           failed | canceled ──▶ ready    when asked for again
                │          │                     canceled ──▶ done              it was only refreshed
                └──────────┴──▶ canceled         running ──▶ ready    its worker died, or gave it back

Statements take their SQL for a state from `move`, so nothing else can write one.
"""

from __future__ import annotations

from enum import IntEnum


class JobState(IntEnum):
    """Where an execution stands."""

    #: may be claimed by a worker of its lane
    READY = 0
    #: a worker executes it, or will be seen dead
    RUNNING = 1
    #: its result is known and kept
    DONE = 2
    #: its last attempt failed
    FAILED = 3
    #: nobody wanted it any more
    CANCELED = 4


class RequestState(IntEnum):
    """Where a wish stands."""

    #: an input is not known yet
    WAITING = 0
    #: all inputs are known, the identity is not computed yet
    KEYABLE = 1
    #: has a job that is not done
    QUEUED = 2
    #: its job is done, its files are being written
    DELIVERING = 3
    #: all that it asked for is in place
    DELIVERED = 4
    #: its job or an upstream failed
    FAILED = 5
    #: taken back
    CANCELED = 6
    #: newer requests wrote all of its files
    SUPERSEDED = 7


class Outcome(IntEnum):
    """How an attempt ended."""

    #: a result was published
    DONE = 0
    #: the command failed or broke its promise
    FAILED = 1
    #: the worker died
    DIED = 2
    #: stopped because nobody wanted the job any more
    CANCELED = 3
    #: given back unfinished, at no cost
    RELEASED = 4
    #: ran longer than allowed
    TIMED_OUT = 5
    #: succeeded with another result than the one that is kept
    DIFFERED = 6


JOB_MOVES = frozenset(
    {
        (JobState.READY, JobState.RUNNING),
        (JobState.READY, JobState.CANCELED),
        (JobState.RUNNING, JobState.DONE),
        (JobState.RUNNING, JobState.FAILED),
        (JobState.RUNNING, JobState.CANCELED),
        (JobState.RUNNING, JobState.READY),
        (JobState.DONE, JobState.READY),
        (JobState.FAILED, JobState.READY),
        (JobState.CANCELED, JobState.READY),
        # only a refresh was canceled: the result is still there
        (JobState.CANCELED, JobState.DONE),
    }
)

_ENDS = (RequestState.FAILED, RequestState.CANCELED)
LIVE = (RequestState.WAITING, RequestState.KEYABLE, RequestState.QUEUED, RequestState.DELIVERING)
#: The condition of the index of live requests, which a statement must repeat literally to be served by it.
IS_LIVE = f"state < {RequestState.DELIVERED.value}"
#: Live requests whose job has no result yet.
UNFINISHED = (RequestState.WAITING, RequestState.KEYABLE, RequestState.QUEUED)

REQUEST_MOVES = frozenset(
    {
        (RequestState.WAITING, RequestState.KEYABLE),
        (RequestState.KEYABLE, RequestState.QUEUED),
        (RequestState.KEYABLE, RequestState.DELIVERING),
        (RequestState.KEYABLE, RequestState.DELIVERED),
        (RequestState.QUEUED, RequestState.DELIVERING),
        (RequestState.QUEUED, RequestState.DELIVERED),
        (RequestState.DELIVERING, RequestState.DELIVERED),
        *((source, end) for source in LIVE for end in (*_ENDS, RequestState.SUPERSEDED)),
    }
)

State = JobState | RequestState


class IllegalMove(AssertionError):
    """A statement wants a move that is not in the table."""


class Move:
    """An allowed move, as the pieces of SQL that carry it out."""

    __slots__ = ("guard", "set", "target")

    def __init__(self, sources: tuple[State, ...], target: State) -> None:
        moves: frozenset[tuple[State, State]] = JOB_MOVES if isinstance(target, JobState) else REQUEST_MOVES
        for source in sources:
            if (source, target) not in moves:
                raise IllegalMove(f"{source!r} to {target!r}")
        self.target = target.value
        self.set = f"state = {target.value}"
        self.guard = among(*sources)


def move(*states: State) -> Move:
    """The move from any of the first states to the last."""
    return Move(states[:-1], states[-1])


def among(*states: State) -> str:
    """The SQL condition that the state is one of these; constant, so that partial indexes serve it."""
    if len(states) == 1:
        return f"state = {states[0].value}"
    return f"state IN ({', '.join(str(state.value) for state in states)})"


def either(condition: str, yes: Move, no: Move) -> str:
    """The `SET` of one statement that makes one of two moves; their guards are the caller's to repeat."""
    return f"{yes.set.partition('=')[0]}= CASE WHEN {condition} THEN {yes.target} ELSE {no.target} END"
