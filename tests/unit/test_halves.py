"""Many small files are hashed by two processes; whatever becomes of the helper, the checksums are right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from seamless.transformer import directories, halves
from seamless.transformer.checksums import Hasher
from seamless_queue import hashhelper, processes
from seamless_queue.digest import DIGESTS


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A directory with enough files for a helper, some of them awkward."""
    monkeypatch.setattr(halves, "WORTH_FILES", 4)
    monkeypatch.setattr(halves, "processors", lambda: 2)
    contents = {f"{number}": b"%d" % number for number in range(20)}
    contents |= {"z\nnew line": b"", os.fsdecode(b"z\xff"): b"\xff\n", "z large": os.urandom(halves.SMALL_BYTES + 1)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return contents


@pytest.mark.parametrize("digest", DIGESTS.values(), ids=lambda digest: digest.name)
def test_two_processes_hash(
    tmp_path: Path, many: dict[str, bytes], digest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours: list[str] = []
    hash_one = halves.in_halves

    def counted(files: Any, digest: Any, one: Any) -> list[str]:
        return hash_one(files, digest, lambda file: ours.append(file.name) or one(file))

    monkeypatch.setattr("seamless.transformer.checksums.in_halves", counted)
    index = Hasher(digest, None).index_of(str(tmp_path))
    assert index == {name: digest.of(content) for name, content in many.items()}
    assert len(ours) == 12


@pytest.mark.parametrize("script", ["import sys; sys.exit(1)", "print(); print('x')", "not Python"])
def test_a_helper_that_fails_is_made_up_for(
    tmp_path: Path, many: dict[str, bytes], script: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    other = tmp_path_factory.mktemp("helper") / "helper.py"
    other.write_text(script)
    monkeypatch.setattr(hashhelper, "__file__", str(other))
    index = Hasher(DIGESTS["blake3"], None).index_of(str(tmp_path))
    assert index == {name: DIGESTS["blake3"].of(content) for name, content in many.items()}


def test_a_file_that_changes_is_hashed_here(tmp_path: Path, many: dict[str, bytes]) -> None:
    files = directories.survey(str(tmp_path))
    for file in files:
        Path(file.path).write_bytes(b"changed since")
    assert halves.in_halves(files, DIGESTS["blake3"], lambda file: "ours") == ["ours"] * len(files)


def test_a_helper_tells_nothing_of_what_it_cannot_read(tmp_path: Path) -> None:
    helper = processes.start_helper(hashhelper.__file__, "sha256", "")
    out, _ = helper.communicate(os.fsencode(tmp_path / "nothing") + b"\0" + os.fsencode(tmp_path) + b"\0")
    assert (out, helper.returncode) == (b"\n\n", 0)
