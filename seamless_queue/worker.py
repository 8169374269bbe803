"""A worker process: claims jobs of its lane, executes them one by one, publishes the outcomes.

    parent ◀──channel──▶ worker ──▶ command (own process group), or Python code in this very thread
                           │  │
                           │  └── minder: a thread that minds the channel while Python code runs
                           └── claims, publishes, delivers (database)

Started by `processes.start_worker` as `python -m seamless_queue.worker CONFIGURATION`. The end of the
channel means that the parent is dead: the worker stops its command and leaves.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import orjson

from . import attempt, crashpoints, marked, owner, processes, signals
from .attempt import Done
from .broker import claims, sessions
from .broker.records import QUEUE_LANE, Consequences, merged
from .broker.resources import Offer
from .broker.states import Outcome
from .broker.work import Finished, Running
from .channel import Channel
from .clerk import Clerk, functions_named
from .departure import end_amid, leave_amid
from .filesystems import is_disk_full, passing_over_full_disk
from .lane import Lane, Ticket
from .minder import Minder
from .orders import Configuration, Mode
from .parent import Parent
from .reservations import Reservations
from .settings import Settings
from .staged import Staged
from .store import open_store
from .streams import CapturedStreams
from .workdir import Workplace

#: An idle worker looks for work this often even if nobody wakes it.
SLOW_POLL_SECONDS = 5.0
#: A job that runs for longer is not waited for by others of its batch.
LINGER_SECONDS = 0.03
#: How soon a job that others run is looked at again although the parent says nothing; grows.
NEWS_SECONDS = 0.005
NEWS_LONGEST_SECONDS = 0.5
#: How often something is tried again that a full disk has kept from being done.
FULL_DISK_SECONDS = 1.0


class Worker:
    """One worker: its connection, its channel, what it has reserved, begun and done."""

    interval: float | None = None
    shows_result = False

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        # Inherited, so that it came here; the commands of jobs are not to have it.
        os.set_inheritable(configuration.channel, False)
        settings = Settings(
            configuration.store,
            durable=configuration.durable,
            private=configuration.private,
            sources=tuple(configuration.sources),
        )
        self.store = open_store(settings, shared=True)
        #: held for every use of the connection, the channel and the lists below
        self.lock = threading.RLock()
        channel = Channel(socket.socket(fileno=configuration.channel))
        self.parent = Parent(channel, self.lock, quiet=configuration.quiet)
        self.id = self._register()
        self.functions = functions_named(configuration.functions)
        self.clerk = Clerk(self.store, self.id, self.functions, self.parent.tell_failure, configuration.session_id)
        self.lane = Lane(self.store, self.functions, configuration.session_id, configuration.lane, self.id, self.lock)
        # A session lends another worker to who waits; a server does not, and this one may be its only one.
        self.lane.runs_deadly = configuration.lane == QUEUE_LANE
        self.lane.on_published = self.parent.tell_published
        self.lane.on_withdrawn = lambda ticket: self.parent.tell_withdrawn(ticket.job_id)
        self.watch = self
        self.minder = Minder(self)
        reuse = processes.adopt_orphans()
        # What the code of jobs starts can be found by it, as commands can.
        os.environ[marked.MARK] = marked.mark(self.store.id, self.id)
        self.workplace = Workplace(self.store.work, self.id, reuse=reuse)
        #: what Python code writes here, once any has run
        self.captured: CapturedStreams | None = None
        self.mode = Mode.WORK
        offer = Offer(configuration.session_id, configuration.offer, configuration.tight)
        self.reservations = Reservations(self.id, configuration.lane, offer)
        self.begun: list[Running] = []
        self.done: list[Done] = []
        self.current: Running | None = None
        self.current_since = 0.0
        #: since when something is made again that the current job lacks, which takes nothing of its time
        self._recomputing_since: float | None = None

    def _register(self) -> int:
        """Its number in the table; a full disk only delays that."""
        while True:
            try:
                with self.store.database.transaction() as connection:
                    return sessions.open_worker(connection, self.configuration.session_id, owner.current())
            except Exception as exc:
                if not is_disk_full(exc):
                    raise
            time.sleep(FULL_DISK_SECONDS)

    # -- the main loop ----------------------------------------------------------------------
    def run(self) -> None:
        """Work until told to leave, or the parent is gone."""
        self.parent.greet(self.id)
        while self.mode not in (Mode.FINISH, Mode.STOP):
            if not self.begun:
                self._listen(0)
            if self.mode is Mode.WORK and not self.begun:
                self.turn()
            if self.mode is Mode.WORK and self.begun:
                self._work_on(self.begun.pop(0))
            elif self.mode in (Mode.WORK, Mode.HOLD):
                # Not after the order to leave, which nobody repeats.
                self.give_back()
                self._rest()
        self._leave()

    def _work_on(self, running: Running) -> None:
        with self.lock:
            self.parent.tell_started(running)
            self.current, self.current_since = running, time.monotonic()
            others = self.begun or self.done or self.reservations.job_ids
            self.interval = LINGER_SECONDS if others else None
        staged = Staged()
        self.lane.executing[running.job_id] = running
        finished = attempt.execute(self.store, self.functions, running, self, staged)
        seconds = time.monotonic() - self.current_since
        self.reservations.note_duration(seconds)
        with self.lock:
            # At once: the minder may be about to leave, and publishes what is being executed.
            del self.lane.executing[running.job_id]
            self.current = None
            self.done.append(Done(running, finished, staged, seconds))
        if not self.begun or finished.outcome is not Outcome.DONE or self.mode is not Mode.WORK:
            self.turn()

    def _rest(self) -> None:
        if self.parent.is_dead:
            raise EOFError
        self.parent.say_idle()
        self._listen(SLOW_POLL_SECONDS)

    def _leave(self) -> None:
        self.give_back()
        with self.lock:
            self.workplace.close()
            if self.captured is not None:
                self.captured.close()
            # Else the parent buries us, once it can.
            with passing_over_full_disk():
                with self.store.database.transaction() as connection:
                    sessions.bury_worker(connection, self.configuration.session_id, self.id, "stopped")
                self.parent.say_bye()
            self.store.close()

    # -- outcomes ---------------------------------------------------------------------------
    def turn(self) -> None:
        """Publish what is done, and begin what comes next, in one transaction; then do what follows.

        While the disk is full, outcomes are kept and tried again: nothing is lost or run twice.
        """
        if self.mode is Mode.WORK and any(done.finished.outcome is Outcome.RELEASED for done in self.done):
            self._report_full_disk()
        while True:
            try:
                with self.lock:
                    consequences = self._publish()
                break
            except Exception as exc:
                if not is_disk_full(exc):
                    raise
                self._hold_for_disk()
        self._follow_up(consequences)

    def _publish(self) -> Consequences:
        session_id, following = self.configuration.session_id, list[Running]()
        reserved = list(self.reservations.job_ids)
        crashpoints.reached("before-publish")
        self.lane.give_back_unpublished()
        try:
            with self.store.database.transaction() as connection:
                outcomes, together = attempt.publish_all(connection, session_id, self.id, self.done)
                if self.mode is Mode.WORK and not self.begun and self.current is None:
                    following = self.reservations.begin_batch(connection)
        except BaseException:
            # What was begun is only reserved again, and must not be forgotten: nobody else may be there to take it.
            self.reservations.job_ids = reserved
            raise
        crashpoints.reached("published")
        done, self.done = self.done, []
        self.begun = self.begun or following
        self.parent.tell_ended([(one, *outcome) for one, outcome in zip(done, outcomes, strict=True)])
        return merged([together, *(each for _, each in outcomes)])

    def _follow_up(self, consequences: Consequences) -> None:
        while True:
            try:
                if self.clerk.handle(consequences):
                    self.announce()
                return
            except Exception as exc:
                if not is_disk_full(exc):
                    raise
                self._hold_for_disk()
                consequences = self.clerk.leftovers()

    def give_back(self) -> None:
        """What was begun together with others and not touched, or only reserved, goes back at no cost."""
        with self.lock:
            if not self.begun and not self.reservations.job_ids:
                return
            with passing_over_full_disk():
                with self.store.database.transaction() as connection:
                    for running in self.begun:
                        claims.give_back(connection, self.id, running)
                    claims.unreserve(connection, self.id)
                self.begun, self.reservations.job_ids = [], []
        self.announce()

    def stop_lingering(self) -> None:
        """The current job is not short after all: nobody is to wait for it who does not have to."""
        # What cannot be published now is published with the current job.
        with passing_over_full_disk(), self.lock:
            self.interval = None
            self.give_back()
            if self.done:
                self._follow_up(self._publish())

    def follow(self, stdout: str | None, stderr: str) -> None:
        """Nobody looks over a worker's shoulder (processes.Watch)."""

    def see_out(self) -> None:
        """The same."""

    # -- the parent -------------------------------------------------------------------------
    def fileno(self) -> int:
        """What wakes a wait for a command (processes.Watch)."""
        return self.parent.fileno()

    def check(self) -> Outcome | None:
        """How the current command is to be stopped, or None (processes.Watch)."""
        asked = self._receive()
        wanted = Outcome.RELEASED if self.mode is Mode.STOP else None
        if asked and wanted is None and self._is_canceled():
            wanted = Outcome.CANCELED
        if wanted is not None and self.minder.python_waits:
            # A part of a job of Python code, which would take this for a failure.
            leave_amid(self, wanted, wanted.name.lower())
        if self.interval is not None and time.monotonic() - self.current_since >= LINGER_SECONDS:
            self.stop_lingering()
        return wanted

    def _is_canceled(self) -> bool:
        """Whether nobody wants the current job any more; nor is run what was begun with it and canceled since."""
        with self.lock:
            self._drop_canceled()
            return self.current is not None and not claims.holds(self.store.database, self.id, self.current)

    def _drop_canceled(self) -> None:
        gone = [running for running in self.begun if not claims.holds(self.store.database, self.id, running)]
        if not gone:
            return
        with passing_over_full_disk():
            with self.store.database.transaction() as connection:
                for running in gone:
                    claims.acknowledge_stop(connection, self.configuration.session_id, self.id, running)
            self.begun = [running for running in self.begun if running not in gone]
            for running in gone:
                self.parent.tell_published(
                    running, Finished(Outcome.CANCELED, error="canceled"), Consequences(again=True)
                )

    def _listen(self, seconds: float) -> None:
        if self.parent.wait_for_words(seconds):
            self._receive()

    def _receive(self) -> bool:
        """Take in what the parent says; whether the current job is to be looked after."""
        with self.lock:
            orders = self.parent.orders()
            for order in orders:
                if order != "check" and self.mode is not Mode.STOP:
                    self.mode = Mode(order)
        return "check" in orders

    # -- while Python code runs -------------------------------------------------------------
    def minding(self, *, python: bool) -> AbstractContextManager[None]:
        """Have the minder mind the channel while Python code has this thread, and keep off while a command has."""
        return self.minder.minding(python=python)

    def mind(self) -> None:
        """Called by the minder, when the parent has spoken and from time to time."""
        with self.lock:
            if not self.minder.on_duty or self.current is None:
                return
            try:
                asked = self._receive()
            except EOFError:
                end_amid()
            if self.parent.is_dead:
                end_amid()
            running, elapsed = self.current, time.monotonic() - self.current_since
            if self.mode is Mode.STOP:
                leave_amid(self, Outcome.RELEASED, "stopped")
            if asked and self._is_canceled():
                leave_amid(self, Outcome.CANCELED, "canceled")
            if running.timeout is not None and self._recomputing_since is None and elapsed >= running.timeout:
                leave_amid(self, Outcome.TIMED_OUT, f"timed out after {running.timeout:g} s")
            if self.captured is not None:
                self.captured.look()
            if self.interval is not None and elapsed >= LINGER_SECONDS:
                self.stop_lingering()

    def wait_for(self, ticket: Ticket) -> None:
        """Wait for a job that somebody else runs, or until it is left to us; meanwhile we need no processor.

        Threads of a job run nothing themselves: they wait for others in any case.
        """
        may_run, pause = threading.current_thread() is threading.main_thread(), NEWS_SECONDS
        with self.parent.waiting():
            while not ticket.done and not self.lane.look([ticket]):
                if may_run and self.lane.is_left_to_us(ticket):
                    return
                # The parent says when something has ended; it may have done so before it knew that we wait.
                with self.parent.news:
                    self.parent.news.wait(pause)
                if pause == NEWS_LONGEST_SECONDS:
                    self.lane.take_over()
                pause = min(pause * 2, NEWS_LONGEST_SECONDS)

    @property
    def streams(self) -> CapturedStreams:
        """Made when Python code runs here for the first time."""
        if self.captured is None:
            self.captured = CapturedStreams(self.store.work, self.id)
        return self.captured

    def before_nested(self) -> None:
        """The current job's code submits others, and may wait for them."""
        self.stop_lingering()

    @contextmanager
    def recomputing(self) -> Iterator[None]:
        """What the current job lacks is made again: its clock stands still, and the minder is on duty."""
        if self._recomputing_since is not None:
            yield
            return
        self._recomputing_since = began = time.monotonic()
        try:
            with self.minding(python=True):
                yield
        finally:
            self.current_since += time.monotonic() - began
            self._recomputing_since = None

    def begin_afresh(self) -> None:
        """Leave before the current job's code has begun; another worker takes this one's place."""
        with self.lock:
            leave_amid(self, Outcome.RELEASED, "begun afresh")

    def announce(self) -> None:
        """There are jobs to be claimed by others."""
        self.parent.say_ready()

    def _report_full_disk(self) -> None:
        self.parent.say_full()
        self.mode = Mode.HOLD if self.mode is Mode.WORK else self.mode

    def _hold_for_disk(self) -> None:
        self._report_full_disk()
        self._listen(FULL_DISK_SECONDS)


def main() -> None:
    """Entry point of the process."""
    configuration = Configuration(**orjson.loads(sys.argv[1]))
    if configuration.path:
        sys.path[:] = configuration.path
    signals.end_after_parent()
    worker = Worker(configuration)
    # What was imported stays for good: the collector need not look at it after every few jobs.
    gc.freeze()
    # The parent is gone: it cannot be told, and its successor finds the job.
    with suppress(EOFError):
        worker.run()
    processes.kill_adopted()
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        # What a job has left running would keep Python from ending.
        os._exit(0)


if __name__ == "__main__":
    main()
