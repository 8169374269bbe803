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
#: So many files of a directory are looked at, each with its former writers.
_FILES = 200


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
    bound: dict[str, list[Upstream]] = {}
    for one in upstreams:
        bound.setdefault(os.fsdecode(one.pin), []).append(one)
    for entry in parts.inputs if parts is not None else ():
        makers = bound.get(entry.key) or bound.get(entry.name)
        if entry.is_module:
            yield Origin(entry.name, entry.checksum)
        elif makers is not None:
            yield from _bound_all(contents, entry, makers)
        else:
            yield from _found(contents, entry, parts is not None and parts.is_command, directory, before)


def _bound_all(contents: Contents, one: Input, upstreams: list[Upstream]) -> Iterator[Origin]:
    """An input that other requests were to make: all of it, or files in it."""
    if len(upstreams) == 1 and (not upstreams[0].part or not one.is_directory):
        yield _bound(contents, one, upstreams[0])
        return
    yield Origin(one.name, one.checksum or None, is_directory=True)
    index = contents.value(one.checksum) if one.checksum else None
    for upstream in upstreams:
        part = os.fsdecode(upstream.part)
        found = index.get(part) if isinstance(index, dict) and upstream.checksum is not None else None
        checksum = found if isinstance(found, str) else None
        name = os.path.join(one.name, part)
        yield _bound(contents, one, upstream)._replace(name=name, checksum=checksum, is_directory=False)


def _bound(contents: Contents, one: Input, upstream: Upstream) -> Origin:
    """An input that another request was to make when this one was submitted."""
    maker = history.request(contents.store.database, upstream.request_id) if upstream.request_id is not None else None
    path = os.fsdecode(upstream.path) or None
    command = maker.command if maker is not None else None
    return Origin(one.name, one.checksum or None, path, upstream.request_id, command, one.is_directory)


def _found(contents: Contents, one: Input, is_command: bool, directory: bytes, before: int) -> Iterator[Origin]:
    """An input that was there when it was asked for: a file of a request, a file of one's own, or a value."""
    origin = Origin(one.name, one.checksum or None, is_directory=one.is_directory)
    if not is_command:
        yield _by_content(contents, origin, before)
        return
    path = os.path.join(directory, os.fsencode(one.name))
    origin = origin._replace(path=os.fsdecode(path))
    for writer in history.writers(contents.store.database, path, before, _WRITERS):
        if _has(contents, writer, one):
            yield origin._replace(request=writer.id, command=writer.command)
            return
    yield origin if os.path.exists(path) else _by_content(contents, origin, before)
    if one.is_directory:
        yield from _inside(contents, one, path, before)


def _by_content(contents: Contents, origin: Origin, before: int) -> Origin:
    """Whoever had this content as a result. Maybe by chance: nobody has written down that it was taken from there."""
    made = evictions.maker_of(contents.store.database, origin.checksum) if origin.checksum else None
    maker = history.first_of_job(contents.store.database, made.job_id) if made is not None else None
    if maker is None or maker.id >= before:
        return origin
    return origin._replace(request=maker.id, command=maker.command, is_certain=False)


def _inside(contents: Contents, one: Input, path: bytes, before: int) -> Iterator[Origin]:
    """The files of a directory that requests have written as they are in it."""
    index = contents.value(one.checksum)
    if not isinstance(index, dict):
        return
    for place, writer in history.writers_below(contents.store.database, path, before, _FILES).items():
        part = os.fsdecode(place[len(path) + 1 :])
        job = history.job(contents.store.database, writer.job_id) if writer.job_id is not None else None
        if job is None or not isinstance(index.get(part), str):
            continue
        file = one._replace(name=os.path.join(one.name, part), checksum=index[part], is_directory=False)
        if _has(contents, writer, file):
            yield Origin(file.name, file.checksum, os.fsdecode(place), writer.id, writer.command)


def _has(contents: Contents, writer: Request, one: Input) -> bool:
    """Whether a request's result is, or names, this content."""
    job = history.job(contents.store.database, writer.job_id) if writer.job_id is not None else None
    if job is None or job.result is None:
        return False
    if job.result == one.checksum:
        return True
    index = contents.value(job.result)
    return isinstance(index, dict) and one.checksum in index.values()
