"""Where the inputs of a transformation come from: files, and the requests that made them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from seamless_queue.broker import evictions, history
from seamless_queue.broker.history import Request, Upstream
from seamless_queue.broker.records import NewRequest

from ..provenance import Input, Parts
from .contents import Contents
from .values import Origin

_NEWER = 1 << 62
#: So many of the newest writers of a file are asked whether they wrote this content.
_WRITERS = 5


def of(contents: Contents, request: Request, parts: Parts | None) -> Iterator[Origin]:
    """The inputs of a request."""
    upstreams = history.upstreams(contents.store.database, request.id)
    return _origins(contents, parts, upstreams, request.directory, request.id)


def of_new(contents: Contents, new: NewRequest, parts: Parts | None) -> Iterator[Origin]:
    """The inputs of a command that is only asked about."""
    upstreams = [Upstream(one.pin, one.upstream, one.output, one.part, one.path, None) for one in new.dependencies]
    return _origins(contents, parts, upstreams, new.directory, _NEWER)


def _origins(
    contents: Contents, parts: Parts | None, upstreams: Iterable[Upstream], directory: bytes, before: int
) -> Iterator[Origin]:
    bound = {os.fsdecode(one.pin): one for one in upstreams}
    for one in parts.inputs if parts is not None else ():
        if one.is_module:
            yield Origin(one.name, one.checksum)
        elif one.key in bound or one.name in bound:
            yield _bound(contents, one, bound.get(one.key) or bound[one.name])
        else:
            yield _found(contents, one, parts is not None and parts.is_command, directory, before)


def _bound(contents: Contents, one: Input, upstream: Upstream) -> Origin:
    """An input that another request was to make when this one was submitted."""
    maker = history.request(contents.store.database, upstream.request_id) if upstream.request_id is not None else None
    path = os.fsdecode(upstream.path) or None
    command = maker.command if maker is not None else None
    return Origin(one.name, one.checksum or None, path, upstream.request_id, command, one.is_directory)


def _found(contents: Contents, one: Input, is_command: bool, directory: bytes, before: int) -> Origin:
    """An input that was there when it was asked for: a file of a request, a file of one's own, or a value."""
    origin = Origin(one.name, one.checksum or None, is_directory=one.is_directory)
    if is_command:
        path = os.path.join(directory, os.fsencode(one.name))
        origin = origin._replace(path=os.fsdecode(path))
        for writer in history.writers(contents.store.database, path, before, _WRITERS):
            if _has(contents, writer, one):
                return origin._replace(request=writer.id, command=writer.command)
        if os.path.exists(path):
            return origin
    made = evictions.maker_of(contents.store.database, one.checksum) if one.checksum else None
    maker = history.first_of_job(contents.store.database, made.job_id) if made is not None else None
    if maker is None or maker.id >= before:
        return origin
    # Maybe by chance: nobody has written down that it was taken from there.
    return origin._replace(request=maker.id, command=maker.command, is_certain=False)


def _has(contents: Contents, writer: Request, one: Input) -> bool:
    """Whether a request's result is, or names, this content."""
    job = history.job(contents.store.database, writer.job_id) if writer.job_id is not None else None
    if job is None or job.result is None:
        return False
    if job.result == one.checksum:
        return True
    index = contents.value(job.result)
    return isinstance(index, dict) and one.checksum in index.values()
