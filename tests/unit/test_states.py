"""The one table of moves: what is in it, and that nothing else can be written."""

from itertools import product

import pytest

from seamless_queue.broker.states import (
    JOB_MOVES,
    LIVE,
    REQUEST_MOVES,
    UNFINISHED,
    IllegalMove,
    JobState,
    RequestState,
    State,
    among,
    move,
)

ENDED = tuple(state for state in RequestState if state not in LIVE)


def test_the_moves_of_jobs() -> None:
    drawn = {
        "READY": "RUNNING CANCELED",
        "RUNNING": "DONE FAILED CANCELED READY",
        "DONE": "READY",
        "FAILED": "READY",
        "CANCELED": "READY DONE",
    }
    expected = {(JobState[source], JobState[end]) for source, ends in drawn.items() for end in ends.split()}
    assert expected <= JOB_MOVES
    # A refresh that is taken back may return to the result that it had; no other liberties.
    assert JOB_MOVES - expected <= {(JobState.READY, JobState.DONE), (JobState.READY, JobState.FAILED)}


def test_an_ended_request_never_moves_again() -> None:
    assert not {source for source, _ in REQUEST_MOVES} & set(ENDED)
    assert ENDED == (RequestState.DELIVERED, RequestState.FAILED, RequestState.CANCELED, RequestState.SUPERSEDED)


def test_every_live_request_can_fail_be_canceled_or_superseded() -> None:
    ends = (RequestState.FAILED, RequestState.CANCELED, RequestState.SUPERSEDED)
    assert set(product(LIVE, ends)) <= REQUEST_MOVES


def test_a_request_never_goes_back() -> None:
    assert all(source < target for source, target in REQUEST_MOVES)
    assert set(UNFINISHED) < set(LIVE)


def every_move(states: type[JobState] | type[RequestState], allowed: frozenset[tuple[State, State]]) -> list[object]:
    return [pytest.param(*pair, pair in allowed, id=f"{pair[0]!r}-{pair[1]!r}") for pair in product(states, repeat=2)]


@pytest.mark.parametrize(
    ("source", "target", "allowed"), every_move(JobState, JOB_MOVES) + every_move(RequestState, REQUEST_MOVES)
)
def test_exactly_the_moves_of_the_table_can_be_written(source: State, target: State, allowed: bool) -> None:
    if not allowed:
        with pytest.raises(IllegalMove):
            move(source, target)
        return
    written = move(source, target)
    assert written.set == f"state = {target.value}"
    assert written.guard == f"state = {source.value}"


def test_one_illegal_source_among_several_spoils_the_move() -> None:
    with pytest.raises(IllegalMove, match="DONE"):
        move(JobState.RUNNING, JobState.DONE, JobState.FAILED)


def test_conditions_are_constants_that_partial_indexes_can_use() -> None:
    assert among(JobState.READY) == "state = 0"
    assert among(*LIVE) == "state IN (0, 1, 2, 3)"
