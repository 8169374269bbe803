"""Bash code through Python, really run: what it finds for its arguments, what becomes of RESULT."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import wait_until

from seamless.transformer import plain
from seamless.transformer.celltypes import Pieces, deserialize, serialize
from seamless.transformer.context import Context
from seamless.transformer.functions import NAME
from seamless_queue.broker import reports
from seamless_queue.broker.records import Identity, NewRequest
from seamless_queue.pythonsession import PythonSession
from seamless_queue.settings import Settings
from seamless_queue.staged import Staged
from seamless_queue.store import Store

#: More than a small buffer has: it lies in a file of its own.
LARGE = 20_000


@dataclass(frozen=True)
class Given:
    """An argument by its buffer."""

    celltype: str
    content: bytes
    subcelltype: str | None = None


def given(celltype: str, value: object) -> Given:
    content = serialize(value, celltype)
    return Given(celltype, content.join() if isinstance(content, Pieces) else content)


@dataclass(frozen=True)
class Ran:
    """How the code ended."""

    celltype: str
    content: bytes | None
    error: str | None
    stdout: bytes
    stderr: bytes

    @property
    def value(self) -> Any:
        assert self.error is None, self.error
        assert self.content is not None
        return deserialize(self.content, self.celltype)


class Bash:
    """Runs bash code in this process, as `delayed(code, "bash")` would."""

    def __init__(self, session: PythonSession) -> None:
        self.session = session
        self.store: Store = session.store

    def __call__(self, code: str, result: str = "bytes", /, **arguments: Given) -> Ran:
        return self.run(code, result, arguments)

    def run(
        self,
        code: str,
        result: str,
        arguments: dict[str, Given],
        *,
        context: Context | None = None,
        timeout: float | None = None,
    ) -> Ran:
        staged = Staged()
        fields: dict[str, Any] = {
            "__language__": "bash",
            "__output__": ["result", result, None],
            "code": ["text", "transformer", self.keep(code.encode(), staged)],
        }
        for key, argument in arguments.items():
            fields[key] = [argument.celltype, argument.subcelltype, self.keep(argument.content, staged)]
        request = NewRequest(
            command="bash code",
            directory=b"/",
            specification=None,
            context=self.context(context) if context else None,
            lane=self.session.lane.number,
            identity=Identity(self.keep(plain.dump(fields), staged)),
            timeout=timeout,
        )
        (ticket,) = self.session.lane.submit([request], staged)
        assert self.session.lane.run_here(ticket, self.session.host)
        assert ticket.done
        assert ticket.checksum is not None
        with self.session.lock:
            streams = reports.streams_of(self.store.database, ticket.checksum)
            stdout, stderr = (self.store.buffers.read(checksum) if checksum else b"" for checksum in streams)
            content = self.store.buffers.read(ticket.result) if ticket.result else None
        return Ran(result, content, ticket.error, stdout, stderr)

    def keep(self, content: bytes, staged: Staged) -> str:
        return self.store.buffers.stage(content, staged)

    def keep_now(self, content: bytes) -> str:
        """The checksum of a file of a folder."""
        staged = Staged()
        checksum = self.keep(content, staged)
        with self.store.database.transaction() as connection:
            staged.write(connection)
        return checksum

    def folder(self, celltype: str = "folder", **files: bytes) -> Given:
        index = {name.replace("__", "/"): self.keep_now(content) for name, content in files.items()}
        return Given(celltype, plain.dump(index))

    def context(self, context: Context) -> str:
        content = context.encode()
        checksum = self.store.digest.of(content)
        with self.store.database.transaction() as connection:
            connection.execute(
                "INSERT INTO contexts (checksum, content) VALUES (?, ?)", (bytes.fromhex(checksum), content)
            )
        return checksum


@pytest.fixture
def bash(settings: Settings) -> Iterator[Bash]:
    session = PythonSession(settings, NAME, lambda _tickets: None, lambda _tickets: None)
    yield Bash(session)
    session.close()
    assert os.listdir(Path(settings.store) / "work") == []


def brief(value: object) -> str:
    """For the name of a test."""
    return repr(value)[:20]


def npy(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


# -- arguments ----------------------------------------------------------------------------------
@pytest.mark.both_digests
def test_scalars_are_variables_and_files(bash: Bash) -> None:
    code = 'printf "%s|" "$s" "$i" "$f" "$b" > RESULT; cat s i f b >> RESULT'
    ran = bash(code, s=given("str", "x y"), i=given("int", 5), f=given("float", 0.10), b=given("bool", True))
    assert ran.value == b"x y|5|0.1|True|x y\n5\n0.1\nTrue\n"


@pytest.mark.parametrize(
    ("celltype", "value", "variable", "file"),
    [
        ("mixed", "x y", "x y", "x y\n"),
        ("mixed", 5, "5", "5\n"),
        ("mixed", 2**80, str(2**80), f"{2**80}\n"),
        ("mixed", 1e-7, "1e-07", "1e-07\n"),
        ("mixed", False, "False", "False\n"),
        ("mixed", "中", "中", "中\n"),
        ("plain", "x", "x", "x\n"),
        ("plain", 1.5, "1.5", "1.5\n"),
        ("str", "l1\n", "l1", "l1\n"),
        ("str", "l1\n\n", "l1", "l1\n\n"),
        ("str", "", "", "\n"),
        ("text", "two\nlines", "two\nlines", "two\nlines\n"),
        ("text", "", "", "\n"),
        ("python", "x = 1", "x = 1", "x = 1\n"),
        ("yaml", "a: 1", "a: 1", "a: 1\n"),
    ],
)
def test_a_scalar_is_its_text(bash: Bash, celltype: str, value: object, variable: str, file: str) -> None:
    ran = bash('printf "%s|" "$x" > RESULT; cat x >> RESULT', x=given(celltype, value))
    assert ran.value.decode() == f"{variable}|{file}"


@pytest.mark.parametrize("celltype", ["text", "str", "mixed"])
def test_long_text_is_only_a_file(bash: Bash, celltype: str) -> None:
    code = "echo ${#t} > RESULT; wc -c < t >> RESULT"
    assert bash(code, t=given(celltype, "x" * 998)).value == b"998\n999\n"
    assert bash(code, t=given(celltype, "é" * 999)).value == b"999\n1999\n"
    assert "t: unbound variable" in str(bash(code, t=given(celltype, "x" * 1000)).error)
    assert bash("wc -c < t > RESULT", t=given(celltype, "x" * LARGE)).value == b"20001\n"


def test_text_given_as_a_buffer_ends_with_one_newline_too(bash: Bash) -> None:
    for content in (b"abc", b"abc\n", b"abc\n\n\n", b"abc" + b"\n" * LARGE):
        assert bash('cat t > RESULT; echo "$t" >> RESULT', t=Given("text", content)).value == b"abc\nabc\n"


def test_what_an_environment_cannot_hold_is_only_a_file(bash: Bash) -> None:
    assert bash("echo ${x-unset} > RESULT; cat x >> RESULT", x=given("str", "a\0b")).value == b"unset\na\0b\n"
    ran = bash.run("cat a.b c-d > RESULT; env | grep -c ^[ac][.-] || true", "bytes", {
        "a.b": given("int", 1),
        "c-d": given("int", 2),
    })  # fmt: skip
    assert (ran.value, ran.stdout) == (b"1\n2\n", b"0\n")


@pytest.mark.parametrize("value", [[1, "é", None], {"b": [], "a": {"c": 1.5}}])
@pytest.mark.parametrize("celltype", ["mixed", "plain"])
def test_lists_and_dicts_are_json_on_one_line(bash: Bash, celltype: str, value: object) -> None:
    content = bash("echo ${x-unset} >&2; cat x > RESULT", x=given(celltype, value)).value
    assert content == json.dumps(value, sort_keys=isinstance(value, dict)).encode("ascii")


def test_none_is_neither_variable_nor_file(bash: Bash) -> None:
    assert bash("echo ${x-unset} > RESULT; ls >> RESULT", x=given("mixed", None)).value == b"unset\nRESULT\n"


@pytest.mark.parametrize("content", [b"", b"\x00\xff\n", b"not JSON", bytes(range(256)) * 100], ids=brief)
@pytest.mark.parametrize("celltype", ["bytes", "mixed", "binary"])
def test_bytes_are_a_file(bash: Bash, celltype: str, content: bytes) -> None:
    code = "echo ${x-unset} >&2; cat x > RESULT"
    assert bash(code, x=Given(celltype, content)).value == content
    ran = bash(code, x=given("mixed", content))
    assert (ran.value, ran.stderr) == (content, b"unset\n")


@pytest.mark.parametrize("celltype", ["mixed", "binary"])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(3, dtype="i2"),
        np.zeros((1, 2), dtype="u1"),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(1.5),
        np.array(["a", "bc"]),
        np.random.default_rng(1).random(LARGE),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_is_an_npy_file(bash: Bash, celltype: str, array: Any) -> None:
    assert bash("cat x > RESULT", x=given(celltype, array)).value == npy(array)


@pytest.mark.parametrize("length", [0, 3, LARGE])
def test_a_row_of_uint8_is_its_bytes(bash: Bash, length: int) -> None:
    array = np.arange(length, dtype="i8").astype("u1")
    for celltype in ("mixed", "binary"):
        assert bash("cat x > RESULT", x=given(celltype, array)).value == array.tobytes()


@pytest.mark.parametrize("celltype", ["folder", "deepfolder"])
def test_a_folder_is_a_directory(bash: Bash, celltype: str) -> None:
    x = bash.folder(celltype, s__p=b"one\n", q=b"two", big=os.urandom(LARGE))
    ran = bash("find x -type f | sort > RESULT; cat x/s/p x/q >> RESULT; wc -c < x/big >> RESULT", x=x)
    assert ran.value == b"x/big\nx/q\nx/s/p\none\ntwo20000\n"


def test_a_folder_in_a_folder_is_a_directory_as_well(bash: Bash) -> None:
    tree = {"a": {"b": {"c": bash.keep_now(b"deep")}}}
    assert bash("cat x/a/b/c > RESULT", x=Given("folder", plain.dump(tree))).value == b"deep"


def test_names_with_slashes_and_reserved_names(bash: Bash) -> None:
    ran = bash.run(
        'cat d/data.txt code result > RESULT; echo "$code $result" >> RESULT',
        "bytes",
        {"d/data.txt": given("text", "hello"), "./code": given("int", 1), "./result": given("int", 2)},
    )
    assert ran.value == b"hello\n1\n2\n1 2\n"


def test_a_file_may_be_put_into_a_folder(bash: Bash) -> None:
    ran = bash.run("ls d > RESULT", "text", {"d/new": given("int", 1), "d": bash.folder(old=b"")})
    assert ran.value == "new\nold"


# -- arguments that are refused -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("/x", "argument '/x' is an absolute path"),
        ("../x", "argument '../x' cannot be a file's name"),
        ("d/../../x", "cannot be a file's name"),
        ("d//x", "cannot be a file's name"),
        ("././x", "cannot be a file's name"),
        ("", "cannot be a file's name"),
        ("a\0b", "cannot be a file's name"),
        ("RESULT", "argument 'RESULT' is where the result goes"),
        ("RESULT/x", "argument 'RESULT/x' is where the result goes"),
        ("IFS", "bash sets a variable of this name itself"),
        ("SEAMLESS_WORKER", "bash sets a variable of this name itself"),
    ],
)
def test_names_that_cannot_be_used(bash: Bash, name: str, error: str) -> None:
    ran = bash.run("echo never > RESULT", "text", {name: given("text", "hello")})
    assert error in str(ran.error)
    assert ran.content is None


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        (given("mixed", {"a": np.zeros(1)}), "it is a list or dict with arrays or bytes in it"),
        (given("mixed", [b"x"]), "it is a list or dict with arrays or bytes in it"),
        (Given("int", b"x\n"), "argument 'x' cannot be given to bash code"),
        (Given("binary", b"\x93NUMPY\x01\x00"), "damaged npy buffer"),
        (Given("binary", npy(np.zeros(9, "u1"))[:-1]), "ends before the array does"),
        (Given("mixed", b'"\\ud800"\n'), "surrogates not allowed"),
        (Given("folder", b"[]\n"), "it is not a dict of files"),
        (Given("folder", plain.dump({"../x": "a" * 64})), "'../x' would be outside"),
        (Given("folder", plain.dump({"x": "hello"})), "'x' is not given by a checksum"),
        (Given("folder", plain.dump({"x": "a" * 64})), "no buffer aaaa"),
        (Given("plain", plain.dump({"code": "x = 1"}), "module"), "bash code has no modules"),
    ],
)
def test_values_that_cannot_be_given(bash: Bash, argument: Given, error: str) -> None:
    assert error in str(bash("echo never > RESULT", x=argument).error)


@pytest.mark.parametrize("other", ["x", "x/y/z"])
def test_arguments_that_would_be_in_the_same_place(bash: Bash, other: str) -> None:
    arguments = {"x/y": given("int", 1), other: given("int", 2)}
    assert "where another argument is: rename" in str(bash.run("true", "bytes", arguments).error)
    assert "where another argument is" in str(
        bash.run("true", "bytes", {"x/y": given("int", 1), "x": bash.folder(y=b"")}).error
    )


# -- the environment ------------------------------------------------------------------------------
def test_the_environment_is_this_process_s_with_the_arguments_in_it(
    bash: Bash, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MINE", "TAKEN", "HIDDEN"):
        monkeypatch.setenv(name, "of the process")
    code = 'echo "$MINE|$TAKEN|${HIDDEN-unset}" > RESULT'
    ran = bash(code, TAKEN=given("int", 1), HIDDEN=given("mixed", [1]))
    assert ran.value == b"of the process|1|unset\n"


def test_a_context_takes_the_place_of_the_environment(bash: Bash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "of the process")
    context = Context({"PATH": os.environ["PATH"], "GIVEN": "yes"}, {"META__n": "3"}, ())
    code = 'echo "${MINE-unset} $GIVEN $META__n $x" > RESULT'
    assert bash.run(code, "text", {"x": given("int", 1)}, context=context).value == "unset yes 3 1"


def test_it_starts_in_a_directory_of_its_own_with_nothing_to_read(bash: Bash) -> None:
    ran = bash("ls -A >&2; wc -c > RESULT; pwd >&2")
    assert ran.value == b"0\n"
    assert ran.stderr.decode().startswith(str(Path(bash.store.path).resolve()))
    assert not os.path.exists(ran.stderr.decode().strip())


def test_long_code_runs_as_well(bash: Bash) -> None:
    assert bash("# " + "x" * 300_000 + "\necho $n > RESULT\n", n=given("int", 1)).value == b"1\n"


# -- how it ends ------------------------------------------------------------------------------------
def test_what_it_prints_is_kept_beside_the_result(bash: Bash) -> None:
    ran = bash("echo out; echo err >&2; echo a > RESULT", "mixed")
    assert (ran.value, ran.stdout, ran.stderr) == ("a\n", b"out\n", b"err\n")


def test_an_exit_code_is_a_failure(bash: Bash) -> None:
    ran = bash("echo out; echo a > RESULT; echo first >&2; echo why >&2; exit 3", "mixed")
    assert (ran.content, ran.error) == (None, "exit code 3: why")
    assert (ran.stdout, ran.stderr) == (b"out\n", b"first\nwhy\n")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("false; echo a > RESULT", "exit code 1"),
        ("echo $nothing > RESULT", "exit code 1: bash: line 1: nothing: unbound variable"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("true", "exit code 0, but there is no RESULT"),
        ("ln -s nowhere RESULT", "exit code 0, but there is no RESULT"),
        ("mkfifo RESULT", "RESULT is neither a file nor a directory"),
        ("mkdir RESULT; mkfifo RESULT/odd", "odd is neither a file nor a directory"),
    ],
)
@pytest.mark.parametrize("celltype", ["mixed", "bytes"])
def test_failures(bash: Bash, code: str, error: str, celltype: str) -> None:
    ran = bash(f"echo out; {code}", celltype)
    assert ran.content is None
    assert error in str(ran.error)
    assert ran.stdout == b"out\n"


def test_a_pipe_fails_with_its_last_command_only(bash: Bash) -> None:
    assert bash("false | echo a > RESULT", "text").value == "a"


def test_a_time_limit(bash: Bash) -> None:
    ran = bash.run("echo begun; sleep 100", "text", {}, timeout=0.3)
    assert (ran.error, ran.stdout) == ("timed out after 0.3 s", b"begun\n")


def test_background_jobs_are_killed(bash: Bash) -> None:
    pid = int(bash("sleep 100 & echo $! > RESULT", "int").value)

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(is_gone, "the end of a background job")


def test_ctrl_c_gives_the_job_back(bash: Bash, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"kill -INT {os.getpid()}; sleep 100"
    with pytest.raises(KeyboardInterrupt):
        bash(code)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# -- results: files ---------------------------------------------------------------------------------
@pytest.mark.both_digests
@pytest.mark.parametrize(
    ("content", "celltype", "value"),
    [
        (b"hi\n", "mixed", "hi\n"),
        (b"1.50\n", "mixed", 1.5),
        (b'{"b": 1, "a": [1, 2]}\n', "mixed", {"a": [1, 2], "b": 1}),
        (b"null\n", "mixed", None),
        (b"%d\n" % 2**80, "mixed", 2**80),
        (b"", "mixed", ""),
        (b"1.50\n", "text", "1.50"),
        (b'{"b": 1, "a": [1, 2]}\n', "text", '{"b": 1, "a": [1, 2]}'),
        (b'"quoted"\n', "text", '"quoted"'),
        (b"", "text", ""),
        (b"x = 1", "python", "x = 1"),
        (b"a: 1\n\n", "yaml", "a: 1"),
        (b"ab\n", "str", "ab\n"),
        (b"1.50\n", "str", "1.50\n"),
        (b'"quoted"', "str", '"quoted"'),
        (b"true", "str", "true"),
        (b"", "str", ""),
        (b"x y\n", "plain", "x y\n"),
        (b"[1, 2]\n", "plain", [1, 2]),
        (b"", "plain", ""),
        (b"12\n", "float", 12.0),
        (b" 1e3", "float", 1000.0),
        (b"007\n", "int", 7),
        (b"-3\n", "int", -3),
        (b"true\n", "bool", True),
        (b"0\n", "bool", False),
        (b"False\n", "bool", False),
        (b"True", "bool", True),
        (b"A" * 64 + b"\n", "checksum", "a" * 64),
        (b'{"x": 1}', "checksum", {"x": 1}),
        (b"", "bytes", b""),
        (b"\x00\xff", "bytes", b"\x00\xff"),
        (b"a" * LARGE, "bytes", b"a" * LARGE),
    ],
    ids=brief,
)
def test_what_a_file_means(bash: Bash, content: bytes, celltype: str, value: object) -> None:
    ran = bash("cat x > RESULT", celltype, x=Given("bytes", content))
    assert ran.value == value
    assert type(ran.value) is type(value)
    assert ran.content == given(celltype, value).content


@pytest.mark.parametrize("celltype", ["text", "ipython"])
@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"x\n",
        b"x\n\n\n",
        b"\n\n",
        b"\n" * LARGE,
        b"l\r\n" * LARGE,
        b"x" * LARGE + b"\n" * LARGE,
        "é".encode() * LARGE,
    ],
    ids=brief,
)
def test_text_ends_with_one_newline(bash: Bash, celltype: str, content: bytes) -> None:
    ran = bash("cat x > RESULT; chmod 400 RESULT", celltype, x=Given("bytes", content))
    assert ran.content == content.rstrip(b"\n") + b"\n"


@pytest.mark.parametrize("celltype", ["mixed", "binary"])
@pytest.mark.parametrize("array", [np.arange(3), np.zeros((2, LARGE)), np.array([1.5], "<f4"), np.array(["a", "bc"])])
def test_an_npy_file_is_an_array(bash: Bash, celltype: str, array: Any) -> None:
    ran = bash("cat x > RESULT", celltype, x=Given("bytes", npy(array)))
    assert ran.content == npy(array)


@pytest.mark.parametrize(
    ("content", "array"),
    [
        (b"[1, 2]\n", np.array([1, 2])),
        (b"[[1.5], [2]]", np.array([[1.5], [2.0]])),
        (b"x y\n", np.array("x y\n")),
        (b"\xff\x00", np.array([255, 0], "u1")),
        (b"\xff" * LARGE, np.full(LARGE, 255, "u1")),
    ],
    ids=brief,
)
def test_other_files_as_arrays(bash: Bash, content: bytes, array: Any) -> None:
    assert bash("cat x > RESULT", "binary", x=Given("bytes", content)).content == npy(array)


def test_what_is_not_text_is_an_array_in_mixed(bash: Bash) -> None:
    for content in (b"\xff", os.urandom(LARGE - 1) + b"\xff"):
        value = bash("cat x > RESULT", "mixed", x=Given("bytes", content)).value
        assert value.dtype == np.uint8
        assert value.tobytes() == content


def test_an_array_comes_back_as_it_went(bash: Bash) -> None:
    array = np.random.default_rng(1).random((100, 100))
    assert bash("cat x > RESULT", "mixed", x=given("mixed", array)).content == npy(array)


@pytest.mark.parametrize(
    ("content", "celltype"),
    [
        (b"x\n", "int"),
        (b"", "int"),
        (b"", "float"),
        (b"1e999", "int"),
        (b"nan\n", "float"),
        (b"%d" % 2**80, "int"),
        (b"[1]", "float"),
        (b"", "bool"),
        (b"yes\n", "bool"),
        (b"[]", "bool"),
        (b"\xff", "text"),
        (b"x" * LARGE + b"\xc3", "text"),
        (b"\xff", "str"),
        (b"\xff", "plain"),
        (b"[NaN]", "plain"),
        (b'{"a": 1}', "binary"),
        (npy(np.zeros(9))[:-1], "mixed"),
        (b"\x93NUMPY", "binary"),
        (b"x\n", "folder"),
        (b"x\n", "deepcell"),
    ],
    ids=brief,
)
def test_files_that_are_no_such_result(bash: Bash, content: bytes, celltype: str) -> None:
    ran = bash("cat x > RESULT", celltype, x=Given("bytes", content))
    assert ran.content is None
    assert str(ran.error).startswith(f"RESULT cannot be a result of celltype {celltype}: ")


@pytest.mark.parametrize("link", ["ln -s", "ln"])
@pytest.mark.parametrize("celltype", ["text", "bytes", "mixed"])
@pytest.mark.parametrize("size", [100, LARGE])
def test_a_link_is_read_and_what_it_leads_to_is_left_alone(
    bash: Bash, tmp_path: Path, link: str, celltype: str, size: int
) -> None:
    target = tmp_path / "of the user"
    target.write_bytes(b"x" * size)
    target.chmod(0o640)
    ran = bash(f"{link} '{target}' RESULT", celltype)
    assert ran.value == (b"x" * size if celltype == "bytes" else "x" * size)
    assert target.read_bytes() == b"x" * size
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_large_file_moves_into_the_store(bash: Bash) -> None:
    """Neither bytes nor text are read into memory for it."""
    for celltype in ("bytes", "text"):
        code = f"# {celltype}\nhead -c {LARGE} /dev/zero | tr '\\0' x > RESULT; echo >> RESULT; stat -c %i RESULT"
        ran = bash(code, celltype)
        assert ran.content is not None
        kept = bash.store.buffers.path(bash.store.digest.of(ran.content))
        assert os.stat(kept).st_ino == int(ran.stdout)


# -- results: directories -----------------------------------------------------------------------------
MAKE = "mkdir -p RESULT/s RESULT/empty; echo 1 > RESULT/a; printf x > RESULT/s/b;"


@pytest.mark.both_digests
def test_a_directory_is_a_folder(bash: Bash) -> None:
    ran = bash(f"{MAKE} head -c {LARGE} /dev/zero > RESULT/big", "folder")
    index = ran.value
    assert index.pop("./empty") == "directory"
    files = {name: bash.store.buffers.read(checksum) for name, checksum in index.items()}
    assert files == {"a": b"1\n", "s/b": b"x", "big": bytes(LARGE)}


def test_a_directory_is_a_deep_cell_of_what_its_files_mean(bash: Bash) -> None:
    checksum = bash.keep_now(b"1\n")
    ran = bash(f"{MAKE} printf {checksum} > RESULT/c; cp x RESULT/x", "deepcell", x=given("binary", np.arange(3)))
    files = {name: bash.store.buffers.read(checksum) for name, checksum in ran.value.items()}
    assert files == {"a": b"1\n", "s/b": b'"x"\n', "c": f'"{checksum}"\n'.encode(), "x": npy(np.arange(3))}


def test_a_json_object_is_a_deep_cell(bash: Bash) -> None:
    value = bash("""echo '{"a": [1], "b": "x"}' > RESULT""", "deepcell").value
    assert bash.store.buffers.read(value["b"]) == b'"x"\n'


@pytest.mark.parametrize("celltype", ["mixed", "plain"])
def test_a_directory_is_a_dict_of_what_its_files_mean(bash: Bash, celltype: str) -> None:
    assert bash(MAKE, celltype).value == {"a": 1, "s/b": "x"}


def test_arrays_in_a_directory(bash: Bash) -> None:
    value = bash("mkdir RESULT; cp x RESULT; printf '\\377' > RESULT/y", "mixed", x=given("binary", np.arange(3))).value
    assert value["x"].tolist() == [0, 1, 2]
    assert value["y"].tolist() == [255]


def test_a_directory_as_bytes_is_written_as_python_writes_it(bash: Bash) -> None:
    assert bash(MAKE, "bytes").value == b"{'a': b'1\\n', 's/b': b'x'}"


@pytest.mark.parametrize("celltype", ["text", "str", "int", "float", "bool", "binary", "python"])
def test_a_directory_is_no_such_result(bash: Bash, celltype: str) -> None:
    ran = bash(MAKE, celltype)
    assert ran.error == f"RESULT cannot be a result of celltype {celltype}: it is a directory, not a file"


def test_one_that_waits_does_not_keep_others_from_running(bash: Bash, tmp_path: Path) -> None:
    found: list[Any] = []
    code = f"until [ -e '{tmp_path}/go' ]; do sleep 0.01; done; echo $n > RESULT"
    threads = [
        threading.Thread(target=lambda n=n: found.append(bash.run(code, "int", {"n": given("int", n)}, timeout=20)))
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    assert bash(f"touch '{tmp_path}/go'; echo 7 > RESULT", "int").value == 7
    for thread in threads:
        thread.join()
    assert sorted(ran.value for ran in found) == [0, 1, 2]
