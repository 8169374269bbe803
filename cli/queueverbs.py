"""`seamless-queue VERB`: hold the queue, take jobs back, ask again, reorder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .bounds import PRIORITY
from .entry import CONTEXT, debug_option, store_option

if TYPE_CHECKING:
    from seamless_queue.broker.finding import Match
    from seamless_queue.canceling import Canceled
    from seamless_queue.control import Refused
    from seamless_queue.store import Store

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
jobs_argument = click.argument("jobs", metavar="JOB...", nargs=-1, required=True)


def _verb(name: str, epilog: str) -> Callable[[Callable[..., Any]], click.Command]:
    # A negative number is no option.
    settings = {**CONTEXT, "ignore_unknown_options": name == "priority"}
    return click.command(name, context_settings=settings, epilog=f"\b\nExamples:\n  {epilog}")


@contextmanager
def _opened(context: click.Context, store: str | None) -> Iterator[Store]:
    """The store that is meant, which is not made by asking for it."""
    from seamless_queue import settings
    from seamless_queue.errors import ConfigurationError
    from seamless_queue.store import exists, open_store

    configured = settings.load(store or context.obj)
    if not exists(configured):
        raise ConfigurationError(f"there is no store at {configured.store}: name it with --store or SEAMLESS_CACHE")
    opened = open_store(configured)
    try:
        yield opened
    finally:
        opened.close()


def _print_json(value: object) -> None:
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


@_verb("pause", "seamless-queue pause")
@store_option
@debug_option
@click.pass_context
def pause(context: click.Context, store: str | None) -> int:
    """Begin no other job of the queue, on any server of the store, until `seamless-queue resume`.

    What runs goes on. Commands without --qsubmit and Python processes are not held.
    """
    from seamless_queue import control

    with _opened(context, store) as opened:
        new = control.pause(opened)
        click.echo("paused: nothing is begun until seamless-queue resume" if new else "it is paused already")
    return 0


@_verb("resume", "seamless-queue resume")
@store_option
@debug_option
@click.pass_context
def resume(context: click.Context, store: str | None) -> int:
    """Let a paused queue go on, at once."""
    from seamless_queue import control

    with _opened(context, store) as opened:
        click.echo("resumed" if control.resume(opened) else "it was not paused")
    return 0


@_verb("cancel", "seamless-queue cancel 12\n  seamless-queue cancel counts.txt 3fa9c1")
@jobs_argument
@json_option
@store_option
@debug_option
@click.pass_context
def cancel(context: click.Context, jobs: tuple[str, ...], as_json: bool, store: str | None) -> int:
    """Take jobs back: what waits never starts, what runs is killed with all that it has started.

    A job that others wait for too goes on for them. What depends on a canceled job fails; it is told.

    \b
    Exit status: 0 all were canceled;
    1 one was not (it has ended, there is none, it could not be stopped).
    """
    from seamless_queue import control
    from seamless_queue.broker.finding import live_requests

    from .controlling import cancel as cancel_requests

    with _opened(context, store) as opened:
        ids, problems = _requests(opened, jobs, live_requests, "it has ended already")
        done, refused = cancel_requests(opened, ids)
        goes_on = control.goes_on(opened, ids)
        if as_json:
            _print_json({**_canceled_json(done, goes_on), **_refused_json(refused, problems)})
        else:
            for one in done.requests:
                click.echo(f"#{one.request_id} canceled: {one.command}{_shared(goes_on.get(one.request_id, 0))}")
            for one in done.below:
                click.echo(f"#{one.request_id} fails with it: {one.command}")
    problems += [f"process {one.pid} has not stopped it yet; its result will not count" for one in done.running]
    return _complain(refused, problems)


def _canceled_json(done: Canceled, goes_on: dict[int, int]) -> dict[str, Any]:
    return {
        "canceled": [one._asdict() | {"others": goes_on.get(one.request_id, 0)} for one in done.requests],
        "failed_with_it": [one._asdict() for one in done.below],
        "still_running": [{"pid": one.pid} for one in done.running],
    }


def _shared(count: int) -> str:
    return f" (its job goes on for {count} other{'s' if count > 1 else ''})" if count else ""


@_verb("retry", "seamless-queue retry 12\n  seamless-queue retry --failed")
@click.argument("jobs", metavar="JOB...", nargs=-1)
@click.option("--failed", is_flag=True, help="All that failed and was not asked for again.")
@json_option
@store_option
@debug_option
@click.pass_context
def retry(context: click.Context, jobs: tuple[str, ...], failed: bool, as_json: bool, store: str | None) -> int:
    """Run again what failed or was canceled: the same commands on the same inputs, as they were then.

    With them what has failed for want of their results, and what they lacked. After a change of an input, submit
    again instead.

    \b
    Exit status: 0 all are queued again; 1 one could not be.
    """
    from seamless_queue import control
    from seamless_queue.broker.finding import ended_requests

    from .controlling import retry as retry_requests

    if failed == bool(jobs):
        raise click.UsageError("say which: JOB..., or --failed for all")
    with _opened(context, store) as opened:
        ids, problems = _requests(opened, jobs, ended_requests, "it has not failed")
        done, refused = retry_requests(opened, control.all_failed(opened) if failed else ids)
        if as_json:
            _print_json({"retried": [one._asdict() for one in done], **_refused_json(refused, problems)})
        else:
            for one in done:
                click.echo(f"#{one.former_id} is queued again as #{one.request_id}: {one.command}")
            if any(one.environment_is_new for one in done):
                click.echo("their environment variables are those of now: the former ones are not kept")
            if failed and not done and not refused:
                click.echo("nothing has failed")
    return _complain(refused, problems)


@_verb("priority", "seamless-queue priority 10 counts.txt\n  seamless-queue priority -5 12 13")
@click.argument("priority", metavar="N", type=PRIORITY)
@jobs_argument
@json_option
@store_option
@debug_option
@click.pass_context
def priority(context: click.Context, priority: int, jobs: tuple[str, ...], as_json: bool, store: str | None) -> int:
    """Give jobs another priority: higher is earlier, 0 is usual.

    A job that several wait for takes the highest of theirs. What runs is not affected.
    """
    from seamless_queue import control
    from seamless_queue.broker.finding import live_requests

    with _opened(context, store) as opened:
        ids, problems = _requests(opened, jobs, live_requests, "it has ended already")
        done, refused = control.set_priority(opened, ids, priority)
        if as_json:
            _print_json({"changed": done, "priority": priority, **_refused_json(refused, problems)})
        else:
            for request_id in done:
                click.echo(f"#{request_id} has priority {priority}")
    return _complain(refused, problems)


def _requests(
    store: Store, jobs: Iterable[str], which: Callable[[Any, Match], list[int]], otherwise: str
) -> tuple[list[int], list[str]]:
    """The requests that are meant; and what is wrong with the words that mean none."""
    from seamless_queue.broker.finding import NotFound, the_one

    ids, problems = list[int](), list[str]()
    for text in jobs:
        try:
            found = which(store.database, the_one(store.database, text, os.getcwd()))
        except NotFound as exc:
            problems.append(str(exc))
            continue
        if not found:
            problems.append(f"{text}: {otherwise}")
        ids.extend(found)
    return ids, problems


def _refused_json(refused: Iterable[Refused], problems: list[str]) -> dict[str, Any]:
    return {"refused": [one._asdict() for one in refused], "problems": problems}


def _complain(refused: Iterable[Refused], problems: list[str]) -> int:
    from .entry import say

    lines = [*(f"#{one.request_id}: {one.why}" for one in refused), *problems]
    for line in lines:
        say("seamless-queue", f"error: {line}")
    return 1 if lines else 0


VERBS = (pause, resume, cancel, retry, priority)
