"""What `seamless-run` does with one command: answer it from the store, run it here, or submit it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from seamless.transformer.commandline import CommandPlan
from seamless.transformer.context import submitters_environment
from seamless.transformer.localfiles import LocalFiles
from seamless.transformer.submission import Submitter, Wishes
from seamless_queue.broker import reports, submissions
from seamless_queue.broker.records import QUEUE_LANE, NewRequest, Submitted
from seamless_queue.broker.states import RequestState
from seamless_queue.errors import BufferError_, RequestFailed, SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store, open_store

from .confirming import confirm, most_outputs, most_uploads
from .entry import speaker
from .replaying import NAME, replay
from .runoptions import RunOptions
from .waiting import hint_at_server, waits, warn_of_resources


def run(options: RunOptions) -> int:
    """Do what the options say; the exit status."""
    store = open_store(options.settings())
    try:
        return _run(store, options)
    finally:
        store.close()


def run_and_notify(options: RunOptions) -> int:
    """The same, and tell when it is over, however it ended."""
    from .notify import notify

    status = None
    try:
        status = run(options)
        return status
    except SeamlessError as exc:
        status = exc.exit_code
        raise
    finally:
        # After Ctrl-C somebody is there.
        if status is not None:
            notify("done" if status == 0 else f"failed ({status})", options.label)


def _run(store: Store, options: RunOptions) -> int:
    say = speaker(NAME, options.quiet)
    files = LocalFiles(store)
    directory = os.getcwd()
    plan = options.plan(directory, files)
    for warning in plan.warnings:
        say(f"warning: {warning}")
    submitter = make_submitter(store, files, directory, options)
    staged = Staged()
    stdin = read_stdin(store, staged) if options.stdin else None
    request = _prepare(submitter, plan, staged, stdin, options)
    if options.verbose and request.identity is not None:
        say(f"transformation {request.identity.checksum}")
    if options.explain:
        from .explaining import explain

        explain(store, request, staged, options)
        if options.dry and request.identity is None:
            return 0
    if options.dry:
        return _dry(store, request, plan, staged, options)
    if options.qsubmit:
        return _queue(store, submitter, request, staged, options)
    return _inline(store, submitter, request, staged, options)


def _prepare(
    submitter: Submitter, plan: CommandPlan, staged: Staged, stdin: str | None, options: RunOptions
) -> NewRequest:
    """Keep the inputs; if that takes long, somebody who looks on sees how far it is."""
    if not plan.inputs or options.quiet or not sys.stderr.isatty():
        return submitter.prepare(plan, options.label, staged, stdin=stdin)
    from .progress import of_bytes

    confirm = submitter.confirm
    with of_bytes("inputs", None, options.quiet) as bar:

        def measured(count: int, size: int) -> None:
            bar.total = size
            if confirm is not None:
                confirm(count, size)

        submitter.confirm, submitter.store.buffers.advance = measured, bar.advance
        try:
            return submitter.prepare(plan, options.label, staged, stdin=stdin)
        finally:
            submitter.confirm, submitter.store.buffers.advance = confirm, None


def make_submitter(store: Store, files: LocalFiles, directory: str, options: RunOptions) -> Submitter:
    """A submitter with the wishes of the command line; its lane is the queue's."""
    settings = options.settings()
    many_outputs = options.no and len(options.captures) > most_outputs()
    wishes = Wishes(
        lane=QUEUE_LANE,
        priority=options.priority,
        timeout=options.timeout,
        retries=options.retries,
        refresh=options.refresh,
        sidecars_only=options.no_download or many_outputs,
        project=options.project or settings.project,
        stage=options.stage or settings.stage,
        scratch=options.scratch,
        resources=options.resources,
        conda=options.conda_environment,
    )
    environment = submitters_environment()
    return Submitter(store, files, directory, environment, wishes, confirmation(options))


def confirmation(options: RunOptions) -> Callable[[int, int], None] | None:
    """How to ask before many or large files are kept."""
    if options.yes:
        return None
    return lambda count, size: confirm("upload", count, size, most_uploads(), no=options.no)


