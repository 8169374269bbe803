"""The recorded buffers of the original, where they are at hand: SEAMLESS_CONFORMANCE names their directory."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import seamless
from seamless.transformer import session
from seamless.transformer.buffer import Buffer
from seamless.transformer.checksum import Checksum
from seamless_queue.digest import digest_named

PLACE = Path(os.environ.get("SEAMLESS_CONFORMANCE", "/nonexistent"))
RUNNER = PLACE / "api_runner.py"
#: What deliberately differs, and why.
DIFFERENT = {
    r"mixed/mixed/(dict-arr-swapped|data-order|empties|checksum-and-arr|bigint-and-arr)": "keys are written sorted",
    r"mixed/mixed/dict-in-list-order": "keys are written sorted",
    r"(binary|mixed)/array/(dt-c16|dt-M8\[s\])|mixed/mixed/arr-complex": "complex numbers and times are stored",
    r"binary/array/sc-complex|binary/container/complex": "complex numbers and times are stored",
    r"(binary|mixed)/array/(0d-U|U-list|U-empty)|mixed/mixed/arr-U": "arrays of strings are stored whole",
    r"binary/(array/(sc-str|list-str)|container/(big-str|str-nl-in)|scalar/.*)": "arrays of strings are stored whole",
    r"(binary|mixed)/array/masked": "a masked array is refused, because its mask would be lost",
    r"mixed/(scalar/b-empty|mixed/bytes-empty)": "no bytes and one NUL byte are two buffers",
    r"(plain|checksum)/scalar/inf|float/scalar/(s-nan|nan|-inf)": "nan and infinity are refused, not made null",
    r"checksum/.*": "checksum is read as plain is",
    r"ipython/.*": "needs no further package",
}

pytestmark = pytest.mark.skipif(not RUNNER.is_file(), reason="SEAMLESS_CONFORMANCE names no recorded cases")


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that compares, with our classes and the digest that the cases were recorded with."""
    for value in (Buffer, Checksum):
        monkeypatch.setattr(seamless, value.__name__, value, raising=False)
    monkeypatch.setattr(session, "digest", lambda: digest_named("sha256"))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("api_runner", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def differing(runner: Any, name: str) -> set[str]:
    """The cases of a file that do not give what was recorded."""
    recorded = json.loads((PLACE / name).read_text())
    run = runner.run_buffer if recorded["kind"] == "buffers" else runner.run_parse
    namespace = runner.namespace()
    vectors = [vector for vector in recorded["vectors"] if not vector.get("unstable")]
    assert len(vectors) > 100
    return {
        vector["id"] for vector in vectors if runner.diff(vector["expect"], run(vector, namespace), recorded["kind"])
    }


# NumPy discourages one of the recorded values, a matrix.
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_recorded_buffers_and_values(runner: ModuleType) -> None:
    found = differing(runner, "buffers.json") | differing(runner, "parse.json")
    unexpected = {name for name in found if not any(re.fullmatch(pattern, name) for pattern in DIFFERENT)}
    assert unexpected == set()
    unused = [pattern for pattern in DIFFERENT if not any(re.fullmatch(pattern, name) for name in found)]
    assert unused == [], "these agree by now: take them out of the table"
