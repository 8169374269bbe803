"""What jobs of the queue demand, what servers offer, and which job may start where.

A demand and an offer are numbers by name: `cpus`, `memory` (bytes), `gpus`, and slots of any other name. Processors,
memory and GPUs belong to a server, slots to the whole store. A job that says nothing takes one processor.

    demand ≤ offer less what running jobs hold      it starts
    not so for PATIENCE_SECONDS                  what it demands is kept for it: nothing that comes after it takes it
    demand > offer                               it never starts on this server, and holds nobody back

As long as nobody demands anything, a claim costs one look more than it would without all this.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..driver import Database
from . import claims
from .records import QUEUE_LANE
from .states import JobState, among

CPUS, MEMORY, GPUS = "cpus", "memory", "gpus"
#: What belongs to a server; everything else is a slot of the store.
OF_SERVER = frozenset((CPUS, MEMORY, GPUS))
#: What a job takes that says nothing.
PLAIN = {CPUS: 1}
#: For so long later jobs may overtake one that does not fit.
PATIENCE_SECONDS = 30.0
#: Which GPUs a process may use; what a job is given goes there.
VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
#: The fact of a store that says since when its queue is paused.
PAUSED = "paused"

#: So many different demands at most are weighed at once; the others come when these have been met.
MOST_KINDS = 500
#: Demands of memory are rounded up to so many digits: a thousand slightly different ones would be a thousand kinds.
MEMORY_DIGITS = 2

_FREE = f"{among(JobState.READY)} AND worker_id IS NULL AND resources IS NOT NULL"
_HOLDING = "worker_id IS NOT NULL AND resources IS NOT NULL"
# Whether there is anything but plain jobs to be started.
GATE = f"""SELECT EXISTS (SELECT 1 FROM facts WHERE name = '{PAUSED}'), EXISTS (SELECT 1 FROM jobs WHERE {_FREE}),
    EXISTS (SELECT 1 FROM jobs WHERE {_HOLDING})"""
IS_PAUSED = f"SELECT value FROM facts WHERE name = '{PAUSED}'"
# The best job of each kind: from one kind to the next by the index, however many jobs there are of each.
BEST = f"""WITH RECURSIVE kinds(resources) AS (SELECT MIN(resources) FROM jobs WHERE {_FREE}
    UNION ALL SELECT (SELECT MIN(jobs.resources) FROM jobs WHERE jobs.{_FREE} AND jobs.resources > kinds.resources)
    FROM kinds WHERE kinds.resources IS NOT NULL LIMIT {MOST_KINDS})
    SELECT (SELECT id FROM jobs WHERE {_FREE} AND jobs.resources = kinds.resources ORDER BY priority DESC, id LIMIT 1)
    FROM kinds WHERE kinds.resources IS NOT NULL"""
CANDIDATE = "SELECT priority, id, resources, passed_over FROM jobs WHERE id = ?"
BEST_PLAIN = f"""SELECT priority, id FROM jobs WHERE lane = {QUEUE_LANE} AND {among(JobState.READY)}
    AND worker_id IS NULL AND resources IS NULL ORDER BY priority DESC, id LIMIT 1"""
COUNT_OF_KIND = f"SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE {_FREE} AND resources = ? LIMIT ?)"
HELD = """SELECT workers.session_id, jobs.resources, jobs.devices FROM jobs JOIN workers ON workers.id = jobs.worker_id
    WHERE jobs.worker_id IS NOT NULL AND jobs.resources IS NOT NULL"""
BUSY_WITH_PLAIN = """SELECT COUNT(DISTINCT jobs.worker_id) FROM workers JOIN jobs ON jobs.worker_id = workers.id
    WHERE workers.session_id = ? AND workers.ended IS NULL AND workers.id <> ? AND jobs.resources IS NULL"""
TAKE = f"UPDATE jobs SET worker_id = ?, devices = ?, passed_over = NULL WHERE id = ? AND {_FREE}"
PASS_OVER = "UPDATE jobs SET passed_over = ? WHERE id = ? AND passed_over IS NULL"
OFFERS = "SELECT id, resources, paused FROM sessions WHERE ended IS NULL AND kind = 0"
OF_JOB = f"SELECT resources, priority FROM jobs WHERE id = ? AND lane = {QUEUE_LANE} AND {_FREE}"

DEMANDS = f"SELECT resources, COUNT(*) FROM jobs WHERE {_FREE} GROUP BY resources"
DEMANDS_OF = f"SELECT id, resources FROM jobs WHERE id IN (SELECT value FROM json_each(?)) AND {_FREE}"

Amounts = Mapping[str, int]


class Offer(NamedTuple):
    """What one server gives to jobs."""

    session_id: int
    amounts: dict[str, int]
    #: the workers alone do not see to it that plain jobs fit
    tight: bool = False


class _Candidate(NamedTuple):
    """The best job of a kind; of plain ones without `resources`."""

    order: tuple[int, int]
    id: int
    resources: str | None
    passed_over: float | None

    @property
    def demand(self) -> dict[str, int]:
        return demand_of(self.resources)

    @property
    def is_overdue(self) -> bool:
        return self.passed_over is not None and self.passed_over + PATIENCE_SECONDS <= time.time()


def encode(amounts: Mapping[str, int | None]) -> str | None:
    """Demands as they stand in the table; None for what every job takes anyway."""
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    if MEMORY in given:
        given[MEMORY] = _rounded_up(given[MEMORY])
    known = {name: amount for name, amount in given.items() if amount != PLAIN.get(name, 0)}
    return json.dumps(known, sort_keys=True) if known else None


def _rounded_up(count: int) -> int:
    step: int = 10 ** max(0, len(str(count)) - MEMORY_DIGITS)
    return -(-count // step) * step


def demand_of(resources: str | None) -> dict[str, int]:
    """What a job demands, by name."""
    return {**PLAIN, **(json.loads(resources) if resources else {})}


# -- claiming: inside the caller's write transaction -------------------------------------------
def claim(connection: Any, worker_id: int, offer: Offer, want: int) -> list[int]:
    """Reserve jobs of the queue for a worker: up to `want` plain ones, or one that fits into what is left."""
    paused, demanding, holding = connection.execute(GATE).fetchone()
    if paused:
        return []
    if not (demanding or holding or offer.tight):
        return claims.claim(connection, worker_id, QUEUE_LANE, want)
    chosen, plain_may = _choose(connection, worker_id, offer)
    if chosen is not None and chosen.resources is not None:
        return [chosen.id]
    return claims.claim(connection, worker_id, QUEUE_LANE, want) if plain_may else []


def is_paused(connection: Any) -> bool:
    """Whether nothing of the queue is to be begun."""
    return connection.execute(IS_PAUSED).fetchone() is not None


def _choose(connection: Any, worker_id: int, offer: Offer) -> tuple[_Candidate | None, bool]:
    """The first job that may start, reserved if it demands something; and whether a plain one could."""
    free, devices = _free(connection, worker_id, offer)
    for candidate in _candidates(connection):
        demand = candidate.demand
        if fits(demand, free):
            if candidate.resources is None:
                return candidate, True
            given = _devices(offer, devices)[: demand.get(GPUS, 0)]
            connection.execute(TAKE, (worker_id, ",".join(given) or None, candidate.id))
            return candidate, False
        if candidate.resources is not None and fits(demand, offer.amounts):
            if candidate.is_overdue:
                free = less(free, demand)
            connection.execute(PASS_OVER, (time.time(), candidate.id))
    # What other workers have reserved and not begun is left.
    return None, fits(PLAIN, free)


def _candidates(connection: Any) -> Iterator[_Candidate]:
    """The best of each kind, in the order in which they should start."""
    found = [connection.execute(CANDIDATE, row).fetchone() for row in connection.execute(BEST).fetchall()]
    plain = connection.execute(BEST_PLAIN).fetchone()
    found += [(*plain, None, None)] if plain else []
    yield from sorted(_Candidate((-row[0], row[1]), *row[1:]) for row in found)


def _free(connection: Any, worker_id: int, offer: Offer) -> tuple[dict[str, int], set[str]]:
    """What is left of an offer; which GPUs are taken."""
    free, devices = dict(offer.amounts), set[str]()
    for session_id, resources, given in connection.execute(HELD).fetchall():
        ours = session_id == offer.session_id
        held = demand_of(resources)
        free = less(free, {name: amount for name, amount in held.items() if ours or name not in OF_SERVER})
        devices.update(given.split(",") if ours and given else ())
    plain = connection.execute(BUSY_WITH_PLAIN, (offer.session_id, worker_id)).fetchone()[0]
    return less(free, {CPUS: plain}), devices


def fits(demand: Amounts, free: Amounts) -> bool:
    """Whether there is enough of everything."""
    return all(amount <= free.get(name, 0) for name, amount in demand.items() if amount)


def less(free: Amounts, taken: Amounts) -> dict[str, int]:
    """What is left; below zero where more is spoken for than there is."""
    return {**free, **{name: free.get(name, 0) - amount for name, amount in taken.items()}}


def _devices(offer: Offer, taken: set[str]) -> list[str]:
    """The GPUs of a server that are free, as programs are told of them."""
    named = [name.strip() for name in os.environ.get(VISIBLE_DEVICES, "").split(",") if name.strip()]
    names = named or [str(number) for number in range(offer.amounts.get(GPUS, 0))]
    return [name for name in names if name not in taken]


# -- questions ---------------------------------------------------------------------------------
def startable(database: Database, offer: Offer, at_most: int) -> int:
    """How many jobs could start on a server now, counted no further than `at_most`."""
    connection = database.connection
    paused, demanding, holding = connection.execute(GATE).fetchone()
    if paused:
        return 0
    if not (demanding or holding or offer.tight):
        return claims.ready_count(database, QUEUE_LANE, at_most)
    free, _ = _free(connection, 0, offer)
    count = 0
    for candidate in _candidates(connection):
        demand, there = candidate.demand, _count(database, candidate.resources, at_most)
        if candidate.is_overdue and not fits(demand, free) and fits(demand, offer.amounts):
            free = less(free, demand)
        while count < at_most and there and fits(demand, free):
            free, count, there = less(free, demand), count + 1, there - 1
    return count


def _count(database: Database, resources: str | None, at_most: int) -> int:
    if resources is None:
        return claims.ready_count(database, QUEUE_LANE, at_most)
    return int(database.row(COUNT_OF_KIND, (resources, at_most))[0])


def paused_since(database: Database) -> float | None:
    """Since when the queue of the store is paused; None if it is not."""
    row = database.row(IS_PAUSED)
    return float(row[0]) if row else None


def offers(database: Database) -> list[Offer]:
    """What the servers of the store offer that live."""
    return [Offer(row[0], json.loads(row[1])) for row in database.rows(OFFERS) if row[1]]


def lacking(database: Database, resources: str | None) -> str | None:
    """What of a demand no running server offers, in words; None if one has it all, or no server runs."""
    return _lacking(demand_of(resources), offers(database))


def all_lacking(database: Database, job_ids: Iterable[int]) -> dict[int, str]:
    """The same for those of these jobs that can never start as things are."""
    rows = database.rows(DEMANDS_OF, (json.dumps(list(job_ids)),))
    there = offers(database) if rows else []
    found = {job_id: _lacking(demand_of(resources), there) for job_id, resources in rows}
    return {job_id: why for job_id, why in found.items() if why is not None}


def never_count(database: Database) -> int:
    """How many jobs can never start as things are."""
    rows = database.rows(DEMANDS)
    there = offers(database) if rows else []
    return sum(count for resources, count in rows if _lacking(demand_of(resources), there) is not None)


def _lacking(demand: Amounts, there: list[Offer]) -> str | None:
    if not there or any(fits(demand, offer.amounts) for offer in there):
        return None
    most = {name: max(offer.amounts.get(name, 0) for offer in there) for name in demand}
    short = {name: amount for name, amount in demand.items() if amount > most[name]}
    if not short:
        return f"needs {in_words(demand)}, which no running server offers together"
    offered = in_words({name: most[name] for name in short})
    return f"needs {in_words(short)}, but no running server offers more than {offered}"


def waiting_reason(database: Database, job_id: int) -> str | None:
    """Why a job of the queue that is ready does not start, as far as pauses and resources tell; None: neither."""
    return "; ".join(waiting_reasons(database, job_id)) or None


def waiting_reasons(database: Database, job_id: int) -> list[str]:
    """The same, each by itself: what is wanting comes last, and begins with `needs`."""
    paused = ["the queue is paused (seamless-queue resume)"] if paused_since(database) is not None else []
    wanting = _wanting(database, job_id)
    return [*paused, wanting] if wanting is not None else paused


def _wanting(database: Database, job_id: int) -> str | None:
    row = database.row(OF_JOB, (job_id,))
    if row is None:
        return None
    never = lacking(database, row[0])
    if never is not None:
        return never
    demand = demand_of(row[0])
    for offer in offers(database):
        free = _free(database.connection, 0, offer)[0]
        if fits(demand, free):
            return None
        short = {name: amount for name, amount in demand.items() if amount > free.get(name, 0)}
        if fits(demand, offer.amounts):
            return f"needs {in_words(short)}: running jobs have it"
    return None


def in_words(amounts: Amounts) -> str:
    """`2 cpus, 1 GB memory, license=1`."""
    return ", ".join(_amount(name, amount) for name, amount in amounts.items())


def _amount(name: str, amount: int) -> str:
    if name == MEMORY:
        return f"{amount / 1e9:.3g} GB memory"
    if name in OF_SERVER:
        return f"{amount} {name if amount != 1 else name.removesuffix('s')}"
    return f"{name}={amount}"
