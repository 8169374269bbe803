"""What a report says: figures, the critical path, rows of the timeline, text that is safe to show, and its bounds."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless.cli.report import figures, graph, lanes, page, texts
from seamless.cli.report.gathering import File, Gathered, Task
from seamless.cli.report.kinds import kind_of
from seamless.cli.report.logs import FAILED_LINES, OTHER_BYTES, Logs
from seamless.cli.report.summary import duration
from seamless_queue.broker.sessions import SessionKind
from seamless_queue.broker.states import JobState, Outcome, RequestState
from seamless_queue.broker.timeline import AttemptRow, DependencyRow, JobRow, RequestRow, SessionRow, WorkerRow
from seamless_queue.staged import Staged
from seamless_queue.store import Store

CHECKSUM = "{:064x}".format
_numbers = itertools.count(1)


def an_attempt(job: int, started: float, finished: float, worker: int = 1, **given: object) -> AttemptRow:
    values = {
        "id": next(_numbers),
        "job_id": job,
        "session_id": 1,
        "worker_id": worker,
        "outcome": Outcome.DONE,
        "exit_code": 0,
        "error": None,
        "stdout": None,
        "stderr": None,
        "started": started,
        "finished": finished,
        "cpu": None,
        "peak_memory": None,
    }
    return AttemptRow(**{**values, **given})  # type: ignore[arg-type]


def a_request(
    number: int, created: float, finished: float | None, state: RequestState = RequestState.DELIVERED
) -> RequestRow:
    return RequestRow(number, state, number, True, f"sort {number}", b"/d", None, None, created, finished, None, None)


def a_task(
    number: int,
    attempts: Sequence[AttemptRow] = (),
    requests: Sequence[RequestRow] = (),
    inputs: Sequence[File] = (),
    outputs: Sequence[File] = (),
) -> Task:
    job = JobRow(number + 1, CHECKSUM(number + 1), JobState.DONE, None, 0.0, None, None, None)
    asked = tuple(requests) or (a_request(number + 1, 0.0, 1.0),)
    return Task(number, job, asked, tuple(attempts), tuple(inputs), tuple(outputs))


def gathered(tasks: Sequence[Task], dependencies: Sequence[DependencyRow] = (), **given: object) -> Gathered:
    session = SessionRow(1, SessionKind.QUEUE, "host", 99, 0.0, 100.0)
    workers = {number: WorkerRow(number, 1, number, 0.0, 100.0) for number in (1, 2)}
    sizes = {file.checksum: 1000 for task in tasks for file in (*task.inputs, *task.outputs) if file.checksum}
    values = {"since": 0.0, "until": 200.0, "sessions": {1: session}, "workers": workers, "sizes": sizes, "left_out": 0}
    return Gathered(tasks=tuple(tasks), dependencies=tuple(dependencies), **{**values, **given})  # type: ignore[arg-type]


# -- who needs what ---------------------------------------------------------------------------
def test_the_critical_path_is_the_longest_chain() -> None:
    edges = [graph.Edge(*ends, "f") for ends in [(0, 2), (1, 2), (2, 3), (0, 4), (4, 5)]]
    seconds = {0: 1.0, 1: 2.0, 2: 1.0, 3: 1.0, 4: 0.5, 5: 0.5}
    assert graph.critical_path(6, seconds, edges) == [1, 2, 3]


def test_what_did_not_run_is_no_part_of_the_critical_path() -> None:
    assert graph.critical_path(0, {}, []) == []
    assert graph.critical_path(2, {}, [graph.Edge(0, 1, "f")]) == []
    assert graph.critical_path(2, {1: 1.0}, [graph.Edge(0, 1, "f")]) == [1]


@given(
    st.lists(st.floats(0.1, 10), min_size=1, max_size=8),
    st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20),
)
def test_no_chain_is_longer_than_the_critical_path(times: list[float], pairs: set[tuple[int, int]]) -> None:
    count = len(times)
    ends = {(a, b) for a, b in pairs if a < b < count}
    chain = graph.critical_path(count, dict(enumerate(times)), [graph.Edge(a, b, "") for a, b in ends])
    assert all(pair in ends for pair in itertools.pairwise(chain))

    def longest(node: int) -> float:
        return times[node] + max((longest(b) for a, b in ends if a == node), default=0.0)

    assert sum(times[node] for node in chain) == pytest.approx(max(map(longest, range(count))))


def test_a_recorded_dependency_is_a_link() -> None:
    tasks = [a_task(0), a_task(1)]
    row = DependencyRow(2, b"a\xff.txt", 1, 1, b"a\xff.txt", b"/d/a\xff.txt", None)
    assert graph.edges(gathered(tasks, [row])) == [graph.Edge(0, 1, "a\udcff.txt")]


def test_a_file_is_recognised_by_its_bytes_if_they_are_telling() -> None:
    one, other = File("out", CHECKSUM(7), b"/d/out"), File("in", CHECKSUM(7), b"/d/in")
    tasks = [a_task(0, outputs=[one]), a_task(1, inputs=[other])]
    assert graph.edges(gathered(tasks)) == [graph.Edge(0, 1, "in")]
    # Two have made these bytes: nobody knows whose they are.
    tasks = [a_task(0, outputs=[one]), a_task(1, outputs=[one]), a_task(2, inputs=[other])]
    assert graph.edges(gathered(tasks)) == []
    # A number or an empty file says nothing of where it comes from, unless it is the very file.
    tasks = [a_task(0, outputs=[one]), a_task(1, inputs=[other]), a_task(2, inputs=[one])]
    assert graph.edges(gathered(tasks, sizes={CHECKSUM(7): 2})) == [graph.Edge(0, 2, "out")]


def test_links_go_from_earlier_to_later_requests() -> None:
    file = File("f", CHECKSUM(7), b"/d/f")
    assert graph.edges(gathered([a_task(0, inputs=[file]), a_task(1, outputs=[file])])) == []
    row = DependencyRow(1, b"f", 2, 2, b"f", b"/d/f", None)
    assert graph.edges(gathered([a_task(0), a_task(1)], [row])) == []


# -- times ------------------------------------------------------------------------------------
def figures_of(tasks: Sequence[Task], **given: object) -> figures.Figures:
    facts = gathered(tasks, **given)
    found = lanes.spans(facts)
    rows, row_of = lanes.lanes(facts, found)
    return figures.figures(facts, found, rows, row_of)


def test_efficiency_counts_only_the_time_in_which_anything_ran() -> None:
    tasks = [
        a_task(0, [an_attempt(1, 10, 14, worker=1)]),
        a_task(1, [an_attempt(2, 10, 12, worker=2)]),
        a_task(2, [an_attempt(3, 90, 94, worker=1)]),
    ]
    found = figures_of(tasks)
    assert (found.span, found.active, found.compute) == (84, 8, 10)
    assert found.parallel == pytest.approx(10 / 8)
    assert found.efficiency == pytest.approx(10 / 16)


def test_without_runs_there_are_no_figures() -> None:
    found = figures_of([a_task(0)])
    assert (found.span, found.compute, found.parallel, found.efficiency) == (0, 0, 0, None)


def test_the_first_request_pays_for_a_run_and_later_ones_are_hits() -> None:
    asked = [
        a_request(1, 0, 10),
        a_request(2, 5, 10),
        a_request(3, 50, 50),
        a_request(4, 60, None, RequestState.FAILED),
    ]
    task = a_task(0, [an_attempt(1, 1, 9)], asked)
    assert [request.id for request, _ in figures.served_again(task)] == [2, 3]
    found = figures_of([task])
    assert (found.hits, found.delivered, found.saved) == (2, 3, 16)


def test_a_result_of_before_the_period_is_a_hit() -> None:
    task = a_task(0, [an_attempt(1, 1, 9)], [a_request(3, 50, 50)])
    found = figures_of([task], since=20.0)
    assert (found.hits, found.saved, found.compute) == (1, 8, 0)


def test_a_refreshed_job_is_paid_for_again() -> None:
    asked = [a_request(1, 0, 10), a_request(2, 20, 30), a_request(3, 40, 40)]
    task = a_task(0, [an_attempt(1, 1, 9), an_attempt(1, 21, 29)], asked)
    assert [request.id for request, _ in figures.served_again(task)] == [3]


def test_jobs_that_were_published_together_ended_one_after_another() -> None:
    together = [a_task(n, [an_attempt(n + 1, started, 5.0)]) for n, started in enumerate((1.0, 2.0, 4.0))]
    found = lanes.spans(gathered(together))
    assert [(span.started, span.finished, span.depth) for span in found] == [(1, 2, 0), (2, 4, 0), (4, 5, 0)]


def test_a_job_inside_another_one_counts_once() -> None:
    tasks = [a_task(0, [an_attempt(1, 0, 10)]), a_task(1, [an_attempt(2, 2, 5)]), a_task(2, [an_attempt(3, 3, 4)])]
    assert [span.depth for span in lanes.spans(gathered(tasks))] == [0, 1, 2]
    assert figures_of(tasks).compute == 10


def test_workers_that_follow_each_other_share_a_row() -> None:
    lives = {1: (0.0, 10.0), 2: (11.0, 20.0), 3: (5.0, 15.0)}
    workers = {number: WorkerRow(number, 1, number, *life) for number, life in lives.items()}
    rows, row_of = lanes.lanes(gathered([], workers=workers), [])
    assert [row.label for row in rows] == ["worker 1", "worker 2"]
    assert row_of[1] == row_of[2] != row_of[3]


def test_a_server_itself_has_no_row() -> None:
    workers = {1: WorkerRow(1, 1, 99, 0.0, None), 2: WorkerRow(2, 1, 100, 0.0, None)}
    _, row_of = lanes.lanes(gathered([], workers=workers), [])
    assert set(row_of) == {2}


def test_inline_commands_share_few_rows() -> None:
    sessions = {n: SessionRow(n, SessionKind.INLINE, "host", n, n * 10.0, n * 10.0 + 5) for n in range(1, 6)}
    workers = {n: WorkerRow(n, n, n, n * 10.0, n * 10.0 + 5) for n in sessions}
    tasks = [a_task(n - 1, [an_attempt(n, n * 10.0, n * 10.0 + 4, n, session_id=n)]) for n in sessions]
    facts = gathered(tasks, sessions=sessions, workers=workers)
    rows, _ = lanes.lanes(facts, lanes.spans(facts))
    assert [(row.label, row.serves) for row in rows] == [("row 1", False)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12 ms"), (0.9999, "1.0 s"), (59.96, "1 min 0 s"), (3599.7, "1 h 0 min"), (200_000, "2 d 7 h")],
)
def test_durations_are_said_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("sort -n a.txt > b.txt", "sort"),
        ("sort a | uniq -c | sort -n", "sort | uniq"),
        ("LANG=C nice -n 5 /usr/bin/gzip x", "gzip"),
        ("python3 -S tools/fit.py --seed 3 > out", "python3 fit.py"),
        ("bash -c 'x'", "bash"),
        ("for x in 1; do wc $x; done", "wc"),
        ("awk '{a; b | c}' x | sort", "awk | sort"),
        ("square(x)", "square"),
        ("", "(none)"),
        ("(cd x && make)", "make"),
    ],
)
def test_like_commands_have_one_kind(command: str, kind: str) -> None:
    assert kind_of(command) == kind


@given(st.text())
def test_every_command_has_a_kind(command: str) -> None:
    assert 0 < len(kind_of(command)) <= 40


# -- text -------------------------------------------------------------------------------------
def test_what_hides_is_spelled_out() -> None:
    assert texts.shown("a\u202eb\x07\udcff\tc\n") == "a\\u202eb\\x07\\xff\tc\n"
    assert texts.shown_bytes(b"caf\xc3\xa9\xff") == "café\\xff"


def test_a_log_reads_as_a_terminal_would_leave_it() -> None:
    assert texts.log_text(b"\x1b[1;31mred\x1b[0m\r\n10%\r20%\r\n\xff\x00") == "red\n20%\n\\xff\\x00"


class Scripts(HTMLParser):
    """What a browser takes for script, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.scripts and self.lasttag == "script":
            self.scripts[-1] += data


