"""Which jobs are meant: by project, stage, time, identity or file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from ..broker import evictions
from ..broker.states import JobState, RequestState, among
from ..digest import is_checksum
from ..driver import Database
from ..errors import SeamlessError
from ..sidecars import CHECKSUM, read_checksum

#: So many jobs are looked at in one read transaction.
STEP = 1000
#: A beginning of an identity has at least so many digits.
LEAST_DIGITS = 6

# A label is one of `NAME` and `NAME:SUB`; the first stands for all of its second ones too.
_LABELS = """(? IS NULL OR project = ? OR substr(project, 1, length(?) + 1) = ? || ':')
    AND (? IS NULL OR stage = ? OR substr(stage, 1, length(?) + 1) = ? || ':')"""
CHOSEN = f"""SELECT id FROM jobs WHERE id > ? AND {among(JobState.DONE)} AND evicted IS NULL
    AND (? IS NULL OR finished >= ?)
    AND (? IS NULL OR EXISTS (SELECT 1 FROM requests WHERE requests.job_id = jobs.id AND {_LABELS}))
    ORDER BY id LIMIT ?"""
BY_CHECKSUM = "SELECT id FROM jobs WHERE checksum >= ? AND checksum <= ? LIMIT 2"
BY_PATH = f"""SELECT requests.job_id FROM outputs JOIN requests ON requests.id = outputs.request_id
    WHERE outputs.path = ? AND requests.job_id IS NOT NULL AND requests.{among(RequestState.DELIVERED)}
    ORDER BY requests.id DESC LIMIT 1"""


class Selection(NamedTuple):
    """What was asked for; nothing at all means everything."""

    project: str | None = None
    stage: str | None = None
    #: seconds since the epoch
    since: float | None = None
    #: identities, their beginnings, checksums of results, or paths of files that a job wrote
    named: tuple[str, ...] = ()


def jobs(database: Database, chosen: Selection) -> Iterator[int]:
    """The numbers of the jobs that are meant, and done; SeamlessError for a name that nobody knows."""
    if chosen.named:
        # All are looked up before the first is used.
        yield from [named(database, name) for name in chosen.named]
    if not chosen.named or any(chosen[:3]):
        yield from _labeled(database, chosen)


def _labeled(database: Database, chosen: Selection) -> Iterator[int]:
    last = 0
    labeled = 1 if chosen.project or chosen.stage else None
    wish = (chosen.since, chosen.since, labeled, *(chosen.project,) * 4, *(chosen.stage,) * 4)
    while rows := database.rows(CHOSEN, (last, *wish, STEP)):
        yield from (row[0] for row in rows)
        last = rows[-1][0]


def named(database: Database, name: str) -> int:
    """The job that a person means by an identity, its beginning, the checksum of a result, or a file."""
    text = name.lower()
    if LEAST_DIGITS <= len(text) <= 64 and all(digit in "0123456789abcdef" for digit in text):
        found = database.rows(BY_CHECKSUM, (bytes.fromhex(text.ljust(64, "0")), bytes.fromhex(text.ljust(64, "f"))))
        if len(found) > 1:
            raise SeamlessError(f"{name} is the beginning of several jobs; give more digits")
        if found:
            return int(found[0][0])
        if is_checksum(text) and (maker := evictions.maker_of(database, text)) is not None:
            return maker.job_id
    return _of_file(database, name)


def _of_file(database: Database, name: str) -> int:
    path = os.path.abspath(name.removesuffix(CHECKSUM))
    row = database.row(BY_PATH, (os.fsencode(path),))
    if row is not None:
        return int(row[0])
    checksum = read_checksum(path)
    maker = evictions.maker_of(database, checksum) if checksum is not None else None
    if maker is None:
        raise SeamlessError(f"{name} is no job of this store, and no file that a job of it wrote; try: seamless-why")
    return maker.job_id
