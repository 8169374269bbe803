"""What can be wrong with a command line.

UsageError
├── ShellSyntaxError     the text is not a shell command
├── ArgumentError        a word breaks one of the argument rules, or an input is missing
├── MappingError         a file has no name, or not a name of its own, inside the job
├── CaptureError         an output cannot be captured as asked
└── VariableError        a --var or --metavar is malformed
"""

from seamless_queue.errors import SeamlessError


class UsageError(SeamlessError):
    """The command line cannot be planned; the message is one line to show to its author."""

    exit_code = 2


class ShellSyntaxError(UsageError):
    """The command is not valid shell text."""


class ArgumentError(UsageError):
    """A word of the command, or a named input, is not what its form promises."""


class MappingError(UsageError):
    """A file cannot be given a name inside the job."""


class CaptureError(UsageError):
    """An output cannot be captured as asked."""


class VariableError(UsageError):
    """A variable is not of the form NAME=VALUE."""


def primary_error(primary: int, count: int) -> UsageError:
    """Return the error for a --primary that counts beyond the pipelines there are."""
    return UsageError(
        f"--primary {primary} is out of range, the command has {count} pipeline{'s' if count != 1 else ''}: "
        f"give a number from 1 to {max(count, 1)}"
    )
