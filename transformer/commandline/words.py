"""What the words of the primary pipeline are: commands, inputs or values.

command word ──▶ system tool (left alone) │ executable input (./name)
later word   ──▶ number, text, output     │ file or directory input (name)   rules 1, 2, 3
"""

from collections.abc import Callable, Collection, Sequence
from enum import Enum

from .errors import ArgumentError
from .executables import (
    INTERPRETERS,
    WRAPPERS,
    is_builtin,
    is_program_option,
    is_system_path,
    is_wrapper_value,
)
from .model import Files, Kind, PlanOptions
from .naming import Inputs
from .paths import absolute, extension, parent

#: Longer than any path may be; program text, not a name.
_LONGEST_PATH = 4095
_NUMBER_STARTS = frozenset("0123456789+-.niNI")


class Role(Enum):
    """What place a word has in its command."""

    #: Names the program to run.
    COMMAND = "command"
    #: An argument, subject to the rules.
    ARGUMENT = "argument"
    #: An argument only a shell can expand, given by its raw text.
    DYNAMIC = "dynamic"
    #: An operand of a test: may name a file and may as well not.
    OPERAND = "operand"
    #: The source of a redirection: the same, but read for certain.
    SOURCE = "source"
    #: Never a file.
    VALUE = "value"


def roles(words: Sequence[str], dynamic: Collection[int] = ()) -> list[Role]:
    """Return the roles of a simple command's words; `dynamic` holds the positions of dynamic ones."""
    found = [Role.ARGUMENT] * len(words)
    position = 0
    while position not in dynamic:
        found[position] = Role.COMMAND
        if words[position] not in WRAPPERS:
            break
        # `nohup`, `env`, `time` and the like take a command for their operands.
        position += 1
        while position < len(words) and is_wrapper_value(words[position]):
            position += 1
        if position == len(words):
            break
    if words[0].rpartition("/")[2] in INTERPRETERS:
        _mark_program(words, found)
    for index in dynamic:
        found[index] = Role.DYNAMIC if index and index != position else Role.VALUE
    return found


def _mark_program(words: Sequence[str], found: list[Role]) -> None:
    """Mark the program text an interpreter is given, as in `bash -c 'cat a.txt'`."""
    for index, word in enumerate(words[:-1]):
        if is_program_option(word):
            found[index + 1] = Role.VALUE
            return


