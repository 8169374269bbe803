"""The one session of this process: its store, what it knows already, and who runs what is submitted.

    Transformation ──▶ Session ──▶ PythonSession   in a user's process: its own threads, its pool, or the queue
                                └▶ WorkerSide      in a worker: the lane of the session that it works for

The store is opened when it is first needed. Without a store that was asked for, it is a private one on
temporary storage that goes with this process.
"""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from seamless_queue.digest import DEFAULT_DIGEST, Digest, digest_named
from seamless_queue.errors import BufferMissing, SeamlessError
from seamless_queue.settings import Settings

from . import keying
from .celltypes.pieces import Pieces, parts_of
from .configuration import Configuration
from .engines import Engine, Frame, WorkerSide
from .errors import CacheMissError
from .recent import RecentBuffers, RecentErrors, RecentResults
from .specification import DEEP

if TYPE_CHECKING:
    from seamless_queue.clerk import Host
    from seamless_queue.pythonsession import PythonSession
    from seamless_queue.segments import Part
    from seamless_queue.store import Store

    from .node import Node
    from .scheduler import Scheduler


class Session:
    """What this process does on which store. For several threads."""

    def __init__(self, configuration: Configuration | None = None) -> None:
        self.configuration = configuration or Configuration()
        self.results = RecentResults()
        self.buffers = RecentBuffers()
        self._engine: Engine | None = None
        #: whether this process has had an engine of its own, and so is no worker
        self._has_opened = False
        self._lock = threading.RLock()
        self._frames = threading.local()
        self._scheduler: Scheduler | None = None
        self._held: dict[str, int] = {}
        #: how many workers `spawn` was asked for
        self.workers: int | None = None
        #: whether it was said that no queue server is running
        self.has_warned = False
        self.errors = RecentErrors()
        #: whether this process was forked from one that had a session
        self.is_forked = False

    # -- configuration ------------------------------------------------------------------------
    @property
    def settings(self) -> Settings:
        """What is in force."""
        return self.configuration.settings

    def configure(self, **changes: Any) -> None:
        """Explicit wishes, which win over files; None takes one back. ConfigurationError if one comes too late."""
        with self._lock:
            self.configuration.change(changes, in_use=self.is_open)

    def set_directory(self, directory: str) -> None:
        """Where configuration files are looked for; they are read again."""
        with self._lock:
            self.configuration.set_directory(directory, in_use=self.is_open)

    @property
    def nparallel(self) -> int:
        """How many transformations may be active at once in a batch."""
        return self.configuration.nparallel

    @property
    def is_persistent(self) -> bool:
        """Whether results outlive this process."""
        return self.configuration.is_persistent

    # -- the engine ---------------------------------------------------------------------------
    @property
    def engine(self) -> Engine:
        """Opened on first use."""
        if self._engine is None:
            with self._lock:
                if self._engine is None:
                    self._engine = self._open()
        return self._engine

    def ready_engine(self) -> Engine:
        """The engine, with workers if they are wanted."""
        engine = self.engine
        if self.frame is None and self.settings.execution == "spawn" and isinstance(engine, _python_session()):
            if not engine.workers:
                engine.spawn(self.workers or os.cpu_count() or 1)
            if engine.broken is not None:
                raise SeamlessError(engine.broken)
        return engine

    @property
    def runs_here(self) -> bool:
        """Whether what nobody has begun is run by the thread that waits for it."""
        return self.frame is not None or self.settings.execution == "process"

    @property
    def runs_in_queue(self) -> bool:
        """Whether the store's queue servers are to run it."""
        return self.frame is None and self.settings.execution == "queue"

    @property
    def host(self) -> Host:
        """Where this thread runs jobs."""
        frame = self.frame
        if frame is not None:
            return frame.host
        engine = self.engine
        assert isinstance(engine, _python_session())
        return engine.host

    @property
    def is_open(self) -> bool:
        """Whether a store is in use."""
        return self._engine is not None

    def _open(self) -> Engine:
        from seamless_queue.pythonsession import PythonSession

        from . import functions

        self._has_opened = True
        settings = self.settings
        if not self.is_persistent:
            from seamless_queue import private

            settings = settings._replace(store=private.new_path(), private=True)
        return PythonSession(settings, functions.NAME, self.scheduler.on_ended, self.scheduler.on_left)

    @property
    def scheduler(self) -> Scheduler:
        """What depends on what, of the transformations of this process."""
        scheduler = self._scheduler
        if scheduler is None:
            from .scheduler import Scheduler

            with self._lock:
                scheduler = self._scheduler = self._scheduler or Scheduler(self)
        return scheduler

    def close(self) -> int:
        """End it; what has not ended is canceled: how many that were. It is opened anew when needed."""
        if self.frame is not None:
            warnings.warn("seamless.close() inside a transformation does nothing", stacklevel=3)
            return 0
        with self._lock:
            engine, self._engine = self._engine, None
            if self._scheduler is not None:
                self._scheduler.is_closed = True
            self._scheduler = None
        if engine is None or not isinstance(engine, _python_session()):
            return 0
        canceled = engine.close()
        self.put_back(engine)
        # Last, because what ended meanwhile was noted.
        self.results.clear()
        self.buffers.clear()
        return canceled

    def put_back(self, engine: Engine) -> None:
        """What others run for a session that is no more: whoever wants its result asks again."""
        for ticket in engine.lane.open_tickets():
            stack = list(ticket.owner or ())
            while stack:
                one = stack.pop()
                stack.extend(one.put_back())

    def known_result(self, one: Node) -> str | None:
        """The checksum of a result that is known and whose bytes are there; it notes one whose bytes are gone."""
        identity = one.identity
        result = self.results.get(identity)
        if result is not None and one.gone_result is None:
            return result
        is_scratch = one.options.scratch and one.gone_result is None
        if self._engine is None and not self.is_persistent:
            return None
        engine = self.engine
        with engine.lock:
            known = keying.known_job(engine.store, identity)
            if known is None:
                return None
            # What nobody wants kept is as good as kept: whoever reads it has it made again.
            if is_scratch or keying.is_kept(engine.store, known.result, one.definition.result in DEEP):
                return known.result
        one.gone_result = known.result
        return None

    # -- buffers ------------------------------------------------------------------------------
    @property
    def digest(self) -> Digest:
        """The digest of the store in use; of a private one it is known before there is one."""
        if self._engine is None and not self.is_persistent:
            return digest_named(self.settings.digest or DEFAULT_DIGEST)
        return self.engine.store.digest

    def read(self, checksum: str) -> bytes | memoryview:
        """The bytes of a buffer; a large one is mapped. CacheMissError if nobody has it."""
        content = self.buffers.get(checksum)
        if content is not None:
            return content
        if self._engine is None and not self.is_persistent:
            raise CacheMissError(f"no buffer {checksum}: nothing has been stored in this session")
        engine = self.engine
        try:
            with engine.lock:
                found = engine.store.buffers.view(checksum)
        except BufferMissing as exc:
            raise CacheMissError(str(exc)) from None
        if isinstance(found, bytes):
            self.buffers.put(checksum, found)
        return found

    def keep(self, parts: Sequence[Part], checksum: str) -> None:
        """Put a buffer into the store."""
        self.keep_all({checksum: parts})

    def keep_all(self, contents: Mapping[str, Sequence[Part]]) -> None:
        """Put several buffers into the store, by checksum."""
        from seamless_queue.staged import Staged

        staged = Staged()
        engine = self.engine
        with engine.lock:
            for checksum, parts in contents.items():
                engine.store.buffers.keep(checksum, parts, staged)
            if staged.small:
                with engine.store.database.transaction() as connection:
                    staged.write(connection)

    def has(self, checksum: str) -> bool:
        """Whether the bytes can be had."""
        if self.buffers.get(checksum) is not None:
            return True
        if self._engine is None and not self.is_persistent:
            return False
        engine = self.engine
        with engine.lock:
            return engine.store.buffers.has(checksum)

    def hold(self, checksum: str) -> None:
        """An input that is needed until `let_go`."""
        with self._lock:
            self._held[checksum] = self._held.get(checksum, 0) + 1

    def let_go(self, checksum: str) -> None:
        """The input has served; in a private store its memory is given back, unless it is a result as well."""
        with self._lock:
            self._held[checksum] -= 1
            if self._held[checksum]:
                return
            del self._held[checksum]
            engine = self._engine
            if engine is None or not isinstance(engine, _python_session()) or self.is_persistent:
                return
            if not self.results.has_result(checksum):
                engine.store.buffers.drop(checksum)

    # -- jobs of this process -----------------------------------------------------------------
    @property
    def frame(self) -> Frame | None:
        """The job whose code runs in this thread; in a worker also that of threads which the code has started."""
        stack = getattr(self._frames, "stack", None)
        if stack:
            return stack[-1]  # type: ignore[no-any-return]
        engine = self._engine
        if isinstance(engine, WorkerSide) and (running := next(iter(engine.lane.executing), None)) is not None:
            return Frame(engine.host, running)
        return None

    @property
    def is_main_of_job(self) -> bool:
        """Whether this thread may run jobs: in a worker only the one that the job's code was called in."""
        return bool(getattr(self._frames, "stack", None)) or not isinstance(self._engine, WorkerSide)

    @contextmanager
    def inside(self, host: Host, store: Store, job_id: int) -> Iterator[None]:
        """Code of a job runs in this thread: what it submits is submitted in its name."""
        stack = self._frames.__dict__.setdefault("stack", [])
        is_anothers = isinstance(self._engine, WorkerSide) and self._engine.host is not host
        if is_anothers or (self._engine is None and not self._has_opened):
            # Not where a session was closed while its jobs run.
            self._engine = WorkerSide(host, store)
        depth = len(stack)
        try:
            stack.append(Frame(host, job_id))
            yield
        finally:
            del stack[depth:]


