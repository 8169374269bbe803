"""Which store, which digest: wish, environment, nearest file, default; mistakes are named with their line."""

import ast
from pathlib import Path
from typing import Any

import pytest

from seamless_queue import settings
from seamless_queue.errors import ConfigurationError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory two levels below the one with the project's file."""
    below = tmp_path / "project" / "sub" / "deep"
    below.mkdir(parents=True)
    return tmp_path / "project"


def load(directory: Path, *wishes: str, **environment: str) -> settings.Settings:
    return settings.load(*wishes, directory=str(directory), environment=environment)


def test_the_default_is_a_store_in_the_home(home: Path, tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found == settings.Settings(str(home / ".seamless" / "cache"))
    assert found.digest is None


def test_each_source_wins_over_those_behind_it(project: Path) -> None:
    deep = project / "sub" / "deep"
    (project / "seamless.yaml").write_text("- store: from-project\n- digest: sha256\n")
    assert load(deep).store == str(project / "from-project")
    (project / "sub" / "seamless.yaml").write_text("- store: ../nearer\n")
    assert load(deep).store == str(project / "nearer")
    # The nearest file of a name counts, alone: the farther one's digest is not mixed in.
    assert load(deep).digest is None
    (project / "seamless.profile.yaml").write_text("- store: /profile\n")
    assert load(deep).store == "/profile"
    assert load(deep, SEAMLESS_CACHE="/environment").store == "/environment"
    assert load(deep, "/wish", SEAMLESS_CACHE="/environment").store == "/wish"


def test_a_profile_adds_to_the_project_file(project: Path) -> None:
    (project / "seamless.yaml").write_text("- project: one\n- stage: build\n- digest: sha256\n")
    (project / "seamless.profile.yaml").write_text("- stage: mine\n")
    found = load(project)
    assert (found.project, found.stage, found.digest) == ("one", "mine", "sha256")


def test_the_digest_is_asked_for_in_order(project: Path) -> None:
    (project / "seamless.yaml").write_text("- digest: sha256\n")
    assert load(project).digest == "sha256"
    assert load(project, SEAMLESS_DIGEST="BLAKE3").digest == "blake3"
    assert (
        settings.load(digest="sha256", directory=str(project), environment={"SEAMLESS_DIGEST": "blake3"}).digest
        == "sha256"
    )


def test_the_search_upward_begins_at_a_relative_directory_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "seamless.yaml").write_text("- store: from-project\n")
    monkeypatch.chdir(project / "sub")
    for directory in ("deep", ".", None):
        assert settings.load(directory=directory, environment={}).store == str(project / "from-project")


def test_paths_are_relative_to_what_names_them_and_know_the_home(project: Path, home: Path) -> None:
    (project / "seamless.yaml").write_text("- store: ~/mine\n")
    assert load(project / "sub").store == str(home / "mine")
    assert load(project / "sub", "here").store == str(project / "sub" / "here")
    assert load(project / "sub", SEAMLESS_CACHE="../there").store == str(project / "there")


