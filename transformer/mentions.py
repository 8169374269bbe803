"""What a job needs, told quickly from the bytes of its identity, without reading their meaning one by one.

For collectors, which look at a million of them: one checksum too many only keeps a buffer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seamless_queue.care.needed import index_content, named_in
from seamless_queue.store import Store

#: Of a result, or of an input: its buffer names further buffers.
_DEEP = re.compile(rb'"(?:deepcell|deepfolder|folder)"|"directory"\s*:\s*true|"mode"\s*:\s*"directory"')
_DEEP_RESULT = re.compile(rb'"__output__"\s*:\s*\[\s*"result"\s*,\s*"(?:deepcell|deepfolder|folder)"')
_CODE = re.compile(rb'"code"\s*:\s*\[[^\]]*?"([0-9a-f]{64})"')


def mentions(store: Store, content: bytes) -> Iterator[bytes]:
    """The checksums that an identity or specification names, and those that indices among its inputs name."""
    found = named_in(content)
    yield from found
    if names_indices(content):
        for one in found:
            yield from named_in(index_content(store, one))


def names_indices(content: bytes) -> bool:
    """Whether there may be indices among the inputs of an identity or specification."""
    return _may_be_deep(content) and len(_DEEP.findall(content)) > makes_index(content)


def essence(content: bytes) -> list[bytes]:
    """What tells what a job is, without its inputs: its code."""
    code = _CODE.search(content)
    return [bytes.fromhex(code[1].decode())] if code else []


def makes_index(content: bytes) -> bool:
    """Whether the result of an identity names further buffers."""
    return _may_be_deep(content) and _DEEP_RESULT.search(content) is not None


def _may_be_deep(content: bytes) -> bool:
    """Told at once of most."""
    return b'"deep' in content or b'folder"' in content or b'directory"' in content
