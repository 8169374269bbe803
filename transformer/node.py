"""A transformation as the scheduler sees it: what it depends on, whether it has ended, who waits for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from seamless_queue.gate import Gate

from . import plain, session
from .blocking import set_if_waited_for
from .definition import SETTLED, Definition, Options, Phase, description
from .labels import call
from .logs import logs_of

if TYPE_CHECKING:
    from seamless_queue.lane import Ticket
    from seamless_queue.segments import Part

#: Inputs from this size on are given up as soon as they have served.
LARGE_BYTES = 1 << 20


class Node:
    """A definition, its place in the graph, and its outcome."""

    def __init__(
        self,
        definition: Definition,
        upstream: Mapping[str, Node],
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
        self._gate = Gate()
        self._callbacks: list[Callable[[], None]] = []
        self._held: list[str] = []
        # -- the scheduler's
        self.upstream = upstream
        self.phase = Phase.NEW
        self.missing = 0
        self.dependents: list[Node] = []
        self.ticket: Ticket | None = None
        self.in_background = False
        #: a label that wins over the session's
        self.stage: str | None = None
        self.cancel_wanted = False
        self.was_known = False
        self.gone_result: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.phase in SETTLED

    @property
    def command(self) -> str:
        """What people see in lists."""
        return call(self._definition.name, self._definition.pins)

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
    def options(self) -> Options:
        """What is wanted beside the definition."""
        return self._options

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
        if error is not None and self._options.modules:
            error = self._with_modules(error, exception)
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

    def _with_modules(self, error: str, exception: BaseException | None) -> str:
        """What to do about a name depends on what it is where the function was defined."""
        from .python.remedies import with_modules

        if isinstance(exception, NameError):
            exception.args = (with_modules(str(exception), self._options.modules),)
        return with_modules(error, self._options.modules)

    def put_back(self) -> list[Node]:
        """Nobody brings it to an end any more: as if nobody had asked for it; what waits for it, to follow."""
        if self.phase is not Phase.PENDING:
            return []
        self.phase, self.ticket, self.missing = Phase.NEW, None, 0
        dependents, self.dependents = self.dependents, []
        self._gate.open()
        return dependents

    def announce(self) -> None:
        """Wake who waits for it."""
        if self._options.direct_print and not self.was_known and not session.current().runs_here:
            print(logs_of(self.identity), end="", flush=True)
        self._gate.open()
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
        """Wait until it has ended or was put back, or so long."""
        self._gate.wait(lambda: self.phase is not Phase.PENDING, seconds)

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

    @property
    def is_identifiable(self) -> bool:
        """Whether all results are known that its identity depends on."""
        return self._identity is not None or all(up._result is not None for up in self.upstream.values())


def _let_go(held: list[str]) -> None:
    while held:
        session.current().let_go(held.pop())
