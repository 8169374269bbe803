"""The small files beside a file: what they say, and that only their owner removes them."""

import os
import time
from pathlib import Path

import orjson
import pytest

from seamless_queue import sidecars
from seamless_queue.errors import SeamlessError

CHECKSUM = "0123456789abcdef" * 4


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "X")


@pytest.mark.parametrize(
    "text",
    [CHECKSUM, CHECKSUM + "\n", f"\n# made by a tool\n\n  {CHECKSUM}  \n", CHECKSUM.upper() + "\r\n"],
)
def test_a_checksum_is_read_past_comments_and_blanks(path: str, text: str) -> None:
    Path(path + ".CHECKSUM").write_text(text)
    assert sidecars.read_checksum(path) == CHECKSUM


@pytest.mark.parametrize(
    "content", [b"", b"not a checksum", CHECKSUM.encode() * 2, f"{CHECKSUM}\n{CHECKSUM}".encode(), b"\xff\xfe"]
)
def test_what_is_no_checksum_is_an_error_that_names_the_file(path: str, content: bytes) -> None:
    Path(path + ".CHECKSUM").write_bytes(content)
    with pytest.raises(SeamlessError, match=r"X\.CHECKSUM does not hold a checksum"):
        sidecars.read_checksum(path)


def test_no_sidecar_says_nothing(path: str) -> None:
    assert sidecars.read_checksum(path) is None
    assert sidecars.read_future(path) is None
    assert sidecars.touch_future(path) is False
    assert sidecars.read_future(f"{path}/below") is None


@pytest.mark.parametrize("write", [sidecars.write_future, sidecars.write_new_future])
def test_a_future_names_its_store_and_request_on_one_line_of_json(path: str, write: object) -> None:
    write(path, sidecars.future_content("a-store", 7))  # type: ignore[operator]
    content = Path(path + ".FUTURE").read_bytes()
    assert content.endswith(b"\n")
    assert content.count(b"\n") == 1
    assert set(orjson.loads(content)) == {"store", "request", "created"}
    future = sidecars.read_future(path)
    assert future is not None
    assert (future.store, future.request, future.is_stale()) == ("a-store", 7, False)


def test_a_new_future_replaces_an_old_one_by_rename(path: str) -> None:
    sidecars.write_future(path, sidecars.future_content("a-store", 1))
    with open(path + ".FUTURE", "rb") as reader:
        sidecars.write_new_future(path, sidecars.future_content("a-store", 2))
        assert orjson.loads(reader.read())["request"] == 1
    future = sidecars.read_future(path)
    assert future is not None
    assert future.request == 2
    assert os.listdir(os.path.dirname(path)) == ["X.FUTURE"]


@pytest.mark.parametrize("content", [b"", b"soon", b"[]", b'{"store": 1}', b'{"store":"s","request":"x","created":1}'])
def test_a_foreign_future_has_neither_store_nor_request(path: str, content: bytes) -> None:
    Path(path + ".FUTURE").write_bytes(content)
    future = sidecars.read_future(path)
    assert future is not None
    assert (future.store, future.request) == (None, None)


@pytest.mark.parametrize(("store", "request_id"), [("a-store", 2), ("b-store", 1)])
def test_only_the_request_that_owns_a_future_removes_it(path: str, store: str, request_id: int) -> None:
    sidecars.write_future(path, sidecars.future_content("a-store", 1))
    sidecars.remove_future(path, store, request_id)
    assert os.path.exists(path + ".FUTURE")
    sidecars.remove_future(path, "a-store", 1)
    assert not os.path.exists(path + ".FUTURE")
    sidecars.remove_future(path, "a-store", 1)


def test_a_future_is_stale_once_nobody_touches_it_and_fresh_again_after_a_touch(path: str) -> None:
    sidecars.write_future(path, sidecars.future_content("a-store", 1))
    old = time.time() - sidecars.STALE_SECONDS - 5
    os.utime(path + ".FUTURE", (old, old))
    future = sidecars.read_future(path)
    assert future is not None
    assert future.is_stale()
    assert sidecars.touch_future(path)
    future = sidecars.read_future(path)
    assert future is not None
    assert not future.is_stale()


def test_a_live_future_is_touched_well_before_it_is_stale() -> None:
    assert sidecars.TOUCH_SECONDS * 3 <= sidecars.STALE_SECONDS


@pytest.mark.parametrize(
    ("name", "expected"),
    [("X.FUTURE", True), ("X.INDEX", True), ("X.CHECKSUM", True), ("X", False), ("X.future", False), ("FUTURE", False)],
)
def test_which_names_are_sidecars(name: str, expected: bool) -> None:
    assert sidecars.is_sidecar(name) is expected