class WordTyper:
    """Types words one by one, collecting inputs and warnings on the way.

    `output` tells for a path under which name the command writes it, None if it is no output.
    """

    __slots__ = ("_directory", "_files", "_functions", "_inputs", "_options", "_output", "warnings")

    def __init__(
        self,
        options: PlanOptions,
        files: Files,
        inputs: Inputs,
        output: Callable[[str], str | None],
        functions: Collection[str] = (),
    ) -> None:
        self._options = options
        self._directory = options.directory
        self._files = files
        self._inputs = inputs
        self._output = output
        self._functions = functions
        self.warnings: list[str] = []

    def literal(self, words: Sequence[str]) -> list[str | None]:
        """Return what each word of a command becomes inside the job, None for one to leave out."""
        typed = self.typed
        return [typed(word, i, role) for i, (word, role) in enumerate(zip(words, roles(words), strict=True), 1)]

    def typed(self, word: str, number: int, role: Role) -> str | None:
        """Return what one word becomes, None if it is to be left out; words are numbered from 1."""
        if role is Role.ARGUMENT:
            return self._argument(word, number)
        if role is Role.COMMAND:
            return self._command(word, number)
        if role is Role.OPERAND or role is Role.SOURCE:
            return self._existing(word, role)
        if role is Role.DYNAMIC:
            # Never the name of a file as it stands, but its extension promises one all the same.
            self._check_extension(word, number)
        return word

    def _existing(self, word: str, role: Role) -> str:
        if not word or word.startswith("/dev/"):
            return word
        path = absolute(self._directory, word)
        if role is Role.OPERAND and (output := self._output(path)) is not None:
            return _written(word, output)
        kind = self._kind(path)
        if kind is None or path == "/":
            return word
        return _written(word, self._inputs.add(path, kind, repr(word)))

    def _command(self, word: str, number: int) -> str:
        shown = f"argument #{number} {word!r}"
        if "/" in word:
            path = absolute(self._directory, word)
            if word.startswith("/") and is_system_path(path):
                return word
            return self._executable(word, path, shown, found_in_path=False)
        if not word or word in self._functions or is_builtin(word):
            return word
        found = self._files.which(word)
        if found is None:
            return self._executable(word, absolute(self._directory, word), shown, found_in_path=False)
        if is_system_path(found):
            return word
        return self._executable(word, absolute(self._directory, found), shown, found_in_path=True)

    def _executable(self, word: str, path: str, shown: str, found_in_path: bool) -> str:
        kind = self._kind(path)
        if kind is None or kind is Kind.DIRECTORY:
            return word
        return "./" + self._inputs.add_executable(path, kind, shown, found_in_path)

    def _argument(self, word: str, number: int) -> str | None:
        if not word or word == "/" or _is_number(word):
            return word
        path = absolute(self._directory, word)
        output = self._output(path)
        if output is not None:
            # What lies there is the result of an earlier run: not to be read, nor to make a new identity.
            return _written(word, output)
        kind = self._kind(path)
        if kind is None:
            self._check_extension(word, number)
            if word.endswith("/") and self._could_be_directory(word, path):
                raise _no_directory(word, number)
            return word
        if word.endswith(".FUTURE"):
            self.warnings.append(f"left {word!r} out of the command: it belongs to a job that is still running")
            return None
        self._check_existing(word, kind, number)
        return _written(word, self._inputs.add(path, kind, f"argument #{number} {word!r}"))

    def _check_extension(self, word: str, number: int) -> None:
        if self._options.guess_extension and extension(word) and not _is_number(word):
            if any(character in word for character in "*?["):
                raise ArgumentError(
                    f"argument #{number} {word!r} is a wildcard, which is not expanded here: "
                    "leave it unquoted so that your shell expands it, or name the files with -i and give -g1"
                )
            raise ArgumentError(
                f"argument #{number} {word!r} has an extension but does not exist as a file: "
                "correct the name, or give -g1 to pass it as a value"
            )

    def _could_be_directory(self, word: str, path: str) -> bool:
        # `s/a/b/`, `/foo/` and `-d/` end with a slash too; only what stands beside existing files is a name.
        if word[0] in "/-":
            return False
        folder = parent(path)
        return folder == self._directory or self._kind(folder) is Kind.DIRECTORY

    def _check_existing(self, word: str, kind: Kind, number: int) -> None:
        if kind is Kind.FILE:
            if word.endswith("/"):
                raise _no_directory(word, number)
            if self._options.guess_no_extension and not extension(word):
                raise ArgumentError(
                    f"argument #{number} {word!r} is a file without an extension: "
                    "rename it, or give -g2 to accept such files as inputs"
                )
        elif kind is Kind.DIRECTORY and self._options.guess_extension and extension(word):
            raise ArgumentError(
                f"argument #{number} {word!r} has an extension but is a directory: "
                "rename it, or give -g1 to accept it as an input"
            )

    def _kind(self, path: str) -> Kind | None:
        return None if len(path) > _LONGEST_PATH or "\0" in path else self._files.kind(path)


def _no_directory(word: str, number: int) -> ArgumentError:
    return ArgumentError(
        f"argument #{number} {word!r} ends with a slash but is no directory: "
        "create the directory or leave the slash out"
    )


def _is_number(word: str) -> bool:
    if word[0] not in _NUMBER_STARTS:
        return False
    try:
        float(word)
    except ValueError:
        return False
    return True


def _written(word: str, name: str) -> str:
    """Return the text that stands for an input or an output in the command."""
    if word == name:
        return word
    # `./-x.txt` is written that way for a reason: bare, the name would be an option.
    text = "./" + name if name.startswith("-") else name
    return text + "/" if word.endswith("/") and name != "." else text
