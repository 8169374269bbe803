"""A frozen computation and the promise of its result."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from . import plain, session
from .errors import CacheMissError, TransformationError, failure_of

if TYPE_CHECKING:
    import asyncio

    from seamless_queue.lane import Ticket
    from seamless_queue.segments import Part

    from .buffer import Buffer
    from .checksum import Checksum

R = TypeVar("R")

#: A pin as it stands in the identity: celltype, subcelltype, checksum (None until it is known).
PinEntry = tuple[str, str | None, str | None]


class Phase(Enum):
    """Where a transformation stands in this process."""

    #: nobody has asked for it
    NEW = "ready"
    #: asked for, and not ended
    PENDING = "pending"
    #: its result is known
    DONE = "OK"
    #: it, or something it depends on, has failed
    FAILED = "exception"
    #: taken back
    CANCELED = "canceled"


#: What people find when they look for what it can do.
PUBLIC = [
    *("buffer", "cancel", "cancel_async", "celltype", "clear_exception", "computation", "compute", "construct"),
    *("construction", "exception", "is_cached", "is_cached_async", "logs", "meta", "result_checksum", "run"),
    *("scratch", "start", "status", "task", "transformation_checksum", "value"),
]
#: Inputs from this size on are given up as soon as they have served.
LARGE_BYTES = 1 << 20
SETTLED = frozenset({Phase.DONE, Phase.FAILED, Phase.CANCELED})


class Definition(NamedTuple):
    """What is to be computed; values by checksum."""

    language: str
    #: "python" or "text", "transformer" and the checksum of the code's text
    code: tuple[str, str, str]
    pins: dict[str, PinEntry]
    result: str
    formats: dict[str, Any]
    #: for people
    name: str


class Options(NamedTuple):
    """What is not part of the identity."""

    meta: Mapping[str, Any] = MappingProxyType({})
    scratch: bool = False
    direct_print: bool = False
    local: bool | None = None


class Transformation(Generic[R]):
    """One computation: `run()` gives its value, `start()` has it computed meanwhile.

    Made by calling a `delayed` function. Its inputs are taken as they are when it is made: changing a list
    afterwards changes nothing.
    """

    def __init__(
        self,
        definition: Definition,
        upstream: dict[str, Transformation[Any]],
        contents: dict[str, Sequence[Part]],
        options: Options,
    ) -> None:
        self._definition = definition
        self._contents: dict[str, Sequence[Part]] | None = contents
        self._options = options
        self._identity: str | None = None
        self._buffer: bytes = b""
        self._result: str | None = None
        self._error: str | None = None
        #: where it did not run because of another one: that one's name and error
        self._error_of_root: str | None = None
        self._exception: BaseException | None = None
        self._event: threading.Event | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._held: list[str] = []
        # -- the scheduler's
        self.upstream = upstream
        self.phase = Phase.NEW
        self.missing = 0
        self.dependents: list[Transformation[Any]] = []
        self.ticket: Ticket | None = None
        self.in_background = False
        #: a label that wins over the session's
        self.stage: str | None = None
        self.cancel_wanted = False
        self.was_known = False
        self.gone_result: str | None = None

    # -- computing ----------------------------------------------------------------------------
    def construct(self) -> Checksum | None:
        """The identity, which needs the results of what it depends on; None if one of them failed (`exception`)."""
        if not self.is_identifiable and not self.is_settled:
            refuse_to_block("construct()")
            for up in self.upstream.values():
                up.compute()
            error = self.error_of_upstream()
            if error is not None:
                self.settle(None, error, None, False, False)
        if not self.is_identifiable:
            return None
        if not self.is_settled:
            # Whoever has the checksum may resolve it, and what it names.
            self.keep_contents()
        return self.transformation_checksum

    def compute(self) -> Checksum | None:
        """The result's checksum; None if it failed (`exception` says why)."""
        self._finish("compute()")
        return self._result_or_none()

    def start(self) -> Transformation[R]:
        """Have it computed in the background; `run` waits for it."""
        session.current().scheduler.start([self], background=True)
        return self

    def run(self) -> R:
        """The value. TransformationError if it failed, with the error of your code as its cause."""
        self._finish("run()")
        return self.value

    def task(self) -> asyncio.Task[R]:
        """The value, as a task of the running event loop."""
        import asyncio

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("task() needs a running event loop; use run() outside of one") from None
        self.start()
        return loop.create_task(self._value_later())

    def __await__(self) -> Generator[Any, None, R]:
        """`await tf` is its value, as `await tf.task()`."""
        return self.task().__await__()

    async def computation(self, require_value: bool = False) -> Checksum | None:
        """The result's checksum, without blocking the event loop; None if it failed."""
        self.start()
        await self.settled()
        return self._result_or_none()

    async def construction(self) -> Checksum | None:
        """The identity, without blocking the event loop; None if something that it depends on failed."""
        for up in self.upstream.values():
            await up.computation()
        return self.construct()

    def is_cached(self) -> bool:
        """Whether the result is known without computing; what it depends on is not computed either."""
        path: list[Transformation[Any]] = [self]
        while True:
            one = path[-1]
            unknown = next((up for up in one.upstream.values() if not up.is_settled), None)
            if unknown is not None:
                path.append(unknown)
                continue
            known = one.phase is Phase.DONE or (one.is_identifiable and one.look_up() is not None)
            if known and one.phase is Phase.NEW:
                # What is known has ended as soon as it is started.
                session.current().scheduler.start([one], background=False)
            if not known or one is self or not one.is_settled:
                return known and one is self
            path.pop()

    async def is_cached_async(self) -> bool:
        """The same as `is_cached`, which never blocks for long."""
        return self.is_cached()

    def cancel(self, *, recursive: bool = False) -> bool:
        """Take it back, for good; with `recursive` what it depends on too. False if it had ended."""
        scheduler = session.current().scheduler
        done = scheduler.cancel(self)
        if recursive:
            stack = list(self.upstream.values())
            while stack:
                up = stack.pop()
                if scheduler.cancel(up):
                    stack.extend(up.upstream.values())
        return done

    async def cancel_async(self, *, recursive: bool = False) -> bool:
        """The same as `cancel`, which does not block."""
        return self.cancel(recursive=recursive)

    def clear_exception(self) -> None:
        """After a failure: let it be tried again. What was canceled stays so."""
        stack: list[Transformation[Any]] = [self]
        while stack:
            one = stack.pop()
            if one.phase is Phase.FAILED:
                one.phase, one.ticket, one._event = Phase.NEW, None, None
                one._error, one._error_of_root, one._exception = None, None, None
                stack.extend(one.upstream.values())

    # -- asking -------------------------------------------------------------------------------
    @property
    def status(self) -> str:
        """`Status: ready | pending | OK | exception | canceled`."""
        return f"Status: {self.phase.value}"

    @property
    def exception(self) -> str | None:
        """Why it failed, with the traceback of your code; None if it did not."""
        return self._error

    @property
    def value(self) -> R:
        """The result. TransformationError if there is none."""
        from .celltypes import deserialize

        checksum = self._required_result()
        try:
            content = session.read(checksum)
        except CacheMissError:
            # Its bytes are gone: they are computed again.
            session.current().results.forget(self.identity)
            self._refuse_without_inputs()
            self._recompute()
            content = session.read(self._required_result())
        return cast(R, deserialize(content, self.celltype))

    @property
    def buffer(self) -> Buffer:
        """The result's bytes. TransformationError if there is none."""
        from .buffer import Buffer

        checksum = self._required_result()
        return Buffer(session.read(checksum), checksum=checksum)

    @property
    def result_checksum(self) -> Checksum:
        """The result's checksum. TransformationError if there is none."""
        from .checksum import Checksum

        return Checksum(self._required_result())

    @property
    def transformation_checksum(self) -> Checksum:
        """The identity. TransformationError while a result that it depends on is not known."""
        from .checksum import Checksum

        if not self.is_identifiable:
            raise TransformationError(
                f"{self._definition.name} has no checksum yet: what it depends on is not computed; call construct()"
            )
        return Checksum(self.identity)

    @property
    def logs(self) -> str:
        """What the code printed, standard output first; empty if it printed nothing or ran in this process."""
        from .logs import logs_of

        return logs_of(self.identity) if self.is_settled and self.is_identifiable else ""

    @property
    def celltype(self) -> str:
        """The celltype of the result."""
        return self._definition.result

    @property
    def meta(self) -> Mapping[str, Any]:
        """Meta data, which are not part of the identity; read-only."""
        return self._options.meta

    @property
    def scratch(self) -> bool:
        """Whether the result's bytes need not be kept."""
        return self._options.scratch

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("meta", "scratch"):
            raise AttributeError(f"a transformation is frozen: set {name} on its transformer before the call")
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        # What is between the scheduler and us is nobody else's business.
        return PUBLIC

    def __repr__(self) -> str:
        known = f", {self.identity[:10]}…" if self.is_identifiable else ""
        why = f", {self._error.splitlines()[0]}" if self._error else ""
        return f"<Transformation {self.command} {self.status}{known}{why}>"

    # -- the scheduler's ----------------------------------------------------------------------
    @property
    def is_settled(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.phase in SETTLED

    @property
    def command(self) -> str:
        """What people see in lists."""
        return f"{self._definition.name}({', '.join(self._definition.pins)})"

    @property
    def identity(self) -> str:
        """The checksum of the description; everything that it depends on must be done."""
        if self._identity is None:
            self._buffer = self._identity_buffer()
            self._identity = session.digest().of(self._buffer)
        return self._identity

    def _identity_buffer(self) -> bytes:
        return plain.dump(description(self._definition, {name: up._result for name, up in self.upstream.items()}))

    def buffers(self) -> Iterator[tuple[str, Sequence[Part]]]:
        """All that has to be in the store before it is submitted, by checksum."""
        identity = self.identity
        yield identity, (self._buffer or self._identity_buffer(),)
        yield from (self._contents or {}).items()

    def keep_contents(self) -> None:
        """Put the inputs into the store now, and let go of them; the description as well, if it is complete."""
        contents = dict(self.buffers()) if self.is_identifiable else self._contents or {}
        current = session.current()
        for checksum, parts in contents.items():
            if checksum not in self._held and sum(map(len, parts)) >= LARGE_BYTES:
                if not self._held:
                    weakref.finalize(self, _let_go, self._held).atexit = False
                self._held.append(checksum)
                current.hold(checksum)
        current.keep_all(contents)
        self._contents = {}

    def look_up(self) -> str | None:
        """The result's checksum, if it is known and its bytes are there."""
        return session.current().known_result(self)

    @property
    def definition(self) -> Definition:
        """What is to be computed."""
        return self._definition

    @property
    def result(self) -> str | None:
        """The result's checksum, if it is known."""
        return self._result

    @property
    def contents(self) -> dict[str, Sequence[Part]]:
        """Inputs that are not known to be in the store, by checksum."""
        return self._contents or {}

    def error_of_upstream(self) -> str | None:
        """Why it cannot be computed."""
        for name, up in self.upstream.items():
            if up.is_settled and up._result is None:
                # A long chain names its root, not every link.
                root = up._error_of_root or f"{up._definition.name} failed: {up._error or 'failed'}"
                self._error_of_root = root
                return f"Dependency {name!r} has an exception: {root}"
        return None

    def settle(
        self, result: str | None, error: str | None, exception: BaseException | None, canceled: bool, was_known: bool
    ) -> None:
        """It has ended; called once, by the scheduler."""
        self._result, self._error, self._exception, self.was_known = result, error, exception, was_known
        self.phase = Phase.DONE if result is not None else Phase.CANCELED if canceled else Phase.FAILED
        if self.phase is not Phase.FAILED:
            # A thousand results may be held: what is not needed any more goes.
            self._contents = None
            _let_go(self._held)
        elif self.ticket is not None:
            # It may be tried again, with what has been stored by then.
            self._contents = {}
        self._buffer, self.ticket = b"", None

    def put_back(self) -> list[Transformation[Any]]:
        """Nobody brings it to an end any more: as if nobody had asked for it; what waits for it, to follow."""
        if self.phase is not Phase.PENDING:
            return []
        self.phase, self.ticket, self.missing = Phase.NEW, None, 0
        dependents, self.dependents = self.dependents, []
        if self._event is not None:
            self._event.set()
            self._event = None
        return dependents

    def announce(self) -> None:
        """Wake who waits for it."""
        if self._options.direct_print and not self.was_known and not session.current().runs_here:
            print(self.logs, end="", flush=True)
        if self._event is not None:
            self._event.set()
        self._call_back()

    def when_settled(self, callback: Callable[[], None]) -> None:
        """Have this called once, when it has ended, by whatever thread ends it; at once if it has."""
        self._callbacks.append(callback)
        # Looked at again: whoever settled it may have seen no callback. Who takes it off the list calls it.
        if self.is_settled:
            self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:
                # Another thread was quicker.
                return
            callback()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until it has ended, or so long."""
        if self._event is None:
            self._event = threading.Event()
        # Looked at again: whoever settled it may not have seen the event.
        if not self.is_settled:
            self._event.wait(seconds)

    async def settled(self) -> None:
        """Wait until it has ended, without blocking the event loop; in the code of a job, by running it."""
        import asyncio

        current = session.current()
        if current.frame is not None:
            # There may be nobody else who would.
            current.scheduler.wait(self)
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            # The loop may be closed by now: then nobody waits any more.
            if not loop.is_closed():
                loop.call_soon_threadsafe(set_if_waited_for, future)

        self.when_settled(wake)
        await future

    # -- inside -------------------------------------------------------------------------------
    def _finish(self, method: str) -> None:
        mine = self.phase is Phase.NEW
        scheduler = session.current().scheduler
        if mine and would_block() and not self.is_cached():
            # Nothing is begun that nobody may wait for.
            refuse_to_block(method)
        if mine:
            scheduler.start([self], background=False)
        if self.is_settled:
            return
        refuse_to_block(method)
        try:
            scheduler.wait(self)
        except KeyboardInterrupt:
            if mine:
                self.cancel(recursive=True)
            raise

    def _refuse_without_inputs(self) -> None:
        fields = description(self._definition, {name: up.result for name, up in self.upstream.items()})
        names = ["code", *self._definition.pins]
        gone = next((name for name in names if not session.current().has(fields[name][2])), None)
        if gone is not None:
            raise CacheMissError(
                f"the result of {self._definition.name} is gone, and so is its input {gone!r}: without a store of your "
                "own (seamless.config.select_store) nothing outlives seamless.close()"
            )

    def _recompute(self) -> None:
        """Once more, because the result's bytes are gone."""
        self.gone_result, self.phase, self.ticket, self._event = self._result, Phase.NEW, None, None
        self._finish("value")

    async def _value_later(self) -> R:
        await self.settled()
        return self.value

    @property
    def is_identifiable(self) -> bool:
        """Whether all results are known that its identity depends on."""
        return self._identity is not None or all(up._result is not None for up in self.upstream.values())

    def _result_or_none(self) -> Checksum | None:
        from .checksum import Checksum

        return Checksum(self._result) if self._result is not None else None

    def _required_result(self) -> str:
        if self._result is not None:
            return self._result
        if not self.is_settled:
            raise TransformationError(f"{self._definition.name} has no result yet: call run() or compute()")
        raise failure_of(self._definition.name, self._error or "failed", self._exception)


def description(definition: Definition, results: Mapping[str, str | None]) -> dict[str, Any]:
    """The fields of the identity; `results` are those of the upstream by pin, None where one is not known."""
    fields: dict[str, Any] = {
        "__language__": definition.language,
        "__output__": ["result", definition.result, None],
        "code": definition.code,
    }
    for name, (celltype, subcelltype, checksum) in definition.pins.items():
        fields[name] = [celltype, subcelltype, checksum or results[name]]
    if definition.formats:
        fields["__format__"] = definition.formats
    return fields


def _let_go(held: list[str]) -> None:
    while held:
        session.current().let_go(held.pop())


def set_if_waited_for(future: asyncio.Future[None]) -> None:
    """Wake who waits for a future, if it still does."""
    if not future.done():
        future.set_result(None)


#: How the same is had without blocking.
REMEDY = "`await tf.task()` or `await tf.computation()`, where tf is the call of a `delayed` function"


def refuse_to_block(method: str, remedy: str = REMEDY) -> None:
    """RuntimeError inside a running event loop, with what to do instead."""
    if would_block():
        raise RuntimeError(f"{method} would block the running event loop; use {remedy}")


def would_block() -> bool:
    """Whether to wait here would stop everything else in an event loop; in a notebook that is what a cell does."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None and "ipykernel" not in sys.modules
