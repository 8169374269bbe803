"""`seamless-status --html`: the page that is written, and what a real browser makes of it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seamless.cli import htmlreport
from seamless.cli.report import columns
from seamless.cli.report.gathering import gather
from seamless.cli.report.summary import summary
from seamless_queue.broker.timeline import Wanted
from seamless_queue.settings import Settings
from seamless_queue.store import open_store

from . import browser
from .browser import Page
from .shop import Ended, Shop, until

#: A chain of three, an independent job, a failure with what depends on it, and text that wants to be more than text.
EVIL = "</script><script>document.title = 'evil'</script>"
BATCH = f"""\
seq 20 > numbers.txt
sort -rn numbers.txt > sorted.txt
wc -l sorted.txt > count.txt
echo alone
echo "it went wrong {EVIL} é🎉" >&2; seq 300 >&2; exit 3; echo > never.txt
"""


def report(shop: Shop, *words: str | bytes, path: str = "report.html") -> Ended:
    return shop.call("seamless-status", "--html", path, *words)


def facts(content: bytes) -> Any:
    """What a page was given to show."""
    found = re.search(rb'<script type="application/json" id="data">(.*?)</script>', content, re.DOTALL)
    assert found
    return json.loads(found[1])


def a_run(shop: Shop) -> None:
    shop.write("batch.txt", BATCH)
    shop.submit("--project", "demo:one", "--batch", "batch.txt")
    shop.work_off(status=1)
    shop.good("--project", "demo:one", "-c", "wc -l sorted.txt > count.txt")


# -- the file ---------------------------------------------------------------------------------
def test_a_report_tells_of_a_run(shop: Shop) -> None:
    a_run(shop)
    ended = report(shop)
    assert (ended.status, ended.out, ended.err) == (0, b"", "")
    data = facts((shop.dir / "report.html").read_bytes())
    jobs = data["jobs"]
    states = {command: data["states"][state] for command, state in zip(jobs["command"], jobs["state"], strict=True)}
    assert list(states.values()) == ["done"] * 4 + ["failed"]
    chain = [jobs["command"][job].split()[0] for job in data["critical"]]
    assert chain == ["seq", "sort", "wc"]
    assert (data["figures"]["hits"], data["figures"]["delivered"]) == (1, 5)
    assert [lane["label"] for lane in data["lanes"]] == ["worker 1", "worker 2"]
    log = next(text for text in data["logs"]["text"] if "300" in text)
    assert log.startswith("101\n")
    assert log.endswith("\n300")
    sizes = {
        data["fileNames"][name]: size for name, size in zip(*(data["files"][k] for k in ("name", "size")), strict=True)
    }
    assert sizes["numbers.txt"] == 51


def test_a_report_of_a_label_or_of_a_time(shop: Shop) -> None:
    shop.good("--project", "one:a", "--stage", "s", "echo", "1")
    shop.good("--project", "two", "echo", "2")
    for words, count in (
        ((), 2),
        (("--project", "one"), 1),
        (("--stage", "s"), 1),
        (("--project", "one", "--stage", "t"), 0),
        (("--since", "1h"), 2),
        (("--since", "2100-01-01"), 0),
    ):
        ended = report(shop, *words, path="-")
        assert ended.status == 0
        assert len(facts(ended.out)["jobs"]["command"]) == count, words


def test_a_report_while_jobs_run_and_wait(shop: Shop) -> None:
    shop.server()
    shop.submit(*shop.held("gate"), "-c", "echo 1 > one.txt")
    shop.submit("-c", "cat one.txt > two.txt")
    shop.runs("gate")
    data = facts(report(shop, path="-").out)
    assert [data["states"][state] for state in data["jobs"]["state"]] == ["running", "waiting"]
    assert [data["outcomes"][outcome] if outcome < 7 else "running" for outcome in data["runs"]["outcome"]] == [
        "running"
    ]
    assert (data["links"]["from"], data["links"]["to"]) == ([0], [1])
    shop.let("gate")
    shop.finish()


def test_of_too_many_requests_the_newest_are_told(shop: Shop) -> None:
    for number in range(3):
        shop.good("echo", str(number))
    store = open_store(Settings(str(shop.store)))
    try:
        found = gather(store, Wanted(0.0), time.time(), at_most=2)
        told = summary(columns.report(store, found, "title"))
    finally:
        store.close()
    assert [task.newest.command for task in found.tasks] == ["echo 1", "echo 2"]
    assert "1 older requests of the period are left out" in told


def test_names_that_are_not_text(shop: Shop) -> None:
    place = os.fsencode(shop.dir) + b"/d\xff"
    os.mkdir(place)
    shop.good(b"-c", b"echo x > 'a\xff.txt'", cwd=place)
    data = facts(report(shop, path="-").out)
    assert data["jobs"]["command"] == ["echo x > 'a\\xff.txt'"]
    assert data["directories"][0].endswith("/d\\xff")
    assert "a\\xff.txt" in data["fileNames"]


def test_a_report_replaces_a_file_whole_or_not_at_all(shop: Shop) -> None:
    shop.good("true")
    target = shop.write("real.html", "old")
    (shop.dir / "report.html").symlink_to("real.html")
    assert report(shop).status == 0
    assert (shop.dir / "report.html").is_symlink()
    assert target.read_bytes().startswith(b"<!DOCTYPE html>")
    target.write_text("old")
    ended = shop.bash("ulimit -f 4; exec seamless-status --html report.html")
    assert ended.status != 0
    assert target.read_text() == "old"
    assert shop.names() == {"report.html", "real.html"}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere/report.html", "does not exist"),
        (".", "is a directory"),
        ("/proc/report.html", "/proc"),
        ("", "name a file"),
    ],
)
def test_a_report_that_cannot_be_written_is_one_clear_line(shop: Shop, path: str, says: str) -> None:
    shop.good("true")
    ended = report(shop, path=path)
    assert ended.status in (1, 2)
    assert len(ended.lines) == 1
    assert says in ended.err


def test_a_report_of_an_empty_store(shop: Shop) -> None:
    data = facts(report(shop, path="-").out)
    assert data["jobs"]["command"] == []


# -- in a browser -----------------------------------------------------------------------------
needs_browser = pytest.mark.skipif(not (browser.CHROMIUM and browser.DRIVER), reason="needs chromium and chromedriver")


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with browser.browser() as page:
        yield page


def rows_of(page: Page) -> list[str]:
    return list(page.run("return [...document.querySelectorAll('#body tr[data-job]')].map(row => row.innerText)"))


@needs_browser
def test_the_page_in_a_browser(shop: Shop, window: Page) -> None:
    a_run(shop)
    assert report(shop).status == 0
    window.open(shop.dir / "report.html")
    assert window.run("return document.title") == "Seamless Queue"
    assert len(rows_of(window)) == 5
    _it_filters(window)
    _it_sorts(window)
    _it_shows_a_failure_with_its_log(window)
    _it_can_be_used_with_keys(window)
    _it_draws_the_timeline(window)
    _it_draws_the_graph(window)
    assert window.complaints() == []
    assert window.run("return performance.getEntriesByType('resource').map(one => one.name)") == []


def _it_filters(page: Page) -> None:
    page.type("#search", "SORT numbers")
    until(lambda: len(rows_of(page)) == 1, "one row")
    assert page.text("#shown") == "1 of 5 jobs"
    page.type("#search", " nothing")
    until(lambda: "No job fits" in page.text("#body"), "no row")
    page.run("const box = document.getElementById('search'); box.value = ''; box.dispatchEvent(new Event('input'))")
    until(lambda: len(rows_of(page)) == 5, "all rows")
    page.click("[data-state=failed]")
    until(lambda: len(rows_of(page)) == 1, "the failed row")
    page.click("[data-state=failed]")


def _it_sorts(page: Page) -> None:
    page.click("th[data-sort=command] button")
    assert page.run("return document.querySelector('th[data-sort=command]').ariaSort") == "ascending"
    commands = [row.split("\t")[1] for row in rows_of(page)]
    assert commands == sorted(commands)


def _it_shows_a_failure_with_its_log(page: Page) -> None:
    page.click("#failures-tab")
    assert "exit code 3" in page.text("#failures-panel")
    page.click("#failures-panel .link")
    details = page.text("#details")
    assert EVIL in details
    assert "\n300" in details
    assert page.run("return location.hash").startswith("#job=")


def _it_can_be_used_with_keys(page: Page) -> None:
    page.click("#jobs-tab")
    page.type("#jobs-tab", "\ue014")
    assert page.run("return document.activeElement.id") == "failures-tab"
    page.click("#jobs-tab")
    page.run("document.getElementById('rows').focus()")
    page.type("#rows", "\ue011")
    assert page.run("return document.querySelector('#body [aria-selected=true]').ariaRowIndex") == "2"
    page.type("#rows", "\ue015")
    assert page.run("return document.querySelector('#body [aria-selected=true]').ariaRowIndex") == "3"
    before = page.run("return location.hash")
    page.type("#canvas", "\ue014\ue012")
    page.type("#canvas", "+0\ue00c")
    assert page.run("return location.hash") == ""
    assert before


def _it_draws_the_timeline(page: Page) -> None:
    drawn = """const c = document.getElementById('canvas');
        const seen = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const colours = new Set();
        for (let at = 0; at < seen.length; at += 4) colours.add(seen.slice(at, at + 3).join());
        return [...colours]"""
    colours = until(lambda: page.run(drawn), "a drawing")
    assert "0,114,178" in colours


def _it_draws_the_graph(page: Page) -> None:
    page.click("#graph-tab")
    for mode, names in (
        ("critical", {"numbers.txt", "sorted.txt", "count.txt"}),
        ("all", {"count.txt"}),
        ("kinds", {"wc"}),
    ):
        chosen = "const box = document.getElementById('graph-mode'); box.value = arguments[0]; "
        page.run(chosen + "box.dispatchEvent(new Event('change'))", mode)
        texts = set(page.run("return [...document.querySelectorAll('#graph text')].map(one => one.textContent)"))
        assert names <= texts, mode


@needs_browser
def test_many_jobs_stay_usable(shop: Shop, window: Page, tmp_path: Path) -> None:
    """Ten thousand jobs: only those rows exist that can be seen."""
    path = tmp_path / "many.html"
    path.write_bytes(of_many(shop, 10_000))
    assert path.stat().st_size < 12_000_000
    window.open(path)
    assert 10 < len(rows_of(window)) < 120
    window.run("document.getElementById('rows').scrollTop = 1e9")
    until(lambda: any(row.startswith("done\tsleep 0 ") for row in rows_of(window)), "the last row")
    window.type("#search", "out77.txt")
    until(lambda: window.text("#shown") == "1 of 10,000 jobs", "the filter")
    assert window.complaints() == []


def of_many(shop: Shop, count: int) -> bytes:
    """A page of many jobs in chains of ten, made without running them."""
    store = open_store(Settings(str(shop.store)))
    now = 1_700_000_000.0
    with store.database.transaction() as connection:
        connection.execute(
            "INSERT INTO sessions (id, kind, host, boot, pid_namespace, pid, process_started, address, workers,"
            " created, lease_until, ended) VALUES (1, 0, 'host', '', '', 1, 1, '', 4, ?, ?, ?)",
            (now, now + count, now + count),
        )
        for number in range(4):
            connection.execute("INSERT INTO workers VALUES (?, 1, ?, 1, ?, NULL)", (number + 1, number + 2, now))
        for n in range(count):
            times = (now, now + n / 4, now + n / 4 + 0.9)
            connection.execute(
                "INSERT INTO jobs (id, checksum, state, lane, priority, created, started, finished)"
                " VALUES (?, ?, 2, 0, 0, ?, ?, ?)",
                (n + 1, n.to_bytes(32, "big"), *times),
            )
            connection.execute(
                "INSERT INTO requests (id, state, job_id, lane, command, directory, outputs, created, finished)"
                " VALUES (?, 4, ?, 0, ?, x'2f', 0, ?, ?)",
                (n + 1, n + 1, f"sleep {n} > out{n}.txt", times[0], times[2]),
            )
            connection.execute(
                "INSERT INTO attempts (job_id, fence, session_id, worker_id, outcome, started, finished)"
                " VALUES (?, 1, 1, ?, 0, ?, ?)",
                (n + 1, n % 4 + 1, *times[1:]),
            )
            if n % 10:
                connection.execute(
                    "INSERT INTO dependencies (request_id, pin, upstream_id, output, part, path)"
                    " VALUES (?, x'66', ?, x'66', x'', x'2f66')",
                    (n + 1, n),
                )
    try:
        return htmlreport.made(store, since=now)
    finally:
        store.close()
