"""`seamless-status --json`: the fields that scripts can rely on. New ones may come; none changes its meaning."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from seamless_queue.errors import printable

from .statustext import clean

if TYPE_CHECKING:
    from seamless_queue.broker.jobdetails import Graph
    from seamless_queue.broker.overview import Input, Row
    from seamless_queue.care.cap import Cap
    from seamless_queue.storesize import Size
    from seamless_queue.survey import Host, Lists, Survey

#: Of the format; grows when a field goes or means something else.
FORMAT = 1


def path_text(path: bytes) -> str:
    """A path as JSON can hold it; bytes that are no UTF-8 are written as \\xNN."""
    return printable(os.fsdecode(path))


def overview_fields(survey: Survey, path: str, found: Size, cap: Cap) -> dict[str, Any]:
    """The whole overview."""
    return {
        "format": FORMAT,
        "now": survey.now,
        "store": {"path": path_text(os.fsencode(path)), "bytes": found.bytes, "exact": found.exact, "cap": cap.bytes},
        "servers": [server_fields(host) for host in survey.servers],
        "sessions": [server_fields(host) for host in survey.others],
        "paused_since": survey.paused_since,
        "workers": worker_fields(survey),
        "counts": survey.counts(),
        "ended": {"last_minute": survey.throughput.minute, "last_10_minutes": survey.throughput.ten_minutes},
        "eta": survey.eta._asdict(),
        "hits": {"count": survey.counted.hits, "saved_seconds": survey.counted.saved},
        **list_fields(survey.lists),
    }


def server_fields(host: Host) -> dict[str, Any]:
    """A queue server, or another process that runs jobs."""
    session = host.session
    return {
        "id": session.id,
        "kind": session.kind.name.lower(),
        "host": session.process.host,
        "pid": session.process.pid,
        "started": session.created,
        "workers": session.workers,
        "draining": session.draining,
        "paused": session.paused,
    }


def worker_fields(survey: Survey) -> list[dict[str, Any]]:
    """Every worker, with the request that it is at."""
    at = {row.worker_id: row.request_id for row in survey.lists.running}
    hosts = {host.session.id: host.session.process.host for host in survey.hosts}
    return [
        {"id": one.id, "host": hosts.get(one.session_id), "pid": one.pid, "request": at.get(one.id)}
        for one in survey.workers
    ]


LISTS = ("running", "ready", "waiting", "delivering", "failed")


def list_fields(lists: Lists, names: tuple[str, ...] = LISTS) -> dict[str, Any]:
    """Those lists that are asked for."""
    return {name: [row_fields(row, lists) for row in getattr(lists, name)] for name in names}


def row_fields(row: Row, lists: Lists) -> dict[str, Any]:
    """A request."""
    attempt = lists.last_attempt(row)
    return {
        "request": row.request_id,
        "job": row.checksum,
        "state": row.word,
        **wish_fields(row),
        "worker": row.worker_id,
        "lost": row.request_id in lists.lost,
        "held": lists.held.get(row.job_id or 0),
        "error": row.error,
        "exit_code": attempt.exit_code if attempt is not None else None,
        "last_line": clean(lists.last_line(row)) or None,
        "waits_for": [input_fields(one) for one in lists.inputs.get(row.request_id, [])],
    }


def wish_fields(row: Row) -> dict[str, Any]:
    """What was asked for, from where, and when; the same in the overview and of one job."""
    return {
        "command": row.command,
        "directory": path_text(row.directory),
        "project": row.project,
        "stage": row.stage,
        "priority": row.priority,
        "created": row.created,
        "started": None if _is_to_come(row) else row.started,
        "finished": row.finished,
    }


def _is_to_come(row: Row) -> bool:
    """Whether its job has not begun since it was asked for, only before."""
    return row.word in ("waiting", "ready") and row.started is not None and row.started < row.created


def input_fields(one: Input) -> dict[str, Any]:
    """What a request waits for; `request` is null if another store is to bring it."""
    return {"path": path_text(one.path), "request": one.upstream_id, "command": one.command}


def graph_fields(graph: Graph) -> dict[str, Any]:
    """Who needs what from whom; `more` tells that there are others."""
    return {
        "format": FORMAT,
        "requests": [
            {"request": row.request_id, "job": row.checksum, "state": row.word, "command": row.command}
            for row in graph.rows.values()
        ],
        "needs": [
            {"request": edge.request_id, "from": edge.upstream_id, "path": path_text(edge.path)} for edge in graph.edges
        ],
        "more": graph.more,
    }


def nothing(path: str) -> dict[str, Any]:
    """The overview of a store that is not there yet."""
    from seamless_queue.care.cap import Cap
    from seamless_queue.storesize import Size
    from seamless_queue.survey import Survey

    return overview_fields(Survey(time.time()), path, Size(0, True), Cap(None, ""))
