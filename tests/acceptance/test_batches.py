"""--batch: many commands in few transactions, as if each had been submitted alone."""

from __future__ import annotations

from .shop import COUNTED, Shop


def batch(shop: Shop, text: str, status: int = 0) -> str:
    ended = shop.run("--qsubmit", *COUNTED, "--batch", "-", input=text.encode())
    assert ended.status == status, ended
    return ended.err


def test_comments_blanks_and_chains(shop: Shop) -> None:
    text = """
# a comment
echo 1 > a.txt

   cat a.txt > b.txt   # another
cat a.txt b.txt | tr '\\n' '#' > c.txt
echo 2 > a.txt
cat a.txt > d.txt
"""
    batch(shop, text)
    shop.work_off()
    assert (shop.read("c.txt"), shop.read("d.txt"), shop.read("a.txt")) == ("1#1#", "2\n", "2\n")
    assert shop.executions == 5


def test_from_a_file(shop: Shop) -> None:
    shop.write("jobs", "echo 1 > a.txt")
    shop.submit("--batch", "jobs")
    shop.work_off()
    assert shop.read("a.txt") == "1\n"


def test_500_lines_to_a_running_server(shop: Shop) -> None:
    shop.server()
    batch(shop, "".join(f"echo {n} > {n}.txt\n" for n in range(500)))
    shop.finish()
    assert {name: shop.read(name) for name in shop.names()} == {f"{n}.txt": f"{n}\n" for n in range(500)}
    assert shop.executions == 500
    assert shop.store_leftovers() == []
    (shop.dir / "499.txt").unlink()
    batch(shop, "".join(f"echo {n} > {n}.txt\n" for n in range(500)))
    assert shop.read("499.txt") == "499\n"
    assert set(shop.request_states()) == {"delivered"}
    assert shop.executions == 500


def test_bad_line_is_named_and_what_was_before_is_kept(shop: Shop) -> None:
    for bad, status in (("cat missing.txt > b.txt", 2), ("echo 'unclosed > b.txt", 2), ("echo > ../b.txt", 2)):
        said = batch(shop, f"# one\necho {status} > a.txt\n{bad}\necho 3 > c.txt\n", status)
        assert len(said.splitlines()) == 1
        assert "line 3" in said
    shop.work_off()
    assert shop.names() == {"a.txt"}


def test_same_command_twice(shop: Shop) -> None:
    batch(shop, "echo 1 > a.txt\necho 1 > a.txt\n")
    shop.work_off()
    assert shop.executions == 1
    assert shop.read("a.txt") == "1\n"


def test_empty(shop: Shop) -> None:
    for text in ("", "\n\n", "# nothing\n"):
        assert batch(shop, text) == ""


def test_upstream_in_the_same_batch_fails(shop: Shop) -> None:
    batch(shop, "exit 3; true > a.txt\ncat a.txt > b.txt\n".replace("exit 3; true", "sh -c 'exit 3'"))
    ended = shop.work_off(status=1)
    assert ended.err.count("failed: ") == 2


def test_known_but_cannot_be_written(shop: Shop) -> None:
    """Told at once: nobody else will."""
    batch(shop, "echo 1 > x.txt\n")
    shop.work_off()
    (shop.dir / "x.txt").unlink()
    (shop.dir / "x.txt").mkdir()
    said = batch(shop, "echo 1 > x.txt\n", 1)
    assert "x.txt is a directory" in said
    ended = shop.run("--qsubmit", *COUNTED, "-c", "echo 1 > x.txt")
    assert (ended.status, len(ended.lines)) == (1, 1)


def test_misuse(shop: Shop) -> None:
    shop.write("jobs", "echo 1\n")
    for words in (
        ("--batch", "jobs"),
        ("--qsubmit", "--batch", "jobs", "echo", "1"),
        ("--qsubmit", "--batch", "jobs", "--stdin"),
        ("--qsubmit", "--dry", "echo", "1"),
    ):
        ended = shop.run(*words)
        assert ended.status == 2
        assert len(ended.lines) == 1
    ended = shop.run("--qsubmit", "--batch", "missing")
    assert (ended.status, len(ended.lines)) == (1, 1)
    assert "missing" in ended.err
