"""What the code of a transformation has printed."""

from __future__ import annotations

from seamless_queue.broker import reports

from . import session


def logs_of(identity: str) -> str:
    """Standard output and then standard error of the newest attempt; empty if there is none."""
    engine = session.current().engine
    with engine.lock:
        checksums = reports.streams_of(engine.store.database, identity)
    texts = [bytes(session.read(checksum)).decode(errors="replace") for checksum in checksums if checksum]
    return "".join(texts)
