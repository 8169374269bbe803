"""What all subcommands of `seamless-store` begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from seamless_queue.settings import Settings
    from seamless_queue.store import Store

NAME = "seamless-store"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")


def configured(store: str | None) -> Settings:
    """The settings in force; the store may be named before or after the subcommand."""
    from seamless_queue import settings

    context = click.get_current_context()
    above = context.parent.params.get("store") if context.parent is not None else None
    return settings.load(store or above)


@contextmanager
def opened(found: Settings, *, make: bool = False) -> Iterator[Store]:
    """The store, which must be there unless it is to be made."""
    from seamless_queue.errors import NotAStore
    from seamless_queue.store import exists, open_store

    if not make and not exists(found):
        raise NotAStore(f"there is no store at {found.store}; name one with --store or SEAMLESS_CACHE")
    store = open_store(found)
    try:
        yield store
    finally:
        store.close()


def print_json(value: Any) -> None:
    """Print a value as JSON, for programs."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode())


def plural(count: int, word: str) -> str:
    """`1 file`, `2 files`, `1 copy`, `2 copies`."""
    if count == 1:
        return f"1 {word}"
    return f"{count:,} {word[:-1]}ies" if word.endswith("y") else f"{count:,} {word}s"
