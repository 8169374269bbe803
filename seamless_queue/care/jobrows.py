"""A job with all that belongs to it, as a plain dict that can be taken to another store.

{"checksum", "result", …, "makers": […], "attempts": […], "requests": [{…, "outputs": […]}]}

Only jobs that are done travel. What belongs to one machine stays behind: sessions, workers, contexts (environments
of commands, which hold secrets), specifications. Archives leave variables in records of surroundings behind as well.
Bytes of names are text as the file system has it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..broker.records import QUEUE_LANE
from ..broker.states import JobState, Outcome, RequestState, among
from ..driver import Database
from ..errors import SeamlessError
from ..staged import INSERT_ENVIRONMENT

JOB = f"""SELECT checksum, result, scratch, created, started, finished FROM jobs
    WHERE id = ? AND {among(JobState.DONE)} AND evicted IS NULL"""
FIND = f"SELECT id, result FROM jobs WHERE checksum = ? AND {among(JobState.DONE)} AND evicted IS NULL"
ATTEMPTS = """SELECT fence, outcome, exit_code, error, result, stdout, stderr, started, finished, user_time,
    system_time, peak_memory, environment FROM attempts WHERE job_id = ? ORDER BY id"""
REQUESTS = f"""SELECT id, command, directory, project, stage, metavariables, sidecars_only, created, finished
    FROM requests WHERE job_id = ? AND {among(RequestState.DELIVERED)} ORDER BY id"""
OUTPUTS = "SELECT path, name FROM outputs WHERE request_id = ? ORDER BY path"
ENVIRONMENT = "SELECT content FROM environments WHERE checksum = ?"

INSERT_JOB = f"""INSERT INTO jobs (checksum, state, lane, priority, result, scratch, created, started, finished)
    VALUES (?, {JobState.DONE.value}, {QUEUE_LANE}, 0, ?, ?, ?, ?, ?) ON CONFLICT (checksum) DO NOTHING RETURNING id"""
# The very bytes that this job had have come back.
RESTORE = f"""UPDATE jobs SET evicted = NULL WHERE checksum = ? AND result = ? AND evicted IS NOT NULL
    AND {among(JobState.DONE)}"""
INSERT_MAKER = "INSERT OR IGNORE INTO makers (checksum, job_id) VALUES (?, ?)"
INSERT_ATTEMPT = """INSERT INTO attempts (job_id, fence, session_id, outcome, exit_code, error, result, stdout, stderr,
    started, finished, user_time, system_time, peak_memory, environment)
    VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_REQUEST = f"""INSERT INTO requests (state, job_id, lane, command, directory, outputs, project, stage,
    metavariables, sidecars_only, created, finished)
    VALUES ({RequestState.DELIVERED.value}, ?, {QUEUE_LANE}, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_OUTPUT = "INSERT OR IGNORE INTO outputs (request_id, path, name, pending) VALUES (?, ?, ?, 0)"

Record = dict[str, Any]
_ATTEMPT = (
    *("fence", "outcome", "exit_code", "error", "result", "stdout", "stderr", "started", "finished"),
    *("user_time", "system_time", "peak_memory", "environment"),
)
_CHECKSUMS = ("result", "stdout", "stderr", "environment")
_REQUEST = ("command", "directory", "project", "stage", "metavariables", "sidecars_only", "created", "finished")


class Found(NamedTuple):
    """A job that is done, with its bytes as far as the rows say."""

    id: int
    checksum: str
    result: str


def find(database: Database, checksum: str) -> Found | None:
    """The job of an identity, if it is done and was not evicted."""
    row = database.row(FIND, (bytes.fromhex(checksum),))
    return Found(row[0], checksum, row[1].hex()) if row else None


def read(database: Database, job_id: int, *, whole: bool = True) -> Record | None:
    """A job's rows; None if it is not done. Without `whole` only what a hit needs: not who asked for it.

    `makers` is left to whoever can read the result: the files that it names.
    """
    row = database.row(JOB, (job_id,))
    if row is None:
        return None
    return {
        "checksum": row[0].hex(),
        "result": row[1].hex(),
        "scratch": row[2],
        "created": row[3],
        "started": row[4],
        "finished": row[5],
        "makers": [],
        "attempts": [_attempt(one) for one in database.rows(ATTEMPTS, (job_id,))],
        "requests": [_request(database, one) for one in database.rows(REQUESTS, (job_id,))] if whole else [],
    }


def _attempt(row: Any) -> Record:
    record = dict(zip(_ATTEMPT, row, strict=True))
    for name in _CHECKSUMS:
        record[name] = record[name].hex() if record[name] else None
    return record


def _request(database: Database, row: Any) -> Record:
    record = dict(zip(_REQUEST, row[1:], strict=True))
    record["directory"] = _text(record["directory"])
    record["outputs"] = [[_text(path), _text(name)] for path, name in database.rows(OUTPUTS, (row[0],))]
    return record


def environments(record: Record) -> set[str]:
    """The checksums of the records of surroundings that its attempts name."""
    return {attempt["environment"] for attempt in record["attempts"] if attempt["environment"]}


def environment(database: Database, checksum: str) -> bytes | None:
    """A record of surroundings."""
    row = database.row(ENVIRONMENT, (bytes.fromhex(checksum),))
    return bytes(row[0]) if row else None


def streams(record: Record) -> set[str]:
    """What the attempts with its result wrote."""
    return {
        attempt[name]
        for attempt in record["attempts"]
        for name in ("stdout", "stderr")
        if attempt[name] and attempt["result"] == record["result"]
    }


def check(record: Any) -> Record:
    """The record, if it can be inserted; SeamlessError if not."""
    try:
        rows = [_values(record)]
        for attempt in record["attempts"]:
            Outcome(attempt["outcome"])
            rows.append(_attempt_values(0, attempt))
        rows += [_request_values(0, request) for request in record["requests"]]
        rows += [(_checksum(made),) for made in record["makers"]]
        if not all(value is None or isinstance(value, int | float | str | bytes) for row in rows for value in row):
            raise TypeError("a value is none that a table takes")
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise SeamlessError(f"a job's record is not as it should be: {type(exc).__name__}: {exc}") from exc
    return record  # type: ignore[no-any-return]


def insert(connection: Any, record: Record) -> bool:
    """Record a job as done, in the caller's transaction; its bytes are there. False if it is known already."""
    row = connection.execute(INSERT_JOB, _values(record)).fetchone()
    if row is None:
        connection.execute(RESTORE, (bytes.fromhex(record["checksum"]), bytes.fromhex(record["result"])))
        return False
    job_id = int(row[0])
    connection.executemany(INSERT_MAKER, [(bytes.fromhex(made), job_id) for made in record["makers"]])
    connection.executemany(INSERT_ATTEMPT, [_attempt_values(job_id, attempt) for attempt in record["attempts"]])
    for request in record["requests"]:
        request_id = connection.execute(INSERT_REQUEST, _request_values(job_id, request)).lastrowid
        outputs = [(request_id, _bytes(path), _bytes(name)) for path, name in request["outputs"]]
        connection.executemany(INSERT_OUTPUT, outputs)
    return True


