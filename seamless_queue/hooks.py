"""Runs the user's commands `on_finish` and `on_failure` when requests of the queue have ended.

    watcher ──looks──▶ database            who has ended since the last look
       └──Hook──▶ (bounded) ──▶ runners ──run_command──▶ bash -c …
                                  └──notes──▶ the server's log

All of it happens in threads with a connection of their own: neither workers nor the server's loop wait for a hook.
Of several servers on a store the oldest runs the hooks. Nothing is written down about them: what ends while no
server runs has none, so that none runs twice.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from . import doorbell, marked, processes
from .broker import endings, sessions
from .broker.endings import RequestEnding
from .broker.sessions import SessionKind
from .broker.states import Outcome, RequestState
from .settings import Settings
from .store import Store, open_store

#: How often the database is looked at.
LOOK_SECONDS = 0.5
#: Looking is not to take more than this share of the time, however many requests are pending.
LOOK_SHARE = 0.02
#: So many hooks run at once.
RUNNERS = 4
#: So many more are made ready; the others are numbers of requests.
READY_AHEAD = 16
#: So many requests may wait for their hooks; what comes on top has none, and that is said.
WAITING_AT_MOST = 100_000
#: A hook is killed after so long, with all that it has started.
LIMIT_SECONDS = 60.0
#: More than this it may not print.
OUTPUT_BYTES = 1 << 20
#: So much of what it prints goes to the log.
LOG_LINES, LOG_CHARACTERS = 10, 500
#: The values of variables of a process are limited.
VARIABLE_BYTES = 100_000
#: How long a server that ends waits for the last hooks.
PATIENCE_SECONDS = LIMIT_SECONDS
#: Present in the environment of a hook; whatever that submits has no hooks of its own.
MARK = "SEAMLESS_HOOK"


class Hook(NamedTuple):
    """A command of the user's that is to be run."""

    #: the setting that it comes from
    name: str
    command: str
    ending: RequestEnding


