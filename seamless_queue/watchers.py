"""The one door to watchdog: tells when a foreign .FUTURE goes away, or has gone stale.

Events are only hints. Every watched file is looked at again twice a second, which is all that is
left on file systems that give no events.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .sidecars import FUTURE

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

#: How often watched files are looked at without an event.
RESCAN_SECONDS = 0.5


class FutureWatcher:
    """Watches the directories of foreign .FUTUREs; `wake` is called from another thread on a change."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._observer: BaseObserver | None = None
        self._watches: dict[str, Any] = {}

    def watch(self, paths: set[str]) -> None:
        """Watch the .FUTUREs of exactly these paths."""
        directories = {os.path.dirname(path) for path in paths}
        for directory in set(self._watches) - directories:
            self._unwatch(directory)
        for directory in directories - set(self._watches):
            self._watch(directory)

    def _watch(self, directory: str) -> None:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        wake = self._wake

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: Any) -> None:
                if str(os.fsdecode(event.src_path)).endswith(FUTURE):
                    wake()

        # No inotify watches left, or the directory is gone: the rescan is enough.
        with suppress(OSError):
            if self._observer is None:
                self._observer = Observer()
                self._observer.start()
            self._watches[directory] = self._observer.schedule(Handler(), directory)

    def _unwatch(self, directory: str) -> None:
        watch = self._watches.pop(directory)
        if self._observer is not None:
            with suppress(KeyError, OSError):
                self._observer.unschedule(watch)

    def close(self) -> None:
        """Stop watching."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
