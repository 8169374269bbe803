"""The overview as lines: header, bar, lists, and the keys at the bottom."""

from __future__ import annotations

import time
from typing import NamedTuple

from seamless_queue.broker.overview import Row
from seamless_queue.care.cap import Cap
from seamless_queue.care.sizes import readable
from seamless_queue.storesize import Size
from seamless_queue.survey import Lists, Survey

from .. import statustext
from ..statustext import clean, duration
from .canvas import Line, cut, fit, right, spread, width_of
from .sampling import Load
from .view import Question, Section, View, sections

KEYS = "q quit  p pause  / filter  s sort  ↑↓ select  ↵ details  c cancel  r retry  ? help"
SHORT_KEYS = "q quit  ↑↓ ↵ details  ? help"
#: Before the counts, where there is room.
REQUESTS = "requests  "
#: Parts of the bar that are not told apart by colour, for who has none.
BAR = {"done": "█", "superseded": "█", "failed": "▓", "canceled": "▒", "running": "▶", "delivering": "▶"}


class Facts(NamedTuple):
    """What is drawn beside the survey."""

    path: str
    now: float
    loads: dict[int, Load]
    size: tuple[Size, Cap] | None


class Drawn(NamedTuple):
    """Lines, and which of them is selected."""

    lines: list[Line]
    selected: int | None


def draw(survey: Survey, view: View, facts: Facts, width: int, height: int) -> Drawn:
    """The whole screen."""
    head = header(survey, view, facts, width)
    # In a very low window the lists are more useful than the header's later lines.
    head = head[: max(1, height - 5)]
    found = sections(survey, view.order, facts.loads)
    view.show_list([row.request_id for section in found for row in section.rows])
    body, selected = _body(found, survey, view, facts, width, height - len(head) - 1)
    body += [[] for _ in range(height - len(head) - 1 - len(body))]
    lines = [*head, *body, footer(view, facts.now, width)][:height]
    return Drawn(lines, None if selected is None else len(head) + selected)


def header(survey: Survey, view: View, facts: Facts, width: int) -> list[Line]:
    """Which store, who serves it, how many jobs stand where, when they will be done."""
    clock = " view paused " if view.is_paused else time.strftime(" %H:%M:%S ", time.localtime(facts.now))
    title: Line = [(" Seamless Queue ", "title"), (f" {clean(facts.path)}", "title")]
    room = max(0, width - len(clock))
    lines = [[*cut(title, room), (clock, "title")], _servers(survey, facts)]
    counted: Line = []
    for word, count in survey.counts().items():
        if count:
            counted += [(f"{count:,} {word}", word), ("  ", "")]
    only = statustext.chosen(view.filter)
    if counted and width_of(counted) + len(REQUESTS) <= width:
        counted.insert(0, (REQUESTS, "dim"))
    lines.append(counted or [("no such jobs" if only else "no jobs yet", "dim")])
    lines.append([(BAR.get(word, "░") * length, word) for word, length in statustext.shares(survey, width)])
    ended = f"{'whole store ' if only else ''}{statustext.eta(survey.eta)}"
    progress: Line = [(ended, "bold"), (f"  ended {statustext.throughput(survey)}", "")]
    saved: Line = [(f"cache hits {statustext.hits(survey)}", ""), ("  ", "")]
    if facts.size is not None:
        saved.append((f"store {statustext.size(*facts.size)}", ""))
    if width_of(progress) + width_of(saved) + 2 <= width:
        lines.append(spread(progress, saved, width))
    else:
        lines += [progress, saved]
    return [*lines, [(f"only {only}", "warning")]] if only else lines


def _servers(survey: Survey, facts: Facts) -> Line:
    servers = survey.servers
    if not servers:
        line: Line = [
            ("no server runs", "" if survey.others else "warning"),
            (": start one with seamless-queue", "dim"),
        ]
    else:
        oldest = min(host.session.created for host in servers)
        count = f"{len(servers)} servers" if len(servers) > 1 else f"server {servers[0].session.process.pid}"
        line = [(f"{count}, up {duration(facts.now - oldest)}", "")]
        if any(host.session.draining for host in servers):
            line.append(("  draining", "warning"))
    if survey.others:
        line.append((f"  {statustext.others(survey)}", ""))
    if survey.workers:
        line.append((f"  {statustext.busy(survey)}", "bold"))
    if survey.paused:
        line.append((f"  paused: {clean(survey.paused)}", "warning"))
    return line


def footer(view: View, now: float, width: int) -> Line:
    """The keys, a question, or a message."""
    if view.question is not None:
        return [(question_text(view.question), "bold")]
    if view.message and now < view.message_until:
        return [(clean(view.message), "bold")]
    keys = KEYS if len(KEYS) <= width else SHORT_KEYS
    state = f"by {view.order.value}"
    if view.selected is not None and view.selected not in view.listed:
        state = f"#{view.selected} has ended"
    return spread([(keys, "dim")], [(state, "dim")], width)


def question_text(question: Question) -> str:
    """What is asked."""
    if question.kind == "filter":
        return f"only commands with: {clean(question.text)}_  (Enter, Esc)"
    return f"{question.kind} #{question.request_id}? y/n"


