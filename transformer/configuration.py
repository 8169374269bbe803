"""How a process is configured: explicit wishes, configuration files, defaults; and what may change when."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from seamless_queue.errors import ConfigurationError
from seamless_queue.settings import Settings, load

#: So many transformations may be active at once in `parallel`, where nothing else was said.
DEFAULT_NPARALLEL = 512
#: What belongs to the store, and is fixed once that is open.
STORE_KEYS = frozenset({"store", "digest", "persistent", "durable"})


class Configuration:
    """Explicit wishes, and the settings that come of them. One thread at a time may change it."""

    def __init__(self) -> None:
        self._wishes: dict[str, Any] = {}
        self._directory: str | None = None
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """What is in force: explicit wishes, files from the working directory upward, defaults."""
        if self._settings is None:
            self._settings = load(directory=self._directory, **self._wishes)
        return self._settings

    @property
    def nparallel(self) -> int:
        """How many transformations may be active at once in a batch."""
        return self.settings.nparallel or DEFAULT_NPARALLEL

    @property
    def is_persistent(self) -> bool:
        """Whether results outlive this process."""
        return _keeps(self.settings)

    def change(self, changes: Mapping[str, Any], *, in_use: bool) -> None:
        """Wishes, which win over files; None takes one back. ConfigurationError if one comes too late.

        `in_use`: whether there is an open store.
        """
        if in_use and not STORE_KEYS.isdisjoint(changes):
            raise ConfigurationError(
                f"{', '.join(sorted(STORE_KEYS & set(changes)))} cannot change while a store is in use: "
                "call seamless.close() first"
            )
        wishes = {key: value for key, value in {**self._wishes, **changes}.items() if value is not None}
        changed = load(directory=self._directory, **wishes)
        if in_use and _keeps(changed) and not self.is_persistent:
            raise ConfigurationError(
                f"execution {changed.execution} needs a store that lasts, and a private one is in use: "
                "select it before the first transformation, or call seamless.close() first"
            )
        self._settings, self._wishes = changed, wishes

    def set_directory(self, directory: str, *, in_use: bool) -> None:
        """Where configuration files are looked for; they are read again."""
        if not os.path.isdir(directory):
            raise ConfigurationError(f"{directory} is not a directory")
        before, self._directory = self._directory, directory
        try:
            self.change({}, in_use=in_use)
        except ConfigurationError:
            self._directory = before
            raise


def _keeps(found: Settings) -> bool:
    """Whether results go into a store that lasts: where one is wanted, or the queue is to run the jobs."""
    return found.wants_store or found.execution == "queue"
