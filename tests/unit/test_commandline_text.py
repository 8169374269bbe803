"""From shell text to a plan: words, pipelines, redirections, syntax."""

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from seamless.transformer.commandline import (
    CommandPlan,
    Kind,
    Mapping,
    PlanOptions,
    ShellSyntaxError,
    UsageError,
    plan_text,
)

ROOT = "/w"


@dataclass
class Tree:
    """Files known by name alone, relative to ROOT; folders of files exist."""

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    futures: tuple[str, ...] = ()
    missing_commands: tuple[str, ...] = ()
    found: dict[str, str] = field(default_factory=dict)

    def kind(self, path: str) -> Kind | None:
        names = {f"{ROOT}/{name}" for name in self.files}
        if path in names:
            return Kind.FILE
        if path == ROOT or path in {f"{ROOT}/{name}" for name in self.folders}:
            return Kind.DIRECTORY
        if path in {f"{ROOT}/{name}" for name in self.futures}:
            return Kind.FUTURE
        return Kind.DIRECTORY if any(name.startswith(path + "/") for name in names) else None

    def which(self, command: str) -> str | None:
        if command in self.missing_commands:
            return None
        return self.found.get(command, f"/usr/bin/{command}")

    def read_lines(self, path: str) -> list[str]:
        raise FileNotFoundError(path)


TREE = Tree(
    files=(
        "a.txt", "b.txt", "c.txt", "two words.txt", "it's.txt", "sub/a.txt", "sub/é.dat", "tool.sh",
        "bin/tool.sh", "up.sh", "-x.txt", "noext", "log.txt", "\udcff.txt",
    ),
    folders=("data", "data.d"),
    futures=("fut.txt",),
    missing_commands=("tool.sh", "up.sh", "f"),
)  # fmt: skip


def plan(text: str, **options: object) -> CommandPlan:
    return plan_text(text, PlanOptions(directory=ROOT, **options), TREE)  # type: ignore[arg-type]


