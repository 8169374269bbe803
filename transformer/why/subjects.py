"""Finds what a word means: a request, a job, a buffer, or a file."""

from __future__ import annotations

import os
import re
import sys

from seamless_queue import sidecars, statcache
from seamless_queue.broker import evictions, history
from seamless_queue.broker.history import Job, Request
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from .. import directories, plain
from ..localfiles import canonical, itself_and_above
from ..provenance import Parts
from . import answers
from .contents import Contents
from .differences import abbreviated, content_change
from .values import Answer, Reason, Verdict, brief

#: Fewer hex digits are no checksum.
PREFIX_DIGITS = 6
_HEX = re.compile(r"[0-9a-f]+")
_NUMBER = re.compile(r"#?[0-9]+")
_SHOWN = 5
#: So many of the newest requests are searched for a file that is only an input: of those that name it, of all others.
_NAMING, _OTHERS = 200, 500
#: So many inputs of a file's command are compared with what they are now.
_LOOKED_AT = 200
_ENDED_WELL = (Verdict.RAN, Verdict.HIT, Verdict.SHARED)


def about(store: Store, word: str) -> Answer | None:
    """The answer for a file, a request number or a checksum; None if the word is nothing of these."""
    path = _path(word)
    answer = _about_file(store, path, word)
    if answer is not None:
        return answer
    if _NUMBER.fullmatch(word):
        request = history.request(store.database, min(int(word.lstrip("#")), sys.maxsize))
        if request is not None:
            return answers.about_request(store, request, f"request {request.id}")
    if _HEX.fullmatch(word.lower()) and PREFIX_DIGITS <= len(word) <= 64:
        return about_checksum(store, word.lower())
    return None


def about_checksum(store: Store, prefix: str) -> Answer | None:
    """The answer for a job or a buffer, by the beginning of its checksum; None if nothing is called so."""
    jobs = history.jobs_beginning(store.database, prefix, _SHOWN + 1)
    results = history.results_beginning(store.database, prefix, _SHOWN + 1)
    found = [job.checksum for job in jobs] + [one for one in results if one not in {job.checksum for job in jobs}]
    if len(found) > 1:
        raise SeamlessError(
            f"{prefix} is the beginning of several checksums, such as {', '.join(found[:_SHOWN])}: give more digits"
        )
    if jobs:
        return _about_job(store, jobs[0], f"job {abbreviated(jobs[0].checksum)}")
    if results:
        return _about_made(store, results[0], f"buffer {abbreviated(results[0])}")
    if len(prefix) == 64 and store.buffers.has(prefix):
        text = "no job has made it: it is an input, code, or the description of a job"
        return Answer(f"buffer {abbreviated(prefix)}", Verdict.NOT_MADE, (Reason("not_made", text),))
    return None


def _about_job(store: Store, job: Job, subject: str) -> Answer:
    request = history.newest_of_job(store.database, job.id)
    if request is None:
        raise SeamlessError(f"{subject}: it is known, but no request for it is recorded (was it imported?)")
    # The one for which it ran, if that can be told: the newer ones were hits.
    candidates = [request, history.first_of_job(store.database, job.id)]
    answer = answers.about_request(store, request, subject)
    if answer.verdict is Verdict.HIT and candidates[1] is not None and candidates[1].id != request.id:
        first = answers.about_request(store, candidates[1], subject)
        return first if first.verdict is not Verdict.HIT else answer
    return answer


def _about_made(store: Store, checksum: str, subject: str) -> Answer | None:
    maker = evictions.maker_of(store.database, checksum)
    job = history.job(store.database, maker.job_id) if maker is not None else None
    if job is None:
        return None
    answer = _about_job(store, job, subject)
    what = "the result" if job.result == checksum else "a file of the result"
    return answer._replace(reasons=(Reason("made", f"it is {what} of this job"), *answer.reasons))


# -- files ------------------------------------------------------------------------------------
def _path(word: str) -> str:
    path = canonical(os.path.abspath(word))
    for suffix in sidecars.SUFFIXES:
        if path.endswith(suffix) and len(os.path.basename(path)) > len(suffix):
            return path.removesuffix(suffix)
    return path


