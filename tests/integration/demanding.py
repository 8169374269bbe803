"""A process that claims and finishes jobs of many demands until none is left.

Prints how many it has begun, and how often more was held than is offered.
Arguments: store directory, session id.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from seamless_queue import owner
from seamless_queue.broker import claims, resources, sessions
from seamless_queue.broker.resources import Offer
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished
from seamless_queue.settings import Settings
from seamless_queue.store import open_store

OFFERED = {"cpus": 6, "memory": 8_000_000_000, "gpus": 2, "license": 2}
LEFT = "SELECT 1 FROM jobs WHERE state = 0 LIMIT 1"
HELD = "SELECT resources, devices FROM jobs WHERE worker_id IS NOT NULL AND resources IS NOT NULL"
PLAIN = "SELECT COUNT(DISTINCT worker_id) FROM jobs WHERE worker_id IS NOT NULL AND resources IS NULL"


def too_much(connection: Any) -> bool:
    """Whether what is held just now is more than what is offered."""
    rows = connection.execute(HELD).fetchall()
    held = {"cpus": connection.execute(PLAIN).fetchone()[0]}
    devices = [name for row in rows for name in (row[1] or "").split(",") if name]
    for row in rows:
        for name, amount in resources.demand_of(row[0]).items():
            held[name] = held.get(name, 0) + amount
    return any(amount > OFFERED[name] for name, amount in held.items()) or len(devices) != len(set(devices))


def main(directory: str, session: int) -> None:
    """Work until no job is ready."""
    store = open_store(Settings(directory))
    with store.database.transaction() as connection:
        worker = sessions.open_worker(connection, session, owner.current())
    offer = Offer(session, OFFERED, True)
    print("ready", flush=True)
    sys.stdin.readline()
    began, excess = 0, 0
    while store.database.row(LEFT):
        with store.database.transaction() as connection:
            reserved = resources.claim(connection, worker, offer, 3)
            begun = [claims.begin(connection, worker, job) for job in reserved]
            excess += too_much(connection)
        if not reserved:
            time.sleep(0.001)
        for running in begun:
            if running is not None:
                began += 1
                with store.database.transaction() as connection:
                    claims.finish(connection, session, worker, running, Finished(Outcome.DONE, running.checksum))
    store.close()
    print(began, excess)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
