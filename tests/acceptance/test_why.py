"""seamless-why is right in each situation, two days later as well: it asks nothing but the store."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from seamless_queue.driver import Database

from .script import run_script
from .shop import Ended, Shop


def why(shop: Shop, *words: str, **given: Any) -> Ended:
    ended = shop.call("seamless-why", *words, **given)
    assert ended.status == 0, ended
    assert ended.err == ""
    return ended


def fields(shop: Shop, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(why(shop, "--json", *words).out)
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [one["kind"] for one in found]


def compared(shop: Shop, *words: str) -> tuple[str, list[str], list[str]]:
    """The verdict, the kinds of the reasons and of the differences."""
    found = fields(shop, *words)
    return found["verdict"], kinds(found["reasons"]), kinds(found["differences"])


def change(shop: Shop, statement: str, *parameters: object) -> None:
    """Change the past."""
    database = Database(str(shop.store / "seamless.db"))
    try:
        with database.transaction() as connection:
            connection.execute(statement, parameters)
    finally:
        database.close()


# -- the nine situations ----------------------------------------------------------------------
def test_never_run(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    assert compared(shop, "-c", "sort a.txt > o.txt") == ("would run", ["never_run"], [])
    shop.good("-c", "sort a.txt > o.txt")
    assert compared(shop, "o.txt") == ("ran", ["never_run"], [])
    text = why(shop, "o.txt").out.decode()
    assert "request    1: sort a.txt > o.txt" in text
    assert "never run before, and nothing like it has been run" in text


def test_input_edited(shop: Shop) -> None:
    shop.write("a.txt", "1\n2\n3\n4\n")
    shop.write("b.txt", "x\n")
    shop.good("-c", "paste a.txt b.txt > o.txt")
    shop.write("a.txt", "1\ntwo\n3\nfour\nfive\n")
    assert compared(shop, "-c", "paste a.txt b.txt > o.txt") == ("would run", ["never_run"], ["input_changed"])
    shop.good("-c", "paste a.txt b.txt > o.txt")
    found = fields(shop, "o.txt")
    assert (found["verdict"], found["nearest"]["request"], found["nearest"]["how"]) == (
        "ran",
        1,
        "it wrote the same file",
    )
    (difference,) = found["differences"]
    assert difference["text"].startswith("input `a.txt` changed (")
    assert difference["text"].endswith("…, 3 lines differ)")


def test_code_edited(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    shop.good("-c", "sort a.txt > mid\nuniq mid > o.txt")
    shop.good("-c", "sort a.txt > mid\nuniq -c mid > o.txt")
    found = fields(shop, "o.txt")
    assert (found["verdict"], kinds(found["differences"])) == ("ran", ["code_changed"])
    assert found["differences"][0]["text"] == "code line 2 changed"
    assert found["differences"][0]["lines"] == ["- uniq mid > o.txt", "+ uniq -c mid > o.txt"]


def test_comment_edited(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    shop.good("-c", "sort a.txt > o.txt  # first")
    shop.good("-c", "sort   a.txt > o.txt  # '# second'")
    found = fields(shop, "o.txt")
    assert (found["verdict"], kinds(found["differences"])) == ("ran", ["code_cosmetic"])
    assert "only comments or blank space changed, in line 1" in found["differences"][0]["text"]


def test_option_changed(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    text = "sort a.txt > o.txt; touch p.txt; cat > q.txt"
    shop.good("--metavar", "T=1", "--var", "N=1", "-c", text)
    shop.good("--metavar", "T=2", "--var", "N=2", "-cp", "p.txt", "--stdin", "-c", text, input=b"in\n")
    found = fields(shop, "q.txt")
    expected = {
        "variable N changed: '1' -> '2'",
        "the outputs are `p.txt`, `q.txt` now, were `q.txt`",
        "standard input is an input now (--stdin)",
    }
    assert {one["text"] for one in found["differences"]} == expected
    assert [one["text"] for one in found["beside"]] == ["meta variable T: 1 -> 2"]


def test_file_renamed(shop: Shop) -> None:
    shop.write("b.csv", "1\n2\n")
    shop.good("wc", "-l", "b.csv")
    (shop.dir / "b.csv").rename(shop.dir / "c.csv")
    found = fields(shop, "wc", "-l", "c.csv")
    assert (found["verdict"], kinds(found["reasons"])) == ("would run", ["never_run"])
    assert found["differences"][0]["text"] == "input `b.csv` is called `c.csv` now (same content)"
    shop.good("wc", "-l", "c.csv")
    assert compared(shop, "2") == ("ran", ["never_run"], ["input_renamed", "code_changed"])


def test_upstream_failed(shop: Shop) -> None:
    shop.submit("-c", "echo too bad >&2; exit 3 > a.txt")
    shop.submit("-c", "cat a.txt > b.txt")
    shop.submit("-c", "cat b.txt > c.txt")
    shop.work_off(status=1)
    found = fields(shop, "c.txt")
    assert (found["verdict"], kinds(found["reasons"])) == ("failed", ["upstream_failed", "stderr"])
    assert "request 1 (echo too bad >&2; exit 3 > a.txt)" in found["reasons"][0]["text"]
    assert "exit code 3" in found["reasons"][0]["text"]
    assert found["reasons"][1]["lines"] == ["too bad"]
    root = fields(shop, "a.txt")
    assert (root["verdict"], root["reasons"][0]["kind"]) == ("failed", "failed")
    assert root["runs"][0]["exit_code"] == 3


def test_evicted(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    shop.good("-c", "sort a.txt > o.txt")
    change(shop, "UPDATE jobs SET evicted = 1")
    assert compared(shop, "o.txt") == ("ran", ["never_run", "evicted"], [])
    found = fields(shop, "-c", "sort a.txt > o.txt")
    assert (found["verdict"], kinds(found["reasons"])) == ("would run", ["evicted"])
    assert "the bytes of its result were given up" in found["reasons"][0]["text"]


def test_ran_on_another_machine(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    shop.good("-c", "sort a.txt > o.txt")
    content = json.dumps({"host": "cluster7", "tools": {"sort": {"path": "/opt/sort", "size": 1, "mtime": 1}}}).encode()
    change(shop, "INSERT INTO environments (checksum, content) VALUES (?, ?)", b"\1" * 32, content)
    change(shop, "UPDATE attempts SET environment = ?", b"\1" * 32)
    found = fields(shop, "o.txt")
    assert (found["host"], kinds(found["reasons"])) == ("cluster7", ["never_run", "elsewhere"])
    assert "cluster7" in found["reasons"][1]["text"]
    shop.good("-c", "sort -r a.txt > o.txt")
    beside = [one["text"] for one in fields(shop, "o.txt")["beside"]]
    assert f"machine: cluster7 -> {os.uname().nodename}" in beside
    assert any(text.startswith("sort is ") and text.endswith("was /opt/sort") for text in beside)


# -- hits, waits, files -----------------------------------------------------------------------
def test_a_hit_says_since_when_it_is_known(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    for _ in range(2):
        shop.good("-c", "sort a.txt > o.txt")
    found = fields(shop, "o.txt")
    assert (found["verdict"], found["asked"], kinds(found["reasons"])) == ("hit", 2, ["hit"])
    assert "before for request 1" in found["reasons"][0]["text"]
    assert fields(shop, "-c", "sort a.txt > o.txt")["verdict"] == "would be answered from the store"
    checksum = found["job"]["checksum"]
    assert fields(shop, checksum[:12])["request"]["id"] == 1
    assert fields(shop, found["job"]["result"])["reasons"][0]["kind"] == "made"


def test_what_waits_says_for_what(shop: Shop) -> None:
    shop.submit("-c", "sleep 0; echo 1 > a.txt")
    shop.submit("--priority", "5", "-c", "cat a.txt > b.txt")
    found = fields(shop, "b.txt.FUTURE")
    assert found["verdict"] == "waits"
    assert kinds(found["reasons"]) == ["waits_for_input", "waits_for_turn", "no_server"]
    assert "`" + str(shop.dir / "a.txt") + "` from request 1" in found["reasons"][0]["text"]
    assert fields(shop, "-c", "cat b.txt > c.txt")["verdict"] == "would wait"
    assert shop.call("seamless-queue", "pause").status == 0
    assert kinds(fields(shop, "a.txt")["reasons"]) == ["paused", "no_server"]
    assert shop.call("seamless-queue", "resume").status == 0
    shop.work_off()
    assert fields(shop, "b.txt")["inputs"][0]["request"] == 1
    tree = why(shop, "b.txt", "--tree").out.decode()
    assert "a.txt" in tree.partition("Where it comes from:")[2]


def test_a_file_that_was_changed_since_and_one_of_ones_own(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    shop.good("-c", "sort a.txt > o.txt")
    shop.write("o.txt", "mine\n")
    assert compared(shop, "o.txt")[1] == ["never_run", "changed_since"]
    assert compared(shop, "a.txt") == ("not made by a job", ["not_made", "read_by"], [])
    (shop.dir / "o.txt").unlink()
    assert compared(shop, "o.txt")[1] == ["never_run"], "its .CHECKSUM stands for it"


def test_a_file_whose_inputs_were_changed_since(shop: Shop) -> None:
    """Whoever asks for a file wants to know whether it is up to date; empty directories are no part of an input."""
    shop.write("in/a.txt", "1\n")
    (shop.dir / "in" / "empty").mkdir()
    shop.write("b.txt", "1\n")
    shop.good("-ms", "-c", "cat in/a.txt b.txt > o.txt")
    shop.good("-i", "in", "-c", "cat b.txt in/* > p.txt")
    for name in ("o.txt", "p.txt"):
        assert compared(shop, name)[1] == ["never_run"]
    shop.write("a.txt", "another file than in/a.txt, which is a.txt inside\n")
    assert compared(shop, "o.txt")[1] == ["never_run"]
    shop.write("b.txt", "2\n")
    assert compared(shop, "o.txt")[1] == ["never_run", "input_changed_since"]
    assert "its input `b.txt` was changed since" in why(shop, "o.txt").out.decode()


def test_what_gave_something_else_when_it_was_run_again(shop: Shop) -> None:
    shop.good("--scratch", "-c", "date +%N > o.txt")
    assert shop.call("seamless-fingertip", "o.txt.CHECKSUM").status == 1
    assert compared(shop, "o.txt")[1] == ["never_run", "differed", "evicted", "former"]
    assert "it is not reproducible" in why(shop, "o.txt").out.decode()


def test_a_nearest_run_that_failed_has_written_nothing(shop: Shop) -> None:
    assert shop.run("-c", "false > o.txt").status == 1
    assert "(it was to write the same file, but it failed," in why(shop, "-c", "true > o.txt").out.decode()


def test_long_commands_are_not_told_in_passing(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    words = " ".join(f"word{number}" for number in range(500))
    shop.good("-c", f"cat a.txt; : {words}")
    (line,) = [line for line in why(shop, "a.txt").out.decode().splitlines() if "has read it" in line]
    assert len(line) < 200


def test_directories_are_compared_file_by_file(shop: Shop) -> None:
    for name in ("x", "y", "z w"):
        shop.write(f"d/{name}", f"content of the file\n{name}\n")
    shop.good("ls", "d")
    shop.write("d/x", "content of the file\nedited\n")
    (shop.dir / "d/y").unlink()
    shop.write("d/new", "n\n")
    (difference,) = fields(shop, "ls", "d")["differences"]
    assert difference["text"].endswith("…, added `new`; removed `y`; changed `x`: 1 line differs)")


def test_what_is_run_again_says_what_is_different_around_it(shop: Shop) -> None:
    shop.run("-c", '[ -n "${LANG-}" ]; echo 1 > o.txt')
    shop.good("-c", '[ -n "${LANG-}" ]; echo 1 > o.txt', env={"LANG": "C"})
    found = fields(shop, "o.txt")
    assert (found["verdict"], kinds(found["reasons"])) == ("ran", ["failed_before"])
    assert "LANG: (none) -> C" in [one["text"] for one in found["beside"]]


# -- Python -----------------------------------------------------------------------------------
FUNCTION = """
seamless.config.select_store({store!r})
@direct
def total(values):
    # {comment}
    return sum(values) * {factor}