def names(found: CommandPlan) -> str:
    return " ".join(entry.name + "*" * entry.executable for entry in found.inputs)


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("cat a.txt", "a.txt"),
        ("cat  a.txt  b.txt", "a.txt b.txt"),
        (" cat a.txt ", "a.txt"),
        ("cat a.txt a.txt", "a.txt"),
        ("cat 'two words.txt'", "two words.txt"),
        ('cat "two words.txt" two\\ words.txt', "two words.txt"),
        ('cat "it\'s.txt"', "it's.txt"),
        ("cat $'it\\'s.txt'", "it's.txt"),
        ("cat $'sub/\\303\\251.dat' a.txt", "sub/é.dat a.txt"),
        ("cat $'sub/\\u00e9.dat'", "sub/é.dat"),
        ("cat a.txt | tr a-z A-Z", "a.txt"),
        ("cat a.txt b.txt | grep -f c.txt", "a.txt b.txt c.txt"),
        ("cat a.txt |& grep -f c.txt", "a.txt c.txt"),
        ("cat a.txt && cat b.txt", "a.txt"),
        ("cat a.txt; cat b.txt", "a.txt"),
        ("cat a.txt\ncat b.txt", "a.txt"),
        ("# about\ncat a.txt # b.txt\n", "a.txt"),
        ("! cat a.txt | cat b.txt", "a.txt b.txt"),
        ("paste <(cat a.txt) <(sort b.txt)", "a.txt b.txt"),
        ("paste <(cat a.txt | tac) c.txt", "a.txt c.txt"),
        ('echo $(cat a.txt) `cat b.txt` "$(cat c.txt)"', "a.txt b.txt c.txt"),
        ("X=5; cat a.txt", "a.txt"),
        ("X=5 Y=6 cat a.txt", "a.txt"),
        ("X=$(cat a.txt); cat b.txt", "a.txt"),
        ("X=a.txt; echo $X", ""),
        ("cat a.txt > out", "a.txt"),
        ("cat > out a.txt", "a.txt"),
        ("cat 2> err a.txt | cat 2> err b.txt", "a.txt b.txt"),
        ("sort <<< a.txt b.txt", "b.txt"),
        ("cat < a.txt", "a.txt"),
        ("cat < missing.txt", ""),
        ("cat < /dev/null a.txt", "a.txt"),
        ("echo 1; cat < b.txt", "b.txt"),
        ("while read l; do echo $l; done < a.txt", "a.txt"),
        ("for i in 1 2; do cat a.txt; cat b.txt; done", "a.txt"),
        ("cat a.txt | while read l; do grep $l b.txt; done", "a.txt b.txt"),
        ("if true; then cat a.txt; fi", ""),
        ("case x in x) cat a.txt;; esac", "a.txt"),
        ("{ cat a.txt; cat b.txt; } | sort", "a.txt b.txt"),
        ("f() { cat a.txt; }; f b.txt", "a.txt"),
        ("[ -f a.txt ] && cat b.txt", "a.txt"),
        ("[ -f missing.txt ] || echo no", ""),
        ("[[ -f a.txt && $x == *.txt ]]", "a.txt"),
        ("bash -c 'cat a.txt'", ""),
        ("bash -ec 'cat a.txt' b.txt", "b.txt"),
        ("bash tool.sh a.txt", "tool.sh a.txt"),
        ("cat 'a.t'xt", "a.txt"),
        ("cat \"a.txt\" 'b.txt'", "a.txt b.txt"),
        ("cat \udcff.txt", "\udcff.txt"),
        ("export A=b.txt; cat a.txt", ""),
        ("cat data noexist ''", "data"),
        ("cat fut.txt", "fut.txt"),
        ("echo 1.5 1e5 nan -3 .5", ""),
        ("tr / _", ""),
        ("sed s/a/b/ a.txt", "a.txt"),
        ("awk /foo/ a.txt", "a.txt"),
        ("cut -d/ -f1 a.txt", "a.txt"),
        ("ls http://x.org/", ""),
        ("ls $D/", ""),
        ("find . -name x", "."),
    ],
)
def test_inputs(text: str, inputs: str) -> None:
    assert names(plan(text)) == inputs


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("cat  a.txt", "cat  a.txt"),
        ("cat ./a.txt  sub/../b.txt", "cat a.txt  b.txt"),
        ("cat './a.txt' | sort", "cat a.txt | sort"),
        ("cat 'a.txt' | sort", "cat 'a.txt' | sort"),
        ("cat './two words.txt'", "cat 'two words.txt'"),
        ("cat -- -x.txt", "cat -- -x.txt"),
        ("cat ./-x.txt", "cat ./-x.txt"),
        ("cat sub/-x/../../-x.txt", "cat ./-x.txt"),
        ("ls data/ ./data//", "ls data/ data/"),
        ("cat < ./a.txt > out", "cat < a.txt > out"),
        ("echo é; cat < ./sub/é.dat # é", "echo é; cat < 'sub/é.dat' # é"),
        ("cat ./\udcff.txt '\udcfe'", "cat '\udcff.txt' '\udcfe'"),
        ("echo a\ncat <<E\n./a.txt $(\nE\ncat < ./a.txt", "echo a\ncat <<E\n./a.txt $(\nE\ncat < a.txt"),
        ("cat ./a.txt; cat ./b.txt", "cat a.txt; cat ./b.txt"),
    ],
)
def test_code(text: str, code: str) -> None:
    assert plan(text).code == code


@pytest.mark.parametrize(
    ("text", "primary", "code"),
    [
        ("echo A; cat ./a.txt; echo B", 2, "echo A; cat a.txt; echo B"),
        ("echo A | tac; cat ./a.txt", 2, "echo A | tac; cat a.txt"),
        ("X=1; cat ./b.txt; cat ./a.txt", 2, "X=1; cat ./b.txt; cat a.txt"),
        ("paste <(cat ./a.txt) ./b.txt", 2, "paste <(cat a.txt) ./b.txt"),
        ("for i in 1; do echo; cat ./a.txt; done", 2, "for i in 1; do echo; cat a.txt; done"),
        ("if [ -f ./b.txt ]; then cat ./a.txt; fi", 2, "if [ -f ./b.txt ]; then cat a.txt; fi"),
        ("f() { cat ./b.txt; }; f ./a.txt", 2, "f() { cat ./b.txt; }; f a.txt"),
    ],
)
def test_primary_chooses_the_pipeline(text: str, primary: int, code: str) -> None:
    assert plan(text, primary=primary).code == code


