"""What a transformation consists of, read back from its identity: code, inputs by name, options.

identity (plain.load) ──▶ parts    for people and for comparing
                      ──▶ buffers  all checksums whose bytes are needed to run it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from seamless_queue.digest import is_checksum
from seamless_queue.errors import SeamlessError
from seamless_queue.store import Store

from . import plain
from .python.pins import GLOBALS, MAIN, argument_name, module_name
from .specification import DEEP, DIRECTORIES, STDOUT

#: How the bytes of a checksum are had; raises a SeamlessError where they are not.
Read = Callable[[str], bytes]

_THROUGH_PYTHON = "transformer"


class Input(NamedTuple):
    """An input: a file, a directory, a value, or a module of Python code."""

    #: as the job's code knows it
    name: str
    #: its key in the identity
    key: str
    celltype: str
    #: empty where it is not known yet
    checksum: str
    #: whether the buffer names further buffers
    is_index: bool = False
    is_directory: bool = False
    is_module: bool = False
    executable: bool = False


class Parts(NamedTuple):
    """All that an identity says."""

    #: "bash" or "python"
    language: str
    #: whether it comes from the command line, where inputs are files and the result is what was captured
    is_command: bool
    code: str
    inputs: tuple[Input, ...]
    #: variables of a command: name and checksum of the value
    variables: dict[str, str]
    #: what a command has to write; STDOUT among them if that goes to a file; empty: standard output is the result
    captures: tuple[str, ...]
    #: checksum of what a command reads from standard input
    stdin: str | None
    celltype: str
    #: whether the result's buffer names further buffers
    is_index: bool


def identity(read: Read, checksum: str) -> dict[str, Any]:
    """The fields of an identity; SeamlessError if the buffer cannot be had, or is none."""
    try:
        fields = plain.load(read(checksum))
    except ValueError as exc:
        raise SeamlessError(f"{checksum} is not a transformation") from exc
    if not isinstance(fields, dict) or "__language__" not in fields or "code" not in fields:
        raise SeamlessError(f"{checksum} is not a transformation")
    return fields


def identity_of(store: Store, checksum: str) -> dict[str, Any]:
    """The fields of an identity that a store has."""
    return identity(store.buffers.read, checksum)


def parts(fields: dict[str, Any]) -> Parts:
    """What an identity consists of; SeamlessError if it is not one that could be run."""
    try:
        return _parts(fields)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise SeamlessError(f"not a transformation: {type(exc).__name__}: {exc}") from exc


def _parts(fields: dict[str, Any]) -> Parts:
    language = fields["__language__"]
    is_command = language == "bash" and fields["code"][1] != _THROUGH_PYTHON
    captures = tuple(name for name in fields.get("__capture__", ()) if is_command)
    celltype = fields["__output__"][1]
    inputs, variables = [], {}
    for key, pin in fields.items():
        if key == "code" or key.startswith("__"):
            continue
        if is_command and pin[0] == "str":
            variables[key.removeprefix("$/")] = str(pin[2])
        else:
            inputs.append(_input(fields, key, is_command))
    stdin = fields["__stdin__"][2] if "__stdin__" in fields else None
    if celltype == "bytes" and captures == (STDOUT,):
        captures = ()
    code, is_index = fields["code"][2], celltype in DEEP
    return Parts(language, is_command, code, tuple(inputs), variables, captures, stdin, celltype, is_index)


def _input(fields: dict[str, Any], key: str, is_command: bool) -> Input:
    celltype, subcelltype, checksum = fields[key]
    entry = fields.get("__format__", {}).get(key, {})
    of_files = is_command and entry.get("filesystem", {}).get("mode") == "directory"
    is_directory = of_files or (is_command and celltype == "mixed") or celltype in DIRECTORIES
    is_module = subcelltype == "module"
    is_index = not is_module and (is_directory or celltype in DEEP or entry.get("celltype") in DEEP)
    executable = bool(entry.get("executable"))
    name = _name(key, is_command, is_module)
    return Input(name, key, celltype, str(checksum or ""), is_index, is_directory, is_module, executable)


def _name(key: str, is_command: bool, is_module: bool) -> str:
    if is_module:
        return "globals" if key in (MAIN, GLOBALS) else f"module {module_name(key)}"
    if is_command or key.startswith("*"):
        return key.removeprefix("./")
    return argument_name(key)


def buffers(read: Read, fields: dict[str, Any]) -> Iterator[str]:
    """All checksums whose bytes are needed to run it, some maybe twice; what an index names comes after it.

    A SeamlessError of `read` if an index cannot be had.
    """
    found = parts(fields)
    yield found.code
    yield from found.variables.values()
    if found.stdin is not None:
        yield found.stdin
    for one in found.inputs:
        yield one.checksum
        if one.is_index:
            yield from members(read, one.checksum)


def members(read: Read, checksum: str) -> Iterator[str]:
    """The checksums that an index names, at any depth of it; SeamlessError if it is none."""
    try:
        tree = plain.load(read(checksum))
    except ValueError as exc:
        raise SeamlessError(f"{checksum} is not an index") from exc
    stack = [tree]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
        elif isinstance(one, str) and is_checksum(one):
            yield one


def result_buffers(read: Read, fields: dict[str, Any], result: str) -> Iterator[str]:
    """The checksum of a result and, where it is an index, of all that it names."""
    yield result
    if parts(fields).is_index:
        yield from members(read, result)
