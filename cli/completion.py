"""What the shell offers when Tab is pressed: options, files (also such as are yet to be written), programs, jobs.

By click's protocol: `_SEAMLESS_RUN_COMPLETE=bash_complete seamless-run` answers for the words in COMP_WORDS, and
`…=bash_source` prints the code that asks. Whatever goes wrong, nothing is said: somebody is typing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, suppress

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

from seamless_queue.broker.states import LIVE, RequestState
from seamless_queue.sidecars import CHECKSUM, FUTURE, INDEX

Item = CompletionItem[str]
Completer = Callable[[click.Context, click.Parameter, str], list[Item]]

#: So many names are offered at most.
OFFERED_AT_MOST = 500
#: So many digits of a checksum tell a job from all others.
DIGITS = 12

_BASH = """\
__seamless_complete() {
    local IFS=$'\\n' variable=${1##*/} kind value
    variable=${variable//-/_}
    COMPREPLY=()
    while IFS=, read -r kind value; do
        [[ -n $kind ]] || continue
        [[ $kind == path ]] && compopt -o filenames && value=${value%%/}
        COMPREPLY+=("$value")
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" "_${variable^^}_COMPLETE=bash_complete" \\
        "$1" 2> /dev/null)
}
complete -o nosort -F __seamless_complete %(prog_name)s
"""
_ZSH = """\
#compdef %(prog_name)s
__seamless_complete() {
    local variable=_${${(U)words[1]:t}//-/_}_COMPLETE kind value help
    local -a answer plain described directories files
    answer=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) $variable=zsh_complete $words[1] \\
        2> /dev/null)}")
    for kind value help in $answer; do
        if [[ -z $kind ]]; then continue
        elif [[ $kind == path && $value == */ ]]; then directories+=("$value")
        elif [[ $kind == path ]]; then files+=("$value")
        elif [[ $help == _ ]]; then plain+=("$value")
        else described+=("$value:$help")
        fi
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
    (( $#files )) && compadd -U -f -a files
    (( $#directories )) && compadd -U -f -S '' -a directories
    return 0
}
compdef __seamless_complete %(prog_name)s
"""
_FISH = """\
function __seamless_complete
    set -l words (commandline -poc)
    set -l variable _(string upper (string replace -a - _ (basename $words[1])))_COMPLETE
    for line in (env $variable=fish_complete COMP_WORDS=(commandline -cp | string collect) \\
            COMP_CWORD=(commandline -t | string collect) $words[1] 2> /dev/null)
        string split -m 1 -f 2 , -- $line
    end
end
for name in %(prog_name)s
    complete --no-files --command $name --arguments '(__seamless_complete)'
end
"""


# -- the shells -----------------------------------------------------------------------------
class _Answering(ShellComplete):
    """What is the same in all shells."""

    def get_completions(self, args: list[str], incomplete: str) -> list[Item]:
        """As click does; but all that follows the first word of somebody's command belongs to that."""
        if not self.cli.context_settings.get("allow_interspersed_args", True):
            with self.cli.make_context(self.prog_name, list(args), resilient_parsing=True) as context:
                rest = next(one for one in self.cli.params if isinstance(one, click.Argument))
                if context.params.get(rest.name or ""):
                    return files(context, rest, incomplete)
        return super().get_completions(args, incomplete)


class _Bash(_Answering, BashComplete):
    source_template = _BASH

    def source(self) -> str:
        """Without asking another bash which version it has."""
        return self.source_template % self.source_vars()


class _Zsh(_Answering, ZshComplete):
    source_template = _ZSH


class _Fish(_Answering, FishComplete):
    source_template = _FISH


def _shells() -> Iterable[type[ShellComplete]]:
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)
        yield shell


def answer(command: click.Command, name: str, instruction: str) -> int:
    """Do what the variable of the protocol asks for; the exit status."""
    try:
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            tuple(_shells())
            _equip(command)
            return shell_complete(command, {}, name, variable_of(name), instruction)
    except Exception:
        return 1


def variable_of(name: str) -> str:
    """The variable by which a command is asked."""
    return f"_{name.replace('-', '_').upper()}_COMPLETE"


def source(shell: str) -> str:
    """The code that completes all commands, for a shell's start file."""
    from importlib.metadata import distribution

    names = sorted(one.name for one in distribution("seamless-queue").entry_points if one.group == "console_scripts")
    kind = next(kind for kind in _shells() if kind.name == shell)
    text = kind.source_template % {"prog_name": " ".join(names)}
    return text.removeprefix("#compdef " + " ".join(names) + "\n")


# -- what is completed how --------------------------------------------------------------------
def _equip(command: click.Command) -> None:
    """Give every parameter without a completion of its own the one that fits its name."""
    for parameter in command.params:
        if parameter._custom_shell_complete is None and (completer := _completer(command, parameter)) is not None:
            parameter._custom_shell_complete = completer
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _equip(one)


def _completer(command: click.Command, parameter: click.Parameter) -> Completer | None:
    if isinstance(parameter.type, click.Choice) or (isinstance(parameter, click.Option) and parameter.is_flag):
        return None
    if command.name == "seamless-run" and isinstance(parameter, click.Argument):
        return first_word
    if "--digest" in parameter.opts:
        return _digests
    title = re.match(r"[A-Z]*", (parameter.metavar or parameter.name or "").upper().lstrip("["))
    return BY_TITLE.get(title[0] if title else "")


def _digests(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Item]:
    from seamless_queue.digest import DIGESTS

    return [Item(name) for name in DIGESTS if name.startswith(incomplete)]


# -- files ------------------------------------------------------------------------------------
def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Item]:
    """Files and directories; also those of which there is only X.FUTURE or X.CHECKSUM, under their own names."""
    return [Item(path, type="path") for path in _paths(incomplete)]


def directories(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Item]:
    """Directories."""
    return [Item(path, type="path") for path in _paths(incomplete) if path.endswith("/")]


def _paths(incomplete: str) -> list[str]:
    place, begin = os.path.split(os.path.expanduser(incomplete))
    found: dict[str, bool] = {}
    for entry in _entries(place or "."):
        name, is_directory = entry.name, False
        bare = next((name.removesuffix(end) for end in (FUTURE, CHECKSUM, INDEX) if name.endswith(end)), name)
        if bare == name:
            is_directory = entry.is_dir()
        # A sidecar itself is offered to whoever has begun to type its ending.
        if bare != name and bare and len(begin) <= len(bare):
            name, is_directory = bare, os.path.isdir(os.path.join(place, bare)) or entry.name.endswith(INDEX)
        hidden = name.startswith(".") and not begin.startswith(".")
        if name.startswith(begin) and not hidden and name.isprintable():
            found[name] = found.get(name, False) or is_directory
    return [os.path.join(place, name) + "/" * found[name] for name in sorted(found)[:OFFERED_AT_MOST]]


def _entries(place: str) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(place) as entries:
        yield from entries


def first_word(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Item]:
    """The program that is to be run: one of PATH, or a file."""
    found = files(context, parameter, incomplete)
    if not incomplete or "/" in incomplete:
        return found
    programs = {
        entry.name
        for place in os.get_exec_path()
        for entry in _entries(place)
        if entry.name.startswith(incomplete) and entry.name.isprintable() and os.access(entry.path, os.X_OK)
    }
    return [*(Item(name) for name in sorted(programs)[:OFFERED_AT_MOST]), *found]


# -- jobs -------------------------------------------------------------------------------------
def jobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Item]:
    """Numbers of requests and checksums of jobs, with their commands; and files, by which jobs can be named too."""
    named = [] if not incomplete or incomplete.isdigit() else files(context, parameter, incomplete)
    with suppress(Exception):
        return [*_jobs(context, incomplete.lower()), *named]
    return named


