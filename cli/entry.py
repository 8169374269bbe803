"""What all commands share at their outermost: one clear line for an error, and the exit status."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from seamless_queue.errors import Interrupted, SeamlessError
from seamless_queue.filesystems import is_disk_full, is_temporary

#: Exit status after Ctrl-C or SIGTERM.
INTERRUPTED = 130
#: Exit status when whoever read our output has gone, as if by SIGPIPE.
BROKEN_PIPE = 141

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _set_debug(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ["SEAMLESS_DEBUG"] = "1"


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_set_debug, help="Show tracebacks of errors."
)
store_option = click.option(
    "--store", metavar="DIR", help="The store [SEAMLESS_CACHE, seamless.yaml, ~/.seamless/cache]."
)
digest_option = click.option(
    "--digest", metavar="NAME", help="Digest of a new store: blake3 (default) or sha256 [SEAMLESS_DIGEST]."
)
durable_option = click.option("--durable", is_flag=True, help="Survive power loss too: fsync what is acknowledged.")
version_option = click.version_option(package_name="seamless-queue", message="%(package)s %(version)s")


def with_names(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """A callback for arguments: an empty one is an unset variable more often than a wish, and never a path."""
    if "" in value:
        raise click.UsageError("a name is empty; is a variable not set?")
    return value


def program(command: click.Command, name: str) -> Callable[[], None]:
    """The console script of a command."""

    def main() -> None:
        _mend_standard_streams()
        # What click's own `main` does, which is not called.
        if instruction := os.environ.get(f"_{name.replace('-', '_').upper()}_COMPLETE"):
            from .completion import answer

            sys.exit(answer(command, name, instruction))
        sys.exit(_status(command, name))

    return main


def _mend_standard_streams() -> None:
    """A closed stream leads nowhere, lest the next file be opened under its number; no letter is an error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _status(command: click.Command, name: str) -> int:
    try:
        # Not `command.main`: that would end the process with 1 when a pipe is closed.
        with command.make_context(name, sys.argv[1:]) as context:
            status = command.invoke(context)
        sys.stdout.flush()
        return int(status or 0)
    except BrokenPipeError:
        return _nobody_reads()
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.UsageError as exc:
        return _complain(name, f"{exc.format_message()} (see {name} --help)", 2)
    except click.ClickException as exc:
        return _complain(name, exc.format_message(), exc.exit_code)
    except (Interrupted, KeyboardInterrupt, click.Abort) as exc:
        if isinstance(exc, Interrupted) and exc.number == signal.SIGPIPE:
            return _nobody_reads()
        return _complain(name, "interrupted", INTERRUPTED)
    except Exception as exc:
        if os.environ.get("SEAMLESS_DEBUG"):
            raise
        return _complain(name, _in_words(exc), getattr(exc, "exit_code", 1))


def _nobody_reads() -> int:
    # Python would complain again when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return BROKEN_PIPE


def _in_words(exc: Exception) -> str:
    if is_disk_full(exc):
        return f"the disk is full: {exc}; free some space and try again"
    if isinstance(exc, SeamlessError):
        return str(exc)
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"{_place_of(os.fsdecode(exc.filename))}: {exc.strerror}"
    if isinstance(exc, FileNotFoundError) and not _is_somewhere():
        return "the current directory is not there any more; change to one that is"
    return f"{type(exc).__name__}: {exc} (run with --debug for the traceback)"


def _place_of(path: str) -> str:
    """What people know: of a temporary name, the directory where a file could not be made."""
    directory, name = os.path.split(path)
    return f"cannot write in {directory or '.'}" if is_temporary(name) else path


def _is_somewhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _complain(name: str, message: str, status: int) -> int:
    say(name, "error: " + " ".join(message.splitlines()))
    return status


def say(name: str, message: str) -> None:
    """A line on standard error; a closed one is no error."""
    text = f"{name}: {message}\n".encode("utf-8", "surrogateescape")
    try:
        sys.stderr.flush()
        os.write(2, text)
    except (OSError, ValueError):
        pass


def speaker(name: str, quiet: bool = False) -> Callable[[str], Any]:
    """A function that says things in the name of a command, or nothing if it is to be quiet."""
    return lambda message: None if quiet else say(name, message)
