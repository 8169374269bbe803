"""What all tests share: a home of their own, stores made quickly, and a check that nothing is left behind."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seamless_queue.digest import DIGESTS
from seamless_queue.settings import Settings
from seamless_queue.store import Store, open_store

#: In the environment of every process that a test starts.
MARKER = "SEAMLESS_TEST_SESSION"
#: What the caller's own environment must not decide.
UNSET = (
    "SEAMLESS_CACHE",
    "SEAMLESS_DIGEST",
    "SEAMLESS_DURABLE",
    "SEAMLESS_DEBUG",
    "SEAMLESS_CRASH_AT",
    "SEAMLESS_MAX_UPLOAD_FILES",
    "SEAMLESS_MAX_UPLOAD_SIZE",
    "SEAMLESS_MAX_DOWNLOAD_FILES",
    "SEAMLESS_MAX_DOWNLOAD_SIZE",
    "SEAMLESS_WORKER",
)
#: How long what a test has ended may take to be gone.
GONE_SECONDS = 10.0
SHARED_MEMORY = Path("/dev/shm")
SEGMENTS_BEFORE = pytest.StashKey[set[str]]()


# -- nothing is left behind ------------------------------------------------------------------
def _marked_processes(marker: str) -> dict[int, str]:
    """Processes of this test session that still live, with their command lines."""
    wanted, found = f"{MARKER}={marker}".encode(), {}
    for place in Path("/proc").glob("[0-9]*") if os.path.isdir("/proc/self") else ():
        try:
            if int(place.name) != os.getpid() and wanted in (place / "environ").read_bytes().split(b"\0"):
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def _segments() -> set[str]:
    """The files in shared memory that a store may have made."""
    roots = SHARED_MEMORY.glob("seamless-*") if SHARED_MEMORY.is_dir() else ()
    return {str(path) for root in roots for path in (root, *root.rglob("*")) if not path.is_dir()}


def _sockets(directory: Path) -> list[str]:
    return [str(path) for path in directory.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]


@pytest.fixture(scope="session")
def short_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of this run with a short name, because the path of a socket must be short."""
    tmp_path_factory.getbasetemp()
    path = Path(tempfile.mkdtemp(prefix="sq-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def no_leftovers(short_place: Path) -> Iterator[str]:
    """Fail the run if a process or a socket of it is still there at its end."""
    marker = uuid.uuid4().hex
    runtime = short_place / "run"
    runtime.mkdir(mode=0o700)
    os.environ[MARKER] = marker
    yield marker
    del os.environ[MARKER]
    deadline = time.monotonic() + GONE_SECONDS
    while _marked_processes(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [f"process {pid}: {line}" for pid, line in _marked_processes(marker).items()]
    left += [f"socket: {path}" for path in _sockets(runtime)]
    if left:
        pytest.fail("the tests left behind:\n" + "\n".join(left), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail the run if it has left files in shared memory: looked at for all processes of it, when they have ended."""
    yield
    if not hasattr(session.config, "workerinput"):
        left = _segments() - session.config.stash[SEGMENTS_BEFORE]
        if left:
            print("\nthe tests left behind in shared memory:", *sorted(left), sep="\n")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


# -- a home of one's own ---------------------------------------------------------------------
@pytest.fixture(autouse=True)
def home(short_place: Path, no_leftovers: str) -> Iterator[Path]:
    """A home, a runtime and a temporary directory for this test; the real ones are never touched."""
    path = Path(tempfile.mkdtemp(prefix="h", dir=short_place))
    temporary = path / "tmp"
    temporary.mkdir()
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", str(path))
    patch.setenv("XDG_RUNTIME_DIR", str(short_place / "run"))
    patch.setenv("TMPDIR", str(temporary))
    patch.setattr(tempfile, "tempdir", None)
    for name in UNSET:
        patch.delenv(name, raising=False)
    yield path
    patch.undo()


# -- stores ----------------------------------------------------------------------------------
def pytest_configure(config: pytest.Config) -> None:
    """Register the marks of this directory; note what was there before."""
    config.stash[SEGMENTS_BEFORE] = _segments()
    config.addinivalue_line("markers", "both_digests: run the test with a store of each digest")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `both_digests` once with each."""
    if metafunc.definition.get_closest_marker("both_digests"):
        metafunc.parametrize("digest_name", sorted(DIGESTS))


@pytest.fixture
def digest_name() -> str:
    """The digest of the stores of this test."""
    return "blake3"


@pytest.fixture(scope="session")
def store_templates(tmp_path_factory: pytest.TempPathFactory, no_leftovers: str) -> dict[str, Path]:
    """A closed store for each digest, without an id: whoever opens a copy gives it one."""
    templates = {}
    for name in DIGESTS:
        path = tmp_path_factory.mktemp("templates") / name
        store = open_store(Settings(str(path), name))
        with store.database.transaction() as connection:
            connection.execute("DELETE FROM facts WHERE name = 'id'")
        store.close()
        templates[name] = path
    return templates


@pytest.fixture
def new_store_directory(tmp_path: Path, store_templates: dict[str, Path], digest_name: str) -> Callable[[], Path]:
    """Make directories of empty stores: a migration costs half a second, a copy next to nothing."""
    made = 0

    def make() -> Path:
        nonlocal made
        made += 1
        return Path(shutil.copytree(store_templates[digest_name], tmp_path / f"store{made}"))

    return make


@pytest.fixture
def settings(new_store_directory: Callable[[], Path]) -> Settings:
    """The settings of an empty store in this test's directory."""
    return Settings(str(new_store_directory()))


@pytest.fixture
def opened(settings: Settings) -> Iterator[Callable[..., Store]]:
    """Open stores that are closed with the test; without an argument, the one of `settings`, again."""
    stores = []

    def open_one(wanted: Settings = settings) -> Store:
        stores.append(open_store(wanted))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    """An open, empty store."""
    return opened()
