"""Which job or request somebody means: by the start of a checksum, by a request's number, by a file that it writes."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from .. import sidecars
from ..driver import Database
from ..errors import SeamlessError
from .states import LIVE, RequestState, among

#: Fewer hex digits name no checksum.
FEWEST_DIGITS = 4
#: So many jobs of one prefix are told apart.
MOST_MATCHES = 20
#: What stands beside an output, or in its place.
SUFFIXES = (".FUTURE", ".CHECKSUM", ".INDEX")

_REQUEST = """SELECT requests.id, requests.job_id, jobs.checksum FROM requests
    LEFT JOIN jobs ON jobs.id = requests.job_id"""
BY_NUMBER = f"{_REQUEST} WHERE requests.id = ?"
# The newest one: what an older one has written is not there any more.
BY_PATH = f"""{_REQUEST} WHERE requests.id = (SELECT MAX(request_id) FROM outputs WHERE path = ?)"""
BY_PREFIX = "SELECT id, checksum FROM jobs WHERE checksum >= ? AND checksum <= ? ORDER BY checksum LIMIT ?"
NEWEST_REQUEST = "SELECT MAX(id) FROM requests WHERE job_id = ?"
LIVE_REQUESTS = f"SELECT id FROM requests WHERE job_id = ? AND {among(*LIVE)} ORDER BY id"
ENDED_REQUESTS = f"""SELECT id FROM requests WHERE job_id = ?
    AND {among(RequestState.FAILED, RequestState.CANCELED)} ORDER BY id"""


class How(Enum):
    """By what somebody has named a job."""

    CHECKSUM = "checksum"
    REQUEST = "request"
    OUTPUT = "output"


class Match(NamedTuple):
    """A job or request that was named. A request whose identity is not known yet has no job."""

    how: How
    #: the newest one of the job, where the job was named; None if nobody has asked for it here
    request_id: int | None
    job_id: int | None
    checksum: str | None

    @property
    def label(self) -> str:
        """What to call it."""
        return f"#{self.request_id}" if self.request_id is not None else (self.checksum or "")[:12]


class NotFound(SeamlessError):
    """Nothing of that name is known to the store, or more than one thing is."""


def find(database: Database, text: str, directory: str) -> list[Match]:
    """What `text` may mean: `#12` or `12` a request, else an output's name (seen from `directory`), else a checksum.

    Several only if it is the start of several checksums. A file called `12` is meant by `./12`, and X.CHECKSUM means
    the job whose identity it holds, if it holds one.
    """
    number = re.fullmatch(r"#?([0-9]{1,18})", text)
    rows = database.rows(BY_NUMBER, (int(number[1]),)) if number else []
    if rows:
        return [_match(How.REQUEST, rows[0])]
    if number and text.startswith("#"):
        return []
    path = os.path.normpath(os.path.join(directory, text))
    identity = _held_by_sidecar(database, path)
    if identity:
        return identity
    written = _written(database, path)
    return [written] if written is not None else by_prefix(database, text.lower())


def the_one(database: Database, text: str, directory: str) -> Match:
    """The one job or request that `text` means; NotFound in words a person can use."""
    found = find(database, text, directory)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(
            f"{text!r} is no job here: give a request's number, the first {FEWEST_DIGITS} or more digits of a "
            "checksum, or a file that a command writes"
        )
    several = ", ".join((match.checksum or "")[:16] for match in found[:5])
    more = ", …" if len(found) > 5 else ""
    raise NotFound(f"{text!r} is the start of several checksums ({several}{more}): give more digits")


def by_prefix(database: Database, digits: str, at_most: int = MOST_MATCHES) -> list[Match]:
    """The jobs whose checksum begins with these hex digits; none if they are too few."""
    if not FEWEST_DIGITS <= len(digits) <= 64 or re.fullmatch("[0-9a-f]+", digits) is None:
        return []
    least, most = bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
    return [
        Match(How.CHECKSUM, database.row(NEWEST_REQUEST, (job_id,))[0], job_id, checksum.hex())
        for job_id, checksum in database.rows(BY_PREFIX, (least, most, at_most))
    ]


def live_requests(database: Database, match: Match) -> list[int]:
    """The requests that are meant and have not ended: all of a job's, or the one that was named."""
    return _requests(database, match, LIVE_REQUESTS)


def ended_requests(database: Database, match: Match) -> list[int]:
    """The same for those that failed or were canceled."""
    return _requests(database, match, ENDED_REQUESTS)


def _requests(database: Database, match: Match, statement: str) -> list[int]:
    if match.how is How.CHECKSUM:
        return [row[0] for row in database.rows(statement, (match.job_id,))]
    return [] if match.request_id is None else [match.request_id]


def _held_by_sidecar(database: Database, path: str) -> list[Match]:
    if not path.endswith(sidecars.CHECKSUM):
        return []
    held = None
    # A damaged one may still stand beside a file that a command writes.
    with suppress(OSError, SeamlessError):
        held = sidecars.read_checksum(path.removesuffix(sidecars.CHECKSUM))
    return by_prefix(database, held) if held is not None else []


def _written(database: Database, path: str) -> Match | None:
    """The newest request that writes this path, or a directory above it."""
    for suffix in SUFFIXES:
        path = path.removesuffix(suffix)
    while True:
        rows = database.rows(BY_PATH, (os.fsencode(path),))
        if rows:
            return _match(How.OUTPUT, rows[0])
        if path == os.path.dirname(path):
            return None
        path = os.path.dirname(path)


def _match(how: How, row: tuple[int, int | None, bytes | None]) -> Match:
    request_id, job_id, checksum = row
    return Match(how, request_id, job_id, checksum.hex() if checksum else None)
