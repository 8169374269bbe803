"""The programs that shell text calls."""

import pytest

from seamless.transformer.tools import called


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sort a.txt", ("sort",)),
        ("N=1 nice -n 5 sort a.txt", ("nice", "sort")),
        ("awk '{print $1 \"x\"}' a.txt", ("awk",)),
        ("awk '{print}' a.txt", ("awk",)),
        ("awk 'BEGIN { system(\"ls\") }; sort' a", ("awk",)),
        ("'my tool' x", ()),
        ("echo a; true && /usr/bin/sort b | ./local > c", ("/usr/bin/sort",)),
        ('for f in *; do gzip "$f"; done', ("gzip",)),
        ("f() { grep x; }; f a", ("grep",)),
        ('$TOOL x; "$(which ls)" y', ("which",)),
        ("cat <<X\nsort\nX\n", ("cat",)),
        ("if then", ()),
        ("", ()),
    ],
)
def test_called(text: str, expected: tuple[str, ...]) -> None:
    found = called(text.encode() + b"\n")
    assert tuple(name for name in found if " " not in name) == expected
