"""The small files beside a file X: X.CHECKSUM, X.INDEX and X.FUTURE.

X.CHECKSUM holds the 64 hex digits of X and a newline; lines that are empty or begin with # do not count.
X.FUTURE says which request of which store will write X. Within its store the database decides, the
file is only a pointer; to others it lives as long as it is touched.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import NamedTuple

import orjson

from .digest import is_checksum
from .errors import SeamlessError
from .filesystems import write_atomically

CHECKSUM, INDEX, FUTURE = ".CHECKSUM", ".INDEX", ".FUTURE"
SUFFIXES = (CHECKSUM, INDEX, FUTURE)

#: A live FUTURE is touched this often.
TOUCH_SECONDS = 30.0
#: One that was not touched for this long is stale.
STALE_SECONDS = 120.0


class Future(NamedTuple):
    """What an X.FUTURE says. A foreign tool's file has neither store nor request."""

    store: str | None
    request: int | None
    created: float | None
    touched: float

    def is_stale(self) -> bool:
        """Whether nobody has touched it for too long."""
        return time.time() - self.touched > STALE_SECONDS


def is_sidecar(name: str) -> bool:
    """Whether a file of this name is a sidecar, never content."""
    return name.endswith(SUFFIXES)


def read_checksum(path: str) -> str | None:
    """What X.CHECKSUM says of X, None if there is none; SeamlessError if it is not a checksum."""
    try:
        with open(path + CHECKSUM, encoding="utf-8", errors="replace") as file:
            text = file.read(1 << 16)
    except FileNotFoundError:
        return None
    lines = [line.strip() for line in text.splitlines()]
    content = [line for line in lines if line and not line.startswith("#")]
    if len(content) != 1 or not is_checksum(content[0].lower()):
        raise SeamlessError(f"{path}{CHECKSUM} does not hold a checksum (64 hex digits); remove it or make it anew")
    return content[0].lower()


def future_content(store_id: str, request_id: int) -> bytes:
    """What the X.FUTURE of a request says: one line of JSON."""
    fields = {"store": store_id, "request": request_id, "created": round(time.time(), 3)}
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def write_future(path: str, content: bytes) -> None:
    """Put X.FUTURE beside X, in place of an older one."""
    write_atomically(path + FUTURE, content)


def write_new_future(path: str, content: bytes) -> None:
    """The same, cheaper where there is none yet: one short write, in place."""
    try:
        descriptor = os.open(path + FUTURE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        write_future(path, content)
        return
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def read_future(path: str) -> Future | None:
    """What X.FUTURE says; None if there is none."""
    try:
        with open(path + FUTURE, "rb") as file:
            content, touched = file.read(4096), os.fstat(file.fileno()).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fields = orjson.loads(content)
        return Future(str(fields["store"]), int(fields["request"]), float(fields["created"]), touched)
    except (ValueError, KeyError, TypeError):
        return Future(None, None, None, touched)


def remove_future(path: str, store_id: str, request_id: int) -> None:
    """Remove X.FUTURE if it is this request's; a newer request's stays, and so does what cannot be removed.

    That promises nothing: within its store the database says that the request has ended, and others see it go stale.
    """
    with suppress(OSError):
        future = read_future(path)
        if future is not None and (future.store, future.request) == (store_id, request_id):
            os.unlink(path + FUTURE)


def touch_future(path: str) -> bool:
    """Say that X.FUTURE's request still lives; False if there is none."""
    try:
        os.utime(path + FUTURE)
    except OSError:
        return False
    return True