def _body(
    found: list[Section], survey: Survey, view: View, facts: Facts, width: int, height: int
) -> tuple[list[Line], int | None]:
    lines: list[Line] = []
    selected = None
    for section, room in zip(found, _rooms(found, height), strict=True):
        if room < 2:
            continue
        lines.append(_heading(section, survey, width))
        ids = [row.request_id for row in section.rows]
        place = ids.index(view.selected) if view.selected in ids else -1
        # The window moves with the selection.
        start = max(0, min(place - (room - 1) // 2, len(ids) - (room - 1))) if place >= 0 else 0
        for number, row in enumerate(section.rows[start : start + room - 1], start):
            if number == place:
                selected = len(lines)
            line = _row(section.name, row, survey.lists, facts, width, number == place)
            lines.append([*line, *_label(section, row, width), (clean(row.command), "")])
    return lines, selected


def _rooms(found: list[Section], height: int) -> list[int]:
    """How many lines each list gets, its heading included: what it needs, or a fair share."""
    needs = [len(section.rows) + 1 for section in found]
    rooms = [0] * len(found)
    left = height
    while left > 0 and any(room < need for room, need in zip(rooms, needs, strict=True)):
        for number, section in enumerate(found):
            # What runs is looked at most.
            step = min(2 if section.name == "running" else 1, needs[number] - rooms[number], left)
            rooms[number] += step
            left -= step
    return rooms


def _heading(section: Section, survey: Survey, width: int) -> Line:
    text = f"{section.name} {section.total:,}"
    idle = len(survey.workers) - survey.busy
    more = f"  ({idle} idle)" if section.name == "running" and idle > 0 else ""
    if section.name == "failed" and section.total > len(section.rows):
        more = f"  ({len(section.rows)} listed: the latest that failed by themselves and were not asked for again)"
        if len(text) + len(more) > width:
            more = f"  (the latest {len(section.rows)} by themselves)"
    return [(fit(f"{text}{more}", width), "heading")]


def _row(name: str, row: Row, lists: Lists, facts: Facts, width: int, is_selected: bool) -> Line:
    number = f"{'>' if is_selected else ' '}#{row.request_id}"
    line: Line = [(fit(number, 9), row.word if row.word in statustext.COLORED else ""), (" ", "")]
    return [*line, *_columns(name, row, lists, facts, width)]


def _label(section: Section, row: Row, width: int) -> Line:
    """The project, where there is room and any row has one."""
    if width < 140 or not any(one.project for one in section.rows):
        return []
    return [(fit(clean(row.project or ""), 14) + " ", "dim")]


def _columns(name: str, row: Row, lists: Lists, facts: Facts, width: int) -> Line:
    if name == "running":
        if row.request_id in lists.lost:
            return [(fit(statustext.LOST, min(40, width // 2)) + " ", "warning")]
        return _running(row, facts, width)
    if name == "failed":
        ago = right(f"{duration(facts.now - (row.finished or facts.now))} ago", 13) + "  " if width >= 100 else ""
        return [(ago, "dim"), (fit(statustext.why(row, lists, facts.now), max(10, width * 2 // 5)) + " ", "failed")]
    if name == "waiting":
        return [(fit(statustext.waits_for(row, lists), max(10, width // 3)) + " ", "waiting")]
    age = right(duration(facts.now - row.created), 10) + "  "
    held = lists.held.get(row.job_id or 0)
    why = fit(held, max(10, width * 2 // 5)) + " " if held else ""
    return [(age, "dim"), (fit(f"p{row.priority}", 5) if row.priority else "", "bold"), (why, "warning")]


def _running(row: Row, facts: Facts, width: int) -> Line:
    if row.word == "delivering":
        return [(fit("writing its files", 22), "delivering")]
    line: Line = [(right(duration(facts.now - (row.started or facts.now)), 10) + " ", "running")]
    load = facts.loads.get(row.worker_id or 0)
    if width >= 60:
        line.append((right(f"{load.cpu:.0%}" if load else "", 5) + " ", ""))
        line.append((right(readable(load.memory) if load else "", 8) + "  ", ""))
    if width >= 100:
        line.append((fit(f"worker {row.worker_id}", 12), "dim"))
    if row.word == "stopping":
        line.append(("stopping ", "stopping"))
    return line


HELP = (
    "What you see",
    "  done in … to …   from how long jobs took that begin with the same command",
    "  cache hits       requests answered without an attempt of their own, and the time that saved",
    "  running          with processors and memory of all processes of the worker",
    "",
    "Keys",
    "  q, Esc           leave this screen; quit",
    "  up, down, j, k   select a job; page up, page down, home and end as well",
    "  Enter            all about the job, and its output, live",
    "  c                cancel the selected request; what waits for it fails",
    "  r                retry the selected request, which has failed or was canceled",
    "  /                show only jobs whose command has a text in it; empty: all",
    "  s                sort by age, newest, command, processors or memory",
    "  p                pause the view (not the queue: that is seamless-queue pause)",
    "  Ctrl-L           draw the screen anew",
)


def help_screen(width: int, height: int) -> list[Line]:
    """The keys."""
    lines: list[Line] = [[(fit(" Seamless Queue: help", width), "title")]]
    lines += [[(text, "" if text.startswith(" ") else "bold")] for text in HELP]
    lines = lines[: height - 1]
    lines += [[] for _ in range(height - 1 - len(lines))]
    return [*lines, [("any key: back", "dim")]]
