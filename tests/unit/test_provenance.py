"""What an identity consists of, and all buffers that running it needs."""

import pytest

from seamless.transformer import plain, provenance
from seamless.transformer.specification import STDOUT, Pin, Specification, identity_buffer
from seamless_queue.errors import SeamlessError

A, B, C, D, E = (letter * 64 for letter in "abcde")
COMMAND = Specification(
    C, (Pin("in.txt", A), Pin("code", B, executable=True), Pin("d", D, directory=True)), {"N": E}, ("o.txt", STDOUT), A
)
INDEX = plain.dump({"x": A, "sub/y": B, "./x": "executable", "./empty": "directory"})


def read(checksum: str) -> bytes:
    if checksum != D:
        raise SeamlessError(f"{checksum} is not here")
    return INDEX


def test_a_command() -> None:
    parts = provenance.parts(plain.load(identity_buffer(COMMAND)))
    assert (parts.language, parts.is_command, parts.code, parts.stdin) == ("bash", True, C, A)
    assert (parts.variables, set(parts.captures), parts.is_index) == ({"N": E}, {"o.txt", STDOUT}, True)
    inputs = {one.name: one for one in parts.inputs}
    assert {name: one.checksum for name, one in inputs.items()} == {"in.txt": A, "code": B, "d": D}
    assert [name for name, one in inputs.items() if one.executable] == ["code"]
    assert [name for name, one in inputs.items() if one.is_directory and one.is_index] == ["d"]


def test_all_buffers_of_a_command() -> None:
    fields = plain.load(identity_buffer(COMMAND))
    assert sorted(provenance.buffers(read, fields)) == sorted([C, E, A, A, B, D, A, B])


def test_a_command_whose_result_is_its_standard_output() -> None:
    parts = provenance.parts(plain.load(identity_buffer(Specification(C))))
    assert (parts.captures, parts.celltype, parts.is_index) == ((), "bytes", False)


def test_python() -> None:
    fields = {
        "__language__": "python",
        "__output__": ["result", "deepcell", None],
        "code": ["python", "transformer", C],
        "./code": ["mixed", None, A],
        "*args[1]": ["plain", None, B],
        "tree": ["folder", None, D],
        "helper": ["plain", "module", E],
        "later": ["mixed", None, None],
    }
    parts = provenance.parts(fields)
    assert (parts.is_command, parts.is_index) == (False, True)
    names = {one.name: one.checksum for one in parts.inputs}
    assert names == {"code": A, "*args[1]": B, "tree": D, "module helper": E, "later": ""}
    assert [one.name for one in parts.inputs if one.is_index] == ["tree"]


@pytest.mark.parametrize("content", [b"", b"[]\n", b"{}", b"nothing", b'{"__language__": "bash", "code": 1}'])
def test_what_is_no_transformation(content: bytes) -> None:
    with pytest.raises(SeamlessError, match="not a transformation"):
        provenance.parts(provenance.identity(lambda _: content, A))
