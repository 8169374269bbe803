"""Computes identities: at submit where all inputs are known, later where an upstream brought the last one."""

from __future__ import annotations

import os
from typing import Any

from seamless_queue.broker import submissions
from seamless_queue.broker.records import Identity, Known
from seamless_queue.broker.work import Dependency, Keyable
from seamless_queue.errors import SeamlessError
from seamless_queue.staged import Staged
from seamless_queue.store import Store

from . import directories, plain
from .kept import leaves_of
from .specification import DEEP, Pin, Specification, identity_buffer


def key(store: Store, keyable: Keyable, staged: Staged) -> Identity:
    """The identity of a request whose inputs are known by now; SeamlessError if one is not what it promised."""
    fields = plain.load(store.buffers.read(keyable.specification))
    if "__language__" in fields:
        return _key_description(store, fields, keyable, staged)
    specification = Specification.of(fields)
    pins = {pin.name: pin for pin in specification.pins}
    for dependency in keyable.dependencies:
        name = os.fsdecode(dependency.pin)
        pins[name] = _resolve(store, pins[name], dependency, staged)
    return identify(store, specification._replace(pins=tuple(pins.values())), staged, scratch=keyable.scratch)


def _key_description(store: Store, fields: dict[str, Any], keyable: Keyable, staged: Staged) -> Identity:
    """A transformation from Python: the results of its upstream are its pins as they are."""
    for dependency in keyable.dependencies:
        fields[os.fsdecode(dependency.pin)][2] = dependency.checksum
    checksum = store.buffers.stage(plain.dump(fields), staged)
    known = known_job(store, checksum)
    if known is None or keyable.scratch or is_kept(store, known.result, fields["__output__"][1] in DEEP):
        return Identity(checksum)
    return Identity(checksum, known.result)


def known_job(store: Store, checksum: str) -> Known | None:
    """What is known of an identity that is done, here or in another store that is asked too."""
    known = submissions.known(store.database, checksum)
    if known is not None or store.sources is None:
        return known
    from .exchange import take_over

    return take_over(store, checksum)


def identify(store: Store, specification: Specification, staged: Staged, *, scratch: bool = False) -> Identity:
    """The identity of a complete specification; it tells if the store has lost the result it once had.

    With `scratch` the bytes are not needed, but the index of them is.
    """
    pins = tuple(_files_only(store, pin, staged) if pin.directory else pin for pin in specification.pins)
    specification = specification._replace(pins=pins)
    checksum = store.buffers.stage(identity_buffer(specification), staged)
    known = known_job(store, checksum)
    if known is None:
        return Identity(checksum)
    captures = bool(specification.captures)
    enough = not captures or store.buffers.has(known.result) if scratch else is_kept(store, known.result, captures)
    return Identity(checksum, None if enough else known.result)


def is_kept(store: Store, result: str, is_index: bool) -> bool:
    """Whether all bytes of a result are in the store."""
    if not store.buffers.has(result):
        return False
    if not is_index:
        return True
    members = set(leaves_of(plain.load(store.buffers.read(result))))
    return store.buffers.present(members) == members


def _files_only(store: Store, pin: Pin, staged: Staged) -> Pin:
    """A directory as commands get it: without those in it that are empty, which are no part of an identity."""
    checksum = pin.checksum or ""
    content = staged.small.get(checksum) or store.buffers.read(checksum)
    if directories.EMPTY not in content:
        return pin
    index = directories.parse(content, f"index {checksum}")
    return pin._replace(checksum=store.buffers.stage(plain.dump(directories.without_empty(index)), staged))


def _resolve(store: Store, pin: Pin, dependency: Dependency, staged: Staged) -> Pin:
    if dependency.upstream is None:
        found: str | directories.Index = dependency.checksum
        if os.path.isdir(os.fsdecode(dependency.path)):
            found = directories.read_index(store, dependency.checksum)
    else:
        found = _from_upstream(store, dependency, pin)
    if pin.checksum is not None:
        return _insert(store, pin, os.fsdecode(dependency.part), found, staged)
    if isinstance(found, str):
        return pin._replace(checksum=found, directory=False)
    return pin._replace(checksum=store.buffers.stage(plain.dump(found), staged), directory=True)


def _from_upstream(store: Store, dependency: Dependency, pin: Pin) -> str | directories.Index:
    index = directories.read_index(store, dependency.checksum)
    name = os.fsdecode(dependency.output)
    if pin.checksum is None and dependency.part:
        name = f"{name}/{os.fsdecode(dependency.part)}"
        if not directories.has_part(index, name):
            raise SeamlessError(f"request {dependency.upstream} did not write {os.fsdecode(dependency.path)}")
    return directories.part_of(index, name)


def _insert(store: Store, pin: Pin, part: str, found: str | directories.Index, staged: Staged) -> Pin:
    """A directory some of whose files come from upstream."""
    checksum = pin.checksum or ""
    index = plain.load(staged.small[checksum]) if checksum in staged.small else directories.read_index(store, checksum)
    directories.put(index, part, found)
    return pin._replace(checksum=store.buffers.stage(plain.dump(index), staged))
