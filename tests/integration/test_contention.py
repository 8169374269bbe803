"""Many processes at once: every job is begun exactly once, and what is counted adds up all the while."""

import subprocess
import sys
from pathlib import Path

from desk import Desk
from racing import Racer, let_go, racing

from seamless_queue.broker import reports, submissions
from seamless_queue.broker.records import Identity, NewRequest
from seamless_queue.settings import Settings

JOBS = 2000
PROCESSES = 8
SCRIPT = Path(__file__).with_name("claiming.py")
#: Both numbers in one statement, that is of one moment.
SUMS = "SELECT COUNT(*), SUM(state = 2), SUM(state = 4) FROM requests"


def submit_many(desk: Desk, count: int) -> None:
    with desk.store.database.transaction() as connection:
        for number in range(count):
            identity = Identity(desk.checksum(str(number)))
            submissions.submit(connection, NewRequest(str(number), b"/d", identity.checksum, None, identity=identity))


def test_eight_processes_begin_every_job_exactly_once(desk: Desk, settings: Settings) -> None:
    submit_many(desk, JOBS)
    with racing("claiming.py", PROCESSES, settings.store, str(desk.session)) as processes:
        let_go(processes)
        _watch_the_counts(desk, processes)
        said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    began = [int(job) for line in said for job in line.split()]
    assert sorted(began) == sorted(row[0] for row in desk.store.database.rows("SELECT id FROM jobs"))
    rows = desk.store.database.rows("SELECT job_id, COUNT(*), MAX(fence) FROM attempts GROUP BY job_id")
    assert len(rows) == JOBS
    assert {(count, fence) for _, count, fence in rows} == {(1, 1)}
    assert reports.is_idle(desk.store.database)


def _watch_the_counts(desk: Desk, processes: list[Racer]) -> None:
    done = 0
    while done < JOBS and any(process.poll() is None for process in processes):
        total, queued, delivered = desk.store.database.row(SUMS)
        assert (total, queued + delivered) == (JOBS, JOBS)
        assert delivered >= done
        done = delivered
        counts = reports.counts(desk.store.database)
        assert counts.queued <= JOBS - done
        assert counts.running <= PROCESSES


def test_a_writer_that_holds_the_lock_is_waited_for(desk: Desk, settings: Settings) -> None:
    """Claims wait for each other instead of failing with "database is locked"."""
    submit_many(desk, 20)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), settings.store, str(desk.session)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with desk.store.database.transaction() as connection:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        # It can read, and so gets as far as its first claim; nothing of that may be seen before we end.
        connection.execute("UPDATE jobs SET priority = 1")
        assert connection.execute("SELECT COUNT(*) FROM jobs WHERE worker_id IS NOT NULL").fetchone()[0] == 0
    said, _ = process.communicate()
    assert process.returncode == 0
    assert len(said.split()) == 20
