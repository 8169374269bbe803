"""Messages between a session and one of its workers: JSON lines over a socket pair.

The end of the stream tells each side that the other one died.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import Any

import orjson

Message = dict[str, Any]


class Channel:
    """One end. Never blocks; not for several threads."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._received = b""
        self._unsent = b""
        self._at_end = False

    def fileno(self) -> int:
        """The descriptor that becomes readable when the other side has spoken or is gone."""
        return self._socket.fileno()

    def send(self, *messages: Message) -> None:
        """Send in order; what a slow reader has no room for is kept for the next time."""
        self._unsent += b"".join(orjson.dumps(message) + b"\n" for message in messages)
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def flush(self, seconds: float) -> None:
        """Wait until all has been sent, no longer than this: for last words."""
        deadline = time.monotonic() + seconds
        poller = select.poll()
        poller.register(self._socket, select.POLLOUT)
        while self._unsent and (left := deadline - time.monotonic()) > 0:
            before = self._unsent
            poller.poll(left * 1000)
            self.send()
            if self._unsent == before:
                # The other side is gone.
                return

    def receive_nowait(self) -> list[Message]:
        """All messages that have arrived. EOFError once the other side is gone and has been heard out."""
        self._read_all()
        *lines, self._received = self._received.split(b"\n")
        if self._at_end and not lines:
            raise EOFError
        return [orjson.loads(line) for line in lines]

    def _read_all(self) -> None:
        with suppress(BlockingIOError):
            while not self._at_end:
                try:
                    part = self._socket.recv(1 << 16)
                except ConnectionResetError:
                    part = b""
                self._received += part
                self._at_end = not part

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
