"""docs/commands.md says all there is to say about commands, options and variables, and nothing else."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("seamless_queue", "transformer", "cli", "seamless", "migrations")
REFERENCE = (ROOT / "docs" / "commands.md").read_text()
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
COMMANDS = {name: import_module(place.partition(":")[0]).command for name, place in SCRIPTS.items()}
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
VARIABLE = re.compile(r"\bSEAMLESS_[A-Z_]+\b")


def section(title: str) -> str:
    """The text below a heading of the reference."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert match, f"docs/commands.md has no section {title}"
    return match[1]


def first_cells(text: str) -> Iterator[str]:
    """The first cells of all tables."""
    for row in re.findall(r"^\| (.*?) \|", text, re.MULTILINE):
        yield from re.findall(r"`([^`]+)`", row)


def documented_options(name: str) -> dict[str, str]:
    """Every documented spelling, with the name of its value; a short one takes that of the long one."""
    cells = [cell for cell in first_cells(section(name)) if cell.startswith("-")]
    return dict([*cell.split(" ", 1), ""][:2] for cell in cells)


def options_of(command: click.Command) -> Iterator[click.Option]:
    context = click.Context(command, **command.context_settings)
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option):
            yield parameter
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from options_of(inner)


def test_every_command_is_documented() -> None:
    headings = re.findall(r"^## (seamless\S*)$", REFERENCE, re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_no_other(name: str) -> None:
    actual = {spelling for option in options_of(COMMANDS[name]) for spelling in option.opts}
    assert set(documented_options(name)) == actual


@pytest.mark.parametrize("name", COMMANDS)
def test_values_of_options_are_called_as_in_the_help(name: str) -> None:
    documented = documented_options(name)
    for option in options_of(COMMANDS[name]):
        value = "" if option.is_flag or option.count else option.metavar
        assert documented[option.opts[-1]] == value, option.opts


def variable_patterns() -> set[str]:
    """Regular expressions of the variables that the code names; `{…}` of an f-string stands for anything."""
    found = set()
    for folder in CODE:
        for path in (ROOT / folder).rglob("*.py"):
            found.update(_variables_in(ast.parse(path.read_text())))
    return found


def _variables_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
            # The constant part of an f-string is a node of its own and ends with an underscore.
            if not node.value.endswith("_"):
                yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [re.escape(part.value) if isinstance(part, ast.Constant) else "[A-Z]+" for part in node.values]
            if parts[0].startswith("SEAMLESS_"):
                yield "".join(parts)


def test_every_environment_variable_is_documented_and_no_other() -> None:
    documented = {cell for cell in first_cells(section("Environment variables")) if cell.startswith("SEAMLESS_")}
    patterns = variable_patterns()
    assert documented
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in documented), f"{pattern} is not documented"
    for name in documented:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), f"{name} is not in the code"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_variables_that_a_page_names_exist(page: Path) -> None:
    patterns = variable_patterns()
    for name in VARIABLE.findall(page.read_text()):
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "compatibility"], ids=lambda path: path.name)
def test_options_that_a_page_names_exist(page: Path) -> None:
    spellings = {name for command in COMMANDS.values() for option in options_of(command) for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text())) <= spellings


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([a-z-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")}


def test_the_version_has_an_entry_to_come() -> None:
    assert re.search(r"^## Unreleased$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
