"""Shell text to simple commands, pipelines and redirections; the only module that parses."""

from functools import cache
from typing import NamedTuple

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from .errors import ShellSyntaxError
from .heredocs import blank_heredocs
from .model import SyntaxCheck


class Word(NamedTuple):
    """A word as written and its place, in bytes."""

    start: int
    end: int
    raw: str


class SimpleCommand(NamedTuple):
    """A command and its words; those of a test (`[ … ]`) are operands only."""

    start: int
    words: list[Word]
    test: bool


class Redirect(NamedTuple):
    """A redirection to or from a file; `descriptor` is -1 where none is written."""

    operator: str
    descriptor: int
    target: Word


class ShellText(NamedTuple):
    """What the planner needs to know of a text; everything in document order.

    `pipelines` are the spans of pipelines and of commands outside any; `stdout` are the redirections of the
    first group in parentheses and of the last command.
    """

    commands: list[SimpleCommand]
    pipelines: list[tuple[int, int]]
    redirects: list[Redirect]
    stdout: list[Redirect]
    functions: set[str]
    empty: bool


#: No commands, words or redirections below these.
_LEAVES = frozenset(
    [
        "word",
        "number",
        "raw_string",
        "ansi_c_string",
        "string_content",
        "simple_expansion",
        "special_variable_name",
        "variable_name",
        "comment",
        "file_descriptor",
        "test_operator",
        "extglob_pattern",
        "regex",
        "heredoc_start",
        "heredoc_content",
        "heredoc_end",
    ]
)
_TEST_WORDS = frozenset(["word", "string", "raw_string", "concatenation"])
_NOT_ARGUMENTS = frozenset(
    [
        "command_name",
        "variable_assignment",
        "file_redirect",
        "herestring_redirect",
        "heredoc_redirect",
        "comment",
    ]
)
_OUTPUTS = frozenset((">", ">|", "&>", ">>", "&>>", ">&"))
_STDOUT = frozenset((-1, 1))
#: Keywords the grammar takes for commands where no compound command is open.
_ONLY_WITHIN = frozenset(("then", "elif", "else", "fi", "do", "done", "esac", "}", "]]"))


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def parse(text: str, check: SyntaxCheck | None = None) -> ShellText | None:
    """Read a shell text; None if bash accepts what the grammar does not know.

    Raises ShellSyntaxError with line and column.
    """
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ShellSyntaxError("syntax error in the command: it contains a NUL character; leave it out")
    root = _parser().parse(blank_heredocs(data)).root_node
    if root.has_error:
        if check is not None and check(text):
            return None
        raise _syntax_error(_first_error(root), data)
    return _Reader(data).read(root)


#: Taken as they are written: blanks in them matter.
_WHOLE = frozenset(["string", "raw_string", "ansi_c_string", "heredoc_body", "concatenation", "regex", "word"])


def meaning(text: str) -> list[str] | None:
    """The structure of a shell text without comments and blank space; None if it cannot be read."""
    data = text.encode("utf-8", "surrogateescape")
    root = _parser().parse(data).root_node
    if root.has_error or b"<<" in data:
        return None
    tokens: list[str] = []
    stack: list[Node | str] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            tokens.append(node)
        elif node.type == "comment":
            continue
        elif node.children and node.type not in _WHOLE:
            tokens.append(f"{node.type}(")
            stack.append(")")
            stack.extend(reversed(node.children))
        else:
            token = data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")
            # The ends of lines show in the structure.
            tokens += [token] if token.strip() else []
    return tokens


def _first_error(node: Node) -> Node:
    while not (node.is_error or node.is_missing):
        child = next((child for child in node.children if child.has_error or child.is_missing), None)
        if child is None:
            break
        node = child
    return node


def _syntax_error(node: Node, data: bytes) -> ShellSyntaxError:
    # An error may begin with the blanks in front of what is wrong.
    start = node.start_byte + len(data[node.start_byte :]) - len(data[node.start_byte :].lstrip(b" \t"))
    before = data[:start].decode("utf-8", "replace")
    row, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    near = data[start : start + 20].decode("utf-8", "replace").strip()
    return ShellSyntaxError(
        f"syntax error in the command at line {row + 1}, column {column + 1}, near {near!r}: "
        "correct it, or quote what the shell should not interpret"
    )


