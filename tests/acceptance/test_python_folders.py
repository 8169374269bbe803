"""Directories as arguments: by a dict of bytes, by their path, by checksum."""

from __future__ import annotations

import pytest

from .script import EXECUTORS, WHERE, run_script
from .shop import Shop

FUNCTIONS = """
from pathlib import Path
from seamless import Buffer, Checksum

def pf(d):
    return {name: content.decode() if isinstance(content, bytes) else content.hex()[:4] for name, content in d.items()}
pf = delayed(pf)
pf.celltypes.d = "folder"
pd = delayed(pf)
pd.celltypes.d = "deepfolder"
ls = delayed("cd d && find . | sort > ../RESULT; find . -type f -perm -u+x >> ../RESULT", language="bash")
ls.celltypes.d, ls.celltypes.result = "folder", "text"
@delayed
def made(n):
    return {"a": b"1", "b/c": b"x" * n}
made.celltypes.result = "folder"
"""


@pytest.mark.parametrize("where", EXECUTORS)
def test_a_dict_of_bytes(shop: Shop, where: str) -> None:
    """What a function returns, it takes as well; large files too."""
    text = """
print(pf({"a": b"1", "b/c": bytearray(b"2")}).run(), ls(d={"a": b"1", "b/c": b"2"}).run().split())
given = {"a": b"1", "b/c": b"x" * 3_000_000}
print([tf.run()["a"] for tf in (pf(given), pf(made(3_000_000)), pf(made(3_000_000).run()), pd(given))])
checksum = made(3_000_000).compute()
same = [pf(given), pf(checksum), pf(checksum.resolve("folder")), pf({"a": Buffer(b"1"), "b": {"c": b"x"}})]
print([tf.construct() == same[0].construct() for tf in same], pf({}).run())
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines() == [
        "{'a': '1', 'b/c': '2'} ['.', './a', './b', './b/c']",
        "['1', '1', '1', 'd63b']",
        "[True, True, True, False] {}",
    ]


@pytest.mark.parametrize("where", EXECUTORS)
def test_a_directory_as_it_is_now(shop: Shop, where: str) -> None:
    """Later changes change nothing; what is executable or empty stays so; the name is no part of the identity."""
    text = """
os.makedirs("data/empty")
Path("data/tool").write_text("one")
os.chmod("data/tool", 0o755)
first = [pf("data"), pf(Path("data")), pf(os.path.abspath("data")), pd("data"), ls(d="data")]
os.rename("data", "moved")
Path("moved/tool").write_text("two")
print([tf.run() for tf in first])
print(pf("moved").run(), first[0].construct() == first[2].construct() != pf("moved").construct())
print(ls(d="moved").run().split())
"""
    assert run_script(shop, WHERE[where] + FUNCTIONS + text).splitlines() == [
        "[{'tool': 'one'}, {'tool': 'one'}, {'tool': 'one'}, {'tool': 'd33f'}, '.\\n./empty\\n./tool\\n./tool']",
        "{'tool': 'two'} True",
        "['.', './empty', './tool', './tool']",
    ]


def test_what_is_no_directory(shop: Shop) -> None:
    """The call says so, in one line that names the argument."""
    text = """
Path("file").write_text("x")
os.makedirs("links")
os.symlink("nowhere", "links/one")
for value in (
    "nix", Path("nix"), "file", "links", 5, None, [b"x"], {"../a": b""}, {"/a": b""}, {"a//b": b""}, {"": b""},
    {"a/": b""}, {"./a": b""}, {1: b""}, {"a": "text"}, {"a": 1}, {"a": b"", "a/b": b""}, {"a": {"..": b""}},
):
    told = set()
    for function in (pf, pd, ls):
        try:
            function(d=value)
        except Exception as exc:
            told.add(f"{type(exc).__name__}: {exc}".replace(os.getcwd(), "HERE"))
    print(*told, sep=" | ")
"""
    no_path = "is no path inside of the directory; one is written `a/b`"
    no_dict = "a directory is its path, or a dict of paths and bytes, not"
    assert run_script(shop, FUNCTIONS + text).splitlines() == [
        "FileNotFoundError: argument 'd': there is no directory HERE/nix",
        "FileNotFoundError: argument 'd': there is no directory HERE/nix",
        "NotADirectoryError: argument 'd': HERE/file is no directory",
        "SeamlessError: argument 'd': links/one links to nowhere, which is not there; "
        "remove the link or restore the file",
        f"TypeError: argument 'd': {no_dict} int",
        f"TypeError: argument 'd': {no_dict} NoneType",
        f"TypeError: argument 'd': {no_dict} list",
        *(f"ValueError: argument 'd': {name!r} {no_path}" for name in ("../a", "/a", "a//b", "", "a/", "./a")),
        "TypeError: argument 'd': the names of files are strings, not 1",
        "TypeError: argument 'd': file 'a' is given by its bytes, or by a Checksum, not by str",
        "TypeError: argument 'd': file 'a' is given by its bytes, or by a Checksum, not by int",
        "ValueError: argument 'd': the directory has 'a' as a file and as a directory; it is not used",
        f"ValueError: argument 'd': '..' {no_path}",
    ]
