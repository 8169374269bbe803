"""A process that claims and finishes jobs until none is left; prints the id of every job that it began.

Arguments: store directory, session id.
"""

from __future__ import annotations

import random
import sys

from seamless_queue import owner
from seamless_queue.broker import claims, sessions
from seamless_queue.broker.states import Outcome
from seamless_queue.broker.work import Finished
from seamless_queue.settings import Settings
from seamless_queue.store import open_store

LEFT = "SELECT 1 FROM jobs WHERE state = 0 LIMIT 1"


def main(directory: str, session: int) -> None:
    """Work until no job is ready."""
    store = open_store(Settings(directory))
    with store.database.transaction() as connection:
        worker = sessions.open_worker(connection, session, owner.current())
    print("ready", flush=True)
    sys.stdin.readline()
    began: list[int] = []
    while store.database.row(LEFT):
        with store.database.transaction() as connection:
            reserved = claims.claim(connection, worker, 0, random.randint(1, 8))
        for job in reserved:
            with store.database.transaction() as connection:
                running = claims.begin(connection, worker, job)
            if running is None:
                continue
            began.append(job)
            with store.database.transaction() as connection:
                claims.finish(connection, session, worker, running, Finished(Outcome.DONE, running.checksum))
    store.close()
    print(*began)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
