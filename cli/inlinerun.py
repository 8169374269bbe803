"""Running a command in this process, with its messages shown as they come."""

from __future__ import annotations

import os
import signal

from seamless.transformer import functions
from seamless.transformer.submission import Submitter
from seamless_queue import scratch
from seamless_queue.broker import reports
from seamless_queue.broker.records import Consequences, NewRequest, Submitted
from seamless_queue.broker.states import RequestState
from seamless_queue.care import marker
from seamless_queue.errors import Interrupted
from seamless_queue.inline import Ending, InlineSession, inline_session
from seamless_queue.signals import interrupting
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from .entry import say, speaker
from .progress import is_watched, of_waiting
from .replaying import NAME, replay, write_out
from .runoptions import RunOptions
from .waiting import hint_at_server, waits
from .waitingline import WaitingLine

#: Exit status of a command that ran longer than allowed, as that of timeout(1).
TIMED_OUT = 124
#: How much is passed on at once.
PIECE_BYTES = 1 << 16


class Screen:
    """Passes on what a running command writes to its files (inline.Audience)."""

    def __init__(self) -> None:
        self._sources: list[tuple[int, int]] = []
        self._waiting: WaitingLine | None = None

    def wait(self, line: WaitingLine) -> None:
        """Until the command runs, show what it waits for."""
        self._waiting = line

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Open the files; they are there, and empty."""
        self.close()
        flags = os.O_RDONLY | os.O_CLOEXEC
        self._sources = [(os.open(stderr, flags), 2)]
        if stdout is not None:
            self._sources.append((os.open(stdout, flags), 1))

    def look(self) -> None:
        """Pass on what is new."""
        if self._waiting is not None:
            self._waiting.update()
        for source, target in self._sources:
            while part := os.read(source, PIECE_BYTES):
                try:
                    os.write(target, part)
                except BrokenPipeError:
                    # Not an error of the job, which others may want too: we go, as by SIGPIPE.
                    raise Interrupted(signal.SIGPIPE) from None

    def close(self) -> None:
        """Stop following, and waiting."""
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        for source, _ in self._sources:
            os.close(source)
        self._sources = []


def follow_up(store: Store, consequences: Consequences) -> None:
    """Do what follows from a submission that was answered at once: write its files."""
    with inline_session(store, functions) as session:
        session.clerk.handle(consequences)


def run_inline(store: Store, submitter: Submitter, request: NewRequest, staged: Staged, options: RunOptions) -> int:
    """Submit to a session of our own and see it through; the exit status."""
    screen = Screen()
    try:
        with inline_session(store, functions, screen) as session:
            session.shows_result = (options.scratch or options.direct_print) and not request.outputs
            submitter.wishes = submitter.wishes._replace(lane=session.id)
            with interrupting():
                request = request._replace(lane=session.id)
                status = _see_through(store, session, screen, submitter, request, staged, options)
    finally:
        screen.close()
        scratch.drop_unused(store, functions)
    if marker.is_due(store.path):
        from seamless_queue.care import collect

        collect.automatically(store, functions, options.settings().max_size)
    return status


def _see_through(
    store: Store,
    session: InlineSession,
    screen: Screen,
    submitter: Submitter,
    request: NewRequest,
    staged: Staged,
    options: RunOptions,
) -> int:
    submitted, consequences = submitter.submit([request], staged)
    request_id = submitted[0].request_id
    try:
        session.clerk.handle(consequences)
        ending = session.run(request_id, lambda: _begin_waiting(store, screen, request_id, request, options))
    except Interrupted:
        screen.close()
        session.cancel(request_id)
        raise
    screen.close()
    return _conclude(session, request_id, request, ending)


def _begin_waiting(store: Store, screen: Screen, request_id: int, request: NewRequest, options: RunOptions) -> None:
    _say_waiting(store, request, options)
    if is_watched(options.quiet):
        screen.wait(WaitingLine(store, request_id, of_waiting(options.quiet)))


def _say_waiting(store: Store, request: NewRequest, options: RunOptions) -> None:
    tell = speaker(NAME, options.quiet)
    for line in waits(request) or ["waits: another process is running the same command"]:
        tell(line)
    hint = hint_at_server(store)
    if hint is not None and request.dependencies:
        tell(hint)


def _conclude(session: InlineSession, request_id: int, request: NewRequest, ending: Ending) -> int:
    store = session.store
    if ending.state in (RequestState.DELIVERED, RequestState.SUPERSEDED):
        known = reports.result_of(store.database, request_id)
        assert known is not None
        submitted = Submitted(request_id, ending.state, known.job_id, known.result)
        if not (ending.ran_here and session.shows_result):
            replay(store, submitted, request, shown=ending.ran_here)
        _say_if_differed(store, request_id, request)
        return 0
    return _fail(store, request_id, request, ending)


def _say_if_differed(store: Store, request_id: int, request: NewRequest) -> None:
    last = reports.last_attempt(store.database, request_id)
    if request.refresh and last is not None and last.error:
        say(NAME, f"warning: not deterministic: {last.error}; the old result is kept")


def _fail(store: Store, request_id: int, request: NewRequest, ending: Ending) -> int:
    last = reports.last_attempt(store.database, request_id)
    if last is not None and not ending.ran_here:
        if last.stderr is not None:
            write_out(store, last.stderr, 2)
        if last.stdout is not None and request.outputs:
            write_out(store, last.stdout, 1)
    error = ending.error or ending.state.name.lower()
    if last is not None and last.exit_code:
        # What follows the colon is the last line of its stderr, which was shown.
        error = error.partition(":")[0]
    say(NAME, f"error: {error}")
    # That it was killed is our own doing.
    code = last.exit_code if last is not None and ending.state is not RequestState.CANCELED else None
    return exit_status(code, ending.error)


def exit_status(code: int | None, error: str | None) -> int:
    """The status of a failed command as a shell gives it: its own, 128 and the signal, 124 for a timeout."""
    if error and error.startswith("timed out"):
        return TIMED_OUT
    if not code:
        return 1
    return code if code > 0 else 128 - code