def _python_session() -> type[PythonSession]:
    from seamless_queue.pythonsession import PythonSession

    return PythonSession


_current = Session()


def current() -> Session:
    """The session of this process."""
    return _current


def digest() -> Digest:
    """The digest of the store in use."""
    return _current.digest


def checksum_of(content: bytes | Pieces) -> str:
    """The checksum of a buffer, whether it is in the store or not."""
    return digest().of(content) if isinstance(content, bytes) else digest().of_parts(content.parts)


def read(checksum: str) -> bytes | memoryview:
    """The bytes of a buffer. CacheMissError if nobody has it."""
    return _current.read(checksum)


def keep(content: Any, checksum: str) -> bool:
    """Put a buffer (bytes or Pieces) into the store; True."""
    _current.keep(parts_of(content), checksum)
    return True


def locate(checksum: str) -> str | None:
    """Where the bytes are, for people; None if nowhere."""
    if not _current.has(checksum):
        return None
    return _current.engine.store.path if _current.is_open else "memory"


def close() -> None:
    """End the session of this process: its pool and its private store go, its open work is canceled."""
    _current.close()


def _close_at_exit() -> None:
    canceled = _current.close()
    if canceled:
        import sys

        ones, were = ("transformation", "was") if canceled == 1 else ("transformations", "were")
        print(f"seamless: {canceled} started {ones} had not ended and {were} canceled", file=sys.stderr)


def _forget_in_child() -> None:
    """After a fork nothing of the parent's session may be used: not its connection, not its workers."""
    global _current
    former, _current = _current, Session(_current.configuration)
    _current.is_forked = former.is_forked or former.is_open
    if former.is_open:
        import ctypes

        former.put_back(former.engine)
        if isinstance(former.engine, _python_session()):
            former.engine.let_go_in_child()
        # For good: to close a connection to SQLite or a socket here would be felt by the parent.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(former))


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
