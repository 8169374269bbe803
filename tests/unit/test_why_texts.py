"""Differences of texts in plain words."""

import pytest

from seamless.transformer.why import texts


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"a\nb\nc\n", b"a\nB\nc\n", "1 line differs"),
        (b"a\nb\nc\n", b"a\nc\n", "1 line differs"),
        (b"", b"a\nb\n", "2 lines differ"),
        (b"a\nb\n", b"b\na\nx\n", "2 lines differ"),
        (b"a\r\nb", b"a\nb\n", "the same lines, with other ends or in another order"),
        (b"\0\1\2", b"\0\1\3", "1 of 3 bytes differ"),
        (b"\0\1\2", b"\0\1", "3 -> 2 bytes"),
        (b"\xff", b"a", "1 of 1 bytes differ"),
    ],
)
def test_how_much_differs(old: bytes, new: bytes, said: str) -> None:
    assert texts.how_many(old, new) == said


def test_large_texts_are_compared_as_bags_of_lines() -> None:
    old = "".join(f"{number}\n" for number in range(50_000)).encode()
    new = "".join(f"{number + 1}\n" for number in range(50_000)).encode()
    assert texts.how_many(old, new) == "1 line differs"


PYTHON = "def f(x):\n    # a comment\n    return x + '#'\n"
SHELL = "sort a | uniq  # count\ncat 'b  # c'\n"


@pytest.mark.parametrize(
    ("language", "old", "new", "is_cosmetic"),
    [
        ("python", PYTHON, PYTHON.replace("a comment", "another"), True),
        ("python", PYTHON, PYTHON.replace("    # a comment\n", ""), True),
        ("python", PYTHON, PYTHON.replace("    ", "  "), True),
        ("python", PYTHON, PYTHON.replace("x + ", "x  +  "), True),
        ("python", PYTHON, PYTHON.replace("'#'", "'# '"), False),
        ("python", PYTHON, PYTHON.replace("return", "yield"), False),
        ("python", "if x:\n  a\n  b\n", "if x:\n  a\nb\n", False),
        ("python", "def (", "def  (", False),
        ("bash", SHELL, SHELL.replace("# count", "# other"), True),
        ("bash", SHELL, SHELL.replace("a | uniq", "a  |  uniq"), True),
        ("bash", SHELL, SHELL.replace("\n", "\n\n"), True),
        ("bash", SHELL, SHELL.replace("b  # c", "b # c"), False),
        ("bash", SHELL, SHELL.replace("uniq", "uniq -c"), False),
        ("bash", "a b", "ab", False),
        ("bash", 'echo "a  b"', 'echo "a b"', False),
        ("bash", "a\nb", "a b", False),
        ("bash", "cat <<E\na  b\nE\n", "cat <<E\na b\nE\n", False),
    ],
)
def test_comments_and_blank_space(language: str, old: str, new: str, is_cosmetic: bool) -> None:
    assert texts.is_cosmetic(old, new, language) is is_cosmetic


def test_where() -> None:
    old = "\n".join("abcdefghij")
    found = texts.changes(old, old.replace("b", "B").replace("d\ne", "D\nE").replace("j", ""))
    assert texts.where(found) == "lines 2, 4-5 and 10"
    assert texts.shown(found)[:2] == ("- b", "+ B")
