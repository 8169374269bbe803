"""Automatic collection beside a server's work: a thread with a connection of its own, stopped with the server."""

from __future__ import annotations

import threading
from contextlib import closing, suppress

from ..clerk import Functions
from ..errors import SeamlessError
from ..settings import Settings
from ..store import open_store
from . import collect, marker, sizes


class Collector:
    """Looks now and then whether the store has grown beyond its cap."""

    def __init__(self, settings: Settings, functions: Functions) -> None:
        self._settings = settings
        self._functions = functions
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_wanted = (settings.max_size or "").strip().lower() != sizes.NONE

    def look(self) -> None:
        """Start a collection if one is due; returns at once."""
        if not self._is_wanted or (self._thread is not None and self._thread.is_alive()):
            return
        if marker.is_due(self._settings.store):
            self._thread = threading.Thread(target=self._collect, name="collector", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop after the result that is just given up."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _collect(self) -> None:
        # What goes wrong here is no matter of the server's; its own use of the store will tell.
        with suppress(SeamlessError, OSError), closing(open_store(self._settings)) as store:
            collect.automatically(store, self._functions, self._settings.max_size, lambda: not self._stopped.is_set())
