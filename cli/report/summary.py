"""The head of the page, as HTML that needs no script: what, when, and the figures with their meaning."""

from __future__ import annotations

import time
from html import escape

from .columns import STATES, Report
from .texts import shown

MEANINGS = {
    "Jobs": "Jobs, and requests that never became one because an input did not come.",
    "Active": "Time in which at least one job ran.",
    "Compute": "Times of all runs together; a job that ran inside another one counts once.",
    "Parallel": "Compute time divided by active time: how many workers were busy on average.",
    "Efficiency": "Of the time that workers of servers were there while anything ran: the part in which they worked.",
    "Reused": "Delivered requests for which nothing had to be run: the job was done before, or ran for another one.",
    "Time saved": "What the runs took whose results were used again, once for every hit.",
    "Critical path": "The longest chain of jobs that each needed the one before: with any number of workers, "
    "the work takes at least so long.",
}


def summary(report: Report) -> str:
    """Title, period, counts and figures."""
    data, figures = report.data, report.figures
    total = sum(report.counts.values())
    longest = sum(seconds for _, seconds in report.critical)
    tiles = [
        _tile("Jobs", f"{total:,}", _counts(report.counts), _bar(report.counts)),
        _tile("Active", duration(figures.active), f"within {duration(figures.span)}"),
        _tile("Compute", duration(figures.compute), f"in {len(data['runs']['job']):,} runs"),
        _tile("Parallel", f"{figures.parallel:.1f}", "jobs at once"),
        _efficiency(figures.efficiency),
        _tile("Reused", f"{figures.hits:,}", f"of {figures.delivered:,} requests"),
        _tile("Time saved", duration(figures.saved), "by reuse"),
        _tile("Critical path", duration(longest), _jobs(len(report.critical))),
    ]
    return f'{_heading(data)}\n<dl class="tiles">\n{"".join(tiles)}</dl>\n{_notes(data)}'


def meanings() -> str:
    """What the figures mean, for those who cannot hold a pointer over them."""
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>\n" for name, text in MEANINGS.items())


def _heading(data: dict[str, object]) -> str:
    made = int(str(data["made"])) / 1000
    begin = int(str(data["t0"])) / 1000
    end = begin + float(str(data["ended"])) / 1000
    about = f" · {escape(str(data['about']))}" if data["about"] else ""
    return (
        f"<h1>{escape(shown(str(data['title'])))}</h1>\n"
        f'<p class="about"><span class="mono">{escape(str(data["store"]))}</span> on {escape(str(data["host"]))}'
        f"{about} · {moment(begin)} to {moment(end)} · made {moment(made)}</p>"
    )


def _tile(name: str, value: str, note: str, drawn: str = "") -> str:
    return (
        f'<div class="tile" title="{escape(MEANINGS[name])}"><dt>{escape(name)}</dt>'
        f'<dd><strong>{escape(value)}</strong>{drawn}<span class="note">{escape(note)}</span></dd></div>\n'
    )


def _bar(counts: dict[str, int]) -> str:
    """The shares of the states, side by side."""
    total, left, parts = sum(counts.values()), 0.0, []
    for state in STATES:
        if counts[state]:
            # What there is can be seen, however little it is.
            wide = max(200 * counts[state] / total, 2)
            parts.append(f'<rect class="s-{state}" x="{left:.1f}" width="{wide:.1f}" height="6"/>')
            left += wide
    return f'<svg class="shares" viewBox="0 0 {max(left, 1):.1f} 6" preserveAspectRatio="none" aria-hidden="true">' + (
        "".join(parts) + "</svg>"
    )


def _efficiency(efficiency: float | None) -> str:
    if efficiency is None:
        return _tile("Efficiency", "none", "no server ran")
    return _tile("Efficiency", f"{efficiency:.0%}", "of workers' time")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state]) or "none"


def _jobs(count: int) -> str:
    return f"{count:,} job{'' if count == 1 else 's'} in a row"


def _notes(data: dict[str, object]) -> str:
    notes = []
    if data["requestsLeftOut"]:
        notes.append(f"{data['requestsLeftOut']:,} older requests of the period are left out: the page would be slow.")
    if data["logsLeftOut"]:
        notes.append(f"{data['logsLeftOut']:,} logs are left out for their size; seamless-status JOB --log shows them.")
    if data["linksLeftOut"]:
        notes.append(f"{data['linksLeftOut']:,} links between jobs are left out.")
    return "".join(f'<p class="notice">{escape(note)}</p>\n' for note in notes)


def duration(seconds: float) -> str:
    """A time as people say it, of two parts at most."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def moment(when: float) -> str:
    """A date and time of this host."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
