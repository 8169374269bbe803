"""One small module hashes: bytes and files, in memory or mapped, by either digest."""

import hashlib
import os
from pathlib import Path

import pytest
from blake3 import blake3

from seamless_queue.digest import DEFAULT_DIGEST, DIGESTS, THREADED_BYTES, digest_named, is_checksum
from seamless_queue.errors import ConfigurationError

REFERENCE = {"blake3": lambda data: blake3(data).hexdigest(), "sha256": lambda data: hashlib.sha256(data).hexdigest()}
EMPTY = {
    "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}
#: Around the size from which a file is mapped and BLAKE3 uses its threads.
SIZES = (0, 1, 1000, THREADED_BYTES - 1, THREADED_BYTES, 3 * THREADED_BYTES + 17)


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_the_digest_of_nothing_is_the_published_one(name: str) -> None:
    assert digest_named(name).of(b"") == EMPTY[name]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_bytes_file_and_descriptor_agree_with_the_reference(name: str, size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    path = tmp_path / "data"
    path.write_bytes(data)
    digest, expected = digest_named(name), REFERENCE[name](data)
    with path.open("rb") as file:
        # Wherever the descriptor stands, the whole content counts.
        os.lseek(file.fileno(), size // 2, os.SEEK_SET)
        assert [digest.of(data), digest.of_file(str(path)), digest.of_descriptor(file.fileno())] == [expected] * 3


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_a_memoryview_is_hashed_like_its_bytes(name: str) -> None:
    data = os.urandom(THREADED_BYTES + 5)
    assert digest_named(name).of(memoryview(data)) == REFERENCE[name](data)


@pytest.mark.parametrize("sizes", [(), (0,), (5, 0, 7), (THREADED_BYTES, 1), (10, 3 * THREADED_BYTES + 17, 1000)])
@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_parts_are_hashed_like_the_whole(name: str, sizes: tuple[int, ...]) -> None:
    parts = [os.urandom(size) for size in sizes]
    views = [memoryview(part) if number % 2 else part for number, part in enumerate(parts)]
    assert digest_named(name).of_parts(views) == REFERENCE[name](b"".join(parts))


def test_names_are_found_whatever_their_case_and_blake3_is_the_default() -> None:
    assert digest_named("SHA256").name == "sha256"
    assert DEFAULT_DIGEST == "blake3"


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="unknown digest 'md5': choose one of blake3, sha256"):
        digest_named("md5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a" * 64, True), ("A" * 64, False), ("a" * 63, False), ("a" * 64 + "\n", False), ("g" * 64, False), ("", False)],
)
def test_the_form_of_a_checksum(text: str, expected: bool) -> None:
    assert is_checksum(text) is expected
