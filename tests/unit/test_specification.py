"""The identity of a command: what makes a difference, what does not, and names that would collide."""

from itertools import permutations

import pytest

from seamless.transformer import plain
from seamless.transformer.specification import STDOUT, Pin, Specification, Transformation, identity_buffer

A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
BASE = Specification(
    code=C,
    pins=(Pin("in.txt", A), Pin("tool", B, executable=True), Pin("data", D, directory=True)),
    variables={"N": A, "M": B},
    captures=("out.txt", STDOUT),
)


def test_a_specification_survives_its_encoding() -> None:
    waiting = BASE._replace(pins=(*BASE.pins, Pin("later", None)), stdin=A)
    assert Specification.decode(waiting.encode()) == waiting


def test_the_order_of_inputs_variables_and_captures_does_not_matter() -> None:
    expected = identity_buffer(BASE)
    for pins in permutations(BASE.pins):
        other = BASE._replace(pins=pins, variables={"M": B, "N": A}, captures=tuple(reversed(BASE.captures)))
        assert identity_buffer(other) == expected


@pytest.mark.parametrize(
    "other",
    [
        BASE._replace(code=D),
        BASE._replace(pins=(Pin("in.txt", B), *BASE.pins[1:])),
        BASE._replace(pins=(Pin("in2.txt", A), *BASE.pins[1:])),
        BASE._replace(pins=(Pin("in.txt", A, executable=True), *BASE.pins[1:])),
        BASE._replace(pins=(Pin("in.txt", A), Pin("tool", B), BASE.pins[2])),
        BASE._replace(pins=(*BASE.pins[:2], Pin("data", D))),
        BASE._replace(pins=BASE.pins[:2]),
        BASE._replace(variables={"N": A, "M": A}),
        BASE._replace(variables={"N": A}),
        BASE._replace(captures=("out.txt",)),
        BASE._replace(captures=()),
        BASE._replace(stdin=A),
        BASE._replace(stdin=B),
    ],
)
def test_everything_that_the_command_can_see_matters(other: Specification) -> None:
    assert identity_buffer(other) != identity_buffer(BASE)


def test_two_inputs_with_their_contents_exchanged_are_another_command() -> None:
    one = Specification(C, (Pin("x", A), Pin("y", B)))
    assert identity_buffer(one) != identity_buffer(one._replace(pins=(Pin("x", B), Pin("y", A))))


def read_back(specification: Specification) -> Transformation:
    return Transformation.of(plain.load(identity_buffer(specification)))


@pytest.mark.parametrize("name", ["code", "result", "__x", "__language__", "__stdin__", "__format__", "__capture__"])
def test_a_file_with_a_reserved_name_stays_a_file(name: str) -> None:
    specification = Specification(C, (Pin(name, A, executable=True),), captures=("out",))
    read = read_back(specification)
    assert {key.removeprefix("./"): value for key, value in read.files.items()} == {name: A}
    assert [key.removeprefix("./") for key in read.executables] == [name]
    assert read.code == C
    assert read.stdin is None


@pytest.mark.parametrize("name", ["code", "result", "__x", "__stdin__", "HOME"])
def test_a_variable_with_a_reserved_name_stays_a_variable(name: str) -> None:
    read = read_back(Specification(C, variables={name: A}))
    assert read.variables == {name: A}
    assert (read.files, read.code) == ({}, C)


@pytest.mark.parametrize("name", ["N", "code", "__x"])
def test_a_file_and_a_variable_of_one_name_are_two_things(name: str) -> None:
    read = read_back(Specification(C, (Pin(name, A),), variables={name: B}))
    assert {key.removeprefix("./") for key in read.files} == {name}
    assert read.variables == {name: B}


def test_a_file_and_a_variable_cannot_be_taken_for_each_other() -> None:
    assert identity_buffer(Specification(C, (Pin("N", A),))) != identity_buffer(Specification(C, variables={"N": A}))


def test_a_whole_identity_is_read_back() -> None:
    read = read_back(BASE._replace(stdin=A))
    assert read == Transformation(
        code=C,
        files={"in.txt": A, "tool": B},
        directories={"data": D},
        executables=("tool",),
        variables={"N": A, "M": B},
        captures=(STDOUT, "out.txt"),
        stdin=A,
        plain_stdout=False,
    )


def test_without_captures_standard_output_is_the_result() -> None:
    read = read_back(Specification(C))
    assert (read.plain_stdout, read.captures) == (True, (STDOUT,))
    to_a_file = read_back(Specification(C, captures=(STDOUT,)))
    assert (to_a_file.plain_stdout, to_a_file.captures) == (False, (STDOUT,))


def test_names_that_are_not_utf_8_come_back() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert read_back(Specification(C, (Pin(name, A),))).files == {name: A}


def test_the_identity_is_written_in_the_plain_form() -> None:
    buffer = identity_buffer(BASE)
    assert plain.dump(plain.load(buffer)) == buffer
