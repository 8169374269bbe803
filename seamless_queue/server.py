"""The queue server: workers, and what they need from a parent.

submitters ──ring──▶ server ──wake──▶ workers
workers ──events──▶ server ──▶ observer (what people see)
                       │
                       └── renews leases, buries the dead, watches foreign .FUTUREs, drains
"""

from __future__ import annotations

import json
import os
import selectors
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from . import attempt, foreign, owner, processes, reclaim, scratch, sidecars, streamlog, workdir
from .broker import claims, reports, resources, sessions
from .broker.records import QUEUE_LANE, Consequences
from .broker.sessions import RENEW_SECONDS, SessionKind
from .care.background import Collector
from .channel import Message
from .clerk import Clerk, functions_named
from .doorbell import Doorbell, ring
from .errors import SeamlessError
from .events import Event, EventKind, event_of
from .filesystems import can_write, is_disk_full, passing_over_full_disk
from .hooks import Hooks
from .orders import Configuration, Mode
from .pool import Member, WorkerPool
from .rhythm import Rhythm
from .settings import Settings
from .signals import STOP_SIGNALS, handled, waking
from .staged import Staged
from .store import Store, open_store
from .watchers import RESCAN_SECONDS, FutureWatcher

#: Why nothing is begun while the queue is paused.
HELD = "the queue is paused; seamless-queue resume lets it go on"
#: The safety net under lost rings.
TICK_SECONDS = 1.0
#: Signals that come closer together are one.
SAME_SIGNAL_SECONDS = 0.02
#: How often dead sessions are looked for.
RECLAIM_SECONDS = 5.0
#: How long workers have to leave after the second signal.
STOP_SECONDS = 5.0
#: How long it does nothing but give up scratch results, when it is idle.
SWEEP_SECONDS = 0.3
#: How long a worker has to stop a job that was canceled under it.
CANCEL_SECONDS = 2.0