def insert_environment(connection: Any, checksum: str, content: bytes) -> None:
    """Record surroundings, in the caller's transaction."""
    connection.execute(INSERT_ENVIRONMENT, (bytes.fromhex(checksum), content))


def _values(record: Record) -> tuple[object, ...]:
    checksum, result = _checksum(record["checksum"]), _checksum(record["result"])
    times = (float(record["created"]), _seconds(record["started"]), _seconds(record["finished"]))
    return checksum, result, int(record["scratch"]), *times


def _attempt_values(job_id: int, attempt: Record) -> tuple[object, ...]:
    values = {name: attempt[name] for name in _ATTEMPT}
    for name in _CHECKSUMS:
        values[name] = _checksum(values[name]) if values[name] else None
    return job_id, *values.values()


def _request_values(job_id: int, request: Record) -> tuple[object, ...]:
    outputs = [(_bytes(path), _bytes(name)) for path, name in request["outputs"]]
    values = [request[name] for name in _REQUEST]
    values[1] = _bytes(request["directory"])
    return job_id, str(values[0]), values[1], len(outputs), *values[2:]


def _checksum(text: str) -> bytes:
    checksum = bytes.fromhex(text)
    if len(checksum) != 32:
        raise ValueError(f"{text!r} is not a checksum")
    return checksum


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def _text(name: bytes) -> str:
    return bytes(name).decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
