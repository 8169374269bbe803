"""What people name on a command line: a checksum, or a file that holds one."""

from __future__ import annotations

import os

from seamless_queue import sidecars
from seamless_queue.digest import is_checksum
from seamless_queue.errors import SeamlessError


def checksum_named(text: str) -> str:
    """The checksum that is meant: 64 hex digits, X.CHECKSUM, or X beside which that is; SeamlessError if none is."""
    if is_checksum(text.lower()):
        return text.lower()
    found = sidecars.read_checksum(text.removesuffix(sidecars.CHECKSUM))
    if found is not None:
        return found
    where = text.removesuffix(sidecars.CHECKSUM) + sidecars.CHECKSUM
    if os.path.exists(text):
        raise SeamlessError(f"{text} has no {where}; give its checksum, or write that with seamless-upload")
    raise SeamlessError(f"{text!r} is no checksum (64 hex digits), and there is no file {where}")
