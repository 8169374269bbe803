"""Buffers: made from values or bytes, equal by content, honest about arrays that change under them."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seamless.transformer import session
from seamless.transformer.buffer import Buffer
from seamless.transformer.celltypes import Pieces
from seamless.transformer.checksum import Checksum
from seamless_queue.digest import digest_named

HEX = "0123456789abcdef" * 4
LARGE = 100_000


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What is put into the store, whose digest is SHA-256."""
    contents: dict[str, bytes] = {}

    def keep(content: bytes | Pieces, checksum: str) -> bool:
        contents[checksum] = content.join() if isinstance(content, Pieces) else content
        return True

    monkeypatch.setattr(session, "digest", lambda: digest_named("sha256"))
    monkeypatch.setattr(session, "keep", keep)
    return contents


def checksum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_value_becomes_bytes_and_a_value_again() -> None:
    buffer = Buffer({"a": [1, "é"]}, "plain")
    assert buffer.content == '{\n  "a": [\n    1,\n    "é"\n  ]\n}\n'.encode()
    assert len(buffer) == len(buffer.content)
    assert buffer.decode() == buffer.content.decode()
    assert buffer.get_value("plain") == {"a": [1, "é"]}
    assert buffer.get_checksum() == buffer.checksum == checksum_of(buffer.content)


@pytest.mark.parametrize("raw", [b"ab\0", bytearray(b"ab\0"), memoryview(b"ab\0"), memoryview(b"aXbX\0")[::2]])
def test_without_a_celltype_it_is_made_from_bytes(raw: object) -> None:
    assert Buffer(raw).content == b"ab\0"


def test_a_read_only_view_is_not_copied() -> None:
    content = bytes(LARGE)
    data = Buffer(memoryview(content)).data
    assert isinstance(data, Pieces)
    assert data.parts[0].obj is content  # type: ignore[union-attr]
    writable = bytearray(LARGE)
    buffer = Buffer(memoryview(writable))
    writable[0] = 1
    assert buffer.content[0] == 0


@pytest.mark.parametrize("value", ["text", 5, None, [1], np.arange(3)])
def test_other_values_need_a_celltype(value: object) -> None:
    with pytest.raises(TypeError, match="name a celltype"):
        Buffer(value)


def test_a_buffer_given_as_value_counts_as_its_bytes() -> None:
    inner = Buffer(b"raw bytes")
    assert Buffer(inner) == inner
    assert Buffer(inner, "text").content == b"raw bytes\n"
    assert Buffer(inner, "binary").content == b"raw bytes"
    with pytest.raises(TypeError):
        Buffer(inner, "plain")


@pytest.mark.parametrize("celltype", ["mixed", "text", "str", "plain", "bytes", "checksum"])
def test_a_checksum_is_no_value(celltype: str) -> None:
    with pytest.raises(TypeError, match="resolve"):
        Buffer(Checksum(HEX), celltype)


def test_a_known_checksum_is_believed() -> None:
    assert Buffer(b"abc", checksum=HEX).checksum == HEX
    with pytest.raises(ValueError, match="64 hex digits"):
        Buffer(b"abc", checksum="abc")


def test_buffers_are_equal_by_content() -> None:
    array = np.arange(float(LARGE))
    assert Buffer(b"1\n") == Buffer(1, "int") == Buffer(1, "mixed")
    assert Buffer(array, "binary") == Buffer(array.copy(), "mixed")
    assert Buffer(b"1\n") != Buffer(b"2\n")
    assert Buffer(b"1\n") != b"1\n"
    assert len({Buffer(b"1\n"), Buffer(1, "int"), Buffer(b"1")}) == 2


def test_a_buffer_cannot_be_changed_and_can_be_pickled() -> None:
    buffer = Buffer(b"abc")
    with pytest.raises(AttributeError, match="cannot be changed"):
        buffer.content = b"x"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(buffer)) == buffer
    assert repr(buffer) == "<Buffer: 3 bytes>"


# -- arrays lend their memory ---------------------------------------------------------------------
def test_a_large_array_is_copied_when_its_content_is_asked_for() -> None:
    array = np.arange(float(LARGE))
    buffer = Buffer(array, "binary")
    assert isinstance(buffer.data, Pieces)
    assert buffer.checksum == checksum_of(buffer.content)
    array[0] = 5
    assert buffer.get_value("binary")[0] == 0
    assert buffer.data is buffer.content


USES: dict[str, Callable[[Buffer], object]] = {
    "content": lambda buffer: buffer.content,
    "data": lambda buffer: buffer.data,
    "write": lambda buffer: buffer.write(),
    "get_value": lambda buffer: buffer.get_value("binary"),
}


@pytest.mark.parametrize("use", USES)
def test_an_array_that_was_changed_after_its_checksum_was_taken_is_told(use: str, kept: dict[str, bytes]) -> None:
    array = np.arange(float(LARGE))
    buffer = Buffer(array, "binary")
    buffer.get_checksum()
    array[0] = 5
    with pytest.raises(ValueError, match="the array was changed"):
        USES[use](buffer)
    assert kept == {}


# -- files and the store --------------------------------------------------------------------------
def test_files_hold_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data"
    for value in (b"ab\0", np.arange(LARGE)):
        buffer = Buffer(value, "binary")
        buffer.save(path)
        assert path.read_bytes() == buffer.content
        assert Buffer.load(str(path)) == buffer
    assert [child.name for child in tmp_path.iterdir()] == ["data"]


def test_writing_puts_it_into_the_store(kept: dict[str, bytes]) -> None:
    array = np.arange(float(LARGE))
    large = Buffer(array, "binary")
    assert Buffer(b"abc").write() is True
    assert large.write() is True
    assert kept == {checksum_of(content): content for content in (b"abc", large.content)}


@pytest.mark.parametrize("method", ["incref", "tempref"])
def test_a_reference_puts_it_into_the_store(method: str, kept: dict[str, bytes]) -> None:
    buffer = Buffer(b"abc")
    getattr(buffer, method)()
    buffer.decref()
    assert kept == {checksum_of(b"abc"): b"abc"}


def test_it_can_be_awaited_as_well() -> None:
    async def all_three() -> tuple[bytes, Checksum, object]:
        buffer = await Buffer.from_async([1], "mixed")
        return buffer.content, await buffer.get_checksum_async(), await buffer.get_value_async("mixed")

    assert asyncio.run(all_three()) == (b"[\n  1\n]\n", checksum_of(b"[\n  1\n]\n"), [1])
