"""The parts of what was asked for, also where an input is not known yet."""

from __future__ import annotations

from typing import Any

from seamless_queue.broker.history import Job, Request
from seamless_queue.errors import SeamlessError

from .. import provenance
from ..provenance import Input, Parts
from ..specification import Specification
from .contents import Contents


def parts_of(contents: Contents, request: Request | None, job: Job | None) -> Parts | None:
    """What a request's transformation consists of; None if that cannot be had any more."""
    if job is not None:
        return contents.parts(job.checksum)
    if request is None or request.specification is None:
        return None
    fields = contents.value(request.specification)
    return of_specification(fields) if isinstance(fields, dict) else None


def of_specification(fields: dict[str, Any]) -> Parts | None:
    """The same of a specification; an input that is not known has no checksum."""
    try:
        if "__language__" in fields:
            return provenance.parts(fields)
        return _of_command(Specification.of(fields))
    except (KeyError, TypeError, ValueError, SeamlessError):
        return None


def _of_command(found: Specification) -> Parts:
    inputs = tuple(
        Input(pin.name, pin.name, "bytes", pin.checksum or "", pin.directory, pin.directory, False, pin.executable)
        for pin in found.pins
    )
    captures = tuple(sorted(found.captures))
    celltype = "deepfolder" if captures else "bytes"
    return Parts(
        "bash", True, found.code, inputs, dict(found.variables), captures, found.stdin, celltype, bool(captures)
    )