@pytest.mark.parametrize(
    ("text", "primary", "count"), [("echo", 2, 1), ("echo a; echo b", 3, 2), ("a | b", 0, 1), ("X=1", 2, 0)]
)
def test_primary_out_of_range(text: str, primary: int, count: int) -> None:
    with pytest.raises(UsageError, match=rf"--primary {primary} .* has {count} pipeline"):
        plan(text, primary=primary)


@pytest.mark.parametrize(
    ("text", "captures"),
    [
        ("cat a.txt", ""),
        ("cat a.txt > out.txt", "out.txt"),
        ("cat a.txt >out.txt", "out.txt"),
        ("cat a.txt >| out.txt", "out.txt"),
        ("cat a.txt &> out.txt", "out.txt"),
        ("cat a.txt >& out.txt", "out.txt"),
        ("cat a.txt >> out.txt", "out.txt"),
        ("cat a.txt &>> out.txt", "out.txt"),
        ("cat a.txt 1> out.txt", "out.txt"),
        ("cat a.txt > './sub/../out.txt'", "out.txt"),
        ("> out.txt cat a.txt", "out.txt"),
        ("> out.txt", "out.txt"),
        ("cat a.txt > first > second", "second"),
        ("cat a.txt 2> err.txt", ""),
        ("cat a.txt 2>&1", ""),
        ("cat a.txt >&2", ""),
        ("cat a.txt 2>&1 > out.txt", "out.txt"),
        ("cat a.txt > out.txt 2>&1", "out.txt"),
        ("cat a.txt > /dev/null", ""),
        ("cat a.txt > >(tee x)", ""),
        ("cat a.txt | tr a b > out.txt", "out.txt"),
        ("cat a.txt > mid | tr a b", ""),
        ("cat a.txt > mid && cat mid > out.txt", "out.txt"),
        ("cat a.txt > mid; cat mid", ""),
        ("echo; cat a.txt > out.txt;", "out.txt"),
        ("echo; cat a.txt > out.txt &", "out.txt"),
        ("echo; cat a.txt > out.txt # > no", "out.txt"),
        ("(cat a.txt; cat b.txt) > out.txt", "out.txt"),
        ("{ cat a.txt; } > out.txt", "out.txt"),
        ("for i in 1; do echo; done > out.txt", "out.txt"),
        ("for i in 1; do echo > out.txt; done", ""),
        ("if true; then echo; fi > out.txt", "out.txt"),
        ("(cat a.txt) > one; echo", "one"),
        ("(cat a.txt) > one && echo", "one"),
        ("(cat a.txt) > one; echo > two", "one two"),
        ("echo; (cat a.txt) > one; echo > two", "two"),
        ("cat <<E > out.txt\nx > y\nE", "out.txt"),
        ("cat <<'E' | sort > out.txt\n$x\nE\n", "out.txt"),
        ("cat <<E\nx\nE\ncat a.txt > out.txt", "out.txt"),
        ("cat <<< x > out.txt", "out.txt"),
        ("time cat a.txt > out.txt", "out.txt"),
        ("! cat a.txt > out.txt", "out.txt"),
        ("cat < a.txt", ""),
        ("echo 1 > 2", "2"),
        ("echo '>' x", ""),
        ("echo > résultat", "résultat"),
    ],
)
def test_redirections_are_captures(text: str, captures: str) -> None:
    found = plan(text).captures
    assert " ".join(capture.name for capture in found) == captures
    assert all(capture.name == capture.target for capture in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo > $X", "-cp"),
        ("echo > out_$X.txt", "-cp"),
        ("echo > *.txt", "-cp"),
        ("echo > ~/out", "-cp"),
        ("echo > /tmp/out", "outside"),
        ("echo > ../out", "outside"),
        ("echo > sub/../../out", "outside"),
        ("echo > .", "names no file"),
    ],
)
def test_redirections_that_cannot_be_captured(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(text)


def test_appending_reads_the_file_as_well() -> None:
    assert names(plan("echo x >> log.txt")) == "log.txt"
    assert names(plan("echo x >> new.txt")) == ""
    assert names(plan("echo x > log.txt")) == ""


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("echo > sub/out", ("sub",)),
        ("echo > sub/new/out", ("sub",)),
        ("echo > new/out", ()),
        ("echo > out", ()),
        ("echo > sub/x; cat sub/x 2> data/err", ("sub", "data")),
    ],
)
def test_folders_of_outputs(text: str, folders: tuple[str, ...]) -> None:
    assert plan(text, guess_extension=False).directories == folders


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("cat 'a", "line 1, column 5"),
        ("echo é 'a", "line 1, column 8"),
        ("echo\ncat 'a", "line 2, column 5"),
        ("if true; then", "syntax"),
        ("cat a.txt | | b", "syntax"),
        ("cat )", "syntax"),
        ("fi", "syntax"),
        ("echo; done", "syntax"),
        ("echo (a)", "syntax"),
        ("echo \0", "syntax"),
    ],
)
def test_syntax_errors_name_the_place(text: str, place: str) -> None:
    with pytest.raises(ShellSyntaxError, match="syntax error") as caught:
        plan(text)
    assert place in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", "\n", "# nothing", "\n# nothing\n"])
