"""What waits for the next transaction: small buffers, contexts, stat entries, records of environments."""

from __future__ import annotations

from . import statcache

INSERT = "INSERT OR IGNORE INTO buffers (checksum, content) VALUES (?, ?)"
INSERT_CONTEXT = "INSERT OR IGNORE INTO contexts (checksum, content) VALUES (?, ?)"
INSERT_ENVIRONMENT = "INSERT OR IGNORE INTO environments (checksum, content) VALUES (?, ?)"


class Staged:
    """Rows by checksum, collected outside of a transaction and written inside one."""

    __slots__ = ("contexts", "entries", "environments", "small")

    def __init__(self) -> None:
        self.small: dict[str, bytes] = {}
        self.contexts: dict[str, bytes] = {}
        self.environments: dict[str, bytes] = {}
        self.entries: list[statcache.Entry] = []

    def add(self, other: Staged) -> None:
        """Take in what another one holds."""
        self.small.update(other.small)
        self.contexts.update(other.contexts)
        self.environments.update(other.environments)
        self.entries.extend(other.entries)

    def write(self, connection: object) -> None:
        """Write all of it, inside the caller's transaction."""
        for statement, contents in (
            (INSERT, self.small),
            (INSERT_CONTEXT, self.contexts),
            (INSERT_ENVIRONMENT, self.environments),
        ):
            if contents:
                rows = [(bytes.fromhex(checksum), content) for checksum, content in contents.items()]
                connection.executemany(statement, rows)  # type: ignore[attr-defined]
        if self.entries:
            connection.executemany(statcache.RECORD, self.entries)  # type: ignore[attr-defined]
