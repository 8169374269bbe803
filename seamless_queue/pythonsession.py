"""The session of a Python process: its lane, its pool of workers, and a thread that listens to them.

    caller ──submit──▶ lane ──wake──▶ workers
                        ▲               │
    caller ◀──tickets── listener ◀──────┘ events, rings of other sessions

Without a pool the caller's own threads run what they wait for; the listener is started when somebody else
runs it, or when there is a pool.
"""

from __future__ import annotations

import os
import selectors
import sys
import threading
import time
from collections.abc import Callable, Sequence

from . import attempt, owner, private, reclaim, scratch, streamlog, workdir
from .attempt import Death
from .broker import claims, progress, sessions
from .broker.records import QUEUE_LANE, NewRequest
from .broker.sessions import RENEW_SECONDS, SessionKind
from .broker.states import Outcome
from .care import marker
from .channel import Message
from .clerk import functions_named
from .doorbell import Doorbell, ring
from .errors import SeamlessError
from .filesystems import can_write, is_disk_full, passing_over_full_disk
from .hosts import Here
from .lane import Lane, Ticket
from .orders import Configuration, Mode
from .pool import Member, WorkerPool
from .settings import Settings
from .staged import Staged
from .store import open_store

#: The safety net under lost rings.
TICK_SECONDS = 1.0
#: How often jobs that others run are looked at: at first, and after a while.
LOOK_SECONDS = 0.005
LOOK_LONGEST_SECONDS = 0.2
#: How often dead sessions are looked for while one waits for others.
RECLAIM_SECONDS = 1.0
#: How long a worker has to give up a canceled job, and all of them to leave at the end.
STOP_SECONDS = 2.0
#: How often a disk that was full is tried.
PROBE_SECONDS = 1.0
#: So many workers more than wanted, while others only wait.
LENT_WORKERS = 2