def test_nothing_to_run(text: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        plan(text)


def test_text_only_bash_accepts_is_left_alone() -> None:
    text = "exec 3<>a.txt; cat ./a.txt <&3"
    found = plan_text(text, PlanOptions(ROOT, captures=("o",)), TREE, check=lambda text: True)
    assert (found.code, names(found), len(found.captures)) == (text, "", 1)
    assert "-i" in found.warnings[0]
    with pytest.raises(ShellSyntaxError):
        plan_text(text, PlanOptions(ROOT), TREE, check=lambda text: False)


@pytest.mark.parametrize(
    "text",
    [
        "cat <<A; echo x\na\nA\n",
        "cat <<A <<B\na\nA\nb\nB\n",
        "cat <<-E a.txt && sort b.txt > o\n\thi\n\tE\n",
        "cat <<E >o | sort\nhi\nE",
        "cat << \\E\n$x `\nE\n",
        'cat <<"E F"\n$(\nE F\n',
        "echo $((1<<2)) # <<E\necho '<<E'",
        "x=$(cat <<E\nfoo\nE\n); echo $x",
        "coproc cat; wait",
        "select x in a; do break; done",
        "a=(1 2); echo ${a[@]} ${#a} ${a[0]/x/y}",
        "[[ $x =~ ^a.*(b|c)$ ]]",
        "case $x in a|b) y ;; *) z ;& c) q;; esac",
        "function f { a; }; f",
        "declare -A m=([a]=1); ((x++)); let y=1",
        "trap 'x' EXIT; exec 3>&1; echo >&3",
        "cat \\\n a.txt",
        "find . -exec cat {} \\;",
    ],
)
def test_what_bash_accepts_is_accepted(text: str) -> None:
    assert subprocess.run(["bash", "-n", "-c", text], check=False).returncode == 0
    assert plan(text).code == text


def test_numbering_follows_the_text() -> None:
    found = plan("paste <(cat sub/a.txt) b.txt < c.txt | cat sub/a.txt", mapping=Mapping.EXTENSION)
    assert found.code == "paste <(cat file1.txt) file2.txt < file3.txt | cat file1.txt"


def test_plain_commands_do_without_the_parser() -> None:
    program = (
        "import sys; from seamless.transformer.commandline import *\n"
        "class Files:\n"
        "    def kind(self, path): return None\n"
        "    def which(self, command): return '/bin/x'\n"
        "plan_text('cat a b', PlanOptions('/w'), Files())\n"
        "plan_words(['a', '|'], PlanOptions('/w'), Files())\n"
        "sys.exit('tree_sitter' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
