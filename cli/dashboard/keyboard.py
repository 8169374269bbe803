"""Single keys from a terminal, which is as it was before once the block is left, however that happens."""

from __future__ import annotations

import codecs
import os
import re
import select
import termios
import tty
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

#: How long the rest of an escape sequence may take, over a slow line.
ESCAPE_SECONDS = 0.05
#: What terminals send for keys without a letter.
SEQUENCES = {
    "[A": "up",
    "[B": "down",
    "[C": "right",
    "[D": "left",
    "[H": "home",
    "[F": "end",
    "[1~": "home",
    "[4~": "end",
    "[5~": "page up",
    "[6~": "page down",
}
LETTERS = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\t": "tab", "\x0c": "redraw"}
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O[A-Za-z]|.)?", re.DOTALL)


class Keyboard:
    """A terminal that gives each key at once and shows none of them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: Any = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self) -> Keyboard:
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        # A terminal that has gone has nothing to be put back.
        with suppress(termios.error, OSError):
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float, others: Sequence[int] = ()) -> list[str]:
        """The keys that were pressed, once there are any, or another descriptor is readable, or time is over.

        EOFError: the terminal has gone.
        """
        readable, _, _ = select.select([self._descriptor, *others], [], [], max(0.0, seconds))
        if self._descriptor not in readable:
            return []
        text = self._read()
        while text.endswith("\x1b") or re.search(r"\x1b[\[O][0-9;]*$", text):
            if not select.select([self._descriptor], [], [], ESCAPE_SECONDS)[0]:
                break
            text += self._read()
        return keys_in(text)

    def _read(self) -> str:
        try:
            content = os.read(self._descriptor, 1024)
        except OSError as exc:
            raise EOFError from exc
        if not content:
            raise EOFError
        return self._decoder.decode(content)


def keys_in(text: str) -> list[str]:
    """What was typed, key by key: letters as themselves, the others by their names; unknown ones are left out."""
    keys, place = [], 0
    while place < len(text):
        if text[place] == "\x1b":
            found = _SEQUENCE.match(text, place)
            assert found is not None
            name = found[1] or ""
            if not name:
                keys.append("escape")
            elif known := SEQUENCES.get(name.replace("O", "[", 1)):
                keys.append(known)
            place = found.end()
        else:
            letter = text[place]
            if letter in LETTERS or letter.isprintable():
                keys.append(LETTERS.get(letter, letter))
            place += 1
    return keys
