"""One job on the screen: all that is known of it, and the end of what it writes, live."""

from __future__ import annotations

from seamless_queue.broker import finding, jobdetails
from seamless_queue.broker.jobdetails import Details
from seamless_queue.care.sizes import readable
from seamless_queue.store import Store
from seamless_queue.survey import without_server

from .. import statusjob
from ..statustext import COLORED, clean
from .canvas import Line, fit, spread
from .livelog import Output, output_of
from .view import View

KEYS = "q back  ↑↓ scroll  c cancel  r retry"


def fetch(store: Store, request_id: int) -> tuple[Details, list[Output]] | None:
    """What the screen shows; None if the request is not there any more."""
    found = finding.find(store.database, f"#{request_id}", "/")
    if not found:
        return None
    details = without_server(store.database, jobdetails.details(store.database, found[0]))
    return details, output_of(store, details)


def draw(found: tuple[Details, list[Output]], view: View, now: float, width: int, height: int) -> list[Line]:
    """The whole screen; the end of the log below the facts, unless the person has scrolled."""
    details, outputs = found
    text = list(statusjob.lines(details, now))
    style = details.row.word if details.row.word in COLORED else ""
    head: Line = [(fit(f" {text[0]}", width), "title")]
    body: list[Line] = [[(line, style if line.startswith("  why") else "")] for line in text[1:]]
    logs = [[[(fit(_heading(one), width), "heading")], *([(line, "")] for line in _lines(one))] for one in outputs]
    if not logs:
        body.append([("it has written nothing to standard output and error", "dim")])
    room = max(1, height - 2)
    if view.scroll < 0:
        shown, place = _ends(body, logs, room), ""
    else:
        body += [line for log in logs for line in log]
        start = view.scroll = min(view.scroll, max(0, len(body) - room))
        shown, place = body[start : start + room], f"{min(len(body), start + room)} of {len(body)} lines"
    shown += [[] for _ in range(room - len(shown))]
    keys: Line = [(clean(view.message), "bold")] if view.message and now < view.message_until else [(KEYS, "dim")]
    if view.question is not None:
        from .overviewscreen import question_text

        keys = [(question_text(view.question), "bold")]
    return [head, *shown, spread(keys, [(place, "dim")], width)][:height]


def _ends(facts: list[Line], logs: list[list[Line]], room: int) -> list[Line]:
    """The facts, and the end of each log below; of the facts no more than half of the screen where a log needs it."""
    shown = facts[: max(room - sum(len(log) for log in logs), room // 2)]
    left = room - len(shown)
    for number, log in enumerate(logs):
        # The next one gets what this one does not need.
        others = min(sum(len(one) for one in logs[number + 1 :]), left // 2)
        share = max(0, min(len(log), left - others))
        shown += [*log[:1], *log[len(log) - share + 1 :]] if share else []
        left -= share
    return shown


def _heading(output: Output) -> str:
    whole = output.size == len(output.content)
    return f"{output.name}, {readable(output.size)}{'' if whole else ': the end of it'}"


def _lines(output: Output) -> list[str]:
    # Of a bar that is drawn again and again, the last state.
    return [_last_state(line) for line in output.content.decode(errors="replace").removesuffix("\n").split("\n")]


def _last_state(line: str) -> str:
    text = line.rstrip("\r").rpartition("\r")[2].expandtabs()
    return text if text.isprintable() else clean(text)
