"""What a person wants to know of the queue; short reads that hold nobody back."""

from __future__ import annotations

from collections.abc import Iterable

from ..driver import Database
from .records import QUEUE_LANE, Known
from .states import IS_LIVE, LIVE, JobState, RequestState, among
from .work import Counts, End, Failure, LastAttempt

COUNTS = f"""SELECT state, COUNT(*) FROM requests
    WHERE lane = {QUEUE_LANE} AND {among(*LIVE)} AND {IS_LIVE} GROUP BY state"""
RUNNING = f"SELECT COUNT(*) FROM jobs WHERE worker_id IS NOT NULL AND {among(JobState.RUNNING)}"
ANY_LIVE = f"SELECT 1 FROM requests WHERE lane = {QUEUE_LANE} AND {among(*LIVE)} AND {IS_LIVE} LIMIT 1"
_MADE_GOOD = f"""later.directory = requests.directory AND later.id > requests.id
        AND later.finished >= requests.finished AND later.{among(RequestState.DELIVERED)}"""
# A failure that a later request for the same thing has made good is no news any more. The same thing is the
# same job, or where its inputs were not known at submit, what its identity is computed from.
FAILURES = f"""SELECT requests.id, requests.command, requests.directory, requests.error, jobs.checksum FROM requests
    LEFT JOIN jobs ON jobs.id = requests.job_id
    WHERE requests.lane = {QUEUE_LANE} AND requests.{among(RequestState.FAILED)} AND requests.finished >= ?
    AND NOT EXISTS (SELECT 1 FROM requests AS later WHERE later.job_id = requests.job_id AND {_MADE_GOOD})
    AND NOT EXISTS (SELECT 1 FROM requests AS later WHERE requests.specification IS NOT NULL
        AND later.specification = requests.specification AND {_MADE_GOOD})
    ORDER BY requests.id"""
STATE = "SELECT state, error FROM requests WHERE id = ?"
# What became of the requests whose numbers are in a JSON list, of those that have ended.
ENDS = f"""SELECT requests.id, requests.state, requests.error, jobs.checksum, jobs.result FROM requests
    LEFT JOIN jobs ON jobs.id = requests.job_id
    WHERE requests.id IN (SELECT value FROM json_each(?)) AND NOT requests.{among(*LIVE)}"""
# Whether job ? runs, at any depth, on behalf of job ?: by the requests that the code of running jobs has made.
IS_ANCESTOR = f"""WITH RECURSIVE above(job) AS (VALUES (?)
    UNION SELECT requests.parent FROM requests JOIN above ON requests.job_id = above.job
    WHERE requests.parent IS NOT NULL AND requests.{among(*LIVE)})
    SELECT 1 FROM above WHERE job = ? LIMIT 1"""
ENDED_PENDING = f"""SELECT DISTINCT request_id FROM outputs INDEXED BY outputs_pending
    JOIN requests ON requests.id = outputs.request_id
    WHERE outputs.pending = 1 AND NOT requests.{among(*LIVE)}"""
LIVE_OUTPUTS = f"""SELECT outputs.request_id, outputs.path FROM outputs INDEXED BY outputs_pending
    JOIN requests ON requests.id = outputs.request_id WHERE outputs.pending = 1 AND requests.{among(*LIVE)}
    ORDER BY outputs.request_id"""
LIVE_OUTPUTS_OF = f"""SELECT outputs.request_id, outputs.path FROM outputs INDEXED BY outputs_pending
    JOIN requests ON requests.id = outputs.request_id
    WHERE outputs.pending = 1 AND requests.lane = ? AND requests.{among(*LIVE)}"""
LAST_ATTEMPT = """SELECT exit_code, error, stdout, stderr FROM attempts
    WHERE job_id = (SELECT job_id FROM requests WHERE id = ?) ORDER BY id DESC LIMIT 1"""
STREAMS_OF = """SELECT stdout, stderr FROM attempts
    WHERE job_id = (SELECT id FROM jobs WHERE checksum = ?) ORDER BY id DESC LIMIT 1"""
