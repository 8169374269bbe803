"""What belongs to a result, so that it can be taken to another store, or be made again: its closure.

job ──▶ identity ──▶ code, inputs, and what indices among them name
    ──▶ result   ──▶ what it names, if it is an index
    ──▶ streams, records of surroundings
    ──▶ upstream: the jobs that have made its inputs
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, Any, NamedTuple

from seamless_queue.broker import evictions, submissions
from seamless_queue.broker.records import Known
from seamless_queue.buffers import SMALL_BYTES, BufferStore
from seamless_queue.care import archive, jobrows, selection
from seamless_queue.care.jobrows import Record
from seamless_queue.errors import BufferError_, SeamlessError
from seamless_queue.filesystems import unique_name
from seamless_queue.store import Store

from . import provenance
from .attemptrecord import without_variables
from .context import without_metavariables
from .provenance import Read


def needs(read: Read, checksum: str) -> Iterator[str]:
    """All that is needed to run an identity again, itself included, some maybe twice."""
    yield checksum
    yield from provenance.buffers(read, provenance.identity(read, checksum))


def result_buffers(read: Read, checksum: str, result: str) -> list[str]:
    """The result of an identity, and what it names; the result alone where that cannot be told."""
    try:
        return list(provenance.result_buffers(read, provenance.identity(read, checksum), result))
    except SeamlessError:
        return [result]


class Exported(NamedTuple):
    """What an archive was given."""

    jobs: int
    buffers: int
    bytes: int
    #: jobs without their results, which stay behind
    left_out: int
    #: inputs that are not there: whoever imports can use the results, not make them again
    missing: int


class Exporter:
    """Writes selected jobs, and what belongs to them, into an archive."""

    def __init__(self, store: Store, *, with_upstream: bool = True) -> None:
        self._store = store
        self._with_upstream = with_upstream
        self._seen_jobs: set[int] = set()
        self._wanted: dict[bytes, None] = {}
        # By its checksum here, the checksum in the archive.
        self._environments: dict[str, str | None] = {}
        self._jobs = self._left_out = self._missing = 0

    def write(self, path: str, job_ids: Iterable[int]) -> Exported:
        """Write the archive, whole or not at all."""
        writer = archive.Writer(path, self._store)
        try:
            with self._spool() as spool:
                for job_id in job_ids:
                    self._add_with_upstream(job_id, spool)
                if not self._jobs:
                    raise SeamlessError(f"nothing to export: no job with a result is selected; {path} was not written")
                writer.add_rows(spool, {"jobs": self._jobs})
            count, size = self._write_buffers(writer)
            writer.finish()
        except BaseException:
            writer.abandon()
            raise
        return Exported(self._jobs, count, size, self._left_out, self._missing)

    def _spool(self) -> IO[bytes]:
        path = os.path.join(self._store.buffers.directory, ".new", unique_name())
        file = open(path, "x+b")  # noqa: SIM115
        os.unlink(path)
        return file

    def _add_with_upstream(self, job_id: int, spool: IO[bytes]) -> None:
        waiting = [job_id]
        while waiting:
            one = waiting.pop()
            if one not in self._seen_jobs:
                self._seen_jobs.add(one)
                waiting += self._add(one, spool)

    def _add(self, job_id: int, spool: IO[bytes]) -> list[int]:
        """Add a job; those that have made its inputs."""
        record = jobrows.read(self._store.database, job_id)
        buffers = self._store.buffers
        if record is None or not all(map(buffers.holds, kept := self._of_result(record))):
            self._left_out += 1
            return []
        record["makers"] = [one for one in kept if one != record["result"]]
        self._want(kept)
        self._want(one for one in jobrows.streams(record) if buffers.holds(one))
        self._add_environments(record, spool)
        _write_row(spool, {"job": record})
        self._jobs += 1
        return self._add_inputs(record["checksum"])

    def _of_result(self, record: Record) -> list[str]:
        try:
            return result_buffers(self._store.buffers.read, record["checksum"], record["result"])
        except BufferError_:
            return [record["result"]]

    def _add_environments(self, record: Record, spool: IO[bytes]) -> None:
        """Add what its attempts found around them, as far as others may know it, under checksums of its own."""
        for attempt in record["attempts"]:
            if attempt["environment"]:
                attempt["environment"] = self._environment(attempt["environment"], spool)
        for request in record["requests"]:
            request["metavariables"] = without_metavariables(request["metavariables"])

    def _environment(self, checksum: str, spool: IO[bytes]) -> str | None:
        if checksum not in self._environments:
            content = jobrows.environment(self._store.database, checksum)
            told = None if content is None else without_variables(content)
            self._environments[checksum] = None if told is None else self._store.digest.of(told)
            if told is not None:
                _write_row(spool, {"environment": self._environments[checksum], "content": told.decode()})
        return self._environments[checksum]

    def _add_inputs(self, checksum: str) -> list[int]:
        found, upstream = [], []
        try:
            found = list(dict.fromkeys(needs(self._store.buffers.read, checksum)))
        except SeamlessError:
            self._missing += 1
        for one in found:
            maker = evictions.maker_of(self._store.database, one) if self._with_upstream else None
            if maker is not None and not maker.evicted:
                upstream.append(maker.job_id)
            if self._store.buffers.holds(one):
                self._want([one])
            else:
                self._missing += 1
        return upstream

    def _want(self, checksums: Iterable[str]) -> None:
        self._wanted.update((bytes.fromhex(one), None) for one in checksums)

    def _write_buffers(self, writer: archive.Writer) -> tuple[int, int]:
        total = 0
        for key in self._wanted:
            checksum = key.hex()
            size = self._store.buffers.size(checksum)
            writer.add_buffer(checksum, size, self._store.buffers.pieces(checksum))
            total += size
        return len(self._wanted), total


def _write_row(spool: IO[bytes], row: Any) -> None:
    # Names that are not UTF-8 are lone surrogates here, which only this module of Python's writes and reads.
    spool.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")


def export(store: Store, path: str, chosen: selection.Selection, *, with_upstream: bool = True) -> Exported:
    """Write the chosen results with all that belongs to them into an archive."""
    return Exporter(store, with_upstream=with_upstream).write(path, selection.jobs(store.database, chosen))


# -- another store as a source ----------------------------------------------------------------
def take_over(store: Store, checksum: str) -> Known | None:
    """Take a job over from another store that has it done, with all that a hit needs; None if no store has it.

    Large inputs stay there: they are brought when somebody needs them.
    """
    sources = store.sources
    found = sources.find(checksum) if sources is not None else None
    if sources is None or found is None:
        return None
    source, job = found
    with suppress(SeamlessError):
        record = jobrows.read(source.database, job.id, whole=False)
        if record is None:
            return None
        kept = result_buffers(source.buffers.read, checksum, job.result)
        record["makers"] = [one for one in kept if one != job.result]
        wanted = dict.fromkeys([*kept, *_small_needs(source.buffers, checksum)])
        missing = (one for one in wanted if not store.buffers.holds(one))
        if not all(sources.bring(source, one) for one in missing):
            return None
        for stream in jobrows.streams(record):
            sources.bring(source, stream)
        sources.insert(source, record)
        return submissions.known(store.database, checksum)
    return None


def _small_needs(buffers: BufferStore, checksum: str) -> Iterator[str]:
    with suppress(SeamlessError):
        for one in needs(buffers.read, checksum):
            if buffers.holds(one) and buffers.size(one) <= SMALL_BYTES:
                yield one
