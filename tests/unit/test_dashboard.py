"""The parts of the dashboard that need no terminal: keys, lines, shares of room."""

from __future__ import annotations

import pytest

from seamless.cli import statustext
from seamless.cli.dashboard import canvas, detailscreen, overviewscreen
from seamless.cli.dashboard.keyboard import keys_in
from seamless.cli.dashboard.livelog import Output
from seamless.cli.dashboard.overviewscreen import Facts
from seamless.cli.dashboard.view import Order, View
from seamless_queue.broker.jobdetails import Details
from seamless_queue.broker.overview import Counted, Filter, Row
from seamless_queue.broker.states import JobState, RequestState
from seamless_queue.care.cap import Cap
from seamless_queue.estimate import Estimate
from seamless_queue.storesize import Size
from seamless_queue.survey import Lists, Survey


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1b[B", ["up", "down"]),
        ("\x1bOA", ["up"]),
        ("\x1b[5~\x1b[6~", ["page up", "page down"]),
        ("\x1b", ["escape"]),
        ("jj\r", ["j", "j", "enter"]),
        ("é\x7f", ["é", "backspace"]),
        # A function key, a mouse click, an Alt-letter, a NUL: nothing of ours.
        ("\x1b[15~\x1bq\x00", []),
        ("\x1b[1;5Cq", ["q"]),
    ],
)
def test_keys(text: str, expected: list[str]) -> None:
    assert keys_in(text) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("ab", 0, ""),
        ("日本語", 4, "日 …"),
        ("日本", 4, "日本"),
        ("", 2, "  "),
    ],
)
def test_fit(text: str, width: int, expected: str) -> None:
    assert canvas.fit(text, width) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-0.2, "0.0 s"),
        (0.04, "0.0 s"),
        (9.9, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1:00 min"),
        (3725, "1:02 h"),
        (300_000, "3.5 d"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    assert statustext.duration(seconds) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n b\tc", "a b c"),
        ("\x1b[2Jx", "\\x1b[2Jx"),
        ("x\u202ey", "x\\u202ey"),
        (b"caf\xe9", "caf\\xe9"),
        ("\udce9", "\\xe9"),
    ],
)
def test_nothing_moves_the_cursor(text: str | bytes, expected: str) -> None:
    assert statustext.clean(text) == expected


def row(number: int, state: RequestState, job_state: JobState | None = None, command: str = "") -> Row:
    job = (number, "ab" * 32, job_state, 1000.0, number) if job_state is not None else (None, None, None, None, None)
    text = command or f"./simulate.sh --with 'many words' {number} > out{number}.dat"
    return Row(number, state, 0, text, b"/w", "yeast", None, 0, 900.0, None, None, *job, None)


def busy_survey() -> Survey:
    """Some of everything."""
    lists = Lists(
        running=tuple(row(n, RequestState.QUEUED, JobState.RUNNING) for n in range(1, 9)),
        ready=tuple(row(n, RequestState.QUEUED, JobState.READY) for n in range(10, 60)),
        waiting=tuple(row(n, RequestState.WAITING) for n in range(60, 90)),
        failed=tuple(row(n, RequestState.FAILED, JobState.FAILED, "日本語 " * 30) for n in range(90, 120)),
    )
    counted = Counted(
        states=((RequestState.QUEUED, 58), (RequestState.WAITING, 30), (RequestState.FAILED, 31)), hits=3, saved=12.0
    )
    return Survey(1010.0, counted, 8, eta=Estimate(10, 20), lists=lists)


FACTS = Facts("/stores/mine", 1010.0, {}, (Size(5_000_000, True), Cap(10_000_000, "")))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 12), (10, 3), (1, 1), (80, 400)])
def test_every_line_fits(width: int, height: int) -> None:
    view = View(Filter(text="sim"))
    lines, selected = overviewscreen.draw(busy_survey(), view, FACTS, width, height)
    assert len(lines) == height
    assert {canvas.width_of(canvas.cut(line, width)) for line in lines} == {width}
    assert selected is None


