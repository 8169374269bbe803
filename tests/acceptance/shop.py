"""A place of one's own for a test: directory, home, store, environment, and everything started in it.

top/w        the user's directory
top/home     HOME; the default store is in it
top/gates    files by which commands and tests wait for each other
top/counter  one line for every real execution that asks for it
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seamless_queue.driver import Database

#: Where the commands under test are installed.
BIN = Path(sys.executable).parent
#: Names what a test has started, in the environment of every process.
MARK = "SHOP_MARK"
#: Nothing here takes so long on any machine.
PATIENCE_SECONDS = 40.0
LOOK_SECONDS = 0.01
#: Write down that the command really ran.
COUNTED = ("--prologue", 'echo r >> "$COUNTER"')


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        """Standard error, line by line."""
        return self.err.splitlines()


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for a condition; its value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(LOOK_SECONDS)
    return found


def state_of(pid: int) -> str:
    """The state letter of a process (proc(5)); empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1].decode()
    except OSError:
        return ""


class Background:
    """A command that runs beside the test; its output goes to files."""

    def __init__(self, shop: Shop, words: tuple[str | bytes, ...], **given: Any) -> None:
        self.words = words
        number = uuid.uuid4().hex[:8]
        self.out_path, self.err_path = (shop.top / f"{number}.{kind}" for kind in ("out", "err"))
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
            self.process = subprocess.Popen(words, **shop.options(**{**streams, **given}))
        self.pid = self.process.pid

    @property
    def out(self) -> bytes:
        return self.out_path.read_bytes()

    @property
    def err(self) -> str:
        return self.err_path.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        """See it end by itself."""
        status = self.process.wait(seconds)
        return Ended(status, self.out, self.err)

    def says(self, text: str) -> None:
        """Wait until it has said something."""
        until(
            lambda: text in self.err or text in self.out.decode(errors="replace") or self.process.poll() is not None,
            f"{self.words} to say {text!r}",
        )
        said = self.err + self.out.decode(errors="replace")
        assert text in said, f"{self.words} ended without saying {text!r}: {said}"


