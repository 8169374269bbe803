"""Tells of an error in user code: in one line, and as a traceback that begins where the user's code does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from traceback import FrameSummary, StackSummary, TracebackException

import seamless_queue

from .bundles import DIRECTORY
from .text import FILE_PREFIX, NAME

_OURS = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
    os.path.dirname(os.path.abspath(seamless_queue.__file__)) + os.sep,
)
#: Errors of ours are called by their bare names.
_OUR_ERRORS = re.compile(r"^seamless(?:_queue)?\.[\w.]+\.(?=\w+: )", re.MULTILINE)
_USERS = (FILE_PREFIX, f"{DIRECTORY}/")


def describe_error(error: BaseException) -> tuple[str, str]:
    """One line that says what and where, and the traceback as Python prints it, without frames of ours."""
    told = TracebackException.from_exception(error)
    place = _place(told.stack)
    for one in _all(told):
        _clean(one)
    summary = _readable(_first_line(told))
    return f"{summary} ({place})" if place else summary, _readable("".join(told.format()))


def _first_line(told: TracebackException) -> str:
    """The line that names the exception; for a syntax error, it follows the quoted line."""
    lines = [line for part in told.format_exception_only() for line in part.splitlines()]
    named = [line for line in lines if line and not line[0].isspace()]
    return (named or lines or ["unknown error"])[0]


def _place(stack: StackSummary) -> str | None:
    """The innermost line of user code."""
    return next((_spot(frame) for frame in reversed(stack) if frame.filename.startswith(_USERS)), None)


def _spot(frame: FrameSummary) -> str:
    if frame.filename.startswith(FILE_PREFIX):
        return f"line {frame.lineno} of {'the code' if frame.name == '<module>' else frame.name}"
    return f"line {frame.lineno} of {frame.filename.removeprefix(f'{DIRECTORY}/')}"


def _all(told: TracebackException | None) -> Iterator[TracebackException]:
    """The exception, what caused it, and what it groups."""
    if told is not None:
        yield told
        for one in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
            yield from _all(one)


def _clean(told: TracebackException) -> None:
    """Drop what leads to the user's code, or to ours if that has failed, and our own frames within it."""
    ours = [place + 1 for place, frame in enumerate(told.stack) if frame.filename.startswith(_OURS)]
    users = (place for place, frame in enumerate(told.stack) if frame.filename.startswith(_USERS))
    first = next(users, max(ours, default=0))
    kept = [frame for frame in told.stack[first:] if not frame.filename.startswith(_OURS)]
    told.stack = StackSummary.from_list(kept)


def _readable(text: str) -> str:
    return _OUR_ERRORS.sub("", text.replace(f"{NAME}.", ""))