class Hooks:
    """The hooks of one server; without any in the settings, nothing at all."""

    def __init__(self, settings: Settings, store: Store, session_id: int, worker_id: int, address: str) -> None:
        self._settings = settings
        #: where the server is rung awake when it may have something to tell, or to stop waiting for
        self._address = address
        self._session_id = session_id
        self._mark = marked.mark(store.id, worker_id)
        #: lines for the server's log
        self._notes: deque[str] = deque()
        self._ready: queue.Queue[Hook | None] = queue.Queue(READY_AHEAD)
        self._waiting: deque[int] = deque()
        self._ending = threading.Event()
        self._at_once = threading.Event()
        self._poke = threading.Event()
        #: how many hooks are handed out and not done
        self._open = 0
        self._lock = threading.Lock()
        #: looks that were begun and ended, and the one that the server waits for
        self._looks = [0, 0]
        self._wanted: int | None = None
        self._threads: list[threading.Thread] = []
        if settings.on_finish or settings.on_failure:
            self._start()

    def _start(self) -> None:
        targets = [self._watch, *[self._run] * RUNNERS]
        self._began = threading.Event()
        self._threads = [threading.Thread(target=target, name="seamless-hooks", daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()
        # Before any worker is there: what is pending now is known.
        self._began.wait()

    # -- asked by the server ------------------------------------------------------------------
    def notes(self) -> list[str]:
        """What there is to be told since the last time."""
        told = []
        while self._notes:
            told.append(self._notes.popleft())
        return told

    def caught_up(self) -> bool:
        """Whether there was a look since this was first asked, and no hook runs or waits."""
        if not any(thread.is_alive() for thread in self._threads):
            return True
        if self._wanted is None:
            self._wanted = self._looks[0] + 1
            self._poke.set()
        wanted = self._wanted
        return wanted is not None and self._looks[1] >= wanted and not self._open and not self._waiting

    def close(self, hurry: Callable[[], bool]) -> None:
        """Run what is left of them, or kill it: if that takes long, or as soon as there is a hurry."""
        self._ending.set()
        self._poke.set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(thread.is_alive() for thread in self._threads):
            if hurry() or time.monotonic() > deadline:
                self._at_once.set()
            self._threads[-1].join(0.05)
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    # -- the watcher --------------------------------------------------------------------------
    def _watch(self) -> None:
        try:
            store = open_store(self._settings)
            try:
                self._look_until_the_end(store)
            finally:
                store.close()
        except Exception as exc:
            # A hook is a courtesy: the queue goes on without.
            self._note(f"no hooks any more: {type(exc).__name__}: {exc}")
        finally:
            self._began.set()
            self._waiting.clear()
            for _ in range(RUNNERS):
                self._ready.put(None)

    def _look_until_the_end(self, store: Store) -> None:
        newest = endings.newest_request(store.database)
        pending = endings.live_requests(store.database)
        self._began.set()
        while True:
            is_last = self._ending.is_set()
            began = time.monotonic()
            newest, pending = self._look(store, newest, pending)
            took = time.monotonic() - began
            self._make_ready(store)
            if is_last or self._at_once.is_set():
                return
            # While there are numbers left, the runners are not to wait for the next look.
            self._poke.wait(0.05 if self._waiting else max(LOOK_SECONDS, took / LOOK_SHARE))
            self._poke.clear()

    def _look(self, store: Store, newest: int, pending: set[int]) -> tuple[int, set[int]]:
        """Note who has ended. The order of the questions matters: who ends between two of them is seen next time."""
        self._looks[0] += 1
        now_newest = endings.newest_request(store.database)
        live = endings.live_requests(store.database)
        ended = (pending | endings.ended_between(store.database, newest, now_newest)) - live
        if ended and self._is_ours(store):
            room = WAITING_AT_MOST - len(self._waiting)
            self._waiting.extend(sorted(ended)[:room])
            if len(ended) > room:
                self._note(f"{len(ended) - room} requests ended faster than their hooks can run: they have none")
            self._wanted = None
        self._looks[1] = self._looks[0]
        if self._wanted is not None:
            doorbell.ring([self._address])
        return now_newest, live

    def _is_ours(self, store: Store) -> bool:
        servers = sessions.live_sessions(store.database, SessionKind.QUEUE)
        return all(self._session_id <= server.id for server in servers)

    def _make_ready(self, store: Store) -> None:
        """Hand out what waits until the runners have enough, or (at the end) until all is handed out."""
        while self._waiting and not self._at_once.is_set():
            if self._ready.full() and not self._ending.is_set():
                return
            with self._lock:
                self._open += 1
            ending = endings.ending_of(store.database, self._waiting.popleft())
            for hook in hooks_for(self._settings, ending) if ending is not None else ():
                self._hand_out(hook)
            with self._lock:
                self._open -= 1

    def _hand_out(self, hook: Hook) -> None:
        with self._lock:
            self._open += 1
        while not self._at_once.is_set():
            with suppress(queue.Full):
                self._ready.put(hook, timeout=0.1)
                return
        with self._lock:
            self._open -= 1

    # -- the runners --------------------------------------------------------------------------
    def _run(self) -> None:
        while (hook := self._ready.get()) is not None:
            try:
                if not self._at_once.is_set():
                    self._note_all(hook, run(hook, self._mark, self._at_once.is_set))
            except Exception as exc:
                self._note(f"{hook.name} of #{hook.ending.request_id} could not be run: {exc}")
            finally:
                with self._lock:
                    self._open -= 1
                doorbell.ring([self._address])

    def _note_all(self, hook: Hook, lines: list[str]) -> None:
        for line in lines:
            self._note(f"{hook.name} of #{hook.ending.request_id}: {line}")

    def _note(self, text: str) -> None:
        self._notes.append(text)


def hooks_for(settings: Settings, ending: RequestEnding) -> list[Hook]:
    """What is to be run when a request has ended so; nothing if a hook has submitted it."""
    if f'"{MARK}"'.encode() in ending.context:
        return []
    failed = ending.state is RequestState.FAILED
    named = (("on_failure", settings.on_failure if failed else None), ("on_finish", settings.on_finish))
    return [Hook(name, command, ending) for name, command in named if command]


def facts(hook: Hook) -> dict[str, str]:
    """What a hook is told, as variables of its environment."""
    ending = hook.ending
    paths = b"\n".join(ending.paths)
    if len(paths) > VARIABLE_BYTES:
        paths = paths[:VARIABLE_BYTES].rpartition(b"\n")[0]
    return {
        MARK: hook.name,
        "SEAMLESS_REQUEST": str(ending.request_id),
        "SEAMLESS_JOB": ending.job or "",
        "SEAMLESS_COMMAND": ending.command,
        "SEAMLESS_DIRECTORY": os.fsdecode(ending.directory),
        "SEAMLESS_STATE": ending.state.name.lower(),
        "SEAMLESS_EXIT_CODE": "" if ending.exit_code is None else str(ending.exit_code),
        "SEAMLESS_ERROR": (ending.error or "")[: VARIABLE_BYTES // 4],
        "SEAMLESS_SECONDS": "" if ending.seconds is None else f"{ending.seconds:.3f}",
        "SEAMLESS_OUTPUTS": os.fsdecode(paths),
        "SEAMLESS_PROJECT": ending.project or "",
        "SEAMLESS_STAGE": ending.stage or "",
    }


def run(hook: Hook, mark: str, stop: Callable[[], bool], limit: float = LIMIT_SECONDS) -> list[str]:
    """Run a hook to its end or its limit; what is to be said about it."""
    environment = {**os.environ, **facts(hook), marked.MARK: mark}
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with tempfile.TemporaryFile() as output:
        watch = _Watch(output.fileno(), stop)
        try:
            ended = processes.run_command(
                ["bash", "-c", hook.command],
                executable=_bash(),
                directory=_directory(hook.ending),
                environment={os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
                stdin=null,
                stdout=output.fileno(),
                stderr=output.fileno(),
                timeout=limit,
                watch=watch,
            )
        finally:
            os.close(null)
            watch.close()
        output.seek(0)
        lines = _lines(output.read(LOG_LINES * LOG_CHARACTERS))
    return [*lines, *_remark(ended, watch, limit)]


class _Watch:
    """Looks now and then whether a hook prints too much, or there is no more time for it (processes.Watch)."""

    interval: float | None = 0.1
    shows_result = False

    def __init__(self, output: int, stop: Callable[[], bool]) -> None:
        self._output = output
        self._stop = stop
        # Nobody writes to it: it only ever ends by the interval.
        self._never = os.pipe()
        self.is_loud = False

    def fileno(self) -> int:
        return self._never[0]

    def check(self) -> Outcome | None:
        self.is_loud = os.fstat(self._output).st_size > OUTPUT_BYTES
        return Outcome.CANCELED if self.is_loud or self._stop() else None

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Nobody does."""

    def see_out(self) -> None:
        """The same."""

    def close(self) -> None:
        for end in self._never:
            os.close(end)


def _remark(ended: processes.Ended, watch: _Watch, limit: float) -> list[str]:
    if ended.outcome is Outcome.TIMED_OUT:
        return [f"killed after {limit:.0f} s"]
    if ended.outcome is Outcome.CANCELED:
        return ["killed: it prints too much" if watch.is_loud else "killed: the server stops"]
    if ended.exit_code < 0:
        return [f"killed by signal {-ended.exit_code}"]
    return [f"exit code {ended.exit_code}"] if ended.exit_code else []


def _lines(printed: bytes) -> list[str]:
    lines = [line.rstrip() for line in printed.decode(errors="replace").splitlines()]
    return ["".join(c if c.isprintable() else " " for c in line)[:LOG_CHARACTERS] for line in lines if line][:LOG_LINES]


def _bash() -> str:
    import shutil

    return shutil.which("bash") or "/bin/bash"


def _directory(ending: RequestEnding) -> str:
    """Where the request was made, if that is still there."""
    place = os.fsdecode(ending.directory)
    return place if os.path.isdir(place) else "/"
