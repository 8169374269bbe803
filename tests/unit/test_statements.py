"""Every SQL statement of the hot path is prepared on the migrated schema, and finds its index."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import seamless.transformer
import seamless_queue
from seamless_queue import buffers, staged, statcache
from seamless_queue.broker import (
    claims,
    deliveries,
    forecast,
    overview,
    progress,
    reports,
    resources,
    sessions,
    submissions,
)
from seamless_queue.store import Store

ROOT = Path(__file__).resolve().parents[2]
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|REPLACE)\s")
WRITES_STATE = re.compile(r"\bSET\s+state\b|,\s*state\s*=", re.IGNORECASE)
SKIPPED = {"seamless_queue.models", "seamless_queue.migrations", "seamless_queue.migrations.env"}


def modules() -> Iterator[ModuleType]:
    for package in (seamless_queue, seamless.transformer):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not any(found.name == name or found.name.startswith(name + ".") for name in SKIPPED):
                yield importlib.import_module(found.name)


def statements() -> list[Any]:
    found = {}
    for module in modules():
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, str) and SQL.match(value):
                found.setdefault(value, pytest.param(value, id=f"{module.__name__.rpartition('.')[2]}.{name}"))
    return list(found.values())


def strings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every string of a module with the name it is assigned to; what is computed shows as {}."""
    names = {
        id(inner): ast.unparse(node.targets[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for inner in ast.walk(node.value)
    }
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield names.get(id(node), ""), "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield names.get(id(node), ""), node.value


def sources() -> list[Path]:
    return [path for room in ("seamless_queue", "transformer", "cli") for path in sorted((ROOT / room).rglob("*.py"))]


def test_the_scan_finds_the_statements() -> None:
    found = {parameter.values[0] for parameter in statements()}
    assert {claims.CLAIM, submissions.KNOWN, staged.INSERT, statcache.LOOKUP, deliveries.OUTPUTS} <= found
    assert len(found) > 70


@pytest.mark.parametrize("statement", statements())
def test_a_statement_can_be_prepared(store: Store, statement: str) -> None:
    parameters = [None] * statement.count("?")
    assert store.database.connection.execute(f"EXPLAIN {statement}", parameters).fetchall()


def test_no_statement_is_written_away_from_the_scan() -> None:
    """SQL stands in upper-case constants of a module, where the tests above find it."""
    hidden = []
    for path in sources():
        for name, text in strings(ast.parse(path.read_text())):
            if SQL.match(text) and re.search(r"\b(FROM|INTO|SET)\b", text) and not name.isupper():
                hidden.append(f"{path.name}: {text[:60]}")
    assert hidden == []


def test_states_are_written_by_moves_alone() -> None:
    found = {
        (path.name, name)
        for path in sources()
        for name, text in strings(ast.parse(path.read_text()))
        if WRITES_STATE.search(text)
    }
    assert found == set()


def plan(store: Store, statement: str) -> str:
    parameters = [1] * statement.count("?")
    rows = store.database.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    return "; ".join(row[3] for row in rows)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param(claims.CLAIM, "jobs_claimable (lane=?)", id="claim"),
        pytest.param(claims.READY_COUNT, "jobs_claimable (lane=?)", id="ready count"),
        pytest.param(claims.STEAL, "jobs_of_worker", id="steal"),
        pytest.param(claims.CLAIM_THIS, "PRIMARY KEY (rowid=?)", id="claim this"),
        pytest.param(claims.FREE_AMONG, "PRIMARY KEY (rowid=?)", id="free among"),
        pytest.param(claims.BEGIN_ALL, "jobs_of_worker (worker_id=? AND rowid=?)", id="begin all"),
        pytest.param(claims.WISHES, "ix_requests_job_id (job_id=?", id="wishes"),
        pytest.param(claims.DONE, "jobs_of_worker (worker_id=?)", id="done"),
        pytest.param(claims.HELD_BY, "jobs_of_worker (worker_id=?)", id="held by"),
        pytest.param(claims.UNRESERVE, "jobs_of_worker (worker_id=?)", id="unreserve"),
        pytest.param(claims.STOPPING, "jobs_of_worker (worker_id=?)", id="stopping"),
        pytest.param(claims.WISH, "ix_requests_job_id (job_id=?", id="wish"),
        pytest.param(submissions.KNOWN, "sqlite_autoindex_jobs_1 (checksum=?)", id="hit"),
        pytest.param(submissions.STREAMS, "ix_attempts_job_id (job_id=?", id="streams"),
        pytest.param(submissions.WRITER, "(path=?", id="writer"),
        pytest.param(submissions.WRITERS_BELOW, "(path>? AND path<?)", id="writers below"),
        pytest.param(buffers.SELECT, "sqlite_autoindex_buffers_1 (checksum=?)", id="small buffer"),
        pytest.param(statcache.LOOKUP, "PRIMARY KEY (device=? AND inode=?)", id="stat cache"),
        pytest.param(progress.SETTLE, "ix_requests_job_id (job_id=?", id="settle"),
        pytest.param(progress.RESOLVE, "ix_dependencies_upstream_id (upstream_id=?", id="resolve"),
        pytest.param(progress.DEPENDENTS, "ix_dependencies_upstream_id (upstream_id=?", id="dependents"),
        pytest.param(progress.STILL_WANTED, "ix_requests_job_id (job_id=?", id="still wanted"),
        pytest.param(progress.CHILDREN, "requests_of_parent (parent=?)", id="children"),
        pytest.param(submissions.TAKE_OVER_WAITED, "SEARCH jobs USING INTEGER PRIMARY KEY", id="take over"),
        pytest.param(reports.ENDS, "SEARCH requests USING INTEGER PRIMARY KEY", id="ends"),
        pytest.param(reports.IS_ANCESTOR, "SEARCH requests USING INDEX ix_requests_job_id", id="is ancestor"),
        pytest.param(reports.ANY_LIVE, "requests_live (state=? AND lane=?)", id="any live"),
        pytest.param(reports.COUNTS, "requests_live", id="counts"),
        pytest.param(reports.WATCHED, "SEARCH dependencies USING INDEX", id="watched"),
        pytest.param(deliveries.OPEN, "requests_live (state=?", id="open deliveries"),
        pytest.param(deliveries.RELEASE, "requests_delivering (deliverer=?)", id="release"),
        pytest.param(sessions.ADDRESSES, "sessions_live", id="addresses"),
        pytest.param(overview.LOWEST_LIVE, "requests_live (state=?)", id="lowest live"),
        pytest.param(overview.READY, "jobs_claimable (lane=?)", id="next ones"),
        pytest.param(overview.RUNNING, "jobs_of_worker (worker_id>?)", id="what runs"),
        pytest.param(overview.WAITING, "requests_live (state=?)", id="what waits"),
        pytest.param(forecast.AHEAD, "requests_live (state=?)", id="what is ahead"),
        pytest.param(forecast.LINKS, "dependencies_open", id="links"),
        pytest.param(resources.GATE, "jobs_demanding (resources>?)", id="gate: jobs that demand something"),
        pytest.param(resources.GATE, "jobs_holding (worker_id>?)", id="gate: jobs that hold something"),
        pytest.param(resources.BEST, "jobs_demanding (resources=?)", id="the best of each kind"),
        pytest.param(resources.BEST_PLAIN, "jobs_claimable (lane=?)", id="the best plain one"),
        pytest.param(resources.HELD, "jobs_holding (worker_id>?)", id="what is held"),
        pytest.param(resources.BUSY_WITH_PLAIN, "jobs_of_worker (worker_id=?)", id="busy with plain ones"),
        pytest.param(resources.COUNT_OF_KIND, "jobs_demanding (resources=?)", id="how many of a kind"),
    ],
)
def test_a_hot_statement_uses_its_index(store: Store, statement: str, expected: str) -> None:
    found = plan(store, statement)
    assert expected in found


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(claims.CLAIM, id="claim"),
        pytest.param(submissions.KNOWN, id="hit"),
        pytest.param(claims.WISH, id="wish"),
    ],
)
def test_the_hottest_statements_neither_scan_nor_sort(store: Store, statement: str) -> None:
    found = plan(store, statement)
    assert "SCAN" not in found.replace("SCAN jobs USING COVERING INDEX jobs_claimable", "")
    assert "TEMP B-TREE" not in found