@pytest.mark.parametrize(("value", "expected"), [("", False), ("0", False), ("1", True)])
def test_durable_can_be_asked_for_in_the_environment(tmp_path: Path, value: str, expected: bool) -> None:
    assert load(tmp_path, SEAMLESS_DURABLE=value).durable is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# c\n- project: x\n- stor: y\n", r"seamless\.yaml, line 3: unknown key 'stor'; did you mean 'store'\?"),
        ("- wibble: 1\n", r"line 1: unknown key 'wibble'; known keys: .*store"),
        ("- project: x\n- [a, b]\n", r"line 2: expected a command such as '- store: PATH'"),
        ("store: here\n", r"line 1: expected a list of commands"),
        ("just text\n", r"line 1: expected a list of commands"),
        ("- project: x\n- store: 'open\n", r"line \d: invalid YAML"),
        ("- project: x\n\t- store: y\n", r"line 2: invalid YAML"),
        ("\n- digest: md5\n", r"line 2: unknown digest 'md5': choose one of blake3, sha256"),
        ("# c\nstore: here\n", r"line 2: expected a list of commands"),
        ("- ? [a, b]\n  : c\n", r"line 1: expected a command such as"),
        ("- ? {store: x}\n  : c\n", r"line 1: expected a command such as"),
        ("- 1: x\n", r"line 1: unknown key '1'; known keys"),
        ("- store:here\n", r"line 1: unknown key 'store:here'; did you mean 'store'\?"),
        ("- project: \x00\n", r"seamless\.yaml.*invalid YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "seamless.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "seamless.yaml").write_bytes(b"- project: \xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"seamless\.yaml cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n"])
def test_an_empty_file_says_nothing(tmp_path: Path, home: Path, text: str) -> None:
    (tmp_path / "seamless.yaml").write_text(text)
    assert load(tmp_path).store == str(home / ".seamless" / "cache")


# -- what the Python face reads --------------------------------------------------------------
TEXTS = ("project", "subproject", "stage", "substage", "cluster", "queue", "remote", "record")


def test_a_setting_is_a_key_of_the_files_and_an_explicit_wish() -> None:
    source = ast.parse(Path(settings.__file__).read_text())
    wishes = next(node for node in ast.walk(source) if isinstance(node, ast.ClassDef) and node.name == "Wishes")
    named = {ast.unparse(node.target) for node in wishes.body if isinstance(node, ast.AnnAssign)}
    assert set(settings.Settings._fields) >= settings.KEYS
    alone = {"store", "digest", "max_size", "sources", "on_finish", "on_failure"}
    assert settings.KEYS - alone == named


@pytest.mark.parametrize(
    ("key", "in_project", "in_profile", "wish", "default"),
    [
        *((key, "one", "two", "three", None) for key in TEXTS),
        ("execution", "spawn", "queue", "process", "process"),
        ("nparallel", 2, 30, 400, None),
        ("persistent", "true", "no", True, None),
    ],
)
def test_an_explicit_wish_wins_over_the_profile_over_the_project_file(
    project: Path, key: str, in_project: object, in_profile: object, wish: Any, default: object
) -> None:
    def found(**wishes: Any) -> object:
        return getattr(settings.load(directory=str(project), environment={}, **wishes), key)

    read = {"true": True, "no": False}
    assert found() == default
    (project / "seamless.yaml").write_text(f"- {key}: {in_project}\n")
    assert found() == read.get(str(in_project), in_project)
    (project / "seamless.profile.yaml").write_text(f"- {key}: {in_profile}\n")
    assert found() == read.get(str(in_profile), in_profile)
    assert found(**{key: None}) == found()
    assert found(**{key: wish}) == wish


@pytest.mark.parametrize("key", TEXTS)
@pytest.mark.parametrize("written", ["007", "1.10", "no", "2026-01-02", "true", "a b"])
def test_a_name_is_the_text_that_was_written(tmp_path: Path, key: str, written: str) -> None:
    (tmp_path / "seamless.yaml").write_text(f"- {key}: {written}\n")
    assert getattr(load(tmp_path), key) == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- persistent", True),
        ("- persistent: true", True),
        ("- persistent: True", True),
        ("- persistent: yes", True),
        ("- persistent: ON", True),
        ("- persistent: false", False),
        ("- persistent: No", False),
        ("- persistent: off", False),
        ("- project: x", None),
    ],
)
def test_persistence_is_said_in_several_ways(tmp_path: Path, text: str, expected: bool | None) -> None:
    (tmp_path / "seamless.yaml").write_text(f"{text}\n- stage: x\n")
    assert load(tmp_path).persistent is expected