def read_stdin(store: Store, staged: Staged) -> str:
    """Keep standard input; its checksum."""
    return store.buffers.stage_stream(sys.stdin.fileno(), staged)


def _dry(store: Store, request: NewRequest, plan: CommandPlan, staged: Staged, options: RunOptions) -> int:
    if request.identity is None:
        raise SeamlessError("the identity is not known before the jobs have run that write its inputs")
    if options.upload or options.job_directory is not None:
        # What a job directory is made of must be there; a large file is in any case.
        with store.database.transaction() as connection:
            staged.write(connection)
    if options.job_directory is not None:
        from seamless.transformer import jobdirectory
        from seamless.transformer.replay import Dunder

        jobdirectory.write(
            store,
            request.identity.checksum,
            options.job_directory,
            dunder=Dunder(plan.metavariables, plan.directories),
            meta={"__direct_print__": True} if options.direct_print else {},
            sidecar=options.upload,
        )
    click.echo(request.identity.checksum)
    return 0


def _check_conda(store: Store, submitter: Submitter, request: NewRequest) -> None:
    """An environment that is missing is an error before anything runs; an answer from the store needs none."""
    conda, identity = submitter.wishes.conda, request.identity
    if conda is None:
        return
    is_known = identity is not None and submissions.known(store.database, identity.checksum) is not None
    if is_known and identity is not None and identity.gone_result is None and not request.refresh:
        return
    from seamless.transformer.conda import prefix_of

    prefix_of(conda)


def _queue(store: Store, submitter: Submitter, request: NewRequest, staged: Staged, options: RunOptions) -> int:
    say = speaker(NAME, options.quiet)
    _check_conda(store, submitter, request)
    for line in waits(request):
        say(line)
    submitted, consequences = submitter.submit([request], staged)
    if consequences.deliver or consequences.key or consequences.ended:
        from .inlinerun import follow_up

        follow_up(store, consequences)
        state, error = reports.request_state(store.database, submitted[0].request_id)
        if state is RequestState.FAILED:
            raise RequestFailed(error)
    if submitted[0].result is None:
        warn_of_resources(store, request.resources, say)
    hint = hint_at_server(store) if sys.stderr.isatty() else None
    if hint is not None and submitted[0].result is None:
        say(hint)
    if options.verbose:
        say(f"request {submitted[0].request_id} is {submitted[0].state.name.lower()}")
    return 0


def _inline(store: Store, submitter: Submitter, request: NewRequest, staged: Staged, options: RunOptions) -> int:
    request = _wanting_output(store, request)
    hit = _hit(store, submitter, request, staged)
    if hit is not None:
        if options.verbose:
            speaker(NAME, options.quiet)("answered from the store")
        try:
            replay(store, hit, request)
            return 0
        except BufferError_ as exc:
            speaker(NAME, options.quiet)(f"warning: running again: {exc}")
            assert request.identity is not None
            request = request._replace(identity=request.identity._replace(gone_result=hit.result))
    _check_conda(store, submitter, request)
    from .inlinerun import run_inline

    return run_inline(store, submitter, request, staged, options)


def _wanting_output(store: Store, request: NewRequest) -> NewRequest:
    """Of a scratch command whose output is to be shown the bytes are needed after all."""
    if not request.scratch or request.outputs or request.identity is None or request.identity.gone_result is not None:
        return request
    known = submissions.known(store.database, request.identity.checksum)
    if known is None or store.buffers.has(known.result):
        return request
    return request._replace(identity=request.identity._replace(gone_result=known.result))


def _hit(store: Store, submitter: Submitter, request: NewRequest, staged: Staged) -> Submitted | None:
    """Record a request that needs nothing but its answer; None if it needs more."""
    identity = request.identity
    if identity is None or identity.gone_result is not None or request.refresh or request.outputs:
        return None
    if submissions.known(store.database, identity.checksum) is None:
        return None
    submitted = submitter.submit([request], staged)[0][0]
    return submitted if submitted.result is not None else None