def text_of(lines: list[canvas.Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_what_is_selected_is_visible_wherever_it_is() -> None:
    view = View(Filter())
    overviewscreen.draw(busy_survey(), view, FACTS, 80, 24)
    for number in view.listed:
        view.selected = number
        lines, selected = overviewscreen.draw(busy_survey(), view, FACTS, 80, 24)
        assert selected is not None
        assert f">#{number} " in text_of([lines[selected]])


def test_moving_ends_at_the_ends() -> None:
    view = View(Filter())
    view.show_list([4, 5, 6])
    view.move(1)
    assert view.selected == 4
    view.move(10**9)
    assert view.selected == 6
    # What was selected has ended: it stays so until a key is pressed, and then what is in its place is next.
    view.show_list([4, 5])
    assert view.selected == 6
    view.move(-1)
    assert view.selected == 5


def test_all_lists_have_their_share_of_a_low_screen() -> None:
    text = text_of(overviewscreen.draw(busy_survey(), View(Filter()), FACTS, 80, 24).lines)
    for heading in ("running 8", "waiting 30", "ready 50", "failed 31"):
        assert heading in text


def test_sorting() -> None:
    view = View(Filter(), order=Order.NEWEST)
    overviewscreen.draw(busy_survey(), view, FACTS, 80, 24)
    assert list(view.listed[:2]) == [8, 7]


def test_a_bar_is_as_long_as_it_may_be() -> None:
    survey = busy_survey()
    for width in (1, 3, 10, 79, 200):
        shares = statustext.shares(survey, width)
        assert sum(length for _, length in shares) == max(width, len(shares)) or width < 4
    assert statustext.shares(Survey(0.0), 40) == []


def details_text(outputs: list[Output], view: View, height: int = 24) -> list[str]:
    details = Details(row(7, RequestState.QUEUED, JobState.RUNNING), [], [], [], [], [], None, None)
    lines = detailscreen.draw((details, outputs), view, 1010.0, 80, height)
    assert len(lines) == height
    return text_of(lines).splitlines()


def test_a_job_s_facts_and_the_ends_of_its_output() -> None:
    """Both streams share what the facts leave; one that is short leaves the rest to the other."""
    view = View(Filter(), scroll=-1)
    out = Output("standard output", b"".join(b"out %d\n" % n for n in range(99)), 10_000)
    err = Output("standard error", b"err 1\nerr 2\n", 12)
    text = details_text([out, err], view)
    assert text[0].startswith(" #7 running")
    assert text[1].startswith("  why")
    assert text[-4:-1] == [f"{'standard error, 12 B':<80}", "err 1", "err 2"]
    assert text[-5] == "out 98"
    assert view.scroll == -1
    view.scroll = 10**6
    assert details_text([out, err], view)[-1].endswith("lines")
    for height in (1, 2, 3, 5):
        details_text([out, err], View(Filter(), scroll=-1), height)


def test_what_no_server_offers_is_told_where_it_waits() -> None:
    lists = busy_survey().lists._replace(held={10: "needs 4 gpus"})
    text = text_of(overviewscreen.draw(busy_survey()._replace(lists=lists), View(Filter()), FACTS, 80, 24).lines)
    assert "needs 4 gpus" in text
    assert statustext.why(lists.ready[0], lists, 1010.0) == "needs 4 gpus"


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (Estimate(0.0, 0.0), "nothing left to do"),
        (Estimate(10, 20), "done in 10 s to 20 s"),
        (Estimate(10, None, "2 jobs are of a new kind"), "done in 10 s or more: 2 jobs are of a new kind"),
        (Estimate(0.0, None, "1 job is of a new kind"), "not known: 1 job is of a new kind"),
        (Estimate(None, None, "no server runs"), "not known: no server runs"),
    ],
)
def test_when_it_will_be_done(estimate: Estimate, expected: str) -> None:
    assert statustext.eta(estimate) == expected