class Server:
    """One queue server on one store; `run` is its life."""

    def __init__(
        self,
        settings: Settings,
        functions: str,
        workers: int,
        observe: Callable[[Event], None],
        exit_when_idle: float | None = None,
        offer: dict[str, int] | None = None,
    ) -> None:
        self._settings = settings
        self._functions = functions
        self._workers = workers
        self._offered = {resources.CPUS: workers, **(offer or {})}
        self._observe = observe
        self._exit_when_idle = exit_when_idle
        self._selector = selectors.DefaultSelector()
        self._mode = Mode.WORK
        self._stop_deadline: float | None = None
        self._draining = False
        self._idle_since = time.monotonic()
        self._rhythm = Rhythm()
        # A handler only notes the signal: it may come in the middle of anything.
        self._signals: list[int] = []
        self._signaled = -SAME_SIGNAL_SECONDS

    # -- the main loop ----------------------------------------------------------------------
    def run(self) -> None:
        """Serve until stopped, drained, or idle for long enough."""
        with ExitStack() as stack:
            self._open(stack)
            try:
                while not self._is_over():
                    self._wait()
                    self._obey_signals()
                    self._listen_to_workers()
                    self._keep_lease()
                    self._reclaim()
                    self._watch_futures()
                    self._hand_out()
                    self._replace_workers()
                    self._answer_bell()
                    self._enforce_stop()
            finally:
                self._close()

    def _open(self, stack: ExitStack) -> None:
        processes.adopt_orphans()
        self._store: Store = open_store(self._settings)
        stack.callback(self._store.close)
        self._bell = stack.enter_context(Doorbell(self._store.runtime_name))
        self._signal_end = stack.enter_context(waking())
        stack.enter_context(handled(self._signals.append, *STOP_SIGNALS))
        with self._store.database.transaction() as connection:
            me = owner.current()
            how = (SessionKind.QUEUE, me, self._bell.address, self._workers, json.dumps(self._offered))
            self.id = sessions.open_session(connection, *how)
            self._worker_id = sessions.open_worker(connection, self.id, me)
        self._clerk = Clerk(self._store, self._worker_id, functions_named(self._functions))
        self._watcher = FutureWatcher(self._wake_myself)
        self._foreign = foreign.ForeignFutures()
        stack.callback(self._watcher.close)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._selector.register(self._signal_end, selectors.EVENT_READ)
        stack.callback(self._selector.close)
        self._offer = resources.Offer(self.id, self._offered, self._offered[resources.CPUS] < self._workers)
        configuration = Configuration(
            self._settings.store,
            self._settings.durable,
            QUEUE_LANE,
            self.id,
            self._functions,
            -1,
            offer=self._offered,
            tight=self._offer.tight,
            sources=self._settings.sources,
        )
        self._collector = Collector(self._settings, self._clerk.functions)
        stack.callback(self._collector.close)
        self._hooks = Hooks(self._settings, self._store, self.id, self._worker_id, self._bell.address)
        self._pool = WorkerPool(configuration, self._workers)
        self._start_workers()
        self._follow_up(reclaim.reclaim_dead_sessions(self._store))
        reclaim.sweep(self._store, self._clerk)
        self._recreate_futures()
        self._follow_up(self._clerk.leftovers())
        self._tell(EventKind.SERVING, f"{self._workers} workers, store {self._store.path}")

    def _is_over(self) -> bool:
        if self._mode is not Mode.WORK:
            return not self._pool.members
        if self._draining and self._pool.is_idle and reports.is_idle(self._store.database) and self._hooks.caught_up():
            return True
        return self._exit_when_idle is not None and self._idle_for() >= self._exit_when_idle

    def _wait(self) -> None:
        """Sleep until somebody rings, a worker speaks, a signal comes, or it is time to look around."""
        for key, _ in self._selector.select(self._pause()):
            if key.fileobj is self._bell:
                self._bell.clear()
                self._rhythm.hurry("rung")
            elif key.fileobj == self._signal_end:
                with suppress(BlockingIOError):
                    os.read(self._signal_end, 64)
            else:
                self._heard.append(key.data)

    def _pause(self) -> float:
        self._heard: list[Member] = []
        pauses = [RESCAN_SECONDS if self._waits_for_files else TICK_SECONDS]
        if self._exit_when_idle is not None:
            pauses.append(max(self._exit_when_idle / 2, 0.05))
        return min(pauses)

    # -- workers ----------------------------------------------------------------------------
    def _start_workers(self) -> None:
        for member in self._pool.start_missing():
            self._selector.register(member.channel, selectors.EVENT_READ, member)

    def _listen_to_workers(self) -> None:
        for member in self._heard:
            try:
                messages = self._pool.receive(member)
            except EOFError:
                self._bury(member)
                continue
            for message in messages:
                self._on_message(member, message)

    def _on_message(self, member: Member, message: Message) -> None:
        event = message["event"]
        if event == "started":
            self._observe(event_of(EventKind.STARTED, message))
        elif event == "ended":
            member.doomed.pop(message["id"], None)
            self._observe(event_of(EventKind.ENDED, message))
        elif event == "failed":
            self._tell(EventKind.REQUEST_FAILED, f"#{message['request']} {message['error']}")
        elif event == "full" and not self._paused:
            self._pause_for("the disk of the store is full")
        elif event == "hello" and self._mode is not Mode.WORK:
            self._pool.order(self._mode)

    def _bury(self, member: Member) -> None:
        self._selector.unregister(member.channel)
        death = self._pool.bury(member, self._store.id)
        if death is None:
            return
        if not death.ended:
            self._tell(EventKind.WORKER_DIED, death.how, member.current)
        reclaim.remove_half_written(self._store, death.worker_id, member.process.pid)
        staged = Staged()
        streams = streamlog.recover(self._store, death.worker_id, staged)
        with self._store.database.transaction() as connection:
            staged.write(connection)
            consequences = attempt.bury(connection, self.id, death, streams)
        for message in member.leaving:
            again, failed = consequences.again, consequences.failed
            self._observe(event_of(EventKind.ENDED, {**message, "again": again, "failed": failed}))
        self._follow_up(consequences)
        workdir.remove_those_of(self._store.work, death.worker_id)

    def _replace_workers(self) -> None:
        if self._mode is Mode.WORK:
            self._start_workers()

    def _hand_out(self) -> None:
        """Wake as many idle workers as there are jobs to be claimed."""
        idle = self._pool.idle_count
        if self._paused:
            self._probe_disk()
        elif idle and self._mode is Mode.WORK:
            ready = resources.startable(self._store.database, self._offer, idle)
            if ready:
                self._pool.wake(ready)

    # -- housekeeping -----------------------------------------------------------------------
    def _keep_lease(self) -> None:
        if self._rhythm.is_due("renew", RENEW_SECONDS):
            with self._store.database.transaction() as connection:
                alive = sessions.renew(connection, self.id)
            if not alive:
                raise SeamlessError("another host took this server for dead and ended its session; start it again")
            self._store.database.shorten_log()
        if self._rhythm.is_due("touch", sidecars.TOUCH_SECONDS):
            for _, path in reports.live_outputs(self._store.database):
                sidecars.touch_future(os.fsdecode(path))

    def _reclaim(self) -> None:
        if self._rhythm.is_due("reclaim", RECLAIM_SECONDS):
            self._follow_up(reclaim.reclaim_dead_sessions(self._store))
            self._follow_up(self._clerk.leftovers())
            if self._pool.is_idle:
                scratch.drop_unused(self._store, self._clerk.functions, SWEEP_SECONDS)
            self._collector.look()

    def _watch_futures(self) -> None:
        """Look at the foreign .FUTUREs that requests of this store wait for."""
        if self._rhythm.is_due("watch", RESCAN_SECONDS if self._waits_for_files else TICK_SECONDS):
            watched = reports.watched(self._store.database)
            self._watcher.watch({os.fsdecode(path) for _, _, path in watched})
            self._waits_for_files = bool(watched)
            self._foreign.look(self._clerk, watched)

    def _recreate_futures(self) -> None:
        """A client may have died between its submit and its .FUTUREs."""
        for request_id, path in reports.live_outputs(self._store.database):
            text = os.fsdecode(path)
            if not os.path.lexists(text + sidecars.FUTURE):
                with suppress(OSError):
                    sidecars.write_future(text, sidecars.future_content(self._store.id, request_id))

    def _follow_up(self, consequences: Consequences) -> None:
        self._clerk.handle(consequences)

    # -- the disk ---------------------------------------------------------------------------
    _paused: str | None = None
    _held = False
    _waits_for_files = False

    def _pause_for(self, reason: str) -> None:
        self._paused = reason
        self._pool.order(Mode.HOLD)
        self._say_paused(reason)
        self._tell(EventKind.PAUSED, f"{reason}; free some space, work goes on by itself")

    def _probe_disk(self) -> None:
        """Resume once a file can be written again."""
        if not can_write(os.path.join(self._store.buffers.directory, ".new")):
            return
        self._paused = None
        self._say_paused(None)
        self._pool.order(Mode.WORK)
        self._tell(EventKind.RESUMED)

    def _say_paused(self, reason: str | None) -> None:
        try:
            with self._store.database.transaction() as connection:
                sessions.pause(connection, self.id, reason)
        except Exception as exc:
            # The very disk that is full holds the table.
            if not is_disk_full(exc):
                raise

    # -- the end ----------------------------------------------------------------------------
    def _obey_signals(self) -> None:
        """First: finish what runs. Second: stop now, unfinished jobs go back to be claimed again."""
        while self._signals:
            self._signals.pop(0)
            self._obey_signal()

    def _obey_signal(self) -> None:
        now = time.monotonic()
        if now - self._signaled < SAME_SIGNAL_SECONDS:
            # timeout(1) signals the process and then its whole group: that is one wish.
            return
        self._signaled = now
        if self._mode is Mode.WORK:
            self._mode = Mode.FINISH
            self._tell(EventKind.STOPPING, "finishing what runs; again to stop at once")
        else:
            self._mode = Mode.STOP
            self._stop_deadline = time.monotonic() + STOP_SECONDS
            self._tell(EventKind.STOPPING, "stopping at once; unfinished jobs stay in the queue")
        self._pool.order(self._mode)

    def _answer_bell(self) -> None:
        """Somebody may have canceled a job, or asked us to drain."""
        if not self._rhythm.is_due("rung", TICK_SECONDS):
            return
        self._pool.check_busy()
        self._pool.stop_canceled(claims.all_to_stop(self._store.database), CANCEL_SECONDS)
        self._tell_of_hooks()
        if self._pool.idle_count and claims.any_reserved(self._store.database, QUEUE_LANE):
            # A busy worker may sit on them for long: the woken one takes one back.
            self._pool.wake(1)
        self._look_at_pause()
        if not self._draining and sessions.is_draining(self._store.database, self.id):
            self._draining = True
            self._tell(EventKind.DRAINING)

    def _look_at_pause(self) -> None:
        """Workers see for themselves that the queue is paused; people are told."""
        held = resources.paused_since(self._store.database) is not None
        if held != self._held:
            self._held = held
            self._tell(EventKind.PAUSED if held else EventKind.RESUMED, HELD if held else "")

    def _enforce_stop(self) -> None:
        if self._stop_deadline is not None and time.monotonic() > self._stop_deadline:
            self._pool.kill()
        # Code that holds the interpreter does not even hear that it is to stop.
        self._pool.kill_late()

    def _close(self) -> None:
        """Let the workers leave, then close the session; also after an error."""
        self._dismiss()
        self._hooks.close(lambda: self._mode is Mode.STOP or bool(self._signals))
        self._tell_of_hooks()
        with self._store.database.transaction() as connection:
            consequences = sessions.end_session(connection, self.id, "the server stopped")
        self._follow_up(consequences)
        with passing_over_full_disk():
            scratch.drop_unused(self._store, self._clerk.functions)
        if not sessions.live_sessions(self._store.database):
            reports.forget_contexts(self._store.database)
        self._tell(EventKind.STOPPED)

    def _dismiss(self) -> None:
        if self._mode is Mode.WORK:
            self._mode = Mode.FINISH
            self._pool.order(Mode.FINISH)
        deadline = time.monotonic() + STOP_SECONDS
        while self._pool.members:
            self._pause()
            self._wait()
            self._obey_signals()
            self._listen_to_workers()
            if time.monotonic() > deadline:
                self._pool.kill()

    # -- small things -----------------------------------------------------------------------
    def _idle_for(self) -> float:
        """Seconds without work; negative while there is some."""
        now = time.monotonic()
        if not self._pool.is_idle or not reports.is_idle(self._store.database) or not self._hooks.caught_up():
            self._idle_since = now
            return -1.0
        return now - self._idle_since

    def _wake_myself(self) -> None:
        self._rhythm.hurry("watch")
        ring([self._bell.address])

    def _tell_of_hooks(self) -> None:
        for note in self._hooks.notes():
            self._tell(EventKind.HOOK, note)

    def _tell(self, kind: EventKind, text: str = "", about: Message | None = None) -> None:
        about = about or {}
        self._observe(Event(kind, text, about.get("job", ""), about.get("request", 0), about.get("command", "")))