class Server(Background):
    """A queue server."""

    @property
    def log(self) -> str:
        return self.out.decode(errors="replace")

    def workers(self) -> list[int]:
        """The processes of its workers."""
        return [pid for pid in children(self.pid) if b"seamless_queue.worker" in command_line(pid)]

    def stop(self) -> Ended:
        """Ask once, as Ctrl-C does, and see it end."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def stop_now(self) -> Ended:
        """Ask twice. Signals that come very close together count as one, so ask until it has understood."""
        self.signal(signal.SIGINT)
        self.says("finishing what runs")
        # What ran may be finished before the second signal is heard.
        until(lambda: self._heard_twice() or self.signal(signal.SIGINT), "the second signal to be heard")
        return self.wait()

    def _heard_twice(self) -> bool:
        return "stopping at once" in self.log or self.process.poll() is not None


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


class Shop:
    """One test's own world."""

    def __init__(self, template: Path | None = None) -> None:
        # Not below the directory of the test run: the path of a socket must be short.
        self.top = Path(tempfile.mkdtemp(prefix="sq", dir="/tmp"))
        self.mark = uuid.uuid4().hex
        self.dir, self.home, self.gates = (self.top / name for name in ("w", "home", "gates"))
        self.runtime, self.temporary = self.top / "run", self.top / "tmp"
        self.counter = self.top / "counter"
        for path in (self.dir, self.home, self.gates, self.runtime, self.temporary):
            path.mkdir(mode=0o700)
        self.store = self.home / ".seamless" / "cache"
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(self.temporary),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "COUNTER": str(self.counter),
            "GATES": str(self.gates),
            MARK: self.mark,
        }
        self._started: list[Background] = []
        if template is not None:
            shutil.copytree(template, self.store)

    # -- commands ---------------------------------------------------------------------------
    def options(self, **given: Any) -> dict[str, Any]:
        """What every process here is started with."""
        environment = {**self.env, **(given.pop("env", None) or {})}
        return {"cwd": self.dir, "env": {k: v for k, v in environment.items() if v is not None}, **given}

    def call(self, *words: str | bytes, **given: Any) -> Ended:
        """Run a command to its end."""
        streams = {} if "input" in given else {"stdin": subprocess.DEVNULL}
        with_defaults = {"capture_output": True, "timeout": PATIENCE_SECONDS, **streams, **given}
        ended = subprocess.run(words, check=False, **self.options(**with_defaults))
        return Ended(ended.returncode, ended.stdout or b"", (ended.stderr or b"").decode(errors="replace"))

    def bash(self, script: str | bytes, **given: Any) -> Ended:
        """Run shell text to its end."""
        return self.call("bash", "-c", script, **given)

    def run(self, *words: str | bytes, **given: Any) -> Ended:
        """seamless-run, whatever comes of it."""
        return self.call("seamless-run", *words, **given)

    def good(self, *words: str | bytes, **given: Any) -> Ended:
        """seamless-run, which must end well and without a traceback."""
        ended = self.run(*words, **given)
        assert ended.status == 0, (words, ended)
        return ended

    def submit(self, *words: str | bytes, **given: Any) -> Ended:
        """seamless-run --qsubmit."""
        return self.good("--qsubmit", *words, **given)

    def finish(self, *words: str, status: int = 0, **given: Any) -> Ended:
        """seamless-queue-finish, with the exit status that it must have."""
        ended = self.call("seamless-queue-finish", *words, **given)
        assert ended.status == status, ended
        return ended

    def start(self, *words: str | bytes, **given: Any) -> Background:
        """Start a command and go on."""
        started = Background(self, words, **given)
        self._started.append(started)
        return started

    def server(self, *words: str, **given: Any) -> Server:
        """Start a queue server with two workers, and see it serve."""
        workers = () if "--workers" in words else ("--workers", "2")
        server = Server(self, ("seamless-queue", *workers, *words), **given)
        self._started.append(server)
        server.says("serving")
        return server

    def work_off(self, *, status: int = 0, workers: int = 2) -> Ended:
        """Serve until all is done."""
        server = self.server("--workers", str(workers))
        ended = self.finish(status=status)
        assert server.wait().status == 0
        return ended

    # -- files ------------------------------------------------------------------------------
    def write(self, name: str, content: str | bytes) -> Path:
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name: str) -> str:
        return (self.dir / name).read_text()

    def has(self, name: str) -> bool:
        return (self.dir / name).exists()

    def names(self) -> set[str]:
        """All files of the user's directory but the sidecars that tell checksums."""
        paths = (path for path in self.dir.rglob("*") if path.is_file())
        return {str(path.relative_to(self.dir)) for path in paths if path.suffix not in (".CHECKSUM", ".INDEX")}

    # -- commands and tests that wait for each other --------------------------------------------
    def held(self, name: str) -> tuple[str, str]:
        """An option: say that the command runs, then wait for `let`."""
        return "--prologue", f'touch "$GATES/{name}.runs"; until [ -e "$GATES/{name}" ]; do sleep 0.02; done'

    def let(self, name: str) -> None:
        """Open a gate."""
        (self.gates / name).touch()

    def runs(self, name: str) -> None:
        """Wait until the command behind a gate runs."""
        until((self.gates / f"{name}.runs").exists, f"the command behind gate {name} to run")

    @property
    def executions(self) -> int:
        """How many counted commands really ran."""
        return len(self.counter.read_text().splitlines()) if self.counter.exists() else 0

    # -- looking inside ---------------------------------------------------------------------
    def rows(self, query: str, store: Path | None = None) -> list[tuple[Any, ...]]:
        """Ask the database of a store."""
        database = Database(str((store or self.store) / "seamless.db"))
        try:
            return [tuple(row) for row in database.rows(query)]
        finally:
            database.close()

    def request_states(self) -> list[str]:
        """The state of every request, in submit order."""
        from seamless_queue.broker.states import RequestState

        return [RequestState(row[0]).name.lower() for row in self.rows("SELECT state FROM requests ORDER BY id")]

    def buffer_files(self) -> list[Path]:
        """Large buffers."""
        return [path for path in (self.store / "buffers").glob("??/*") if path.is_file()]

    # -- the end ----------------------------------------------------------------------------
    def processes(self) -> dict[int, bytes]:
        """All living processes that were started here, with their command lines."""
        found = {}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with suppress(OSError):
                carries = f"{MARK}={self.mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
                if carries and state_of(pid) not in ("Z", "X", ""):
                    found[pid] = command_line(pid)
        return found

    def leftovers(self) -> list[str]:
        """What must not be in the user's directories when all is over."""
        found = [*self.dir.rglob("*.FUTURE"), *self.dir.rglob(".seamless-*.tmp")]
        return [str(path.relative_to(self.dir)) for path in found]

    def store_leftovers(self, store: Path | None = None) -> list[str]:
        """What must not be in the store when all is over."""
        store = store or self.store
        found = [*(store / "work").iterdir(), *(store / "buffers" / ".new").iterdir()]
        sockets = [path for path in self.runtime.rglob("*") if path.is_socket()]
        return [str(path) for path in found + sockets]

    def everyone_gone(self) -> None:
        """Wait until no process that was started here is left."""
        until(lambda: not self.processes(), f"the end of {self.processes()}", 8)

    def everyone_but(self, *kept: Background) -> None:
        """Wait until none but these, and their workers, is left."""
        stay = {pid for one in kept for pid in (one.pid, *children(one.pid))}
        until(lambda: not set(self.processes()) - stay, f"the end of all but {stay}: {self.processes()}", 8)

    def close(self) -> None:
        """End and remove everything, however it went."""
        for started in self._started:
            if started.process.poll() is None:
                started.process.kill()
            started.process.wait(PATIENCE_SECONDS)
        while alive := self.processes():
            for pid in alive:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        subprocess.run(["chmod", "-R", "u+rwX", self.top], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.top, ignore_errors=True)

    def stop_servers(self) -> None:
        """Stop what a test left serving."""
        for started in self._started:
            if isinstance(started, Server) and started.process.poll() is None:
                started.stop()


@contextmanager
def opened(template: Path | None = None) -> Iterator[Shop]:
    """A shop; after a test that went well, it must be left as clean as it was found."""
    shop = Shop(template)
    try:
        yield shop
        shop.stop_servers()
        shop.everyone_gone()
        assert shop.leftovers() == []
    finally:
        shop.close()
