"""Who writes a request's files, and when: one deliverer at a time for a path, in submit order."""

from __future__ import annotations

import time
from typing import Any

from ..driver import Database
from .records import NewOutput
from .states import IS_LIVE, RequestState, among, move
from .work import Delivery, Dependency, Keyable

# Two requests for one path never write at the same time; a result that was found gone is waited for.
CLAIM = f"""UPDATE requests SET deliverer = ? WHERE id = ? AND deliverer IS NULL
    AND {among(RequestState.DELIVERING)}
    AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = requests.job_id AND jobs.result IS NOT NULL
        AND (jobs.evicted IS NULL OR requests.sidecars_only = 1)) AND NOT EXISTS (
        SELECT 1 FROM outputs AS mine JOIN outputs AS other ON other.path = mine.path AND other.pending = 1
        JOIN requests AS rival ON rival.id = other.request_id
        WHERE mine.request_id = requests.id AND rival.id <> requests.id AND rival.deliverer IS NOT NULL)
    RETURNING job_id, directory, sidecars_only"""
RESULT = "SELECT result FROM jobs WHERE id = ?"
# What a newer request has written an older one leaves alone.
OUTPUTS = f"""SELECT name, path FROM outputs AS mine WHERE request_id = ? AND NOT EXISTS (
        SELECT 1 FROM outputs AS newer JOIN requests ON requests.id = newer.request_id
        WHERE newer.path = mine.path AND newer.request_id > mine.request_id
        AND requests.{among(RequestState.DELIVERED)})"""
_delivered = move(RequestState.DELIVERING, RequestState.DELIVERED)
_superseded = move(RequestState.DELIVERING, RequestState.SUPERSEDED)
DELIVERED = f"""UPDATE requests SET {_delivered.set}, finished = ?, deliverer = NULL
    WHERE id = ? AND deliverer = ? AND {_delivered.guard}"""
SUPERSEDED = f"""UPDATE requests SET {_superseded.set}, finished = ?, deliverer = NULL
    WHERE id = ? AND deliverer = ? AND {_superseded.guard}"""
RELEASE = "UPDATE requests SET deliverer = NULL WHERE deliverer = ?"
NOT_PENDING = "UPDATE outputs SET pending = 0 WHERE request_id = ?"
PATHS = "SELECT path FROM outputs WHERE request_id = ? AND pending = 1"
OPEN = f"""SELECT id FROM requests WHERE {among(RequestState.DELIVERING)} AND {IS_LIVE} AND deliverer IS NULL
    ORDER BY id LIMIT 100"""
KEYABLE = f"SELECT id FROM requests WHERE {among(RequestState.KEYABLE)} AND {IS_LIVE} ORDER BY id LIMIT 100"
SPECIFICATION = f"SELECT specification, scratch FROM requests WHERE id = ? AND {among(RequestState.KEYABLE)}"
DEPENDENCIES = """SELECT pin, path, upstream_id, output, part, checksum FROM dependencies
    WHERE request_id = ? ORDER BY id"""


PATHS_OF_DELIVERER = """SELECT outputs.path FROM outputs JOIN requests ON requests.id = outputs.request_id
    WHERE requests.deliverer = ?"""
LANE = "SELECT lane FROM requests WHERE id = ?"
BLOCKED = f"""SELECT DISTINCT requests.id FROM outputs AS mine JOIN outputs AS other ON other.path = mine.path
    AND other.pending = 1 JOIN requests ON requests.id = other.request_id
    WHERE mine.request_id = ? AND requests.id <> mine.request_id AND requests.deliverer IS NULL
    AND requests.{among(RequestState.DELIVERING)} ORDER BY requests.id"""


def claim_delivery(connection: Any, deliverer: int, request_id: int) -> Delivery | None:
    """Take on the writing of a request's files; None if it is another's, or must wait for another."""
    row = connection.execute(CLAIM, (deliverer, request_id)).fetchone()
    if row is None:
        return None
    job_id, directory, sidecars_only = row
    result = connection.execute(RESULT, (job_id,)).fetchone()[0]
    outputs = tuple(NewOutput(bytes(name), bytes(path)) for name, path in connection.execute(OUTPUTS, (request_id,)))
    return Delivery(request_id, result.hex(), bytes(directory), outputs, bool(sidecars_only))


def finish_delivery(connection: Any, deliverer: int, delivery: Delivery) -> None:
    """The files are in place (or were left to newer requests) and the .FUTUREs are gone."""
    statement = DELIVERED if delivery.outputs else SUPERSEDED
    connection.execute(statement, (time.time(), delivery.request_id, deliverer))
    clear_pending(connection, delivery.request_id)


def release(connection: Any, deliverer: int) -> None:
    """Leave all deliveries of this worker to others."""
    connection.execute(RELEASE, (deliverer,))


def clear_pending(connection: Any, request_id: int) -> None:
    """The request's .FUTUREs are gone."""
    connection.execute(NOT_PENDING, (request_id,))


def pending_paths(database: Database, request_id: int) -> list[bytes]:
    """The paths for which the request may still have a .FUTURE."""
    return [bytes(row[0]) for row in database.rows(PATHS, (request_id,))]


def paths_of_deliverer(database: Database, deliverer: int) -> list[bytes]:
    """What a worker is writing just now."""
    return [bytes(row[0]) for row in database.rows(PATHS_OF_DELIVERER, (deliverer,))]


def open_deliveries(database: Database) -> list[int]:
    """Requests whose files nobody writes yet."""
    return [row[0] for row in database.rows(OPEN)]


def keyable_requests(database: Database) -> list[int]:
    """Requests whose identity nobody has computed yet."""
    return [row[0] for row in database.rows(KEYABLE)]


def keyable(database: Database, request_id: int) -> Keyable | None:
    """What the identity of a request is computed from; None if it has moved on."""
    row = database.row(SPECIFICATION, (request_id,))
    if row is None:
        return None
    dependencies = tuple(
        Dependency(bytes(pin), bytes(path), upstream, bytes(output), bytes(part), checksum.hex())
        for pin, path, upstream, output, part, checksum in database.rows(DEPENDENCIES, (request_id,))
    )
    return Keyable(request_id, row[0].hex(), dependencies, bool(row[1]))


def blocked_by(connection: Any, request_id: int) -> tuple[int, ...]:
    """Requests that had to wait while this one wrote to the same paths."""
    return tuple(row[0] for row in connection.execute(BLOCKED, (request_id,)).fetchall())


def lane_of(database: Database, request_id: int) -> int:
    """Who asked: 0 for the queue, else a session."""
    return int(database.row(LANE, (request_id,))[0])