class PythonSession:
    """Opens the store, registers itself, and runs what is submitted. For several threads."""

    def __init__(
        self,
        settings: Settings,
        functions: str,
        on_ended: Callable[[Sequence[Ticket]], None],
        on_left: Callable[[Sequence[Ticket]], None],
    ) -> None:
        self._settings = settings
        self._functions = functions
        self._on_ended = on_ended
        self._on_left = on_left
        self.lock = threading.RLock()
        self.store = open_store(settings, shared=True)
        self._bell = Doorbell(self.store.runtime_name)
        me = owner.current()
        with self.store.database.transaction() as connection:
            self.id = sessions.open_session(connection, SessionKind.PYTHON, me, self._bell.address, 0)
            self.worker_id = sessions.open_worker(connection, self.id, me)
        given = functions_named(functions)
        self.lane = Lane(self.store, given, self.id, self.id, self.worker_id, self.lock)
        self.host = Here(self)
        self.process_id = os.getpid()
        self._pool: WorkerPool | None = None
        self._listener: threading.Thread | None = None
        self._selector = selectors.DefaultSelector()
        self._closing = False
        self._look_pause = LOOK_SECONDS
        self._due = dict.fromkeys(("renew", "reclaim", "probe"), time.monotonic() + RECLAIM_SECONDS)
        #: workers that have been seen dead, but not noted yet
        self._dead: list[Death] = []
        self._disk_is_full = False
        #: a full disk kept something from being noticed: all is to be looked at
        self._has_missed = False
        #: why nothing can be run any more
        self.broken: str | None = None
        if not settings.private:
            self._sweep()

    def _sweep(self) -> None:
        """What the dead have left, in the store and elsewhere, goes: nobody else may ever come."""
        private.sweep()
        self.lane.clerk.handle(reclaim.reclaim_dead_sessions(self.store))
        reclaim.sweep(self.store, self.lane.clerk)

    # -- what callers do ----------------------------------------------------------------------
    def submit(self, requests: Sequence[NewRequest], staged: Staged) -> list[Ticket]:
        """Submit, and wake who is to run it."""
        with self.lock:
            self._refuse_if_broken()
            tickets = self.lane.submit(requests, staged)
            waiting = sum(not ticket.done for ticket in tickets)
            if waiting and requests[0].lane == QUEUE_LANE:
                ring(sessions.queue_addresses(self.store.database))
                self.watch_others()
            elif waiting and self._pool is not None:
                self._pool.wake(waiting)
            return tickets

    def spawn(self, workers: int) -> None:
        """Have so many workers from now on. They are started by the listener, so that it is their parent."""
        with self.lock:
            self._refuse_if_broken()
            if self._pool is None:
                configuration = Configuration(
                    self._settings.store,
                    self._settings.durable,
                    self.id,
                    self.id,
                    self._functions,
                    -1,
                    self._settings.private,
                    tuple(_search_path()),
                    quiet=True,
                    sources=self._settings.sources,
                )
                self._pool = WorkerPool(configuration, workers)
            self._pool.size = workers
        self._listen()
        ring([self._bell.address])

    def _refuse_if_broken(self) -> None:
        if self.broken is not None:
            raise SeamlessError(self.broken)

    @property
    def workers(self) -> int:
        """How many workers are wanted; 0 without a pool."""
        return self._pool.size if self._pool is not None else 0

    def wake_workers(self) -> None:
        """There is a job to be claimed."""
        with self.lock:
            if self._pool is not None:
                self._pool.wake(1)

    def watch_others(self) -> None:
        """Some ticket's job is run by others: have the listener look after it."""
        self._look_pause = LOOK_SECONDS
        if self._listener is None:
            self._listen()
        ring([self._bell.address])

    def cancel(self, ticket: Ticket, why: str = "canceled") -> bool:
        """Take a wish back; a worker of ours that runs its job has to stop."""
        with self.lock:
            if not self.lane.withdraw(ticket, why):
                return False
            self._stop(ticket.job_id)
        ring([self._bell.address])
        return True

    def _stop(self, job_id: int | None) -> None:
        """Nobody wants the job any more: a worker of ours that runs it has to stop, or is killed."""
        worker_id = claims.worker_to_stop(self.store.database, job_id)
        # One of ours, not a thread of this process, which cannot be made to stop.
        if self._pool is not None and job_id is not None and worker_id is not None and worker_id != self.worker_id:
            self._pool.stop(worker_id, job_id, STOP_SECONDS)

    def _on_stopped(self, job_id: int) -> None:
        """What the code of a stopped job has asked for is not wanted either, unless by others."""
        with self.store.database.transaction() as connection:
            children, consequences = progress.cancel_children(connection, job_id)
        self.lane.clerk.handle(consequences)
        for child in children:
            self._stop(child)

    def close(self) -> int:
        """End the session: its workers leave, what has not ended is canceled; how many that were."""
        with self.lock:
            if self._closing or self.process_id != os.getpid():
                return 0
            self._closing = True
            self.broken = self.broken or "the session was closed"
        if self._listener is not None:
            ring([self._bell.address])
            self._listener.join()
        with self.lock:
            withdrawn = self._give_up("the session was closed")
            left = self.lane.abandon("the session was closed; the queue goes on without it")
            self._end()
        self._tell([*withdrawn, *left])
        return len(withdrawn)

    def let_go_in_child(self) -> None:
        """After a fork, in the child: the parent's death is to be seen by its workers, whoever lives on."""
        for member in self._pool.members if self._pool is not None else ():
            member.channel.close()

    # -- the listener -------------------------------------------------------------------------
    def _listen(self) -> None:
        with self.lock:
            if self._listener is None and not self._closing:
                self._selector.register(self._bell, selectors.EVENT_READ)
                self._listener = threading.Thread(target=self._run, name="seamless-listener", daemon=True)
                self._listener.start()

    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn(self._selector.select(self._pause()))
            with self.lock:
                ended = self._dismiss()
            self._tell(ended)
        except BaseException as exc:
            self._fail(f"the session has failed: {type(exc).__name__}: {exc}")
            raise

    def _turn(self, ready: Sequence[tuple[selectors.SelectorKey, int]]) -> None:
        """Look after workers and tickets once. What a full disk keeps from being done is done later."""
        ended, left = list[Ticket](), list[Ticket]()
        try:
            with self.lock:
                self._take_in([key.data for key, _ in ready if key.data is not None], ended)
                self._note_deaths(ended)
            # At once: somebody may be waiting for just these.
            self._tell(ended)
            ended = []
            with self.lock:
                ended += self._look(self._has_missed or any(key.data is None for key, _ in ready))
                self._has_missed = False
                if self._pool is None and self.lane.has_strangers:
                    # A pool takes such jobs by itself.
                    left = self.lane.left_to_us()
                self._keep_lease()
                self._keep_pool()
        except Exception as exc:
            self._pass_over_full_disk(exc)
            self._has_missed = True
        self._tell(ended)
        if left:
            self._on_left(left)

    def _tell(self, ended: list[Ticket]) -> None:
        try:
            if ended:
                self._on_ended(ended)
        except Exception as exc:
            self._pass_over_full_disk(exc)

    def _fail(self, why: str) -> None:
        """Nobody is left to say how anything has ended: so all ends here."""
        with self.lock:
            self.broken = why
            ended = self.lane.abandon(why)
        # Whatever else goes wrong: nobody is to wait for ever.
        self._on_ended(ended)
        with self.lock:
            if self._pool is not None:
                self._pool.end()

    def _pause(self) -> float:
        with self.lock:
            pauses = [TICK_SECONDS]
            if self._waits_for_others():
                pauses.append(self._look_pause)
                self._look_pause = min(self._look_pause * 1.5, LOOK_LONGEST_SECONDS)
            if self._pool is not None:
                pauses.extend(max(0.0, moment - time.monotonic()) for moment in self._pool.deadlines)
        return min(pauses)

    def _waits_for_others(self) -> bool:
        """Whether jobs may be run by others than our pool."""
        return self.lane.open_count > 0 and (self._pool is None or self.lane.has_strangers)

    def _take_in(self, members: list[Member], ended: list[Ticket]) -> None:
        """Listen to workers; what has ended by what they say is added to the list."""
        for member in members:
            try:
                messages = self._pool.receive(member) if self._pool is not None else []
            except EOFError:
                ended += self._bury(member)
                continue
            for message in messages:
                ended += self._on_message(member, message)

    def _on_message(self, member: Member, message: Message) -> list[Ticket]:
        event = message["event"]
        if event == "full":
            self._note_full_disk()
        elif event == "withdrawn":
            self._stop(message["id"])
        elif event == "ended":
            return self._on_end(member, message)
        return []

    def _on_end(self, member: Member, message: Message) -> list[Ticket]:
        if member.doomed.pop(message["id"], None) is not None:
            self._on_stopped(message["id"])
        if message["again"] or self._pool is None:
            return []
        self._pool.spread_news()
        ticket = self.lane.on_ended(message["job"], Outcome(message["outcome"]), message["result"], message["error"])
        if ticket is None:
            return []
        if message["content"] is not None and ticket.result == message["result"]:
            ticket.content = message["content"].encode()
        return [ticket]

    def _look(self, rung: bool) -> list[Ticket]:
        if rung:
            self._bell.clear()
            if self._pool is not None:
                self._pool.spread_news()
                self._pool.stop_canceled(claims.all_to_stop(self.store.database), STOP_SECONDS)
        blocked = self._pool is not None and self._pool.blocked_count > 0
        if (blocked or self._waits_for_others()) and self._is_due("reclaim", RECLAIM_SECONDS):
            self.lane.clerk.handle(reclaim.reclaim_dead_sessions(self.store))
            self.lane.take_over()
        return self.lane.look() if self.lane.open_count and (rung or self._waits_for_others()) else []

    def _keep_lease(self) -> None:
        if self._is_due("renew", RENEW_SECONDS):
            with self.store.database.transaction() as connection:
                sessions.renew(connection, self.id)

    # -- the pool -----------------------------------------------------------------------------
    def _keep_pool(self) -> None:
        """Replace the dead, lend a worker for each that only waits, wake who has something to do."""
        pool = self._pool
        if pool is None or self.broken is not None:
            return
        pool.kill_late()
        if self._disk_is_full and not self._has_room_again(pool):
            return
        pool.hold_excess()
        blocked = pool.blocked_count
        wanted = pool.size + min(LENT_WORKERS, blocked)
        if blocked == len(pool.members):
            # Somebody has to run what all of them wait for.
            wanted = max(wanted, blocked + 1)
        may_help = pool.idle_count > 0 or wanted > len(pool.members)
        ready = claims.ready_count(self.store.database, self.id, wanted) if may_help else 0
        missing = wanted if ready > pool.idle_count else pool.size
        for member in pool.start_missing(missing):
            self._selector.register(member.channel, selectors.EVENT_READ, member)
        pool.wake(ready)

    def _bury(self, member: Member) -> list[Ticket]:
        self._selector.unregister(member.channel)
        if self._pool is None:
            return []
        try:
            death = self._pool.bury(member, self.store.id)
        except SeamlessError as exc:
            self.broken = str(exc)
            return self._give_up(str(exc), failed=True)
        if death is not None:
            self._dead.append(death)
        for job_id in member.doomed:
            self._on_stopped(job_id)
        return []

    def _note_deaths(self, ended: list[Ticket]) -> None:
        """What dead workers had begun is run again, or has ended."""
        while self._dead:
            death, staged = self._dead[0], Staged()
            streams = streamlog.recover(self.store, death.worker_id, staged)
            with self.store.database.transaction() as connection:
                staged.write(connection)
                consequences = attempt.bury(connection, self.id, death, streams)
            del self._dead[0]
            self.lane.clerk.handle(consequences)
            workdir.remove_those_of(self.store.work, death.worker_id)
            if self._pool is not None:
                self._pool.spread_news()
            ended += self.lane.look()

    # -- the disk -----------------------------------------------------------------------------
    def _pass_over_full_disk(self, exc: Exception) -> None:
        if not is_disk_full(exc):
            raise exc
        self._note_full_disk()

    def _note_full_disk(self) -> None:
        """Said once; workers that have met it rest until there is room again."""
        if not self._disk_is_full:
            self._disk_is_full = True
            print("seamless: the disk is full; free some space, work goes on by itself", file=sys.stderr)

    def _has_room_again(self, pool: WorkerPool) -> bool:
        place = os.path.join(self.store.buffers.directory, ".new")
        if not self._is_due("probe", PROBE_SECONDS) or not can_write(place):
            return False
        self._disk_is_full = False
        pool.order(Mode.WORK)
        return True

    def _give_up(self, why: str, *, failed: bool = False) -> list[Ticket]:
        tickets = self.lane.own_tickets()
        try:
            for ticket in tickets:
                self.lane.withdraw(ticket, why, failed=failed)
        except Exception as exc:
            self._pass_over_full_disk(exc)
            # They are canceled when the session's end is noted.
            tickets = list({*tickets, *self.lane.abandon(why)})
        return tickets

    # -- the end ------------------------------------------------------------------------------
    def _dismiss(self) -> list[Ticket]:
        """Have the workers leave; who does not hear is killed. What has ended meanwhile."""
        pool, ended = self._pool, list[Ticket]()
        if pool is None:
            return ended
        pool.order(Mode.STOP)
        deadline = time.monotonic() + STOP_SECONDS
        while pool.members:
            for key, _ in self._selector.select(0.1):
                if key.data is None:
                    self._bell.clear()
                else:
                    self._take_in([key.data], ended)
            if time.monotonic() > deadline:
                pool.kill()
        with passing_over_full_disk():
            self._note_deaths(ended)
        return ended

    def _end(self) -> None:
        try:
            with self.store.database.transaction() as connection:
                consequences = sessions.end_session(connection, self.id, "the session ended")
            self.lane.clerk.handle(consequences)
            if not self._settings.private:
                scratch.drop_unused(self.store, self.lane.functions)
                self._collect()
        finally:
            self.host.close()
            self._bell.close()
            self._selector.close()
            self.store.close()
            if self._settings.private:
                private.remove(self.store.path)

    def _collect(self) -> None:
        """See to it that the store stays below its cap; not when Ctrl-C has ended the program, which is to leave now."""
        if marker.is_due(self.store.path) and getattr(sys, "last_type", None) is not KeyboardInterrupt:
            from .care import collect

            collect.automatically(self.store, self.lane.functions, self._settings.max_size)

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + seconds
        return True


def _search_path() -> list[str]:
    """Where the caller's modules are found; the worker may be in another directory."""
    return [os.path.abspath(entry) for entry in sys.path]
