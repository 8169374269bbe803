"""The thread of a Python session that listens: to its workers, to the rings of others, and to the clock.

    workers ──events──▶ listener ──▶ tickets that have ended
    sessions ──rings──▶     │
                            └── renews the lease, replaces dead workers, lends some while others only wait

It starts the workers, so that it is their parent. Without a pool it is there once others run what the session wants.
"""

from __future__ import annotations

import os
import selectors
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import attempt, reclaim, streamlog, workdir
from .attempt import Death
from .broker import claims, progress, sessions
from .broker.sessions import RENEW_SECONDS
from .broker.states import Outcome
from .channel import Message
from .doorbell import Doorbell, ring
from .errors import SeamlessError
from .filesystems import can_write, is_disk_full, passing_over_full_disk
from .lane import Ticket
from .orders import Mode
from .pool import Member, WorkerPool
from .rhythm import Rhythm
from .staged import Staged

if TYPE_CHECKING:
    from .pythonsession import PythonSession

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


class Listener:
    """Looks after the workers and tickets of one session, under its lock."""

    def __init__(self, session: PythonSession, bell: Doorbell) -> None:
        self._session = session
        self._bell = bell
        self.lane = session.lane
        self.lock = session.lock
        self.store = session.store
        self.pool: WorkerPool | None = None
        self._thread: threading.Thread | None = None
        self._selector = selectors.DefaultSelector()
        self._closing = False
        self._look_pause = LOOK_SECONDS
        self._rhythm = Rhythm(time.monotonic() + RECLAIM_SECONDS)
        #: workers that have been seen dead, but not noted yet
        self._dead: list[Death] = []
        self._disk_is_full = False
        #: a full disk kept something from being noticed: all is to be looked at
        self._has_missed = False

    # -- what the session has it do -------------------------------------------------------------
    def start(self) -> None:
        """Begin to listen."""
        with self.lock:
            if self._thread is None and not self._closing:
                self._selector.register(self._bell, selectors.EVENT_READ)
                self._thread = threading.Thread(target=self._run, name="seamless-listener", daemon=True)
                self._thread.start()

    def watch_others(self) -> None:
        """Look at once, and often, what has become of jobs that others run."""
        self._look_pause = LOOK_SECONDS
        if self._thread is None:
            self.start()
        ring([self._bell.address])

    def finish(self) -> None:
        """See the workers leave, and the thread end."""
        self._closing = True
        if self._thread is not None:
            ring([self._bell.address])
            self._thread.join()

    def close(self) -> None:
        """Give the descriptors back."""
        self._selector.close()

    def stop(self, job_id: int | None) -> None:
        """Nobody wants the job any more: a worker of ours that runs it has to stop, or is killed."""
        worker_id = claims.worker_to_stop(self.store.database, job_id)
        # One of ours, not a thread of this process, which cannot be made to stop.
        if (
            self.pool is not None
            and job_id is not None
            and worker_id is not None
            and worker_id != self._session.worker_id
        ):
            self.pool.stop(worker_id, job_id, STOP_SECONDS)

    def _on_stopped(self, job_id: int) -> None:
        """What the code of a stopped job has asked for is not wanted either, unless by others."""
        with self.store.database.transaction() as connection:
            children, consequences = progress.cancel_children(connection, job_id)
        self.lane.clerk.handle(consequences)
        for child in children:
            self.stop(child)

    # -- the thread --------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn(self._selector.select(self._pause()))
            with self.lock:
                ended = self._dismiss()
            self._session.tell(ended)
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
            self._session.tell(ended)
            ended = []
            with self.lock:
                ended += self._look(self._has_missed or any(key.data is None for key, _ in ready))
                self._has_missed = False
                if self.pool is None and self.lane.has_strangers:
                    # A pool takes such jobs by itself.
                    left = self.lane.left_to_us()
                self.lane.give_back_unpublished()
                self._keep_lease()
                self._keep_pool()
        except Exception as exc:
            self.pass_over_full_disk(exc)
            self._has_missed = True
        self._session.tell(ended)
        if left:
            self._session.on_left(left)

    def _fail(self, why: str) -> None:
        """Nobody is left to say how anything has ended: so all ends here."""
        with self.lock:
            self._session.broken = why
            ended = self.lane.abandon(why)
        # Whatever else goes wrong: nobody is to wait for ever.
        self._session.on_ended(ended)
        with self.lock:
            if self.pool is not None:
                self.pool.end()

    def _pause(self) -> float:
        with self.lock:
            pauses = [TICK_SECONDS]
            if self._waits_for_others():
                pauses.append(self._look_pause)
                self._look_pause = min(self._look_pause * 1.5, LOOK_LONGEST_SECONDS)
            if self.pool is not None:
                pauses.extend(max(0.0, moment - time.monotonic()) for moment in self.pool.deadlines)
        return min(pauses)

    def _waits_for_others(self) -> bool:
        """Whether jobs may be run by others than our pool."""
        return self.lane.open_count > 0 and (self.pool is None or self.lane.has_strangers)

    def _take_in(self, members: list[Member], ended: list[Ticket]) -> None:
        """Listen to workers; what has ended by what they say is added to the list."""
        for member in members:
            try:
                messages = self.pool.receive(member) if self.pool is not None else []
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
            self.stop(message["id"])
        elif event == "ended":
            return self._on_end(member, message)
        return []

    def _on_end(self, member: Member, message: Message) -> list[Ticket]:
        if member.doomed.pop(message["id"], None) is not None:
            self._on_stopped(message["id"])
        if message["again"] or self.pool is None:
            return []
        self.pool.spread_news()
        ticket = self.lane.on_ended(message["job"], Outcome(message["outcome"]), message["result"], message["error"])
        if ticket is None:
            return []
        if message["content"] is not None and ticket.result == message["result"]:
            ticket.content = message["content"].encode()
        return [ticket]

    def _look(self, rung: bool) -> list[Ticket]:
        if rung:
            self._bell.clear()
            if self.pool is not None:
                self.pool.spread_news()
                self.pool.stop_canceled(claims.all_to_stop(self.store.database), STOP_SECONDS)
        blocked = self.pool is not None and self.pool.blocked_count > 0
        if (blocked or self._waits_for_others()) and self._rhythm.is_due("reclaim", RECLAIM_SECONDS):
            self.lane.clerk.handle(reclaim.reclaim_dead_sessions(self.store))
            self.lane.take_over()
        return self.lane.look() if self.lane.open_count and (rung or self._waits_for_others()) else []

    def _keep_lease(self) -> None:
        if self._rhythm.is_due("renew", RENEW_SECONDS):
            with self.store.database.transaction() as connection:
                sessions.renew(connection, self._session.id)
            self.store.database.shorten_log()

    # -- the pool ----------------------------------------------------------------------------------
    def _keep_pool(self) -> None:
        """Replace the dead, lend a worker for each that only waits, wake who has something to do."""
        pool = self.pool
        if pool is None or self._session.broken is not None:
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
        ready = claims.ready_count(self.store.database, self._session.id, wanted) if may_help else 0
        missing = wanted if ready > pool.idle_count else pool.size
        for member in pool.start_missing(missing):
            self._selector.register(member.channel, selectors.EVENT_READ, member)
        pool.wake(ready)

    def _bury(self, member: Member) -> list[Ticket]:
        self._selector.unregister(member.channel)
        if self.pool is None:
            return []
        try:
            death = self.pool.bury(member, self.store.id)
        except SeamlessError as exc:
            self._session.broken = str(exc)
            return self._session.give_up(str(exc), failed=True)
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
                consequences = attempt.bury(connection, self._session.id, death, streams)
            del self._dead[0]
            self.lane.clerk.handle(consequences)
            workdir.remove_those_of(self.store.work, death.worker_id)
            if self.pool is not None:
                self.pool.spread_news()
            ended += self.lane.look()

    def _dismiss(self) -> list[Ticket]:
        """Have the workers leave; who does not hear is killed. What has ended meanwhile."""
        pool, ended = self.pool, list[Ticket]()
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

    # -- the disk ----------------------------------------------------------------------------------
    def pass_over_full_disk(self, exc: Exception) -> None:
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
        if not self._rhythm.is_due("probe", PROBE_SECONDS) or not can_write(place):
            return False
        self._disk_is_full = False
        pool.order(Mode.WORK)
        return True