RESULT_OF = "SELECT jobs.id, jobs.result FROM requests JOIN jobs ON jobs.id = requests.job_id WHERE requests.id = ?"
WATCHED = f"""SELECT dependencies.id, dependencies.request_id, dependencies.path FROM dependencies
    JOIN requests ON requests.id = dependencies.request_id
    WHERE dependencies.checksum IS NULL AND dependencies.upstream_id IS NULL
    AND requests.{among(RequestState.WAITING)}"""
FORGET_CONTEXTS = f"""DELETE FROM contexts WHERE checksum NOT IN
    (SELECT context FROM requests WHERE context IS NOT NULL AND {among(*LIVE)} AND {IS_LIVE})"""


def counts(database: Database) -> Counts:
    """How many requests of the queue there are in which state."""
    by_state = dict(database.rows(COUNTS))
    running = database.row(RUNNING)[0]
    return Counts(
        waiting=by_state.get(RequestState.WAITING, 0) + by_state.get(RequestState.KEYABLE, 0),
        queued=by_state.get(RequestState.QUEUED, 0),
        running=running,
        delivering=by_state.get(RequestState.DELIVERING, 0),
    )


def is_idle(database: Database) -> bool:
    """Whether no request of the queue is left to be worked on."""
    return database.row(ANY_LIVE) is None


def failures_since(database: Database, moment: float) -> list[Failure]:
    """The queue's requests that failed since then and were not made good."""
    return [
        Failure(
            row[0], row[1], bytes(row[2]), (row[3] or "failed").partition("\n")[0], row[4].hex() if row[4] else None
        )
        for row in database.rows(FAILURES, (moment,))
    ]


def request_state(database: Database, request_id: int) -> tuple[RequestState, str | None]:
    """A request's state, and its error if it has one."""
    state, error = database.row(STATE, (request_id,))
    return RequestState(state), error


def ends(database: Database, request_ids: Iterable[int]) -> list[End]:
    """How those of these requests ended that have ended."""
    rows = database.rows(ENDS, (str(list(request_ids)),))
    return [
        End(row[0], RequestState(row[1]), row[2], row[3].hex() if row[3] else None, row[4].hex() if row[4] else None)
        for row in rows
    ]


def is_ancestor(database: Database, job_id: int, of: int) -> bool:
    """Whether a job runs on behalf of another one, or is the same."""
    return database.row(IS_ANCESTOR, (of, job_id)) is not None


def ended_with_futures(database: Database) -> list[int]:
    """Requests that ended although their .FUTUREs may still be there."""
    return [row[0] for row in database.rows(ENDED_PENDING)]


def live_outputs(database: Database) -> list[tuple[int, bytes]]:
    """Every path that a live request will write, with the request, oldest first."""
    return [(row[0], bytes(row[1])) for row in database.rows(LIVE_OUTPUTS)]


def live_outputs_of(database: Database, lane: int) -> list[tuple[int, bytes]]:
    """The same for the requests of one session."""
    return [(row[0], bytes(row[1])) for row in database.rows(LIVE_OUTPUTS_OF, (lane,))]


def last_attempt(database: Database, request_id: int) -> LastAttempt | None:
    """How the newest execution of a request's job ended."""
    row = database.row(LAST_ATTEMPT, (request_id,))
    if row is None:
        return None
    stdout, stderr = (checksum.hex() if checksum else None for checksum in row[2:4])
    return LastAttempt(row[0], row[1], stdout, stderr)


def streams_of(database: Database, checksum: str) -> tuple[str | None, str | None]:
    """What the newest execution of an identity wrote to standard output and error."""
    row = database.row(STREAMS_OF, (bytes.fromhex(checksum),)) or (None, None)
    return row[0].hex() if row[0] else None, row[1].hex() if row[1] else None


def result_of(database: Database, request_id: int) -> Known | None:
    """The job of a request and its result, if there is one."""
    row = database.row(RESULT_OF, (request_id,))
    return Known(row[0], row[1].hex()) if row and row[1] else None


def watched(database: Database) -> list[tuple[int, int, bytes]]:
    """Inputs promised by foreign .FUTUREs: dependency, request, path."""
    return [(row[0], row[1], bytes(row[2])) for row in database.rows(WATCHED)]


def forget_contexts(database: Database) -> None:
    """Drop the environments that no live request needs."""
    with database.transaction() as connection:
        connection.execute(FORGET_CONTEXTS)
