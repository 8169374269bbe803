"""`seamless-why`: why something ran, why it did not, why it waits, why it failed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .entry import CONTEXT, debug_option, program, store_option, version_option
from .run import command as run_command

if TYPE_CHECKING:
    from seamless.transformer.why.values import Answer
    from seamless_queue.store import Store

EPILOG = """\b
Examples:
  seamless-why counts.txt
  seamless-why 12
  seamless-why 4f0a2c81
  seamless-why paste data/a.txt data/b.txt
  seamless-why -c 'sort -n data/c.txt > sorted.txt'
  seamless-why --tree counts.txt
"""
NAME = "seamless-why"
#: Options of `seamless-run` that say what a command is.
PLANNING = (
    *("text", "no_rule_1", "no_rule_2", "workdir", "root", "strip", "extension", "captures", "inputs"),
    *("input_lists", "variables", "metavariables", "prologues", "primary", "stdin", "refresh", "conda"),
)
TREE, JSON = {"--tree", "--deep"}, {"--json"}
#: So deep a tree is drawn.
DEPTH = 20


def _planning(function: Any) -> Any:
    """The options of `seamless-run` that say what a command is."""
    command = click.command(
        NAME, context_settings={**CONTEXT, "allow_interspersed_args": False}, epilog=EPILOG, no_args_is_help=False
    )(function)
    command.params[1:1] = [one for one in run_command.params if one.name in PLANNING]
    return command


@_planning
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="JOB|FILE|COMMAND...")
@click.option("--tree", "--deep", "tree", is_flag=True, help="Show also where the inputs come from, and theirs.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@store_option
@debug_option
@version_option
def command(command: tuple[str, ...], tree: bool, as_json: bool, store: str | None, **given: Any) -> int:
    """Say why something ran, why it did not, why it waits, or why it failed.

    \b
    JOB      a number of a request, or at least 6 digits of a checksum (of a job or a result)
    FILE     an output, an input, or a sidecar
    COMMAND  as for seamless-run, with its options; nothing is run
    """
    if not command or not "".join(command).strip():
        raise click.UsageError("nothing to explain: name a job, a file or a command, such as seamless-why counts.txt")
    from seamless_queue import settings
    from seamless_queue.store import exists, open_store

    configured = settings.load(store)
    if not exists(configured):
        raise click.ClickException(f"there is no store at {configured.store}: nothing has been run yet")
    opened = open_store(configured)
    try:
        command, extra = _without_flags(command)
        tree, as_json = tree or bool(extra & TREE), as_json or bool(extra & JSON)
        answer = _answer(opened, command, store, given)
        _print(opened, answer, tree, as_json)
    finally:
        opened.close()
    return 0


def _without_flags(words: tuple[str, ...]) -> tuple[tuple[str, ...], set[str]]:
    """A file or job may be followed by our own options, which no command of one word is."""
    rest = set(words[1:])
    return (words[:1], rest) if rest and rest <= TREE | JSON else (words, set())


def _answer(store: Store, words: tuple[str, ...], store_path: str | None, given: dict[str, Any]) -> Answer:
    from seamless.transformer.why import subjects

    if len(words) == 1 and not given["text"]:
        answer = subjects.about(store, words[0])
        if answer is not None:
            return answer
        _refuse_unknown(store, words[0])
    return _about_command(store, words, store_path, given)


def _refuse_unknown(store: Store, word: str) -> None:
    """A word that cannot be a command either."""
    from seamless.transformer.commandline.executables import is_builtin
    from seamless.transformer.localfiles import LocalFiles

    looks = word.lstrip("#")
    if looks.isdigit() or (len(looks) >= 6 and all(digit in "0123456789abcdef" for digit in looks.lower())):
        raise click.ClickException(f"{word}: no request, job or result is called so in this store (see --store)")
    if "/" in word and not os.path.exists(word) and " " not in word:
        raise click.ClickException(f"{word}: there is no such file, and no request was to write it")
    if re.fullmatch(r"[\w.+-]+", word) and not is_builtin(word) and LocalFiles(store).which(word) is None:
        raise click.ClickException(f"{word}: no file, request, job, result or command is called so")


def _about_command(store: Store, words: tuple[str, ...], store_path: str | None, given: dict[str, Any]) -> Answer:
    from seamless.transformer.localfiles import LocalFiles
    from seamless.transformer.why.answers import about_command
    from seamless_queue.staged import Staged

    from .running import make_submitter, read_stdin
    from .runoptions import RunOptions

    fields = {**_defaults(), **given, "command": words, "store": store_path, "yes": True}
    options = RunOptions(**{name: fields[name] for name in RunOptions._fields})
    options.check()
    files, directory, staged = LocalFiles(store), os.getcwd(), Staged()
    submitter = make_submitter(store, files, directory, options)
    stdin = read_stdin(store, staged) if options.stdin else None
    new = submitter.prepare(options.plan(directory, files), options.label, staged, stdin=stdin)
    return about_command(store, new, staged, options.label)


def _defaults() -> dict[str, Any]:
    """What the options of `seamless-run` are where nobody gives them."""
    with run_command.make_context("seamless-run", ["-"]) as context:
        return dict(context.params)


def _print(store: Store, answer: Answer, tree: bool, as_json: bool) -> None:
    from seamless.transformer.why import words
    from seamless_queue.errors import one_line

    if as_json:
        import json

        fields = words.fields(answer)
        if tree:
            fields["tree"] = list(_tree(store, answer))
        click.echo(json.dumps(fields, indent=2, sort_keys=True))
        return
    for line in words.told(answer):
        click.echo(line)
    if tree:
        click.echo("Where it comes from:")
        for line in _tree(store, answer):
            click.echo(one_line(line))


def _tree(store: Store, answer: Answer) -> Iterator[str]:
    """Its inputs and theirs, a line each."""
    from seamless.transformer.why.words import origin
    from seamless_queue.broker import history

    seen: set[int] = set()

    def below(one: Answer, depth: int) -> Iterator[str]:
        from seamless.transformer.why.answers import about_request

        for entry in one.inputs:
            yield "  " * depth + origin(entry)
            if entry.request is None:
                continue
            if entry.request in seen or depth >= DEPTH:
                yield "  " * (depth + 1) + "(as above)"
                continue
            seen.add(entry.request)
            upstream = history.request(store.database, entry.request)
            if upstream is not None:
                yield from below(about_request(store, upstream, entry.name), depth + 1)

    yield from below(answer, 1)


main = program(command, NAME)

if __name__ == "__main__":
    main()
