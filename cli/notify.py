"""`--notify`: the terminal's bell, and a notification where the desktop has them. Harmless elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress

#: One of these says that there is a desktop to be notified.
DESKTOPS = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
PROGRAM = "notify-send"
TEXT_CHARACTERS = 200


def notify(title: str, text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Tell somebody who has turned to other things."""
    with suppress(OSError):
        if sys.stderr.isatty():
            os.write(2, b"\a")
        if any(environment.get(name) for name in DESKTOPS):
            _send(title, text)


def _send(title: str, text: str) -> None:
    from shutil import which

    from seamless_queue.processes import start_and_forget

    program = which(PROGRAM)
    if program is not None:
        start_and_forget([program, "--app-name", "seamless", "--", title, text[:TEXT_CHARACTERS]])
