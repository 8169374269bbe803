"""What people do to a queue: hold it, take requests back, ask again, reorder. Inside the caller's write transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..driver import Database
from . import progress, submissions
from .records import QUEUE_LANE, Consequences, Identity, NewDependency, NewOutput, NewRequest, Submitted
from .resources import PAUSED
from .states import IS_LIVE, LIVE, RequestState, among

_ENDED_BADLY = among(RequestState.FAILED, RequestState.CANCELED)
PAUSE = f"INSERT OR IGNORE INTO facts (name, value) VALUES ('{PAUSED}', ?)"
RESUME = f"DELETE FROM facts WHERE name = '{PAUSED}'"
SET_PRIORITY = f"UPDATE requests SET priority = ? WHERE id = ? AND {among(*LIVE)} AND {IS_LIVE} RETURNING job_id"
# A job takes the highest of those who wait for it.
JOB_PRIORITY = f"""UPDATE jobs SET priority = COALESCE((SELECT MAX(requests.priority) FROM requests
    WHERE requests.job_id = jobs.id AND requests.{among(RequestState.QUEUED)}), priority) WHERE id = ?"""
REQUEST = """SELECT requests.id, requests.state, requests.job_id, requests.lane, requests.command, requests.directory,
    requests.specification, requests.context, requests.sidecars_only, requests.priority, requests.timeout,
    requests.retries, requests.refresh, requests.project, requests.stage, requests.parent, requests.scratch,
    requests.metavariables, requests.resources, jobs.checksum
    FROM requests LEFT JOIN jobs ON jobs.id = requests.job_id WHERE requests.id = ?"""
SHARED = f"SELECT COUNT(*) FROM requests WHERE job_id = ? AND id <> ? AND {among(RequestState.QUEUED)}"
# At any depth, those that have failed for want of a request's result; and what they lacked.
FAILED_BELOW = f"""WITH RECURSIVE below(id) AS (VALUES (?)
    UNION SELECT dependencies.request_id FROM below JOIN dependencies ON dependencies.upstream_id = below.id
    JOIN requests ON requests.id = dependencies.request_id
    WHERE dependencies.checksum IS NULL AND requests.{among(RequestState.FAILED)})
    SELECT id FROM below WHERE id <> ?"""
FAILED_ABOVE = f"""WITH RECURSIVE above(id) AS (VALUES (?)
    UNION SELECT dependencies.upstream_id FROM above JOIN dependencies ON dependencies.request_id = above.id
    JOIN requests ON requests.id = dependencies.upstream_id
    WHERE dependencies.checksum IS NULL AND requests.{_ENDED_BADLY})
    SELECT id FROM above WHERE id <> ?"""
# What failed last: not what somebody has asked for again since, or writes otherwise.
ALL_FAILED = f"""SELECT id FROM requests WHERE lane = {QUEUE_LANE} AND {among(RequestState.FAILED)} AND parent IS NULL
    AND NOT EXISTS (SELECT 1 FROM requests AS later WHERE later.job_id = requests.job_id
        AND later.directory = requests.directory AND later.id > requests.id)
    AND NOT EXISTS (SELECT 1 FROM outputs AS mine JOIN outputs AS other ON other.path = mine.path
        WHERE mine.request_id = requests.id AND other.request_id > requests.id)
    ORDER BY id"""
NEWER_WRITER = """SELECT other.request_id, other.path FROM outputs AS mine
    JOIN outputs AS other ON other.path = mine.path
    WHERE mine.request_id = ? AND other.request_id > mine.request_id ORDER BY other.request_id DESC LIMIT 1"""
OUTPUTS = "SELECT name, path FROM outputs WHERE request_id = ? ORDER BY path"
DEPENDENCIES = (
    "SELECT pin, path, upstream_id, output, part, checksum FROM dependencies WHERE request_id = ? ORDER BY id"
)
HAS_CONTEXT = "SELECT 1 FROM contexts WHERE checksum = ?"
WATCHED_OF = "SELECT id FROM dependencies WHERE request_id = ? AND pin = ? AND path = ? AND upstream_id IS NULL"


class Former(NamedTuple):
    """A request as it was made."""

    id: int
    state: RequestState
    job_id: int | None
    lane: int
    command: str
    directory: bytes
    specification: bytes | None
    context: bytes | None
    sidecars_only: int
    priority: int
    timeout: float | None
    retries: int
    refresh: int
    project: str | None
    stage: str | None
    parent: int | None
    scratch: int
    metavariables: str | None
    resources: str | None
    checksum: bytes | None


def pause(connection: Any) -> bool:
    """Let nothing of the queue be begun any more; whether that is new."""
    return bool(connection.execute(PAUSE, (repr(time.time()),)).rowcount)


def resume(connection: Any) -> bool:
    """Take that back; whether the queue was paused."""
    return bool(connection.execute(RESUME).rowcount)


def set_priority(connection: Any, request_id: int, priority: int) -> bool:
    """Change the priority of a request, and of its job if nobody wants it more urgently; False if it has ended."""
    row = connection.execute(SET_PRIORITY, (priority, request_id)).fetchone()
    if row is not None and row[0] is not None:
        connection.execute(JOB_PRIORITY, row)
    return row is not None


def request(database: Database, request_id: int) -> Former | None:
    """A request as it was made; None if there is none of that number."""
    row = database.row(REQUEST, (request_id,))
    return Former(row[0], RequestState(row[1]), *row[2:]) if row else None


def shared_with(database: Database, former: Former) -> int:
    """How many other requests wait for the same job."""
    return int(database.row(SHARED, (former.job_id, former.id))[0])


def all_failed(database: Database) -> list[int]:
    """The requests of the queue that failed and that nobody has asked for again."""
    return [row[0] for row in database.rows(ALL_FAILED)]


def with_relatives(database: Database, request_ids: Iterable[int]) -> list[int]:
    """These, what has failed for want of them, and what they lacked; in the order of their making."""
    found: set[int] = set()
    for request_id in request_ids:
        below = [row[0] for row in database.rows(FAILED_BELOW, (request_id, request_id))]
        for one in (request_id, *below):
            found.add(one)
            found.update(row[0] for row in database.rows(FAILED_ABOVE, (one, one)))
    return sorted(found)


def newer_writer(database: Database, request_id: int) -> tuple[int, bytes] | None:
    """A newer request for one of the same files, and which file that is."""
    row = database.row(NEWER_WRITER, (request_id,))
    return (row[0], bytes(row[1])) if row else None


def has_context(database: Database, former: Former) -> bool:
    """Whether the environment of a request is still kept."""
    return former.context is not None and database.row(HAS_CONTEXT, (former.context,)) is not None


def again(
    connection: Any, former: Former, context: str, renamed: dict[int, int]
) -> tuple[NewRequest, Submitted, Consequences]:
    """Ask again for what a request wanted; `renamed`: the new numbers of those it depends on."""
    rows = [tuple(row) for row in connection.execute(DEPENDENCIES, (former.id,)).fetchall()]
    new = _same(connection, former, context, [(*row[:2], renamed.get(row[2], row[2]), *row[3:5]) for row in rows])
    submitted, consequences = submissions.submit(connection, new)
    for pin, path, upstream, _, _, checksum in rows:
        if upstream is None and checksum is not None:
            # A file of another store that had come: its content is known.
            found = connection.execute(WATCHED_OF, (submitted.request_id, pin, path)).fetchall()
            pairs = [(row[0], submitted.request_id) for row in found]
            resolved = progress.resolve_watched(connection, pairs, checksum.hex())
            consequences = consequences.and_then(resolved)
    return new, submitted, consequences


def _same(connection: Any, former: Former, context: str, dependencies: list[tuple[Any, ...]]) -> NewRequest:
    outputs = connection.execute(OUTPUTS, (former.id,)).fetchall()
    known = former.specification is None and former.checksum is not None
    return NewRequest(
        command=former.command,
        directory=bytes(former.directory),
        specification=None if former.specification is None else former.specification.hex(),
        context=context,
        identity=Identity(former.checksum.hex()) if known and former.checksum is not None else None,
        outputs=tuple(NewOutput(bytes(name), bytes(path)) for name, path in outputs),
        dependencies=tuple(
            NewDependency(bytes(pin), bytes(path), upstream, bytes(output), bytes(part))
            for pin, path, upstream, output, part in dependencies
        ),
        sidecars_only=bool(former.sidecars_only),
        priority=former.priority,
        timeout=former.timeout,
        retries=former.retries,
        refresh=bool(former.refresh),
        project=former.project,
        stage=former.stage,
        scratch=bool(former.scratch),
        metavariables=former.metavariables,
        resources=former.resources,
    )
