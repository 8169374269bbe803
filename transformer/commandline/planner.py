"""From the words or the text of a command to its plan.

words ──────────────────┐ literal            ┌▶ code
text ─▶ plain? ─ yes ───┼▶ types the words ──┼▶ inputs
           └──── no ─▶ parse ─▶ edits        └▶ captures, folders
"""

from collections.abc import Sequence
from posixpath import normpath
from typing import TYPE_CHECKING

from .captures import Captures
from .edits import Edit, edited
from .errors import ArgumentError, CaptureError, UsageError, primary_error
from .model import CommandPlan, Files, Kind, PlanOptions, SyntaxCheck
from .naming import Inputs
from .paths import absolute, parent, relative
from .quoting import PLAIN_TEXT, RESERVED, quote, quote_command, static_text
from .variables import read_metavariables, read_variables
from .words import WordTyper

if TYPE_CHECKING:
    from .syntax import Redirect

#: Commands whose words the parser tells apart.
_NEEDS_PARSER = RESERVED | frozenset(["export", "declare", "typeset", "readonly", "local", "unset"])
EMPTY = "the command is empty: give the words of a command, or its text"


def plan_words(
    words: Sequence[str], options: PlanOptions, files: Files, *, check: SyntaxCheck | None = None
) -> CommandPlan:
    """Plan a command given as words, which are literal; a single word is a text."""
    if len(words) == 1:
        return plan_text(words[0], options, files, check=check)
    if not words:
        raise UsageError(EMPTY)
    planner = _Planner(options, files)
    return planner.plan(planner.literal(words))


def plan_text(text: str, options: PlanOptions, files: Files, *, check: SyntaxCheck | None = None) -> CommandPlan:
    """Plan a command given as shell text.

    `check` says whether bash accepts a text; it is asked only if the parser does not. What bash alone
    accepts is run as it stands, with a warning, and has the inputs and captures of the options only.
    """
    planner = _Planner(options, files)
    if PLAIN_TEXT(text):
        words = text.split()
        if words and "=" not in words[0] and words[0] not in _NEEDS_PARSER:
            return planner.plan(planner.plain(text, words))
    return planner.plan(planner.shell(text, check))


class _Planner:
    """One plan in the making: the parts of an answer that words, redirections and options add to."""

    __slots__ = ("_captures", "_files", "_inputs", "_named", "_options", "_outputs", "_warnings")

    def __init__(self, options: PlanOptions, files: Files) -> None:
        directory = normpath(options.directory)
        self._options = options if directory == options.directory else options._replace(directory=directory)
        self._files = files
        self._inputs = Inputs(self._options)
        self._captures = Captures(options.captures)
        self._named = [(value, absolute(directory, value), "-i") for value in options.inputs]
        for value in options.input_lists:
            self._named += self._listed(value)
        self._outputs: list[str] = []
        self._warnings: list[str] = []

    def plan(self, command: str) -> CommandPlan:
        options = self._options
        for value, path, option in self._named:
            self._named_input(value, path, option)
        self._captures.check()
        captures = self._captures.all()
        variables = read_variables(options.variables, "--var") if options.variables else {}
        names = [*(capture.name for capture in captures), *self._outputs]
        return CommandPlan(
            "; ".join((*options.prologues, command)) if options.prologues else command,
            self._inputs.all(),
            variables,
            read_metavariables(options.metavariables, variables) if options.metavariables else {},
            captures,
            self._captures.stdout_target,
            self._captures.existing_folders(names, options.directory, self._files) if names else (),
            tuple(self._warnings),
        )

    # The three forms of a command; each returns its text inside the job.

    def literal(self, words: Sequence[str]) -> str:
        typed = self._type(words)
        first = typed[0] or ""
        return " ".join((quote_command(first), *(quote(word) for word in typed[1:] if word is not None)))

    def plain(self, text: str, words: list[str]) -> str:
        typed = self._type(words)
        if typed == words:
            return text
        edits: list[Edit] = []
        end = 0
        for word, new in zip(words, typed, strict=True):
            start = text.index(word, end)
            end = start + len(word)
            if new != word:
                edits.append((start, end, new))
        return edited(text, edits)

    def shell(self, text: str, check: SyntaxCheck | None) -> str:
        if not text.strip():
            raise UsageError(EMPTY)
        # Parsing is costly to import, and most commands do without.
        from . import shell

        parsed = shell.parse(text, check)
        if parsed is None:
            self._warnings.append(
                "the command uses shell syntax that could not be analysed: "
                "name its inputs with -i and its outputs with -cp"
            )
            return text
        if parsed.empty:
            raise UsageError(EMPTY)
        typer = WordTyper(self._options, self._files, self._inputs, self._captured, parsed.functions)
        code = shell.typed_text(text, parsed, self._options.primary, typer)
        self._warnings += typer.warnings
        for target in parsed.stdout:
            self._capture(target)
        self._outputs += shell.local_outputs(parsed)
        return code

    def _type(self, words: Sequence[str]) -> list[str | None]:
        if self._options.primary != 1:
            raise primary_error(self._options.primary, 1)
        typer = WordTyper(self._options, self._files, self._inputs, self._captured)
        typed = typer.literal(words)
        self._warnings += typer.warnings
        return typed

    def _captured(self, path: str) -> str | None:
        """The name inside the job of what -cp names and -i does not."""
        if not self._options.captures:
            return None
        name = relative(self._options.directory, path)
        if name is None or not self._captures.holds(name):
            return None
        return None if any(relative(named, path) is not None for _, named, _ in self._named) else name

    def _capture(self, redirect: "Redirect") -> None:
        raw = redirect.target.raw
        target = static_text(raw)
        if target is None and raw.startswith(">("):
            return
        if not target:
            raise CaptureError(
                f"the redirection to {raw} cannot be captured, its name is only known when the command runs: "
                "redirect to a fixed name or give the output with -cp"
            )
        if target.startswith("/dev/"):
            return
        name = self._captures.add_redirect(target)
        if redirect.operator.endswith(">>"):
            self._appended(name)

    def _appended(self, name: str) -> None:
        path = absolute(self._options.directory, name)
        kind = self._files.kind(path)
        if kind is Kind.FILE or kind is Kind.FUTURE:
            self._inputs.add_as(name, path, kind)

    def _listed(self, value: str) -> list[tuple[str, str, str]]:
        path = absolute(self._options.directory, value)
        if self._files.kind(path) is not Kind.FILE:
            raise ArgumentError(f"the list of inputs {value!r} (-I) is not a file: correct its name")
        names = filter(None, map(str.strip, self._files.read_lines(path)))
        return [(name, absolute(parent(path), name), f"-I {value}") for name in names]

    def _named_input(self, value: str, path: str, option: str) -> None:
        kind = self._files.kind(path) if value else None
        if kind is None:
            raise ArgumentError(f"the input {value!r} ({option}) does not exist: correct the name or create it")
        self._inputs.add_named(path, kind, f"the input {value!r} ({option})")