def _jobs(context: click.Context, incomplete: str) -> Iterator[Item]:
    from seamless_queue import settings
    from seamless_queue.broker import candidates
    from seamless_queue.store import exists, open_store

    found = context.find_root()
    configured = settings.load(context.params.get("store") or found.params.get("store"))
    if not exists(configured):
        return
    store = open_store(configured)
    try:
        wanted = _states(context.command.name or "")
        for one in candidates.newest(store.database):
            if str(one.request_id).startswith(incomplete) and one.state in wanted:
                yield Item(str(one.request_id), help=_described(one))
        if re.fullmatch(r"[0-9a-f]{1,64}", incomplete):
            for one in candidates.with_checksum(store.database, incomplete):
                if one.job is not None and one.state in wanted:
                    yield Item(one.job[: max(DIGITS, len(incomplete))], help=_described(one))
    finally:
        store.close()


def _states(command: str) -> frozenset[RequestState]:
    """What a command can be wanted for."""
    if command in ("cancel", "priority", "seamless-cancel"):
        return frozenset(LIVE)
    if command == "retry":
        return frozenset((RequestState.FAILED, RequestState.CANCELED))
    return frozenset(RequestState)


def _described(one: object) -> str:
    from seamless_queue.broker.candidates import Candidate

    assert isinstance(one, Candidate)
    return f"{one.state.name.lower()}: {one.command[:60]}"


#: By the name of the value, as the help has it.
BY_TITLE: dict[str, Completer] = {
    **dict.fromkeys(("JOB", "JOBS"), jobs),
    **dict.fromkeys(("PATH", "PATHS", "FILE", "FILES", "LIST", "NAME_OR_PATH", "INPUT", "ARCHIVE", "SOURCE"), files),
    **dict.fromkeys(("DIR", "DIRECTORY"), directories),
}
