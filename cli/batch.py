"""Bulk submission: every line of a file is a command; many requests share one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from seamless.transformer.commandline import CommandPlan, plan_text
from seamless.transformer.localfiles import LocalFiles, canonical
from seamless.transformer.submission import Submitter
from seamless_queue.broker import reports
from seamless_queue.broker.records import Consequences, NewRequest
from seamless_queue.broker.states import RequestState
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store, open_store

from .entry import say, speaker
from .progress import Bar, is_watched, of_items
from .replaying import NAME
from .running import make_submitter
from .runoptions import RunOptions, bash_accepts
from .waiting import warn_of_resources

#: How many requests share a transaction at most; it stays short enough for workers to get in between.
FLUSH_REQUESTS = 500
#: The first transaction is small, so that workers begin soon; each is twice as large as the one before.
FIRST_FLUSH_REQUESTS = 16


def submit_batch(options: RunOptions) -> int:
    """Submit every command of the batch file; the first bad line ends it, what was before is submitted."""
    store = open_store(options.settings())
    try:
        with of_items("submitted", _count(options), options.quiet) as bar:
            batch = _Batch(store, options, bar)
            try:
                for number, line in _lines(options.batch or "-"):
                    batch.add(number, line)
                    bar.advance(1)
            finally:
                batch.flush()
        warn_of_resources(store, options.resources, speaker(NAME, options.quiet))
        if options.verbose:
            speaker(NAME, options.quiet)(f"{batch.count} requests submitted")
        return 1 if batch.failed else 0
    finally:
        store.close()


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """The commands with their line numbers; empty lines and comments are none."""
    with click.open_file(path, encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if text and not text.startswith("#"):
                yield number, text


def _count(options: RunOptions) -> int | None:
    """How many commands there are, if somebody wants to know and it can be known."""
    path = options.batch or "-"
    if not is_watched(options.quiet) or not os.path.isfile(path):
        return None
    return sum(1 for _ in _lines(path))


@dataclass(slots=True)
class _Batch:
    store: Store
    options: RunOptions
    bar: Bar
    count: int = 0
    failed: int = 0
    _files: LocalFiles = field(init=False)
    _submitter: Submitter = field(init=False)
    _requests: list[NewRequest] = field(default_factory=list)
    _flush_at: int = FIRST_FLUSH_REQUESTS
    _staged: Staged = field(default_factory=Staged)

    def __post_init__(self) -> None:
        self._files = LocalFiles(self.store)
        self._submitter = make_submitter(self.store, self._files, os.getcwd(), self.options)

    def add(self, number: int, line: str) -> None:
        """Plan and prepare one command; submit if enough have come together."""
        directory = self._submitter.directory
        try:
            plan = plan_text(line, self.options.plan_options(directory), self._files, check=bash_accepts)
            if self._reads_unsubmitted(plan):
                self.flush()
            request = self._submitter.prepare(plan, line, self._staged)
        except SeamlessError as exc:
            raise BadLine(f"{self.options.batch}, line {number}: {exc}", exc.exit_code) from exc
        for warning in plan.warnings:
            self.bar.clear()
            speaker(NAME, self.options.quiet)(f"line {number}: warning: {warning}")
        self._requests.append(request)
        self._files.unsubmitted.update(os.fsdecode(output.path) for output in request.outputs)
        if len(self._requests) >= self._flush_at:
            self.flush()

    def _reads_unsubmitted(self, plan: CommandPlan) -> bool:
        if not self._files.unsubmitted:
            return False
        paths = [canonical(entry.path) for entry in plan.inputs]
        return any(self._files.is_unsubmitted(path) or self._files.unsubmitted_below(path) for path in paths)

    def flush(self) -> None:
        """Submit what has come together."""
        if not self._requests:
            return
        _, consequences = self._submitter.submit(self._requests, self._staged)
        self.count += len(self._requests)
        self._flush_at = min(2 * self._flush_at, FLUSH_REQUESTS)
        self._requests, self._staged = [], Staged()
        self._files.unsubmitted.clear()
        if consequences != Consequences():
            from .inlinerun import follow_up

            follow_up(self.store, consequences)
            self._tell_failures(consequences)

    def _tell_failures(self, consequences: Consequences) -> None:
        """What was answered from the store, but could not be written."""
        for request_id in consequences.deliver:
            state, error = reports.request_state(self.store.database, request_id)
            if state is RequestState.FAILED:
                self.failed += 1
                self.bar.clear()
                say(NAME, f"error: request {request_id}: {error}")


class BadLine(SeamlessError):
    """A line of a batch cannot be submitted."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