def _about_file(store: Store, path: str, word: str) -> Answer | None:
    for place, part in itself_and_above(path):
        writers = history.writers(store.database, os.fsencode(place), sys.maxsize, 1)
        if writers:
            answer = answers.about_request(store, writers[0], word)
            notes = [*_notes(store, answer, writers[0], path, place, part), *_stale(store, answer, writers[0])]
            first = [note for note in notes if note.kind == "inside"]
            last = [note for note in notes if note.kind != "inside"]
            return answer._replace(reasons=(*first, *answer.reasons, *last))
        if part and not os.path.lexists(path):
            # Only what is, or was to be, inside of a result's directory may be missing.
            continue
    if not os.path.lexists(path) and not any(os.path.exists(path + suffix) for suffix in sidecars.SUFFIXES):
        return None
    return _about_foreign(store, path, word)


def _notes(store: Store, answer: Answer, request: Request, path: str, place: str, part: str) -> list[Reason]:
    """What is to be said of the file beside how it was made."""
    notes = []
    if part:
        notes.append(Reason("inside", f"it is inside of {place}, which request {request.id} writes"))
    made, *former = _made(store, answer, request, os.fsencode(place), part)
    now = checksum_of(store, path)
    if made is not None and now is not None and now in former:
        text = f"the file is what an earlier run gave ({abbreviated(now)}); the last one gave {abbreviated(made)}"
        notes.append(Reason("former", text))
    elif made is not None and now is not None and made != now:
        change = content_change(Contents(store, Staged()), made, now)
        detail = f", {change}" if change else ""
        change = f"{abbreviated(made)} -> {abbreviated(now)}{detail}"
        text = f"it was changed after request {request.id} had written it ({change})"
        notes.append(Reason("changed_since", text))
    if made is not None and now is None and not os.path.exists(path + sidecars.CHECKSUM):
        notes.append(Reason("absent", "the file is not there any more; its content is known to the store"))
    return notes


def _stale(store: Store, answer: Answer, request: Request) -> list[Reason]:
    """Which inputs of a command are not what they were, so that it would run again."""
    if answer.verdict not in _ENDED_WELL:
        return []
    said = []
    for one in answer.inputs[:_LOOKED_AT]:
        # Under -ms and its like an input has another name inside than the one that was given.
        if not one.path or one.checksum is None or f"/{one.name}" in request.command.replace("./", ""):
            continue
        now = checksum_of(store, os.path.join(os.fsdecode(request.directory), one.name), is_input=True)
        if now is not None and now != one.checksum:
            detail = content_change(Contents(store, Staged()), one.checksum, now)
            change = f"{abbreviated(one.checksum)} -> {abbreviated(now)}{f', {detail}' if detail else ''}"
            text = f"its input `{one.name}` was changed since ({change}): the same command is another job now"
            said.append(Reason("input_changed_since", text))
    return said


def _made(store: Store, answer: Answer, request: Request, place: bytes, part: str) -> list[str | None]:
    """The checksum with which a request has written a file, if that is known; then those that other runs gave."""
    job = answer.job
    if job is None or job.result is None or answer.verdict in (Verdict.WAITS, Verdict.RUNNING, Verdict.FAILED):
        return [None]
    names = [one.name for one in history.written_by(store.database, request.id) if one.path == place]
    if not names:
        return [None]
    name = os.path.join(os.fsdecode(names[0]), part) if part else os.fsdecode(names[0])
    others = {one.result for one in answer.attempts} - {None, job.result}
    return [_part_of(store, result, name) for result in (job.result, *others)]


def _part_of(store: Store, result: str | None, name: str) -> str | None:
    index = Contents(store, Staged()).value(result or "")
    if not isinstance(index, dict):
        return None
    found = directories.part_of(index, name)
    if isinstance(found, str):
        return found
    return store.digest.of(plain.dump(found)) if found else None


