"""A terminal with somebody at it: keys go in, the screen is waited for."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from types import TracebackType

from .shop import PATIENCE_SECONDS, Shop

ENTER = "\r"
#: Colours, movements of the cursor, titles.
ESCAPES = re.compile(r"\x1b(\[[0-9;?=>]*[A-Za-z]|\][^\a]*(\a|\x1b\\)|[=>()][0AB]?|k[^\x1b]*\x1b\\)|[\x0e\x0f]")


class Terminal:
    """A command on a pseudo terminal of its own."""

    def __init__(self, shop: Shop, *words: str, columns: int = 100, **environment: str) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        options = shop.options(env={"TERM": "xterm", **environment})
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *words], stdin=slave, stdout=slave, stderr=slave, **options
        )
        os.close(slave)
        #: all that was written to it
        self.raw = ""
        self._seen = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        os.close(self._master)

    @property
    def text(self) -> str:
        """What can be read there, roughly: in the order in which it was written."""
        return ESCAPES.sub("", self.raw).replace("\r", "")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def shows(self, text: str) -> None:
        """Wait for a text after the one that was waited for last."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (at := self.text.find(text, self._seen)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"not shown: {text!r}, but {self.text[self._seen :]!r} after {self.raw!r}")
        self._seen = at + len(text)

    def wait(self) -> int:
        """See the command end; its status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self, deadline: float) -> bool:
        """Read on; False at the end, or when the time is over."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        try:
            part = os.read(self._master, 65536) if ready else b""
        except OSError:
            # So Linux says that nobody has the other side any more.
            part = b""
        self.raw += part.decode(errors="replace")
        return bool(part)
