"""-cp, --var and --metavar, for which no file need exist."""

import pytest

from seamless.transformer.commandline import CommandPlan, Kind, PlanOptions, UsageError, plan_text


class NoFiles:
    """An empty folder and no PATH."""

    def kind(self, path: str) -> Kind | None:
        return None

    def which(self, command: str) -> str | None:
        return None

    def read_lines(self, path: str) -> list[str]:
        raise FileNotFoundError(path)


def plan(command: str, **options: object) -> CommandPlan:
    return plan_text(command, PlanOptions(directory="/w", **options), NoFiles())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "values", "captures", "stdout"),
    [
        ("x", ("a",), "a:a", None),
        ("x", ("a:b",), "a:b", None),
        ("x", (":b",), "", "b"),
        ("x", ("x.txt", "y.txt:why.txt", ":log.txt"), "x.txt:x.txt y.txt:why.txt", "log.txt"),
        ("x", ("y", "x"), "y:y x:x", None),
        ("x", ("a", "a", "./a"), "a:a", None),
        ("x", (":b", ":b"), "", "b"),
        ("x", ("outdir/",), "outdir:outdir", None),
        ("x", ("a:b:c",), "a:b:c", None),
        ("x > y", ("x",), "x:x y:y", None),
        ("x > a", ("a",), "a:a", None),
        ("x > a", ("a:b",), "a:b", None),
        ("x > a", (":b",), "a:a", "b"),
    ],
)
def test_captures(command: str, values: tuple[str, ...], captures: str, stdout: str | None) -> None:
    found = plan(command, captures=values)
    assert " ".join(f"{capture.name}:{capture.target}" for capture in found.captures) == captures
    assert found.stdout_target == stdout


@pytest.mark.parametrize(
    ("command", "values", "message"),
    [
        ("x", ("a:b", "a:c"), "'a'"),
        ("x", ("a:b", "c:b"), "'b'"),
        ("x", ("a:b", ":b"), "'b'"),
        ("x", (":b", ":c"), "'b'"),
        ("x > b", ("a:b",), "'b'"),
        ("x", ("a:/b",), "outside"),
        ("x", ("a:../b",), "outside"),
        ("x", ("/a:b",), "outside"),
        ("x", ("../a",), "outside"),
        ("x", (":../a",), "outside"),
        ("x", ("a:s/..",), "names no file"),
        ("x", ("",), "-cp"),
        ("x", ("a:",), "-cp"),
        ("x", (":",), "-cp"),
        ("x", ("STDOUT", ":b"), "STDOUT"),
        ("x > STDOUT", (":b",), "STDOUT"),
    ],
)
def test_captures_that_clash(command: str, values: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(command, captures=values)


def test_variables() -> None:
    found = plan("x", variables=("seed=42", "t=x = 'y' é $HOME", "e="), metavariables=("n=1", "n=2"))
    assert found.variables == {"seed": "42", "t": "x = 'y' é $HOME", "e": ""}
    assert found.metavariables == {"n": "2"}


@pytest.mark.parametrize("option", ["variables", "metavariables"])
@pytest.mark.parametrize(
    ("value", "message"),
    [("novalue", "NAME=VALUE"), ("1a=2", "1a"), ("=2", "empty"), ("é=1", "é"), ("a b=1", "a b")],
)
def test_malformed_variables(option: str, value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan("x", **{option: (value,)})


def test_reserved_and_doubled_variables() -> None:
    with pytest.raises(UsageError, match="META__"):
        plan("x", metavariables=("META__x=1",))
    with pytest.raises(UsageError, match=r"--var .*--metavar"):
        plan("x", variables=("a=1",), metavariables=("a=1",))