def checksum_of(store: Store, path: str, *, is_input: bool = False) -> str | None:
    """The checksum of a file or directory as it is now, or as its sidecar says; None if there is neither.

    `is_input`: as an input of a command, of which empty directories are no part.
    """
    try:
        if os.path.isdir(path):
            found = directories.survey(path)
            checksums = (_hashed(store, one.path) for one in found if one.status is not None)
            index = directories.index_of(found, checksums)
            return store.digest.of(plain.dump(directories.without_empty(index) if is_input else index))
        return _hashed(store, path) if os.path.isfile(path) else sidecars.read_checksum(path)
    except (OSError, SeamlessError):
        return None


def _hashed(store: Store, path: str) -> str:
    return statcache.lookup(store.database, os.stat(path)) or store.digest.of_file(path)


def _about_foreign(store: Store, path: str, word: str) -> Answer:
    """A file that no request here was to write."""
    future = sidecars.read_future(path)
    if future is not None:
        stale = ", but nobody has touched its .FUTURE for long: its job is dead" if future.is_stale() else ""
        text = f"another store is to write it ({path}.FUTURE){stale}"
        return Answer(word, Verdict.WAITS, (Reason("waits_for_future", text),))
    checksum = checksum_of(store, path)
    readers = [*_readers(store, path, checksum), *_written_inside(store, path)]
    answer = _about_made(store, checksum, word) if checksum is not None else None
    if answer is None or (len(readers) > 1 and os.path.lexists(path)):
        return Answer(word, Verdict.NOT_MADE, tuple(readers))
    note = Reason("same_content", "no request has written this file, but its content is what a job has made")
    return answer._replace(reasons=(note, *answer.reasons))


def _read_as(contents: Contents, parts: Parts, name: str) -> str | None:
    """The checksum with which a file was an input, by itself or in a directory; None if it was none."""
    for one in parts.inputs:
        if one.name == name:
            return one.checksum
        if one.is_directory and name.startswith(f"{one.name}/"):
            index = contents.value(one.checksum)
            found = index.get(name[len(one.name) + 1 :]) if isinstance(index, dict) else None
            if isinstance(found, str):
                return found
    return None


def _written_inside(store: Store, path: str) -> list[Reason]:
    """Which requests write files in a directory."""
    inside = history.writers_below(store.database, os.fsencode(path), sys.maxsize, _OTHERS)
    said = [
        Reason("written_inside", f"request {request.id} ({brief(request.command)}) writes {os.fsdecode(place)}")
        for place, request in list(inside.items())[:_SHOWN]
    ]
    if len(inside) > _SHOWN:
        said.append(Reason("written_inside", f"and {len(inside) - _SHOWN} more of its files come from requests"))
    return said


def _likely(requests: list[Request], name: str) -> list[Request]:
    base = os.path.basename(name)
    naming = [request for request in requests if base in request.command]
    return naming[:_NAMING] + [request for request in requests if base not in request.command][:_OTHERS]


def _readers(store: Store, path: str, checksum: str | None) -> list[Reason]:
    """Which of the newer requests of its directory, or of those above, have read the file."""
    contents, found = Contents(store, Staged()), []
    newest = history.newest_request(store.database) + 1
    for place, part in itself_and_above(os.path.dirname(path)):
        name = os.path.join(os.path.relpath(os.path.dirname(path), place), os.path.basename(path))
        name = os.path.normpath(name)
        for request in _likely(history.in_directory(store.database, os.fsencode(place), newest), name):
            job = history.job(store.database, request.job_id or 0)
            parts = contents.parts(job.checksum) if job is not None else None
            read = _read_as(contents, parts, name) if parts is not None and parts.is_command else None
            if read is not None:
                state = "as it is now" if read == checksum else f"as it was then, {abbreviated(read)}"
                found.append((request.id, f"request {request.id} ({brief(request.command)}) has read it {state}"))
        if part.count("/") > 1 or len(found) >= _SHOWN:
            break
    reasons = [Reason("not_made", "it is your own")]
    newest_first = sorted(found, reverse=True)
    reasons += [Reason("read_by", text) for _, text in newest_first[:_SHOWN]]
    if len(found) > _SHOWN:
        reasons.append(Reason("read_by", f"and {len(found) - _SHOWN} more"))
    return reasons
