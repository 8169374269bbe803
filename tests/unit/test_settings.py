"""Which store, which digest: wish, environment, nearest file, default; mistakes are named with their line."""

from pathlib import Path

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
        ("- digest: md5\n", "unknown digest 'md5'"),
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


def test_commands_without_a_value_are_known(tmp_path: Path) -> None:
    (tmp_path / "seamless.yaml").write_text("- persistent\n- project: x\n")
    assert settings.read_files(str(tmp_path)) == {"persistent": "", "project": "x"}
