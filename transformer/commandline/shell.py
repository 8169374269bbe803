"""A parsed text and the roles of its words: which pipeline is the primary one, and what becomes of it."""

from operator import itemgetter

from .edits import Edit, edited_bytes
from .errors import primary_error
from .paths import is_inside
from .quoting import static_text
from .syntax import ShellText, SimpleCommand, Word, is_output, parse
from .words import Role, WordTyper, roles

__all__ = ["local_outputs", "parse", "typed_text"]

#: A word's place, what it stands for, its number in its command, its role.
_Item = tuple[int, int, str, int, Role]


def typed_text(text: str, parsed: ShellText, primary: int, typer: WordTyper) -> str:
    """Return the text with the words of the primary pipeline as they are inside the job."""
    items = _source_items(parsed)
    for command in _primary_commands(parsed, primary):
        items += _test_items(command) if command.test else _command_items(command)
    # Inputs are numbered by order of appearance, whichever command they belong to.
    items.sort(key=itemgetter(0))
    edits: list[Edit] = []
    for start, end, word, number, role in items:
        new = typer.typed(word, number, role)
        if new != word:
            edits.append((start, end, new))
    return edited_bytes(text, edits) if edits else text


def local_outputs(parsed: ShellText) -> list[str]:
    """Return the targets of all redirections into files that stay inside the job."""
    texts = [static_text(redirect.target.raw) for redirect in parsed.redirects if is_output(redirect, any_fd=True)]
    return [text for text in texts if text and is_inside(text)]


def _primary_commands(parsed: ShellText, primary: int) -> list[SimpleCommand]:
    count = len(parsed.pipelines)
    if primary == 1 and not count:
        return []
    if not 1 <= primary <= count:
        raise primary_error(primary, count)
    start, end = parsed.pipelines[primary - 1]
    return [command for command in parsed.commands if start <= command.start < end]


def _command_items(command: SimpleCommand) -> list[_Item]:
    words = command.words
    if not words:
        return []
    texts: list[str] = []
    dynamic: list[int] = []
    for index, word in enumerate(words):
        text = static_text(word.raw)
        if text is None:
            dynamic.append(index)
        texts.append(word.raw if text is None else text)
    return [
        (word.start, word.end, text, number, role)
        for number, (word, text, role) in enumerate(zip(words, texts, roles(texts, dynamic), strict=True), 1)
        if role is not Role.VALUE
    ]


def _test_items(command: SimpleCommand) -> list[_Item]:
    return [item for word in command.words for item in _operand(word, Role.OPERAND)]


def _source_items(parsed: ShellText) -> list[_Item]:
    sources = [redirect.target for redirect in parsed.redirects if redirect.operator == "<"]
    return [item for word in sources for item in _operand(word, Role.SOURCE)]


def _operand(word: Word, role: Role) -> list[_Item]:
    text = static_text(word.raw)
    return [] if text is None else [(word.start, word.end, text, 0, role)]
