"""Replacing words of a command and leaving all other text as it is."""

from collections.abc import Iterable

from .quoting import quote

#: Start and end of a word and what it becomes, unquoted; None leaves it out.
Edit = tuple[int, int, str | None]


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Replace words of a text; edits are in order and in characters."""
    pieces: list[str] = []
    copied = 0
    for start, end, new in edits:
        before = text[copied:start]
        # A word left out takes one of its blanks along.
        pieces.append(before.removesuffix(" ") if new is None else before + quote(new))
        copied = end
    return "".join((*pieces, text[copied:]))


def edited_bytes(text: str, edits: Iterable[Edit]) -> str:
    """Replace words of a text; edits are in order and in UTF-8 bytes."""
    if text.isascii():
        return edited(text, edits)
    # Latin-1 makes one character of each byte, so that one routine serves both.
    bytewise = text.encode("utf-8", "surrogateescape").decode("latin-1")
    in_latin = [(start, end, None if new is None else _bytewise(new)) for start, end, new in edits]
    return edited(bytewise, in_latin).encode("latin-1").decode("utf-8", "surrogateescape")


def _bytewise(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
