"""Wakes a process that waits: a datagram socket per session, in a directory of the user's own.

A ring carries nothing; whoever is woken looks into the database. A lost ring costs a slow poll.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable
from contextlib import suppress

from .errors import SeamlessError
from .filesystems import unique_name

#: sun_path holds this many bytes on Linux, with the final NUL (104 on macOS).
ADDRESS_BYTES = 100


def runtime_directory(store_name: str) -> str:
    """The store's directory for sockets: under $XDG_RUNTIME_DIR, else under the temporary one; 0700."""
    from tempfile import gettempdir

    name = f"seamless-{os.geteuid()}"
    roots = [os.environ.get("XDG_RUNTIME_DIR"), gettempdir(), "/tmp"]
    for root in roots:
        if root and os.path.isdir(root) and len(os.path.join(root, name, store_name)) < ADDRESS_BYTES - 20:
            return _own_directory(os.path.join(root, name), store_name)
    raise SeamlessError("no directory is short enough for a socket; set XDG_RUNTIME_DIR to a short path")


def _own_directory(parent: str, name: str) -> str:
    path = os.path.join(parent, name)
    for place in (parent, path):
        with suppress(FileExistsError):
            os.mkdir(place, 0o700)
    status = os.lstat(parent)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise SeamlessError(f"{parent} is not a private directory of yours; remove it or set XDG_RUNTIME_DIR")
    return path


class Doorbell:
    """This process's own bell. Use as a context manager: leaving removes the socket."""

    def __init__(self, store_name: str) -> None:
        self.address = os.path.join(runtime_directory(store_name), unique_name())
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        while True:
            with suppress(FileNotFoundError):
                os.unlink(self.address)
            # Somebody else may have taken the directory away, having been the last one there.
            with suppress(FileNotFoundError):
                self._socket.bind(self.address)
                return
            runtime_directory(store_name)

    def __enter__(self) -> Doorbell:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor that becomes readable when somebody rings."""
        return self._socket.fileno()

    def clear(self) -> bool:
        """Forget all rings so far; whether there were any."""
        rung = False
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(16)
                rung = True
        return rung

    def close(self) -> None:
        """Remove the bell."""
        self._socket.close()
        with suppress(OSError):
            os.unlink(self.address)
            # Refused while others are there.
            os.rmdir(os.path.dirname(self.address))


def ring(addresses: Iterable[str]) -> None:
    """Wake the processes that listen there; who is gone or has rings waiting is left alone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
        caller.setblocking(False)
        for address in addresses:
            with suppress(OSError):
                caller.sendto(b"!", address)