total({values})
"""


def test_python(shop: Shop) -> None:
    def run(**given: object) -> None:
        run_script(shop, FUNCTION.format(store=str(shop.store), **given))

    run(comment="sum", factor=1, values=[1, 2])
    assert compared(shop, "1") == ("ran", ["never_run"], [])
    run(comment="sum", factor=1, values=[1, 3])
    (difference,) = fields(shop, "2")["differences"]
    assert difference["kind"] == "input_changed"
    assert difference["text"].startswith("argument `values` changed (")
    assert difference["text"].endswith("[1, 2] -> [1, 3])")
    run(comment="all of them", factor=1, values=[1, 3])
    assert compared(shop, "3") == ("ran", ["never_run"], ["code_cosmetic"])
    run(comment="all of them", factor=2, values=[1, 3])
    (difference,) = fields(shop, "4")["differences"]
    assert (difference["kind"], difference["text"]) == ("code_changed", "code line 3 changed")


# -- explaining before ------------------------------------------------------------------------
def test_names_cannot_break_a_line_nor_move_the_cursor(shop: Shop) -> None:
    for name, shown in (("a\x1b[31mred.txt", "a\\x1b[31mred.txt"), ("two\nlines\t.txt", "two\\nlines\\t.txt")):
        shop.write(name, "1\n")
        shop.good("-i", name, "-c", "cat < '" + name + "' > 'out " + name + "'")
        for words in ((f"out {name}",), ("--tree", f"out {name}")):
            told = why(shop, *words).out.decode()
            assert told.startswith(f"out {shown}\n")
            assert told.count(shown) >= 3
            assert "\x1b" not in told
        told = shop.call("seamless-status", f"out {name}").out.decode()
        assert f"/out {shown}" in told
        assert f" {shown} " in told


def test_a_pause_does_not_hide_what_is_wanting(shop: Shop) -> None:
    server = shop.server("--workers", "1")
    assert shop.call("seamless-queue", "pause").status == 0
    shop.submit("--slot", "license", "-c", "echo 1 > a.txt")
    assert kinds(fields(shop, "1")["reasons"]) == ["paused", "waits_for_resources"]
    told = shop.call("seamless-status", "1").out.decode()
    assert "the queue is paused" in told
    assert "needs license=1, but no running server offers more than license=0" in told
    assert shop.call("seamless-cancel", "1").status == 0
    server.stop()


def test_explain_says_it_before_running(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    first = shop.good("--explain", "cat", "a.txt")
    assert (first.out, first.lines[0]) == (b"1\n", "seamless-run: It will run:")
    again = shop.good("--explain", "cat", "a.txt")
    assert (again.out, again.lines[0]) == (b"1\n", "seamless-run: It will be answered from the store:")
    shop.write("a.txt", "2\n")
    only = shop.good("--explain", "--dry", "cat", "a.txt")
    assert len(only.out.strip()) == 64
    assert "input `a.txt` changed" in only.err
    assert shop.rows("SELECT COUNT(*) FROM requests") == [(2,)]


# -- bad input --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "nothing to explain"),
        (("7",), 1, "no request, job or result is called so"),
        (("abcdef0123",), 1, "no request, job or result is called so"),
        (("nowhere.txt",), 1, "no file, request, job, result or command is called so"),
        (("no/where.txt",), 1, "there is no such file"),
        (("99999999999999999999999",), 1, "no request, job or result is called so"),
        (("-c", "echo ("), 2, "syntax error"),
        (("cat", "nowhere.txt"), 2, "does not exist as a file"),
    ],
)
def test_what_cannot_be_explained(shop: Shop, words: tuple[str, ...], status: int, said: str) -> None:
    ended = shop.call("seamless-why", *words)
    assert (ended.status, ended.out, len(ended.lines)) == (status, b"", 1)
    assert said in ended.err


def test_without_a_store_none_is_made(bare_shop: Shop) -> None:
    ended = bare_shop.call("seamless-why", "1")
    assert (ended.status, len(ended.lines)) == (1, 1)
    assert not bare_shop.store.exists()


def test_names_of_all_kinds(shop: Shop) -> None:
    name = os.fsencode(shop.dir) + b"/a \xff\xc3\xa9.txt"
    with open(name, "wb") as file:
        file.write(b"1\n")
    shop.good(b"-g1", b"-c", b"cat 'a \xff\xc3\xa9.txt' > 'o \xff.txt'")
    text = why(shop, b"o \xff.txt").out  # type: ignore[arg-type]
    assert b"never run before" in text
    assert json.loads(shop.call("seamless-why", "--json", "1").out)["request"]["id"] == 1