EVIL = "</script><script>alert(1)</script><!-- {{script}} {{data}} & ]]> \u2028 🎉 \u05d0"


def test_no_text_gets_out_of_the_page_data() -> None:
    made = page.page({"evil": [EVIL]}, EVIL, "<h1>head</h1>")
    parsed, plain = Scripts(), Scripts()
    parsed.feed(made)
    plain.feed(page.page({}, "", "<h1>head</h1>"))
    assert parsed.tags == plain.tags
    assert json.loads(parsed.scripts[0]) == {"evil": [EVIL]}
    assert "alert(1)" not in parsed.scripts[1]


def test_the_page_can_reach_nothing() -> None:
    made = page.page({}, "title", "")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', made)
    assert policy
    assert "default-src 'none'" in policy[1].replace("&#x27;", "'")
    assert "unsafe" not in policy[1]
    found = set(re.findall(r"""\b(?:src|href|url)\s*[=(]\s*["']?([^"'\s)>]*)""", made))
    assert {link for link in found if not link.startswith(("#", "data:"))} == set()


# -- bounds -----------------------------------------------------------------------------------
def spans_with_logs(store: Store, logs: Sequence[tuple[Outcome, bytes]]) -> list[lanes.Span]:
    staged, found = Staged(), []
    for place, (outcome, content) in enumerate(logs):
        attempt = an_attempt(place + 1, place, place + 1, outcome=outcome, stderr=store.buffers.stage(content, staged))
        found.append(lanes.Span(place, 1, 1, place, place + 1, outcome, attempt))
    with store.database.transaction() as connection:
        staged.write(connection)
    return found


def test_logs_are_cut_to_their_end(store: Store) -> None:
    much = b"".join(b"line %d\n" % number for number in range(10_000))
    found = spans_with_logs(store, [(Outcome.DONE, much), (Outcome.FAILED, much), (Outcome.DONE, b"short\n")])
    logs = Logs(store, found)
    ends = [logs.texts[place] for span in found if span.attempt for place in logs.of(span.attempt) if place is not None]
    assert [log.is_cut for log in ends] == [True, True, False]
    assert all(log.text.endswith("line 9999") for log in ends[:2])
    assert len(ends[0].text) <= OTHER_BYTES
    assert ends[1].text.count("\n") == FAILED_LINES - 1
    assert ends[2].text == "short"


def test_all_logs_together_are_bounded_and_failures_come_first(store: Store) -> None:
    noise = [(Outcome.DONE, b"%05d" % number * 100) for number in range(50)]
    found = spans_with_logs(store, [(Outcome.FAILED, b"why it failed"), *noise])
    logs = Logs(store, found, total=3000)
    assert sum(len(log.text) for log in logs.texts) <= 3000
    assert logs.texts[0].text == "why it failed"
    assert logs.left_out > 40
