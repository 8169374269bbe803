"""Bash code through Python, really run: what it finds for its arguments, what becomes of RESULT."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import wait_until

from seamless.transformer import plain
from seamless.transformer.celltypes import Pieces, deserialize, serialize
from seamless.transformer.context import Context
from seamless.transformer.functions import NAME
from seamless_queue.broker import reports
from seamless_queue.broker.records import Identity, NewRequest
from seamless_queue.buffers import Staged
from seamless_queue.pythonsession import PythonSession
from seamless_queue.settings import Settings
from seamless_queue.store import Store

#: More than a small buffer has: it lies in a file of its own.
LARGE = 20_000


@dataclass(frozen=True)
class Given:
    """An argument by its buffer."""

    celltype: str
    content: bytes
    subcelltype: str | None = None


def given(celltype: str, value: object) -> Given:
    content = serialize(value, celltype)
    return Given(celltype, content.join() if isinstance(content, Pieces) else content)


@dataclass(frozen=True)
class Ran:
    """How the code ended."""

    celltype: str
    content: bytes | None
    error: str | None
    stdout: bytes
    stderr: bytes

    @property
    def value(self) -> Any:
        assert self.error is None, self.error
        assert self.content is not None
        return deserialize(self.content, self.celltype)


class Bash:
    """Runs bash code in this process, as `delayed(code, "bash")` would."""

    def __init__(self, session: PythonSession) -> None:
        self.session = session
        self.store: Store = session.store

    def __call__(self, code: str, result: str = "bytes", /, **arguments: Given) -> Ran:
        return self.run(code, result, arguments)

    def run(
        self,
        code: str,
        result: str,
        arguments: dict[str, Given],
        *,
        context: Context | None = None,
        timeout: float | None = None,
    ) -> Ran:
        staged = Staged()
        fields: dict[str, Any] = {
            "__language__": "bash",
            "__output__": ["result", result, None],
            "code": ["text", "transformer", self.keep(code.encode(), staged)],
        }
        for key, argument in arguments.items():
            fields[key] = [argument.celltype, argument.subcelltype, self.keep(argument.content, staged)]
        request = NewRequest(
            command="bash code",
            directory=b"/",
            specification=None,
            context=self.context(context) if context else None,
            lane=self.session.lane.number,
            identity=Identity(self.keep(plain.dump(fields), staged)),
            timeout=timeout,
        )
        (ticket,) = self.session.lane.submit([request], staged)
        assert self.session.lane.run_here(ticket, self.session.host)
        assert ticket.done
        assert ticket.checksum is not None
        streams = reports.streams_of(self.store.database, ticket.checksum)
        stdout, stderr = (self.store.buffers.read(checksum) if checksum else b"" for checksum in streams)
        content = self.store.buffers.read(ticket.result) if ticket.result else None
        return Ran(result, content, ticket.error, stdout, stderr)

    def keep(self, content: bytes, staged: Staged) -> str:
        return self.store.buffers.stage(content, staged)

    def keep_now(self, content: bytes) -> str:
        """The checksum of a file of a folder."""
        staged = Staged()
        checksum = self.keep(content, staged)
        with self.store.database.transaction() as connection:
            staged.write(connection)
        return checksum

    def folder(self, celltype: str = "folder", **files: bytes) -> Given:
        index = {name.replace("__", "/"): self.keep_now(content) for name, content in files.items()}
        return Given(celltype, plain.dump(index))

    def context(self, context: Context) -> str:
        content = context.encode()
        checksum = self.store.digest.of(content)
        with self.store.database.transaction() as connection:
            connection.execute(
                "INSERT INTO contexts (checksum, content) VALUES (?, ?)", (bytes.fromhex(checksum), content)
            )
        return checksum


@pytest.fixture
def bash(settings: Settings) -> Iterator[Bash]:
    session = PythonSession(settings, NAME, lambda _tickets: None)
    yield Bash(session)
    session.close()
    assert os.listdir(Path(settings.store) / "work") == []
