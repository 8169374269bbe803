"""Words, rules, mappings, executables and options of a plan, against files in a temporary directory."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless.transformer.commandline import (
    Capture,
    CommandPlan,
    Input,
    Kind,
    Mapping,
    PlanOptions,
    UsageError,
    plan_text,
    plan_words,
)


class LocalFiles:
    """The real file system, the least of it."""

    def __init__(self, search: str = "/usr/bin:/bin") -> None:
        self.search = search

    def kind(self, path: str) -> Kind | None:
        if os.path.isdir(path):
            return Kind.DIRECTORY
        if os.path.lexists(path):
            return Kind.FILE
        return Kind.FUTURE if os.path.lexists(path + ".FUTURE") else None

    def which(self, command: str) -> str | None:
        return shutil.which(command, path=self.search)

    def read_lines(self, path: str) -> list[str]:
        return Path(path).read_text().splitlines()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    root = tmp_path / "w"
    for name in (
        "a.txt",
        "b.txt",
        "noext",
        "two words.txt",
        "s1/a.txt",
        "s2/a.txt",
        "s1/b.dat",
        "data/x",
        "data.d/x",
    ):
        write(root / name, name)
    for name in ("tool.sh", "bin/tool.sh", "tools/mytool", "run"):
        write(root / name, "#!/bin/sh\n").chmod(0o755)
    write(tmp_path / "o.txt", "outside")
    write(tmp_path / "outside" / "othertool", "#!/bin/sh\n").chmod(0o755)
    write(root / "later.csv.FUTURE", "")
    write(root / "laterdir.FUTURE", "")
    return root


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def plan(here: Path, command: str | Sequence[str], files: LocalFiles | None = None, **options: object) -> CommandPlan:
    asked = PlanOptions(directory=str(here), **options)  # type: ignore[arg-type]
    if isinstance(command, str):
        return plan_text(command, asked, files or LocalFiles())
    return plan_words(command, asked, files or LocalFiles())


def names(found: CommandPlan) -> str:
    return " ".join(entry.name + "*" * entry.executable for entry in found.inputs)


# Words


def test_words_and_text_agree(here: Path) -> None:
    assert plan(here, ["cat", "a.txt"]) == plan(here, "cat a.txt") == plan(here, ["cat a.txt"])


def test_several_words_are_literal(here: Path) -> None:
    found = plan(here, ["cat", "two words.txt", "./a.txt", "|", ">", "$X", ""])
    assert found.code == "cat 'two words.txt' a.txt '|' '>' '$X' ''"
    assert names(found) == "two words.txt a.txt"


def test_a_single_word_is_text(here: Path) -> None:
    assert plan(here, ["cat a.txt > out"]).captures == (Capture("out", "out"),)


@pytest.mark.parametrize("words", [["X=5", "a"], ["if", "x"], ["[[", "x"], ["two words", "x"]])
def test_the_first_word_is_literal_too(here: Path, words: list[str]) -> None:
    code = plan(here, words).code
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert words[0] in done.stderr


def test_no_words(here: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        plan(here, [])


def test_undecodable_names_survive(here: Path) -> None:
    name = os.fsdecode(b"\xff.txt")
    write(here / name, "")
    found = plan(here, ["cat", f"./{name}"])
    assert found.inputs == (Input(name, f"{here}/{name}", Kind.FILE),)
    assert found.code == f"cat '{name}'"


_word = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
# A final slash promises a directory, which rule 3 refuses here.
_words = st.lists(_word.filter(lambda word: not word.endswith("/")), min_size=1, max_size=6)


class NoFiles(LocalFiles):
    def kind(self, path: str) -> Kind | None:
        return None


@given(words=_words)
def test_literal_words_reach_the_command(words: list[str]) -> None:
    options = PlanOptions("/w", guess_extension=False)
    code = plan_words(["printf", "%s\\0", *words], options, NoFiles()).code
    done = subprocess.run(["bash", "-c", code.encode()], capture_output=True, check=True)
    assert done.stdout == b"".join(word.encode() + b"\0" for word in words)


@given(words=_words)
def test_quoted_words_in_text_reach_the_command(words: list[str]) -> None:
    options = PlanOptions("/w", guess_extension=False)
    text = plan_words(["printf", "%s\\0", *words], options, NoFiles()).code
    assert plan_text(text + " | cat", options, NoFiles()).code == text + " | cat"


# The rules


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("echo missing.txt", ("#2", "missing.txt", "-g1")),
        ("echo x 1.2.3", ("#3", "1.2.3", "-g1")),
        ("ls data.d", ("#2", "data.d", "directory", "-g1")),
        ("cat noext", ("#2", "noext", "-g2")),
        ("ls nodir/", ("#2", "nodir/", "directory")),
        ("ls a.txt/", ("a.txt/", "directory")),
        ("ls data/no/", ("data/no/", "directory")),
        (["cat", "two words.doc"], ("#2", "two words.doc", "-g1")),
        ("cat *.txt", ("*.txt", "-g1")),
        ("for f in a b; do cat $f.txt; done", ("$f.txt", "-g1")),
        ("./tool.sh --capture output.csv", ("#3", "output.csv", "-g1")),
    ],
)
def test_rules(here: Path, command: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        plan(here, command)
    assert all(part in str(caught.value) for part in parts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "options", "inputs"),
    [
        ("echo missing.txt", {"guess_extension": False}, ""),
        ("cat *.txt", {"guess_extension": False}, ""),
        ("ls data.d", {"guess_extension": False}, "data.d"),
        ("ls data.d/", {}, "data.d"),
        ("cat noext", {"guess_no_extension": False}, "noext"),
        ("cat later.csv", {}, "later.csv"),
        ("ls laterdir", {}, "laterdir"),
        ("echo .hidden name. a/.b ...", {}, ""),
        ("echo word --flag -x", {}, ""),
        ("sed s/a/b/", {}, ""),
    ],
)
def test_rules_let_pass(here: Path, command: str, options: dict[str, bool], inputs: str) -> None:
    assert names(plan(here, command, **options)) == inputs


def test_an_unfinished_result_of_a_wildcard_is_left_out(here: Path) -> None:
    for command in (["cat", "a.txt", "later.csv.FUTURE", "b.txt"], "cat a.txt later.csv.FUTURE b.txt"):
        found = plan(here, command)
        assert found.code == "cat a.txt b.txt"
        assert names(found) == "a.txt b.txt"
        assert "later.csv.FUTURE" in found.warnings[0]
    assert plan(here, "cat a.txt later.csv.FUTURE | tac").code == "cat a.txt | tac"


def test_very_long_words_are_values(here: Path) -> None:
    assert plan(here, ["echo", "x/" * 5000 + "y"]).inputs == ()


# Mapping


def test_outside_the_working_directory(here: Path) -> None:
    for command in (f"cat {here.parent}/o.txt", "cat ../o.txt", "cat < ../o.txt"):
        with pytest.raises(UsageError) as caught:
            plan(here, command)
        assert all(option in str(caught.value) for option in ("-ms", "-mx", "-w"))


def test_other_working_directory(here: Path) -> None:
    found = plan(here / "s1", "cat ../a.txt a.txt > o", workdir=str(here))
    assert found.code == "cat a.txt s1/a.txt > o"
    assert found.inputs[0].path == f"{here}/a.txt"
    assert found.captures == (Capture("o", "o"),)
    everything = plan(here, "cat ../o.txt", workdir="/")
    assert names(everything) == f"{here.parent}/o.txt"[1:]


@pytest.mark.parametrize(
    ("mapping", "command", "code", "inputs"),
    [
        (Mapping.STRIP, "cat ../o.txt s1/b.dat", "cat o.txt b.dat", "o.txt b.dat"),
        (Mapping.STRIP, "ls data .", "ls data w", "data w"),
        (Mapping.STRIP, "bin/tool.sh a.txt", "./tool.sh a.txt", "tool.sh* a.txt"),
        (Mapping.EXTENSION, "x a.txt s1/b.dat", "x file1.txt file2.dat", "file1.txt file2.dat"),
        (Mapping.EXTENSION, "x a.txt ./a.txt", "x file1.txt file1.txt", "file1.txt"),
        (Mapping.EXTENSION, "paste data ../o.txt", "paste data file1.txt", "data file1.txt"),
        (Mapping.EXTENSION, "ls ../outside", "ls outside", "outside"),
        (Mapping.EXTENSION, "cat later.csv laterdir", "cat file1.csv laterdir", "file1.csv laterdir"),
        (Mapping.EXTENSION, "cat a.txt > s1/o.txt", "cat file1.txt > s1/o.txt", "file1.txt"),
    ],
)  # fmt: skip
def test_mappings(here: Path, mapping: Mapping, command: str, code: str, inputs: str) -> None:
    found = plan(here, command, mapping=mapping)
    assert (found.code, names(found)) == (code, inputs)


def test_numbered_files_without_extension(here: Path) -> None:
    found = plan(here, "cat noext a.txt", mapping=Mapping.EXTENSION, guess_no_extension=False)
    assert found.code == "cat file1 file2.txt"


def test_two_files_with_one_name(here: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.txt"):
        plan(here, "cat s1/a.txt s2/a.txt", mapping=Mapping.STRIP)


# Executables


@pytest.mark.parametrize(
    ("command", "code", "inputs"),
    [
        ("./tool.sh a.txt", "./tool.sh a.txt", "tool.sh* a.txt"),
        ("tool.sh a.txt", "./tool.sh a.txt", "tool.sh* a.txt"),
        ("bin/tool.sh a.txt", "./bin/tool.sh a.txt", "bin/tool.sh* a.txt"),
        ("run", "./run", "run*"),
        ("./missing.sh", "./missing.sh", ""),
        ("/usr/bin/env", "/usr/bin/env", ""),
        ("cat a.txt | tool.sh", "cat a.txt | ./tool.sh", "a.txt tool.sh*"),
        ("cat a.txt; tool.sh", "cat a.txt; tool.sh", "a.txt"),
        ("echo $(./tool.sh)", "echo $(./tool.sh)", "tool.sh*"),
        ("tool.sh tool.sh", "./tool.sh tool.sh", "tool.sh*"),
        ("cat tool.sh | ./tool.sh", "cat tool.sh | ./tool.sh", "tool.sh*"),
        ("run() { tool.sh; }; run", "run() { ./tool.sh; }; run", "tool.sh*"),
        ("time ./run a.txt", "time ./run a.txt", "run* a.txt"),
        ("env -i X=1 nice -n 5 run a.txt", "env -i X=1 nice -n 5 ./run a.txt", "run* a.txt"),
        ("timeout 5s run 1.5", "timeout 5s ./run 1.5", "run*"),
        ("$tool a.txt", "$tool a.txt", "a.txt"),
        ("bash tool.sh", "bash tool.sh", "tool.sh"),
        (["tool.sh", "two words.txt"], "./tool.sh 'two words.txt'", "tool.sh* two words.txt"),
    ],
)
def test_executables(here: Path, command: str, code: str, inputs: str) -> None:
    found = plan(here, command)
    assert (found.code, names(found)) == (code, inputs)


def test_builtins_are_left_alone(here: Path) -> None:
    write(here / "test", "")
    assert plan(here, "test -d data").code == "test -d data"


def test_tools_on_the_path(here: Path) -> None:
    files = LocalFiles(f"{here}/tools:{here.parent}/outside:{here}/bin:/usr/bin:/bin")
    assert plan(here, "mytool a.txt", files).code == "./tools/mytool a.txt"
    found = plan(here, "othertool", files)
    assert found.inputs == (Input("othertool", f"{here.parent}/outside/othertool", Kind.FILE, True),)
    assert plan(here, "tool.sh", files).inputs == ()


# Options


def test_named_inputs_keep_clear_of_the_rules(here: Path) -> None:
    found = plan(here, "cat a.txt", inputs=("noext", "data.d", "a.txt", "later.csv"))
    assert names(found) == "a.txt noext data.d later.csv"
    numbered = plan(here, "cat a.txt", inputs=("b.txt", "a.txt"), mapping=Mapping.EXTENSION)
    assert names(numbered) == "file1.txt b.txt"


def test_lists_of_inputs(here: Path) -> None:
    write(here / "s1/in.lst", "a.txt\n\n  b.dat  \n")
    assert names(plan(here, "echo x", input_lists=("s1/in.lst",))) == "s1/a.txt s1/b.dat"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"inputs": ("zz.txt",)}, r"zz\.txt"),
        ({"inputs": ("",)}, "''"),
        ({"inputs": ("../o.txt",)}, r"o\.txt.*-ms"),
        ({"input_lists": ("no.lst",)}, r"no\.lst"),
        ({"input_lists": ("data",)}, "data"),
        ({"input_lists": ("in.lst",)}, r"zz\.txt.*in\.lst"),
    ],
)
def test_missing_inputs(here: Path, options: dict[str, tuple[str, ...]], name: str) -> None:
    write(here / "in.lst", "zz.txt\n")
    with pytest.raises(UsageError, match=name):
        plan(here, "echo x", **options)


def test_folders_of_captures(here: Path) -> None:
    assert plan(here, "x", captures=("s1/r", "data/new/r", "no/r", "r")).directories == ("s1", "data")
    # What is captured is made by the command, the first time and every time.
    assert plan(here, "mkdir data; x > data/r", captures=("data",)).directories == ()
    (here / "data/new").mkdir()
    assert plan(here, "mkdir data/new; x > data/new/r", captures=("data/new",)).directories == ("data",)


@pytest.mark.parametrize(
    ("command", "options", "code", "inputs"),
    [
        # What lies there from the last time is not read, and what is not there yet breaks no rule.
        (["cp", "a.txt", "b.txt"], {"captures": ("b.txt",)}, "cp a.txt b.txt", "a.txt"),
        ("cp a.txt b.txt", {"captures": ("b.txt",)}, "cp a.txt b.txt", "a.txt"),
        ("cp a.txt new.txt", {"captures": ("new.txt",)}, "cp a.txt new.txt", "a.txt"),
        ("cp a.txt ./b.txt", {"captures": ("b.txt:c.txt",)}, "cp a.txt b.txt", "a.txt"),
        ("sort -o later.csv a.txt", {"captures": ("later.csv",)}, "sort -o later.csv a.txt", "a.txt"),
        ("mkdir data/ && ls", {"captures": ("data",)}, "mkdir data/ && ls", ""),
        ("cp a.txt data/x", {"captures": ("data",)}, "cp a.txt data/x", "a.txt"),
        ("[ -d data ] || mkdir data", {"captures": ("data",)}, "[ -d data ] || mkdir data", ""),
        ("touch noext", {"captures": ("noext",)}, "touch noext", ""),
        ("cp a.txt b.txt", {"captures": ("b.txt",), "mapping": Mapping.EXTENSION}, "cp file1.txt b.txt", "file1.txt"),
        # What is named, or read for certain, is an input all the same.
        ("cp a.txt b.txt", {"captures": ("b.txt",), "inputs": ("b.txt",)}, "cp a.txt b.txt", "a.txt b.txt"),
        ("cp a.txt data/x", {"captures": ("data",), "inputs": ("data",)}, "cp a.txt data/x", "a.txt data/x data"),
        ("sort -o b.txt < b.txt", {"captures": ("b.txt",)}, "sort -o b.txt < b.txt", "b.txt"),
        ("date >> b.txt", {"captures": ("b.txt",)}, "date >> b.txt", "b.txt"),
        # Of NAME:LOCAL the command knows only NAME; :LOCAL it does not know; a directory above is another thing.
        ("cp b.txt c.txt", {"captures": ("c.txt:b.txt",)}, "cp b.txt c.txt", "b.txt"),
        ("cat b.txt", {"captures": (":b.txt",)}, "cat b.txt", "b.txt"),
        ("ls data", {"captures": ("data/y",)}, "ls data", "data"),
    ],
)
def test_outputs_are_no_inputs(
    here: Path, command: str | list[str], options: dict[str, object], code: str, inputs: str
) -> None:
    found = plan(here, command, **{"guess_no_extension": "data/x" not in command, **options})
    assert (found.code, names(found)) == (code, inputs)


def test_an_output_that_a_list_names_is_an_input(here: Path) -> None:
    write(here / "in.lst", "b.txt\n")
    assert names(plan(here, "cp a.txt b.txt", captures=("b.txt",), input_lists=("in.lst",))) == "a.txt b.txt"


def test_prologues(here: Path) -> None:
    found = plan(here, "tool.sh | sort", prologues=("set -o pipefail", "echo r >> log.txt"))
    assert found.code == "set -o pipefail; echo r >> log.txt; ./tool.sh | sort"
    assert plan(here, "cat a.txt", prologues=("true",)).code == "true; cat a.txt"
