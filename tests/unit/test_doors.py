"""Each dangerous library has one door; nothing else opens it (found by reading the source)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("seamless_queue", "transformer", "cli", "seamless", "migrations")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

#: Library: where it may be imported.
DOORS = {
    "watchdog": {"seamless_queue/watchers.py"},
    "subprocess": {"seamless_queue/processes.py"},
    "socket": {f"seamless_queue/{name}.py" for name in ("channel", "doorbell", "pool", "worker")},
    "selectors": {"seamless_queue/server.py", "seamless_queue/listener.py"},
    "pysqlite3": {"seamless_queue/driver.py"},
    "sqlite3": {"seamless_queue/driver.py"},
    "sqlalchemy": {"seamless_queue/models.py"},
    "alembic": {"seamless_queue/schema.py"},
}
#: Whole rooms that may use a library.
ROOMS_OF = {"sqlalchemy": "migrations/", "alembic": "migrations/"}
#: Nothing may start processes or share memory behind our back.
FORBIDDEN = ("multiprocessing", "concurrent.futures", "pty")
#: What sets a handler, a mask or a wake-up, in the module `signal`.
HANDLERS = {"signal", "set_wakeup_fd", "sigaction", "siginterrupt", "pthread_sigmask", "setitimer", "alarm"}
#: What starts processes behind the back of `subprocess`.
STARTERS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "execv", "execve", "execvp", "execvpe"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported when the code runs (not for the type checker alone)."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def calls_on(tree: ast.Module, module: str) -> set[str]:
    """The attributes of a module that are used."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module
    }


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text()) for path in SOURCES}


@pytest.fixture(scope="module")
def imported(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """What each module imports."""
    return {name: set(imports(tree)) for name, tree in trees.items()}


def test_the_scan_sees_the_sources(trees: dict[str, ast.Module]) -> None:
    assert {"seamless_queue/driver.py", "transformer/bash.py", "cli/run.py", "migrations/env.py"} <= set(trees)


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_library_is_imported_at_its_door_only(imported: dict[str, set[str]], library: str) -> None:
    users = {name for name, modules in imported.items() if library in {found.partition(".")[0] for found in modules}}
    assert {name for name in users - DOORS[library] if not name.startswith(ROOMS_OF.get(library, "-"))} == set()


@pytest.mark.parametrize("library", FORBIDDEN)
def test_some_libraries_are_not_used_at_all(imported: dict[str, set[str]], library: str) -> None:
    assert [name for name, modules in imported.items() if library in modules] == []


def test_signal_handlers_are_set_in_one_module(trees: dict[str, ast.Module]) -> None:
    setters = {name for name, tree in trees.items() if calls_on(tree, "signal") & HANDLERS}
    assert setters == {"seamless_queue/signals.py"}


def test_processes_are_started_in_one_module(trees: dict[str, ast.Module]) -> None:
    found = {name: calls_on(tree, "os") & STARTERS for name, tree in trees.items()}
    assert {name: calls for name, calls in found.items() if calls} == {"seamless_queue/processes.py": {"posix_spawn"}}


def test_processes_are_killed_by_few(trees: dict[str, ast.Module]) -> None:
    """Whoever kills has seen to it that the number still belongs to the process that is meant."""
    killers = {name for name, tree in trees.items() if calls_on(tree, "os") & {"kill", "killpg"}}
    assert killers == {f"seamless_queue/{name}.py" for name in ("processes", "reclaim", "crashpoints")}


def test_only_a_worker_leaves_in_the_middle_of_things(trees: dict[str, ast.Module]) -> None:
    """Or a copy of it that the code of a job has made."""
    leavers = {name for name, tree in trees.items() if calls_on(tree, "os") & {"_exit", "abort"}}
    assert leavers == {"seamless_queue/departure.py", "seamless_queue/worker.py", "transformer/pythonjob.py"}


def test_shared_memory_has_one_address(trees: dict[str, ast.Module]) -> None:
    """So that what is made there is swept."""
    users = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/dev/shm")
    }
    assert users == {"seamless_queue/private.py"}


def test_no_command_runs_python_code_between_fork_and_exec() -> None:
    assert [name_of(path) for path in SOURCES if "preexec_fn" in path.read_text()] == []


def test_nobody_opens_the_database_file_itself(trees: dict[str, ast.Module]) -> None:
    """POSIX drops all locks of a file when any descriptor of it closes."""
    users = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "DATABASE_NAME"
    }
    assert users == {"seamless_queue/store.py"}
    # Made, empty, before anybody can have it open.
    assert "O_EXCL" in (ROOT / "seamless_queue" / "store.py").read_text()


def test_the_rooms_are_imported_by_their_installed_names(imported: dict[str, set[str]]) -> None:
    wrong = {"transformer", "cli", "migrations"}
    assert [name for name, modules in imported.items() if wrong & {found.partition(".")[0] for found in modules}] == []