def test_a_profile_takes_back_the_remote_of_the_project_file(project: Path) -> None:
    (project / "seamless.yaml").write_text("- remote: jobserver\n")
    (project / "seamless.profile.yaml").write_text("- remote: null\n")
    assert load(project).remote is None


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("execution: spwan", r"unknown execution 'spwan'; did you mean 'spawn'\?"),
        ("execution: Queue", r"unknown execution 'Queue'; did you mean 'queue'\?"),
        ("execution: remote", r"unknown execution 'remote'; known values: process, spawn, queue$"),
        ("execution: 1", r"unknown execution '1'; known values"),
        ("nparallel: 0", r"nparallel wants a positive integer, not 0$"),
        ("nparallel: -3", r"nparallel wants a positive integer, not -3$"),
        ("nparallel: many", r"nparallel wants a positive integer, not 'many'$"),
        ("nparallel: 2.5", r"nparallel wants a positive integer, not '2\.5'$"),
        ("nparallel: '4'", r"nparallel wants a positive integer, not '4'$"),
        ("nparallel: true", r"nparallel wants a positive integer, not 'true'$"),
        # Seventy-five, eight and sixteen, to YAML.
        ("nparallel: 1:15", r"nparallel wants a positive integer, not '1:15'$"),
        ("nparallel: 010", r"nparallel wants a positive integer, not '010'$"),
        ("nparallel: 0x10", r"nparallel wants a positive integer, not '0x10'$"),
        (f"nparallel: {'9' * 5000}", r"nparallel wants a positive integer, not '999"),
        ("persistent: maybe", r"persistent wants true or false, not 'maybe'$"),
        ("persistent: 1", r"persistent wants true or false, not '1'$"),
        ("persistent: 'true'", r"persistent wants true or false, not 'true'$"),
        ("persistent:", r"persistent wants one value, such as '- persistent: VALUE'"),
        ("stage: [a, b]", r"stage wants one value, such as '- stage: VALUE'"),
        ("cluster: {a: b}", r"cluster wants one value, such as '- cluster: VALUE'"),
        ("project: ''", r"project wants one value"),
        ("project: null", r"project wants one value"),
        # Null as well, and not the home.
        ("store: ~", r"store wants one value"),
        ("remote: [null]", r"remote wants one value"),
        ("store", r"store wants one value, such as '- store: VALUE'"),
        ("nparallel", r"nparallel wants one value"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_file_and_line(tmp_path: Path, command: str, message: str) -> None:
    (tmp_path / "seamless.yaml").write_text(f"# c\n- subproject: x\n- {command}\n")
    with pytest.raises(ConfigurationError, match=rf"seamless\.yaml, line 3: {message}"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"execution": "qeue"}, r"^unknown execution 'qeue'; did you mean 'queue'\?$"),
        ({"nparallel": 0}, r"^nparallel wants a positive integer, not 0$"),
        ({"nparallel": True}, r"^nparallel wants a positive integer, not True$"),
        ({"nparallel": "4"}, r"^nparallel wants a positive integer, not '4'$"),
        ({"persistent": 1}, r"^persistent wants true or false, not 1$"),
        ({"stage": 3}, r"^stage wants a text, not 3$"),
        ({"project": ""}, r"^project wants a text, not ''$"),
    ],
)
def test_an_explicit_wish_that_does_not_fit_is_refused(tmp_path: Path, wish: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        settings.load(directory=str(tmp_path), environment={}, **wish)


@pytest.mark.parametrize(
    ("commands", "argument", "environment", "named", "wanted"),
    [
        ("", None, {}, False, False),
        ("", "here", {}, True, True),
        ("", None, {"SEAMLESS_CACHE": "here"}, True, True),
        ("", None, {"SEAMLESS_CACHE": ""}, False, False),
        ("- store: here\n", None, {}, True, True),
        ("- persistent\n", None, {}, False, True),
        ("- persistent: false\n", None, {}, False, False),
        ("- persistent: false\n- store: here\n", None, {}, True, False),
        ("- persistent: false\n", "here", {}, True, False),
    ],
)
def test_a_python_session_wants_a_store_that_was_named(
    tmp_path: Path,
    home: Path,
    commands: str,
    argument: str | None,
    environment: dict[str, str],
    named: bool,
    wanted: bool,
) -> None:
    (tmp_path / "seamless.yaml").write_text(commands)
    found = settings.load(argument, directory=str(tmp_path), environment=environment)
    assert (found.names_store, found.wants_store) == (named, wanted)
    # What the command line uses either way.
    assert found.store == str(tmp_path / "here" if named else home / ".seamless" / "cache")
    overruled = settings.load(argument, directory=str(tmp_path), environment=environment, persistent=not wanted)
    assert overruled.wants_store is not wanted
