"""Differences of texts in plain words: which lines, how many, and whether it is only a comment."""

from __future__ import annotations

import io
import tokenize
from collections import Counter
from difflib import SequenceMatcher
from typing import NamedTuple

#: Of larger buffers only the sizes are compared.
MOST_BYTES = 1 << 20
#: Texts with more different lines are compared as bags of lines: an exact comparison takes time that grows squared.
_MOST_LINES = 2000
#: So many changed lines of code are shown.
SHOWN_LINES = 6
_LINE_CHARACTERS = 160
_LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER})
_BLOCKS = frozenset({tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE})


class Change(NamedTuple):
    """Lines that were replaced; numbers from 1."""

    old_start: int
    old: list[str]
    new_start: int
    new: list[str]


def changes(old: str, new: str) -> list[Change]:
    """What has to be replaced to get from one text to the other."""
    before, after = old.splitlines(), new.splitlines()
    head, tail = _common(before, after)
    middle, other = before[head : len(before) - tail], after[head : len(after) - tail]
    if max(len(middle), len(other)) > _MOST_LINES:
        return [Change(head + 1, middle, head + 1, other)]
    found = SequenceMatcher(None, middle, other, autojunk=False).get_opcodes()
    return [Change(head + a + 1, middle[a:b], head + c + 1, other[c:d]) for tag, a, b, c, d in found if tag != "equal"]


def _common(before: list[str], after: list[str]) -> tuple[int, int]:
    shortest = min(len(before), len(after))
    head = next((place for place in range(shortest) if before[place] != after[place]), shortest)
    rest = shortest - head
    tail = next((place for place in range(rest) if before[-1 - place] != after[-1 - place]), rest)
    return head, tail


def how_many(old: bytes, new: bytes) -> str:
    """How much differs between two contents: "3 lines differ", or of what is no text, bytes."""
    before, after = _text(old), _text(new)
    if before is None or after is None:
        return bytes_differ(len(old), len(new), _different_bytes(old, new))
    found = changes(before, after)
    count = sum(max(len(one.old), len(one.new)) for one in found)
    if len(found) == 1 and count > _MOST_LINES:
        bags = Counter(found[0].old), Counter(found[0].new)
        count = max((bags[0] - bags[1]).total(), (bags[1] - bags[0]).total())
    if not count:
        return "the same lines, with other ends or in another order"
    return f"{count:,} line{'s differ' if count != 1 else ' differs'}"


def bytes_differ(old: int, new: int, different: int | None = None) -> str:
    """The same for what is no text, or too large to be looked at."""
    if old != new:
        return f"{old:,} -> {new:,} bytes"
    return f"{new:,} bytes as before" if different is None else f"{different:,} of {new:,} bytes differ"


def _different_bytes(old: bytes, new: bytes) -> int | None:
    if len(old) != len(new):
        return None
    return sum(map(int.__ne__, old, new))


def _text(content: bytes) -> str | None:
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def is_cosmetic(old: str, new: str, language: str) -> bool:
    """Whether two codes differ in comments and blank space only."""
    if language == "python":
        before = _python_meaning(old)
        return before is not None and before == _python_meaning(new)
    from ..commandline.syntax import meaning

    known = meaning(old)
    return known is not None and known == meaning(new)


def _python_meaning(text: str) -> list[tuple[int, str]] | None:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    return [
        (token.type, "" if token.type in _BLOCKS else token.string) for token in tokens if token.type not in _LAYOUT
    ]


def shown(found: list[Change], *, several: bool = True) -> tuple[str, ...]:
    """Old and new lines, the first few."""
    lines = [line for one in found for line in (*(f"- {old}" for old in one.old), *(f"+ {new}" for new in one.new))]
    cut = [line if len(line) <= _LINE_CHARACTERS else line[:_LINE_CHARACTERS] + "…" for line in lines[:SHOWN_LINES]]
    if several and len(lines) > SHOWN_LINES:
        cut.append(f"  ({len(lines) - SHOWN_LINES} more)")
    return tuple(cut)


def where(found: list[Change]) -> str:
    """The numbers of the changed lines: "line 12", "lines 3-5 and 9"."""
    spans = [_span(one) for one in found[:4]]
    several = len(spans) > 1 or "-" in spans[0]
    listed = spans[0] if len(spans) == 1 else f"{', '.join(spans[:-1])} and {spans[-1]}"
    more = f" and {len(found) - 4} more places" if len(found) > 4 else ""
    return f"line{'s' if several else ''} {listed}{more}"


def _span(change: Change) -> str:
    start, count = (change.new_start, len(change.new)) if change.new else (change.old_start, len(change.old))
    return str(start) if count <= 1 else f"{start}-{start + count - 1}"
