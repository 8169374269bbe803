"""The programs that shell text calls, as the PATH of its job finds them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .commandline.executables import WRAPPERS, is_builtin, is_wrapper_value
from .commandline.quoting import PLAIN_TEXT

#: No text names more than so many that are worth telling.
MOST_TOOLS = 50
#: For so long a tool that was found is believed to be the first one on the PATH.
FOUND_SECONDS = 5.0


class Tool(NamedTuple):
    """A program as it is now."""

    #: links resolved
    path: str
    size: int
    #: seconds since the epoch
    mtime: int


def tools(text: bytes, path: str) -> tuple[tuple[str, Tool | None], ...]:
    """bash, and each program that the text calls, by the name that the text has for it; None: not found."""
    return tuple((name, _tool(name, path)) for name in ("bash", *called(text)) if name)


@lru_cache(maxsize=256)
def called(text: bytes) -> tuple[str, ...]:
    """The programs that a text names as commands: no builtins, no functions, nothing that only a shell can tell."""
    words = os.fsdecode(text).rstrip("\n")
    found = dict.fromkeys(_plain(words.split()) if PLAIN_TEXT(words) else _quoted(words) or _parsed(words))
    return tuple(name for name in found if _is_tool(name))[:MOST_TOOLS]


def _quoted(text: str) -> list[str] | None:
    """The commands of a text of plain and single-quoted words; None if it is more than that."""
    # Importing the parser costs a command that is run here a fifth of its time.
    parts = text.split("'")
    if '"' in text or len(parts) % 2 == 0 or "\n" in text or not all(PLAIN_TEXT(part) for part in parts[::2] if part):
        return None
    # What is quoted must not look like the end of a word; the parser tells what a quoted command is.
    names = list(_plain("\0".join(parts[::2]).split()))
    return None if any("\0" in name for name in names) else names


def _plain(words: list[str]) -> Iterator[str]:
    """The command, and what it is said to call."""
    place = 0
    while place < len(words) and "=" in words[place] and not words[place].startswith("="):
        place += 1
    while place < len(words):
        yield words[place]
        if words[place] not in WRAPPERS:
            return
        place += 1
        while place < len(words) and is_wrapper_value(words[place]):
            place += 1


def _parsed(text: str) -> Iterator[str]:
    from .commandline.errors import ShellSyntaxError
    from .commandline.quoting import static_text
    from .commandline.syntax import parse

    try:
        parsed = parse(text)
    except (ShellSyntaxError, RecursionError):
        # bash knows more than the grammar: the record tells what it can.
        return
    for command in parsed.commands if parsed is not None else ():
        if command.words and not command.test:
            words = [static_text(word.raw) or "" for word in command.words]
            yield from (name for name in _plain(words) if parsed is None or name not in parsed.functions)


def _is_tool(name: str) -> bool:
    # A relative path is an input, or made by the command itself.
    return bool(name) and not is_builtin(name) and ("/" not in name or name.startswith("/"))


def _tool(name: str, path: str) -> Tool | None:
    found = _found(name, path, int(time.monotonic() / FOUND_SECONDS))
    if found is None:
        return None
    try:
        status = os.stat(found)
    except OSError:
        return None
    return Tool(found, status.st_size, int(status.st_mtime))


@lru_cache(maxsize=512)
def _found(name: str, path: str, _moment: int) -> str | None:
    places = (name,) if name.startswith("/") else (os.path.join(place or os.curdir, name) for place in path.split(":"))
    for place in places:
        if os.access(place, os.X_OK) and not os.path.isdir(place):
            return os.path.realpath(place)
    return None
