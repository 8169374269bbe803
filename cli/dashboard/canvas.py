"""Lines of styled text, exactly as wide as the terminal, handed to rich as they are: laying out tables costs too much.

A line is a list of pieces, a piece a text and the name of a style.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

Piece = tuple[str, str]
Line = list[Piece]

STYLES = {
    "": Style(),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "title": Style(bold=True, reverse=True),
    "heading": Style(bold=True, underline=True),
    "running": Style(color="yellow"),
    "ready": Style(color="cyan"),
    "waiting": Style(color="blue"),
    "delivering": Style(color="magenta"),
    "done": Style(color="green"),
    "superseded": Style(color="green"),
    "failed": Style(color="red"),
    "canceled": Style(color="bright_black"),
    "stopping": Style(color="bright_black"),
    "warning": Style(color="red", bold=True),
}
REVERSED = {name: style + Style(reverse=True) for name, style in STYLES.items()}


def width_of(line: Line) -> int:
    """In columns."""
    return sum(columns(text) for text, _ in line)


def columns(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int) -> str:
    """A text made exactly so wide; what does not fit ends with an ellipsis."""
    if width <= 0:
        return ""
    needed = columns(text)
    if needed <= width:
        return text + " " * (width - needed)
    cut = text[: width - 1] if text.isascii() else set_cell_size(text, width - 1)
    return cut + "…"


def right(text: str, width: int) -> str:
    """The same, to the right."""
    needed = columns(text)
    return " " * (width - needed) + text if needed <= width else fit(text, width)


def cut(line: Line, width: int) -> Line:
    """A line made exactly so wide."""
    found: Line = []
    left = width
    for text, style in line:
        if left <= 0:
            break
        needed = columns(text)
        if needed > left:
            text, needed = fit(text, left), left
        found.append((text, style))
        left -= needed
    if left > 0:
        found.append((" " * left, found[-1][1] if found and found[-1][1] == "title" else ""))
    return found


def spread(left: Line, end: Line, width: int) -> Line:
    """A line with something at its right end, as far as there is room."""
    room = width - width_of(end)
    if room < 1 or width_of(left) > room:
        return cut(left, width)
    return [*cut(left, room), *end]


class Canvas:
    """A whole screen, for rich."""

    def __init__(self, lines: Iterable[Line], width: int, height: int, selected: int | None = None) -> None:
        self._lines = list(lines)[:height]
        self._lines += [[] for _ in range(height - len(self._lines))]
        self._width = width
        self._selected = selected

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, line in enumerate(self._lines):
            styles = REVERSED if number == self._selected else STYLES
            for text, style in cut(line, self._width):
                yield Segment(text, styles[style])
            if number + 1 < len(self._lines):
                yield Segment.line()