class _Reader:
    """One walk over a tree."""

    __slots__ = ("commands", "data", "functions", "pipelines", "redirects", "spans")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.commands: dict[int, SimpleCommand] = {}
        self.spans: list[tuple[int, int]] = []
        self.redirects: dict[int, Redirect] = {}
        self.functions: set[str] = set()

    def read(self, root: Node) -> ShellText:
        statements = [node for node in root.named_children if node.type != "comment"]
        for node in statements:
            self.visit(node, False)
        commands = list(self.commands.values())
        starts = [command.start for command in commands]
        return ShellText(
            commands,
            [(start, end) for start, end in self.spans if any(start <= place < end for place in starts)],
            list(self.redirects.values()),
            self._stdout(statements),
            self.functions,
            not statements,
        )

    def visit(self, node: Node, staged: bool) -> None:
        """Read a node; `staged` says that it is a stage of a pipeline already counted."""
        kind = node.type
        if kind == "command":
            self._command(node, staged)
        elif kind in _LEAVES:
            return
        elif kind == "redirected_statement":
            self._redirected(node, staged)
        elif kind == "file_redirect":
            self._redirect(node)
        elif kind == "pipeline":
            self.spans.append((node.start_byte, node.end_byte))
            self._children(node, True)
        elif kind in ("test_command", "declaration_command", "unset_command"):
            self._wordless(node, staged, kind == "test_command")
        else:
            if kind == "function_definition" and (name := node.child_by_field_name("name")):
                self.functions.add(self._word(name).raw)
            self._children(node, staged and kind == "negated_command")

    def _children(self, node: Node, staged: bool) -> None:
        for child in node.named_children:
            self.visit(child, staged)

    def _command(self, node: Node, staged: bool) -> None:
        start = self._count(node, staged)
        words: list[Word] = []
        self.commands[start] = SimpleCommand(start, words, False)
        for child in node.named_children:
            kind = child.type
            if kind == "command_name" or kind not in _NOT_ARGUMENTS:
                words.append(self._word(child))
            if kind == "subshell":
                # The grammar lets a command have one for an operand, no shell does.
                raise _syntax_error(child, self.data)
            if kind not in _LEAVES:
                self.visit(child, False)
        if words and words[0].raw in _ONLY_WITHIN:
            raise _syntax_error(node, self.data)

    def _wordless(self, node: Node, staged: bool, test: bool) -> None:
        start = self._count(node, staged)
        words: list[Word] = []
        self.commands[start] = SimpleCommand(start, words, test)
        if test:
            self._operands(node, words)
        self._children(node, False)

    def _operands(self, node: Node, words: list[Word]) -> None:
        for child in node.named_children:
            if child.type in _TEST_WORDS:
                words.append(self._word(child))
            elif child.type not in _LEAVES:
                self._operands(child, words)

    def _count(self, node: Node, staged: bool) -> int:
        start = node.start_byte
        if not staged:
            self.spans.append((start, node.end_byte))
        return start

    def _redirected(self, node: Node, staged: bool) -> None:
        body = node.child_by_field_name("body")
        for child in node.named_children:
            self.visit(child, staged if child == body else False)
            if child.type == "file_redirect" and body is not None:
                self._operands_behind(child, body)

    def _operands_behind(self, redirect: Node, body: Node) -> None:
        # `cat > out a.txt`: the grammar takes everything behind a redirection for its target.
        behind = redirect.children_by_field_name("destination")[1:]
        command = self.commands.get(_last_command(body).start_byte) if behind else None
        if command is not None and not command.test:
            command.words.extend(self._word(node) for node in behind)

    def _redirect(self, node: Node) -> None:
        operator, descriptor = "", -1
        for child in node.children:
            kind = child.type
            if kind == "file_descriptor":
                descriptor = int(self._word(child).raw)
            elif not child.is_named:
                operator = kind
            else:
                self.redirects.setdefault(node.start_byte, Redirect(operator, descriptor, self._word(child)))
                self.visit(child, False)

    def _word(self, node: Node) -> Word:
        start, end = node.start_byte, node.end_byte
        return Word(start, end, self.data[start:end].decode("utf-8", "surrogateescape"))

    def _stdout(self, statements: list[Node]) -> list[Redirect]:
        if not self.redirects or not statements:
            return []
        last = self._last_stdout(statements[-1])
        first = self._last_stdout(_first_group(statements[0]))
        return last if first == last else first + last

    def _last_stdout(self, node: Node | None) -> list[Redirect]:
        """Return the redirection that decides where a statement's standard output goes."""
        while node is not None:
            starts = [child.start_byte for child in node.named_children if child.type == "file_redirect"]
            found = [self.redirects[start] for start in starts if start in self.redirects]
            outputs = [redirect for redirect in found if is_output(redirect)]
            if outputs:
                return outputs[-1:]
            node = _last_part(node)
        return []


def _first_group(node: Node) -> Node | None:
    """Return the group in parentheses a text begins with, redirections included."""
    while node.type == "list":
        node = node.named_children[0]
    body = node.child_by_field_name("body") if node.type == "redirected_statement" else None
    return node if body is not None and body.type == "subshell" else None


def _last_part(node: Node) -> Node | None:
    """Return the part of a statement that writes last to its standard output, if it is one of its stages."""
    if node.type == "redirected_statement":
        return node.child_by_field_name("body")
    if node.type in ("list", "pipeline", "negated_command"):
        return node.named_children[-1]
    return None


def _last_command(node: Node) -> Node:
    while (part := _last_part(node)) is not None:
        node = part
    return node


def is_output(redirect: Redirect, any_fd: bool = False) -> bool:
    """Whether a redirection sends standard output, or any descriptor, to a file."""
    if redirect.operator not in _OUTPUTS or not (any_fd or redirect.descriptor in _STDOUT):
        return False
    # `>&2` copies a descriptor, `>&name` is the old spelling of `&>name`.
    return redirect.operator != ">&" or not redirect.target.raw.rstrip("-").isdigit()
