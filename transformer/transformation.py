"""A frozen computation and the promise of its result."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, cast

from seamless_queue.signals import uninterrupted

from . import session
from .blocking import refuse_to_block, would_block
from .definition import Definition, Phase, description
from .errors import CacheMissError, TransformationError, failure_of
from .node import Node

if TYPE_CHECKING:
    import asyncio

    from .buffer import Buffer
    from .checksum import Checksum

R = TypeVar("R")

FROZEN = "a transformation is frozen: set {} on its transformer before the call"
#: What people find when they look for what it can do.
PUBLIC = [
    *("buffer", "cancel", "cancel_async", "celltype", "clear_exception", "computation", "compute", "construct"),
    *("construction", "exception", "is_cached", "is_cached_async", "logs", "meta", "result_checksum", "run"),
    *("scratch", "start", "status", "task", "transformation_checksum", "value"),
]


class Transformation(Node, Generic[R]):
    """One computation: `run()` gives its value, `start()` has it computed meanwhile.

    Made by calling a `delayed` function. Its inputs are taken as they are when it is made: changing a list
    afterwards changes nothing.
    """

    def __new__(cls, *given: Any, **named: Any) -> Self:
        if not given or not isinstance(given[0], Definition):
            raise TypeError("a Transformation is made by calling a delayed function: f = delayed(f), then f(x)")
        return super().__new__(cls)

    # -- computing ----------------------------------------------------------------------------
    def construct(self) -> Checksum | None:
        """The identity, which needs the results of what it depends on; None if one of them failed (`exception`)."""
        if not self.is_identifiable and not self.is_settled:
            refuse_to_block("construct()")
            scheduler = session.current().scheduler
            scheduler.start(list(self.upstream.values()), background=False)
            for up in self.upstream.values():
                scheduler.wait(up)
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
        session.current().scheduler.start(list(self.upstream.values()), background=True)
        for up in self.upstream.values():
            await up.settled()
        return self.construct()

    def is_cached(self) -> bool:
        """Whether the result is known without computing; what it depends on is not computed either."""
        path: list[Node] = [self]
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
        stack: list[Node] = [self]
        while stack:
            one = stack.pop()
            if one.phase is Phase.FAILED:
                one.phase, one.ticket = Phase.NEW, None
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

        content = self._content()
        return cast(R, deserialize(content, self.celltype))

    @property
    def buffer(self) -> Buffer:
        """The result's bytes. TransformationError if there is none."""
        from .buffer import Buffer

        content = self._content()
        return Buffer(content, checksum=self._required_result())

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

    @meta.setter
    def meta(self, value: object) -> None:
        raise AttributeError(FROZEN.format("meta"))

    @property
    def scratch(self) -> bool:
        """Whether the result's bytes need not be kept."""
        return self._options.scratch

    @scratch.setter
    def scratch(self, value: object) -> None:
        raise AttributeError(FROZEN.format("scratch"))

    def __dir__(self) -> list[str]:
        # What is between the scheduler and us is nobody else's business.
        return PUBLIC

    def __repr__(self) -> str:
        known = f", {self.identity[:10]}…" if self.is_identifiable else ""
        why = f", {self._error.splitlines()[0]}" if self._error else ""
        return f"<Transformation {self.command} {self.status}{known}{why}>"

    def __copy__(self) -> Transformation[R]:
        # Frozen, so it is its own copy; nobody would tell another one how it has ended.
        return self

    def __deepcopy__(self, memo: Any) -> Transformation[R]:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a transformation belongs to its process: pass on its result_checksum, or its value")

    # -- inside -------------------------------------------------------------------------------
    @uninterrupted()
    def _finish(self, method: str) -> None:
        mine = self.phase is Phase.NEW
        scheduler = session.current().scheduler
        if mine and would_block() and not self.is_cached():
            # Nothing is begun that nobody may wait for.
            refuse_to_block(method)
        try:
            if mine:
                scheduler.start([self], background=False)
            if self.is_settled:
                return
            refuse_to_block(method)
            scheduler.wait(self)
        except KeyboardInterrupt:
            if mine:
                self.cancel(recursive=True)
            raise

    def _refuse_without_inputs(self) -> None:
        from .recovery import can_have

        fields = description(self._definition, {name: up.result for name, up in self.upstream.items()})
        names = ["code", *self._definition.pins]
        gone = next((name for name in names if not can_have(session.current(), fields[name][2])), None)
        if gone is not None:
            forked = "what was computed before a fork stays with the parent, and "
            raise CacheMissError(
                f"the result of {self._definition.name} is gone, and so is its input {gone!r}: without a store of your "
                f"own (seamless.config.select_store) {forked if session.current().is_forked else ''}"
                "nothing outlives seamless.close()"
            )

    def _content(self) -> bytes | memoryview:
        """The result's bytes, computed again if they are gone."""
        try:
            return session.read(self._required_result())
        except CacheMissError:
            self._make_again()
            return session.read(self._required_result())

    def _make_again(self) -> None:
        """Once more, because the result's bytes are gone."""
        current = session.current()
        if self._options.scratch and current.runs_in_queue:
            # The queue would give them up as soon as it has them.
            from .recovery import bring

            bring(current, self._required_result())
            return
        current.results.forget(self.identity)
        self._refuse_without_inputs()
        self.gone_result, self.phase, self.ticket = self._result, Phase.NEW, None
        self._finish("value")

    async def _value_later(self) -> R:
        await self.settled()
        return self.value

    def _result_or_none(self) -> Checksum | None:
        from .checksum import Checksum

        return Checksum(self._result) if self._result is not None else None

    def _required_result(self) -> str:
        if self._result is not None:
            return self._result
        if not self.is_settled:
            raise TransformationError(f"{self._definition.name} has no result yet: call run() or compute()")
        raise failure_of(self._definition.name, self._error or "failed", self._exception)
