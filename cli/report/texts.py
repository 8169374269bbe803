"""Text of anybody's making, made fit to be looked at: nothing in it can hide or turn around what is beside it."""

from __future__ import annotations

import re

from seamless_queue.errors import printable

#: Colours and movements of a terminal: CSI, OSC, and other escapes (ECMA-48).
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
#: Controls, and the marks that turn the direction of what follows (UAX #9).
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]")


def shown(text: str) -> str:
    """A command, a name or an error: what cannot be seen is spelled out."""
    return _spelled(printable(text))


def shown_bytes(name: bytes) -> str:
    """The same for a path."""
    return shown(name.decode("utf-8", "surrogateescape"))


def log_text(content: bytes) -> str:
    """What a program wrote, as a terminal would leave it: without colours, of a line written over the last state."""
    text = ESCAPES.sub("", content.decode("utf-8", "backslashreplace"))
    if "\r" in text:
        lines = text.replace("\r\n", "\n").split("\n")
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return _spelled(text)


def _spelled(text: str) -> str:
    return HIDDEN.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
