"""`seamless-init`: begin a project: its configuration file and its store."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from .entry import CONTEXT, debug_option, program, say, version_option

EPILOG = """\b
Examples:
  seamless-init
  seamless-init --project yeast --digest sha256 ~/work/yeast
  seamless-init --store /data/shared-by-my-projects
"""
NAME = "seamless-init"
FILE = "seamless.yaml"
#: The store of a project of one's own, and what keeps it out of version control.
STORE, IGNORE = ".seamless/cache", ".seamless/.gitignore"

TEMPLATE = """\
# Settings of Seamless Queue for this directory and all below it, one a line.
# A seamless.profile.yaml beside this file, for your own eyes, wins over it.

# Where results are kept, relative to this file. SEAMLESS_CACHE and --store win over it.
- store: {store}

# How bytes are named: blake3, or sha256 to exchange checksums with others. Fixed when the store is made.
- digest: {digest}

# Labels of what is run from here.
{project}
{stage}

# Where Python transformations run: process (in the program itself), spawn (in workers of its own), or
# queue (in the store's queue, which seamless-queue serves).
{execution}

# How many Python transformations of a batch may be active at once.
{nparallel}
"""
EXAMPLES = {"project": "my-project", "stage": "draft", "execution": "spawn", "nparallel": "8"}


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("directory", default=".", metavar="[DIR]")
@click.option("--project", metavar="NAME[:SUB]", help="Label of what is run here.")
@click.option("--stage", metavar="NAME[:SUB]", help="Another label.")
@click.option("--execution", metavar="WHERE", help="Where Python transformations run: process, spawn or queue.")
@click.option("--nparallel", type=int, metavar="N", help="How many of a batch may be active at once.")
@click.option("--store", metavar="DIR", help=f"The store [{STORE} in the directory].")
@click.option("--digest", metavar="NAME", help="Digest of a new store: blake3 (default) or sha256 [SEAMLESS_DIGEST].")
@debug_option
@version_option
def command(directory: str, store: str | None, digest: str | None, **labels: Any) -> int:
    """Write a seamless.yaml with comments into DIR (by default here), and make the store that it names.

    A file that is there is not touched.
    """
    from seamless_queue import settings
    from seamless_queue.errors import SeamlessError
    from seamless_queue.store import open_store

    given = _checked(labels)
    path = os.path.normpath(os.path.join(directory, FILE))
    if os.path.lexists(path):
        raise SeamlessError(f"{path} is there already; edit it, or remove it first")
    place = os.path.abspath(os.path.expanduser(store) if store else os.path.join(directory, STORE))
    configured = settings.load(place, digest, directory="/")
    os.makedirs(directory, exist_ok=True)
    opened = open_store(configured)
    opened.close()
    if store is None:
        _keep_out_of_version_control(os.path.join(directory, IGNORE))
    _write(path, _text(_relative(place, directory), opened.digest.name, given))
    say(NAME, f"wrote {path}; the store is {place} (digest {opened.digest.name})")
    if other := os.environ.get("SEAMLESS_CACHE"):
        say(NAME, f"warning: SEAMLESS_CACHE is set and wins: the store {other} is used until it is not")
    return 0


def _checked(labels: dict[str, Any]) -> dict[str, Any]:
    """The settings that were asked for; ConfigurationError for a value that one cannot have."""
    from seamless_queue import settings

    given: dict[str, Any] = {}
    for name, value in labels.items():
        if value is not None and name in ("project", "stage"):
            first, colon, second = value.partition(":")
            given[name] = settings.checked(name, first)
            if colon:
                given[f"sub{name}"] = settings.checked(f"sub{name}", second)
        elif value is not None:
            given[name] = settings.checked(name, value)
    return given


def _relative(place: str, directory: str) -> str:
    """A store inside the directory moves with it."""
    below = os.path.relpath(place, os.path.abspath(directory))
    return place if below.startswith("..") else below


def _text(store: str, digest: str, given: dict[str, Any]) -> str:
    lines = {}
    for name, example in EXAMPLES.items():
        lines[name] = f"- {name}: {_scalar(given[name])}" if name in given else f"# - {name}: {example}"
        if f"sub{name}" in given:
            lines[name] += f"\n- sub{name}: {_scalar(given[f'sub{name}'])}"
    return TEMPLATE.format(store=_scalar(store), digest=digest, **lines)


def _scalar(value: object) -> str:
    """A value as YAML."""
    import json

    text = str(value)
    return text if re.fullmatch(r"[\w./][\w./-]*", text) else json.dumps(text, ensure_ascii=False)


def _keep_out_of_version_control(path: str) -> None:
    if not os.path.lexists(path):
        with open(path, "x", encoding="ascii") as file:
            file.write("*\n")


def _write(path: str, text: str) -> None:
    from seamless_queue.errors import SeamlessError
    from seamless_queue.filesystems import write_atomically

    try:
        content = text.encode()
    except UnicodeEncodeError:
        raise SeamlessError("a name that is not UTF-8 cannot stand in a configuration file; choose another") from None
    write_atomically(path, content)


main = program(command, NAME)

if __name__ == "__main__":
    main()
