"""What can go wrong below the meaning of bytes.

    SeamlessError
    ├── ConfigurationError          exit code 2: the caller asked for something impossible
    │   └── DigestMismatch
    ├── StoreError
    │   ├── DriverTooOld
    │   ├── NetworkFileSystem
    │   ├── NotAStore
    │   ├── StoreBusy
    │   ├── StoreClosed
    │   ├── StoreDamaged
    │   ├── StoreNotOurs
    │   ├── StoreReadOnly
    │   └── StoreTooNew
    ├── BufferError_
    │   ├── BufferMissing
    │   └── BufferCorrupt
    ├── DiskFull
    ├── NotReproducible
    ├── RequestFailed
    ├── StaleFuture
    └── Fenced

A message says what happened, to what, and what to do now, on one line.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """Text that every table, message and terminal takes: bytes of names that are not UTF-8 as \\xNN."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        # Halves of characters, which stand for no bytes.
        return text.encode("utf-8", "backslashreplace").decode()


def one_line(text: str) -> str:
    """The same on one line, without anything that a terminal would obey: a line's end as \\n, an escape as \\x1b."""
    text = printable(text)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


class SeamlessError(Exception):
    """Something went wrong in Seamless Queue."""

    #: exit status of a command that ends with this error
    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(printable(message or (type(self).__doc__ or "").splitlines()[0]))


class ConfigurationError(SeamlessError):
    """The configuration cannot be used."""

    exit_code = 2


class DigestMismatch(ConfigurationError):
    """The store has another digest than the one asked for."""


class StoreError(SeamlessError):
    """The store cannot be used."""


class DriverTooOld(StoreError):
    """The SQLite library is too old to be safe here: install pysqlite3."""


class NetworkFileSystem(StoreError):
    """SQLite is not safe on a network file system: put the store on a local disk."""


class NotAStore(StoreError):
    """The directory holds other things than a store."""


class StoreBusy(StoreError):
    """The store's database stayed locked."""


class StoreClosed(StoreError):
    """The store was closed while it was in use."""


class StoreDamaged(StoreError):
    """The store's database is damaged, or none at all."""


class StoreNotOurs(StoreError):
    """The store belongs to another user."""


class StoreReadOnly(StoreError):
    """The store cannot be written to."""


class StoreTooNew(StoreError):
    """The store was made by a newer version: upgrade seamless-queue."""


class BufferError_(SeamlessError):
    """A buffer cannot be had."""

    def __init__(self, checksum: str, message: str | None = None) -> None:
        super().__init__(message)
        self.checksum = checksum


class BufferMissing(BufferError_):
    """No buffer with this checksum is in the store."""


class BufferCorrupt(BufferError_):
    """The bytes of a buffer do not match its checksum."""


class DiskFull(SeamlessError):
    """The disk is full."""


class NotReproducible(SeamlessError):
    """A job that was run again has given something else than before."""


class RequestFailed(SeamlessError):
    """The request failed."""


class StaleFuture(SeamlessError):
    """A .FUTURE sidecar is stale: nobody has touched it for two minutes."""


class Fenced(SeamlessError):
    """This attempt was taken over by another worker; its outcome does not count."""


class Interrupted(BaseException):
    """A signal asked this process to stop; not an Exception, so that nothing swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number
