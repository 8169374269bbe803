"""Which command words are the system's own."""

import re

from .quoting import RESERVED

_SYSTEM_FOLDERS = ("/bin", "/sbin")

_BUILTINS = frozenset(
    [
        ".",
        ":",
        "[",
        "alias",
        "bg",
        "bind",
        "break",
        "builtin",
        "caller",
        "cd",
        "command",
        "compgen",
        "complete",
        "compopt",
        "continue",
        "declare",
        "dirs",
        "disown",
        "echo",
        "enable",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "fc",
        "fg",
        "getopts",
        "hash",
        "help",
        "history",
        "jobs",
        "kill",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readarray",
        "readonly",
        "return",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "test",
        "time",
        "times",
        "trap",
        "true",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "wait",
    ]
)

#: Commands whose operands are themselves a command.
WRAPPERS = frozenset(
    [
        "time",
        "nohup",
        "env",
        "nice",
        "timeout",
        "command",
        "exec",
        "setsid",
        "stdbuf",
        "xargs",
        "ionice",
        "builtin",
    ]
)
#: Patterns stay uncompiled: most commands never need them, and `re` keeps what it has compiled.
_WRAPPER_VALUE = r"(?s)-.*|\d+(?:\.\d+)?[smhd]?|[A-Za-z_]\w*=.*"

#: Commands that take program text behind -c or -e.
INTERPRETERS = frozenset(["bash", "sh", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node", "Rscript"])
_PROGRAM_OPTION = r"-[A-Za-z]*[ce]"


def is_system_path(path: str) -> bool:
    return path.rpartition("/")[0].endswith(_SYSTEM_FOLDERS)


def is_builtin(word: str) -> bool:
    return word in _BUILTINS or word in RESERVED


def is_wrapper_value(word: str) -> bool:
    """Whether the word is an option, an assignment or a number in front of the wrapped command."""
    return re.fullmatch(_WRAPPER_VALUE, word) is not None


def is_program_option(word: str) -> bool:
    return re.fullmatch(_PROGRAM_OPTION, word) is not None
