"""Checksums: what is one, how they compare, their files, and the bytes they stand for."""

from __future__ import annotations

import asyncio
import copy
import pickle
from pathlib import Path

import pytest

from seamless.transformer import session
from seamless.transformer.buffer import Buffer
from seamless.transformer.checksum import Checksum
from seamless.transformer.errors import CacheMissError, TransformationError
from seamless_queue.errors import SeamlessError

HEX = "0123456789abcdef" * 4
OTHER = "f" * 64


@pytest.mark.parametrize("source", [HEX, HEX.upper(), bytes.fromhex(HEX), Checksum(HEX)])
def test_every_form_of_a_checksum_is_the_same(source: str | bytes | Checksum) -> None:
    checksum = Checksum(source)
    assert (checksum.hex(), checksum.bytes(), str(checksum), repr(checksum)) == (
        HEX,
        bytes.fromhex(HEX),
        HEX,
        repr(HEX),
    )


@pytest.mark.parametrize(
    "source",
    ["", HEX[:-1], HEX + "\n", f" {HEX}", "g" * 64, "\u0661" * 64, b"ab", HEX.encode(), None, 5, bytearray(32)],
)
def test_anything_else_is_an_error(source: object) -> None:
    with pytest.raises(ValueError, match="64 hex digits or 32 bytes"):
        Checksum(source)  # type: ignore[arg-type]


def test_a_checksum_equals_its_hex_string() -> None:
    checksum = Checksum(HEX)
    assert checksum == HEX
    assert [HEX].index(checksum) == 0  # type: ignore[arg-type]
    assert hash(checksum) == hash(HEX)
    assert {HEX: 1}[checksum] == 1
    assert checksum not in (OTHER, Checksum(OTHER), bytes.fromhex(HEX), None)


def test_checksums_are_ordered_among_themselves() -> None:
    low, high = Checksum(HEX), Checksum(OTHER)
    assert sorted([high, low]) == [low, high]
    assert low < high
    assert low <= high
    assert high > low
    assert high >= low
    with pytest.raises(TypeError):
        assert low < OTHER  # type: ignore[operator]


def test_a_checksum_cannot_be_changed_and_can_be_copied() -> None:
    checksum = Checksum(HEX)
    with pytest.raises(AttributeError, match="cannot be changed"):
        checksum.name = "x"
    assert pickle.loads(pickle.dumps(checksum)) == copy.deepcopy(checksum) == checksum


# -- files ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["data.txt", "data.txt.CHECKSUM"])
def test_the_file_has_the_suffix_whether_it_is_named_or_not(tmp_path: Path, name: str) -> None:
    Checksum(HEX).save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["data.txt.CHECKSUM"]
    assert (tmp_path / "data.txt.CHECKSUM").read_bytes() == f"{HEX}\n".encode()
    assert Checksum.load(str(tmp_path / name)) == HEX


def test_saving_replaces_what_was_there(tmp_path: Path) -> None:
    Checksum(HEX).save(tmp_path / "x")
    Checksum(OTHER).save(tmp_path / "x")
    assert Checksum.load(tmp_path / "x") == OTHER


def test_a_file_that_is_missing_or_holds_something_else_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"x\.CHECKSUM"):
        Checksum.load(tmp_path / "x")
    (tmp_path / "x.CHECKSUM").write_text("hello\n")
    with pytest.raises(SeamlessError, match="does not hold a checksum"):
        Checksum.load(tmp_path / "x")


# -- the bytes ------------------------------------------------------------------------------------
@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the session has."""
    contents: dict[str, bytes] = {}

    def read(checksum: str) -> memoryview:
        if checksum not in contents:
            raise CacheMissError(f"no buffer {checksum}")
        return memoryview(contents[checksum])

    monkeypatch.setattr(session, "read", read)
    monkeypatch.setattr(session, "locate", lambda checksum: "here" if checksum in contents else None)
    return contents


def test_a_checksum_gives_its_buffer_or_a_value(known: dict[str, bytes]) -> None:
    known[HEX] = b"[1]\n"
    checksum = Checksum(HEX)
    for resolve in (checksum.resolve, checksum.fingertip_sync):
        assert resolve() == Buffer(b"[1]\n")
        assert resolve().checksum == HEX
        assert (resolve("mixed"), resolve("text"), resolve(bytes)) == ([1], "[1]", b"[1]\n")
    assert checksum.find() == "here"


def test_it_can_be_awaited_as_well(known: dict[str, bytes]) -> None:
    known[HEX] = b"[1]\n"

    async def both() -> list[object]:
        return [await Checksum(HEX).resolution("plain"), await Checksum(HEX).fingertip("plain")]

    assert asyncio.run(both()) == [[1], [1]]


@pytest.mark.usefixtures("known")
def test_what_nobody_has_is_a_cache_miss() -> None:
    with pytest.raises(CacheMissError, match=HEX):
        Checksum(HEX).resolve("plain")
    with pytest.raises(CacheMissError, match=HEX):
        asyncio.run(Checksum(HEX).resolution())
    assert Checksum(HEX).find() is None


def test_references_do_nothing() -> None:
    checksum = Checksum(HEX)
    for method in (checksum.incref, checksum.decref, checksum.tempref):
        method()
    assert checksum == HEX


def test_errors_are_of_the_families_that_callers_catch() -> None:
    assert issubclass(CacheMissError, SeamlessError)
    assert issubclass(TransformationError, RuntimeError)
    assert issubclass(TransformationError, SeamlessError)
