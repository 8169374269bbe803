"""From a plan to a request: inputs are kept in the store, or bound to the requests that will write them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from seamless_queue import crashpoints, sidecars, statcache
from seamless_queue.broker import evictions, submissions
from seamless_queue.broker.records import (
    QUEUE_LANE,
    Consequences,
    NewDependency,
    NewOutput,
    NewRequest,
    Submitted,
    merged,
)
from seamless_queue.errors import SeamlessError, printable
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import directories, placing, plain
from .commandline import CommandPlan, Input, Kind, UsageError
from .context import Context, to_remember
from .keying import identify
from .localfiles import LocalFiles, Promise, canonical
from .specification import STDOUT, Pin, Specification

#: How much of a command is kept for people to read.
LABEL_CHARACTERS = 500


class Wishes(NamedTuple):
    """What a caller wants of a request beside its command."""

    lane: int = QUEUE_LANE
    priority: int = 0
    timeout: float | None = None
    retries: int = 0
    refresh: bool = False
    sidecars_only: bool = False
    project: str | None = None
    stage: str | None = None
    #: the bytes of the result need not be kept: of its files there are only sidecars
    scratch: bool = False
    #: what the job needs of a server, as JSON (seamless_queue.broker.resources)
    resources: str | None = None
    #: the conda environment that the command runs in, by name or absolute path
    conda: str | None = None


#: Asked before new files are kept: how many, how many bytes; an answer of no is an error.
Confirm = Callable[[int, int], None]


class Submitter:
    """Prepares and submits requests from one directory with one environment."""

    def __init__(
        self,
        store: Store,
        files: LocalFiles,
        directory: str,
        environment: dict[str, str],
        wishes: Wishes,
        confirm: Confirm | None = None,
    ) -> None:
        self.store = store
        self.files = files
        self.directory = directory
        self.environment = environment
        self.wishes = wishes
        self.confirm = confirm
        self._contexts: dict[tuple[Any, ...], tuple[str, bytes]] = {}

    def prepare(self, plan: CommandPlan, label: str, staged: Staged, *, stdin: str | None = None) -> NewRequest:
        """Keep the inputs and bind what will be written; with an identity if all is known by now.

        `stdin` is the checksum of what the command is to read from standard input.
        """
        self._check_outputs(plan)
        if self.confirm is not None:
            self.confirm(*self._measure(plan))
        pins, dependencies = self._pins(plan, staged)
        keep = self.store.buffers.stage
        specification = Specification(
            code=keep(_code(plan), staged),
            pins=tuple(pins),
            variables={name: keep(plain.dump(value), staged) for name, value in plan.variables.items()},
            captures=_captures(plan),
            stdin=stdin,
        )
        wishes = self.wishes
        identity = None if dependencies else identify(self.store, specification, staged, scratch=wishes.scratch)
        return NewRequest(
            command=printable(" ".join(label.split()))[:LABEL_CHARACTERS],
            directory=os.fsencode(self.directory),
            specification=keep(specification.encode(), staged) if identity is None else None,
            context=self._context(plan)[0],
            lane=wishes.lane,
            identity=identity,
            outputs=self._outputs(plan),
            dependencies=tuple(dependencies),
            sidecars_only=wishes.sidecars_only or wishes.scratch,
            priority=wishes.priority,
            timeout=wishes.timeout,
            retries=wishes.retries,
            refresh=wishes.refresh,
            project=wishes.project,
            stage=wishes.stage,
            scratch=wishes.scratch,
            resources=wishes.resources,
            metavariables=to_remember(plan.metavariables, plan.directories, wishes.conda),
        )

    def submit(self, requests: list[NewRequest], staged: Staged) -> tuple[list[Submitted], Consequences]:
        """Record requests in one transaction, put their .FUTUREs in place, wake the queue: acknowledged."""
        consequences: list[Consequences] = []
        done = []
        contexts = Staged()
        contexts.contexts.update(self._contexts.values())
        with self.store.database.transaction() as connection:
            staged.write(connection)
            for request in requests:
                submitted, following = submissions.submit(connection, request)
                done.append(submitted)
                consequences.append(following)
            # An environment holds secrets: it is kept only for what is still to be run.
            if any(submitted.result is None for submitted in done):
                contexts.write(connection)
        crashpoints.reached("submitted")
        try:
            for request, submitted in zip(requests, done, strict=True):
                self._promise(request, submitted)
        except OSError as exc:
            self._take_back(requests, done, str(exc))
            raise
        self._withdraw(requests, done)
        crashpoints.reached("promised")
        if self.wishes.lane == QUEUE_LANE and any(submitted.result is None for submitted in done):
            self._wake_queue()
        return done, merged(consequences)

    def _wake_queue(self) -> None:
        # Imported here: an answer from the store wakes nobody.
        from seamless_queue import doorbell
        from seamless_queue.broker import sessions

        doorbell.ring(sessions.queue_addresses(self.store.database))

    def _promise(self, request: NewRequest, submitted: Submitted) -> None:
        if submitted.result is not None or not request.outputs:
            return
        content = sidecars.future_content(self.store.id, submitted.request_id)
        for output in request.outputs:
            # A directory that is still missing is made when there is something to put into it.
            with suppress(FileNotFoundError):
                sidecars.write_new_future(os.fsdecode(output.path), content)

    def _take_back(self, requests: list[NewRequest], done: list[Submitted], why: str) -> None:
        """The caller is told of an error: so nothing is to be done."""
        from seamless_queue.broker import progress

        with self.store.database.transaction() as connection:
            for submitted in done:
                progress.cancel_request(connection, submitted.request_id, why)
        for request, submitted in zip(requests, done, strict=True):
            for output in request.outputs:
                sidecars.remove_future(os.fsdecode(output.path), self.store.id, submitted.request_id)
        self._wake_queue()

    def _withdraw(self, requests: list[NewRequest], done: list[Submitted]) -> None:
        """A busy worker may have been quicker than we: whoever delivered found no .FUTURE to remove."""
        if not any(request.outputs for request in requests):
            return
        settled = submissions.settled(self.store.database, done[0].request_id, done[-1].request_id)
        for request, submitted in zip(requests, done, strict=True) if settled else ():
            if submitted.request_id in settled:
                for output in request.outputs:
                    sidecars.remove_future(os.fsdecode(output.path), self.store.id, submitted.request_id)

    # -- outputs ----------------------------------------------------------------------------
    def _outputs(self, plan: CommandPlan) -> tuple[NewOutput, ...]:
        targets = [(capture.name, capture.target) for capture in plan.captures]
        if plan.stdout_target is not None:
            targets.append((STDOUT, plan.stdout_target))
        return tuple(
            NewOutput(os.fsencode(name), os.fsencode(os.path.join(self.directory, target))) for name, target in targets
        )

    def _check_outputs(self, plan: CommandPlan) -> None:
        """Links on the way to an output, and a place that is closed, are refused now, not when its job is done."""
        for output in self._outputs(plan):
            path = os.fsdecode(output.path)
            placing.check_names(path)
            parent = os.path.dirname(path)
            if parent != self.directory and os.path.realpath(parent) != parent:
                raise UsageError(
                    f"output {os.path.relpath(path, self.directory)} leads through a link, maybe outside of "
                    f"{self.directory}; name a place inside"
                )
            if os.path.isdir(parent) and not os.access(parent, os.W_OK | os.X_OK):
                raise SeamlessError(f"output {os.path.relpath(path, self.directory)}: permission denied in {parent}")

    # -- inputs -----------------------------------------------------------------------------
    def _pins(self, plan: CommandPlan, staged: Staged) -> tuple[list[Pin], list[NewDependency]]:
        pins, dependencies = [], []
        for entry in plan.inputs:
            pin, found = self._pin(entry, staged)
            pins.append(pin)
            dependencies.extend(found)
        return pins, dependencies

    def _pin(self, entry: Input, staged: Staged) -> tuple[Pin, list[NewDependency]]:
        path = canonical(entry.path)
        self._refuse_store(path)
        promise = self.files.promise(path)
        if promise is not None:
            dependency = _dependency(entry.name, path, promise, promise.part)
            return Pin(entry.name, None, executable=entry.executable), [dependency]
        if os.path.isdir(path) or (entry.kind is Kind.DIRECTORY and not os.path.exists(path + sidecars.CHECKSUM)):
            return self._directory_pin(entry, path, staged)
        return self._file_pin(entry, path, staged), []

    def _refuse_store(self, path: str) -> None:
        """Reading the store as an input would drop the locks on its database (and never end)."""
        store = os.path.realpath(self.store.path) + os.sep
        if store.startswith(os.path.join(path, "")) or path.startswith(store):
            raise UsageError(f"input {path} holds the store {self.store.path}; name a part without it, or use --store")

    def _directory_pin(self, entry: Input, path: str, staged: Staged) -> tuple[Pin, list[NewDependency]]:
        promises = self.files.promises_below(path)
        # A directory that is not there yet has nothing but what is promised.
        index = directories.stage(self.store, path, staged) if os.path.isdir(path) else {}
        checksum = self.store.buffers.stage(plain.dump(index), staged)
        if not promises:
            self._compare(path, checksum)
        pin = Pin(entry.name, checksum, directory=True)
        return pin, [_dependency(entry.name, promise.path, promise, promise.part) for promise in promises]

    def _file_pin(self, entry: Input, path: str, staged: Staged) -> Pin:
        try:
            checksum = self.store.buffers.stage_file(path, staged)
        except FileNotFoundError:
            # Imported here: most inputs are there.
            from .absent import was_directory

            checksum = self._stand_in(path, staged)
            return Pin(entry.name, checksum, was_directory(self.store, path, checksum), entry.executable)
        self._compare(path, checksum)
        return Pin(entry.name, checksum, executable=entry.executable)

    def _stand_in(self, path: str, staged: Staged) -> str:
        """The checksum that a sidecar names for an absent file or directory; the store must know it."""
        checksum = sidecars.read_checksum(path)
        if checksum is None:
            raise SeamlessError(f"{path} does not exist")
        if not self.store.buffers.has(checksum):
            index = path + sidecars.INDEX
            if os.path.exists(index) and self.store.buffers.stage_file(index, staged) == checksum:
                return checksum
            if evictions.maker_of(self.store.database, checksum) is not None:
                # Its bytes are made again when the command needs them.
                return checksum
            raise SeamlessError(
                f"{path} is absent and {path}.CHECKSUM names {checksum}, which the store {self.store.path} "
                f"(digest {self.store.digest.name}) does not have"
            )
        return checksum

    def _compare(self, path: str, checksum: str) -> None:
        # A file may have a name that is too long for a sidecar.
        named = sidecars.read_checksum(path) if os.path.exists(path + sidecars.CHECKSUM) else None
        if named is not None and named != checksum:
            raise SeamlessError(
                f"{path} and {path}.CHECKSUM disagree (digest {self.store.digest.name}): the file was changed "
                f"after the sidecar was written; remove {path}.CHECKSUM to use the file as it is"
            )

    def _measure(self, plan: CommandPlan) -> tuple[int, int]:
        """How many files the store does not know yet, and how many bytes they have."""
        count = size = 0
        for entry in plan.inputs:
            paths = [path for _, path in directories.walk(entry.path)] if os.path.isdir(entry.path) else [entry.path]
            for path in paths:
                if os.path.exists(path) and statcache.lookup(self.store.database, status := os.stat(path)) is None:
                    count += 1
                    size += status.st_size
        return count, size

    def _context(self, plan: CommandPlan) -> tuple[str, bytes]:
        key = (tuple(plan.metavariables.items()), plan.directories)
        if key not in self._contexts:
            content = Context(self.environment, plan.metavariables, plan.directories, self.wishes.conda).encode()
            self._contexts[key] = (self.store.digest.of(content), content)
        return self._contexts[key]


def _code(plan: CommandPlan) -> bytes:
    return os.fsencode(plan.code.rstrip("\n")) + b"\n"


def _captures(plan: CommandPlan) -> tuple[str, ...]:
    names = {capture.name for capture in plan.captures}
    if plan.stdout_target is not None:
        names.add(STDOUT)
    return tuple(sorted(names))


def _dependency(pin: str, path: str, promise: Promise, part: str) -> NewDependency:
    writer = promise.writer
    return NewDependency(
        os.fsencode(pin),
        os.fsencode(promise.path if writer is None else path),
        writer.request_id if writer else None,
        writer.name if writer else b"",
        os.fsencode(part),
    )
