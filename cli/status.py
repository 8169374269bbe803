"""`seamless-status`: what runs, what waits on what, what failed, and when it will be done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from . import moments
from .bounds import COUNT
from .entry import CONTEXT, debug_option, program, store_option, version_option

if TYPE_CHECKING:
    from seamless_queue.broker.finding import Match
    from seamless_queue.broker.overview import Filter
    from seamless_queue.settings import Settings
    from seamless_queue.store import Store

    from .postmortem import PostMortem

EPILOG = """\b
Examples:
  seamless-status
  seamless-status --once
  seamless-status counts.txt
  seamless-status 12 --log --follow
  seamless-status --failed --since 1h
  seamless-status --graph
  seamless-status --json | jq .counts
"""
NAME = "seamless-status"
#: How many rows of each list are printed if nobody says otherwise.
LIMIT = 20
GRAPHS = ("tree", "dot")


class Options(NamedTuple):
    """The command line of `seamless-status`."""

    job: str | None
    once: bool
    as_json: bool
    running: bool
    waiting: bool
    failed: bool
    graph: str | None
    log: bool
    follow: bool
    reproduce: str | None
    html: str | None
    project: str | None
    stage: str | None
    since: str | None
    limit: int | None
    store: str | None

    @property
    def lists(self) -> tuple[str, ...]:
        """The lists that are asked for by name."""
        waiting = self.waiting
        wanted = ("running", self.running), ("ready", waiting), ("waiting", waiting), ("failed", self.failed)
        return tuple(name for name, is_wanted in wanted if is_wanted)

    @property
    def most(self) -> int:
        """How many rows of each list are meant; no limit is a very large one."""
        return LIMIT if self.limit is None else self.limit or 2**31

    @property
    def wanted(self) -> Filter:
        """Which requests are meant."""
        from seamless_queue.broker.overview import Filter

        return Filter(self.project, self.stage, None if self.since is None else moments.since(self.since))

    def check(self) -> None:
        """UsageError for options that contradict each other."""
        kinds = ("--json", self.as_json), ("--log", self.log), ("--reproduce", self.reproduce), ("--html", self.html)
        ways = [name for name, is_given in kinds if is_given]
        if len(ways) > 1:
            raise click.UsageError(f"{ways[0]} and {ways[1]} cannot be used together")
        for name, needs in (("--log", self.log), ("--reproduce", self.reproduce)):
            if needs and self.job is None:
                raise click.UsageError(f"{name} wants a job: a request's number, a checksum or an output file")
        if self.follow and not self.log:
            raise click.UsageError("--follow goes with --log")
        if self.job is not None and (self.lists or self.html):
            raise click.UsageError("a single job has no lists: leave out JOB, or the other options")


@click.command(NAME, context_settings=CONTEXT, epilog=EPILOG)
@click.argument("job", required=False)
@click.option("--once", is_flag=True, help="Print an overview and end (so it does without a terminal).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--running", is_flag=True, help="List what runs.")
@click.option("--waiting", is_flag=True, help="List what waits, and for what.")
@click.option("--failed", is_flag=True, help="List what failed.")
@click.option(
    "--graph",
    is_flag=False,
    flag_value="tree",
    metavar="FORMAT",
    help="Show who needs what from whom: as a tree, or with --graph=dot for Graphviz.",
)
@click.option("--log", is_flag=True, help="Print what JOB has written to standard output and error.")
@click.option("-f", "--follow", is_flag=True, help="With --log: go on while it runs.")
@click.option("--reproduce", metavar="DIR", help="Put into DIR all that is needed to run JOB by hand.")
@click.option("--html", metavar="FILE", help="Write a report as a page for a browser (-: standard output).")
@click.option("--project", metavar="NAME[:SUB]", help="Only requests with this label.")
@click.option("--stage", metavar="NAME[:SUB]", help="Only requests with this label.")
@click.option("--since", metavar="WHEN", help="Only what has not ended before: 90s, 10m, 2h, 3d, or a date.")
@click.option("--limit", type=COUNT, metavar="N", help=f"So many rows of each list [{LIMIT}; 0: all].")
@store_option
@debug_option
@version_option
def command(**given: Any) -> int:
    """Show what the queue does: live on a terminal, else once.

    JOB is a request's number, the beginning of a checksum, or a file that a command writes.
    """
    options = _with_graph_or_job(Options(**given))
    options.check()
    wanted = options.wanted
    from seamless_queue import settings
    from seamless_queue.store import exists, open_store

    configured = settings.load(options.store)
    if not exists(configured):
        return _nothing_yet(options, configured)
    if _is_live(options):
        from .dashboard import show

        return show(configured, wanted)
    store = open_store(configured)
    try:
        return _answer(store, configured, options, wanted)
    finally:
        store.close()


def _with_graph_or_job(options: Options) -> Options:
    """`--graph JOB` is the graph of a job: the format is one of two words."""
    if options.graph in (None, *GRAPHS):
        return options
    if options.job is not None:
        raise click.UsageError(f"unknown format of a graph: {options.graph!r}; tree or dot")
    return options._replace(graph="tree", job=options.graph)


def _is_live(options: Options) -> bool:
    plain = options.once or options.as_json or options.lists or options.graph or options.job or options.html
    return not plain and sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _nothing_yet(options: Options, configured: Settings) -> int:
    if options.job is not None or options.html is not None:
        raise click.ClickException(f"there is no store at {configured.store}: nothing has been run yet")
    if options.as_json:
        from .statusjson import nothing

        _print_json(nothing(configured.store))
    else:
        click.echo(f"there is no store at {configured.store} yet: nothing has been run")
    return 0


def _answer(store: Store, configured: Settings, options: Options, wanted: Filter) -> int:
    if options.html is not None:
        from .htmlreport import write

        write(store, options.html, since=wanted.since, project=options.project, stage=options.stage)
    elif options.job is not None:
        return _job(store, _the_one(store, options), options)
    elif options.graph is not None:
        _graph(store, options, wanted)
    elif options.lists:
        _lists(store, options, wanted)
    else:
        _overview(store, configured, options, wanted)
    return 0


def _the_one(store: Store, options: Options) -> Match:
    from seamless_queue.broker.finding import NotFound, the_one

    try:
        return the_one(store.database, options.job or "", os.getcwd())
    except NotFound as exc:
        if options.graph is None:
            raise
        # What was meant as a format is taken for a job.
        raise NotFound(f"{exc}; the formats of a graph are {' and '.join(GRAPHS)}") from exc


def _overview(store: Store, configured: Settings, options: Options, wanted: Filter) -> None:
    from seamless_queue.care import cap
    from seamless_queue.storesize import measured
    from seamless_queue.survey import survey

    size = measured(store.path)
    most = cap.of(store.path, configured.max_size, size.bytes)
    found = survey(store, wanted, options.most)
    if options.as_json:
        from .statusjson import overview_fields

        _print_json(overview_fields(found, store.path, size, most))
    else:
        from .statustext import chosen, snapshot

        _print(snapshot(found, store.path, size, most, chosen(wanted)))


def _lists(store: Store, options: Options, wanted: Filter) -> None:
    from seamless_queue.survey import Survey, hosts_of, lists_of

    hosts = hosts_of(store.database)
    now, lists = time.time(), lists_of(store, wanted, hosts, options.most)
    if options.as_json:
        from .statusjson import FORMAT, list_fields

        _print_json({"format": FORMAT, "now": now, **list_fields(lists, options.lists)})
        return
    from .statustext import only_lists

    _print(only_lists(Survey(now, hosts=hosts, lists=lists), options.lists, options.most))


def _graph(store: Store, options: Options, wanted: Filter, match: Match | None = None) -> None:
    from seamless_queue.broker import jobdetails

    from . import statusgraph

    if match is None or match.request_id is None:
        found = jobdetails.graph(store.database, wanted, options.most)
    else:
        found = jobdetails.graph_of(store.database, match.request_id, options.most)
    if options.as_json:
        from .statusjson import graph_fields

        _print_json(graph_fields(found))
    else:
        _print(statusgraph.dot(found) if options.graph == "dot" else statusgraph.tree(found))


def _job(store: Store, match: Match, options: Options) -> int:
    if options.graph is not None:
        _graph(store, options, options.wanted, match)
        return 0
    if options.log:
        from . import joblog

        return int(joblog.show(store, match, follow=options.follow) or 0)
    from . import postmortem, statusjob

    if options.reproduce is not None:
        return int(postmortem.reproduce(store, match, options.reproduce) or 0)
    from seamless_queue.broker.jobdetails import details
    from seamless_queue.survey import without_server

    found, now = without_server(store.database, details(store.database, match)), time.time()
    pins = _pins(store, found.row.checksum)
    failed = found.row.word == "failed" and found.row.job_id is not None
    if options.as_json:
        autopsy = postmortem.examine(store, found.row.job_id or 0) if failed else None
        _print_json({**statusjob.fields(found, now, pins), "post_mortem": _post_mortem_fields(autopsy)})
        return 0
    _print(statusjob.lines(found, now, pins))
    if failed:
        postmortem.show(store, match)
    return 0


def _pins(store: Store, checksum: str | None) -> list[tuple[str, str]]:
    """The named inputs of an identity, as far as the store has it."""
    from seamless.transformer import provenance
    from seamless_queue.errors import SeamlessError

    if checksum is None:
        return []
    try:
        parts = provenance.parts(provenance.identity_of(store, checksum))
    except SeamlessError:
        return []
    return [(one.name, one.checksum) for one in parts.inputs]


def _post_mortem_fields(found: PostMortem | None) -> dict[str, Any] | None:
    return None if found is None else {**found._asdict(), "outcome": found.outcome.name.lower()}


def _print(lines: Iterable[str]) -> None:
    click.echo("\n".join(lines))


def _print_json(value: Any) -> None:
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


main = program(command, NAME)

if __name__ == "__main__":
    main()
