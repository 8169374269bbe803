"""The loop of the dashboard: keys, fetch, draw, wait."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack, suppress

from rich.console import Console

from seamless_queue.broker.overview import Filter
from seamless_queue.errors import Interrupted
from seamless_queue.settings import Settings
from seamless_queue.signals import handled, interrupting, waking
from seamless_queue.store import Store, open_store

from . import detailscreen, overviewscreen
from .actions import cancel, retry
from .canvas import Canvas, Line
from .keyboard import Keyboard
from .overviewscreen import Facts
from .pace import Pace
from .sampling import Sampler
from .source import Source
from .terminal import Terminal
from .view import Question, Screen, View

#: The screen is drawn at most so often, unless a key was pressed.
DRAW_SECONDS = 0.5
#: Of a core, for drawing.
DRAW_SHARE = 0.005
PAGE = 10
MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -PAGE, "page down": PAGE, "home": -(10**9), "end": 10**9}
SIGNALS = (signal.SIGWINCH, signal.SIGTSTP)


def run(configured: Settings, wanted: Filter) -> int:
    """Show the dashboard until its user has seen enough: Ctrl-C says so as well as q."""
    store = open_store(configured)
    try:
        with ExitStack() as stack:
            stack.enter_context(interrupting())
            sampler = stack.enter_context(Sampler(store.path, configured.max_size))
            wakes = stack.enter_context(waking())
            dashboard = Dashboard(store, wanted, sampler, wakes)
            stack.enter_context(handled(dashboard.note_signal, *SIGNALS))
            with suppress(EOFError):
                dashboard.run()
    except Interrupted as exc:
        if exc.number != signal.SIGINT:
            raise
    finally:
        store.close()
    return 0


class Dashboard:
    """A terminal on which a store's survey is drawn."""

    def __init__(self, store: Store, wanted: Filter, sampler: Sampler, wakes: int) -> None:
        self._store = store
        self._source = Source(store, wanted)
        self._sampler = sampler
        self._wakes = wakes
        self._view = View(wanted)
        self._console = Console()
        self._terminal = Terminal(self._console, Keyboard(sys.stdin.fileno()))
        self._pace = Pace(DRAW_SECONDS, DRAW_SHARE)
        self._is_stopping = False
        self._is_over = False

    def note_signal(self, number: int) -> None:
        """The window has another size, or the shell wants us to stop for a while."""
        if number == signal.SIGTSTP:
            self._is_stopping = True
        self._pace.hurry()

    def run(self) -> None:
        """Until somebody presses q."""
        with self._terminal:
            while not self._is_over:
                self._stop_if_asked()
                self._fetch()
                self._draw()
                for key in self._keys():
                    self._obey(key)

    def _stop_if_asked(self) -> None:
        if self._is_stopping:
            self._is_stopping = False
            with self._terminal.left():
                signal.raise_signal(signal.SIGSTOP)
            self._pace.hurry()

    def _fetch(self) -> None:
        if not self._view.is_paused:
            self._source.have_room(self._console.size.height)
            self._source.refresh()
            self._sampler.watch(self._source.survey.hosts, self._source.survey.workers)

    def _draw(self) -> None:
        now = time.monotonic()
        if self._pace.is_due(now):
            with self._pace.spending(now):
                width, height = self._console.size
                lines, selected = self._lines(width, height)
                self._terminal.show(Canvas(lines, width, height, selected))

    def _lines(self, width: int, height: int) -> tuple[list[Line], int | None]:
        view, now = self._view, time.time()
        if view.screen is Screen.HELP:
            return overviewscreen.help_screen(width, height), None
        if view.screen is Screen.DETAILS and view.selected is not None:
            found = detailscreen.fetch(self._store, view.selected)
            if found is not None:
                return detailscreen.draw(found, view, now, width, height), None
            view.screen = Screen.OVERVIEW
            view.say("that request is not in the store any more", now)
        shown = self._source.survey.now if view.is_paused else now
        facts = Facts(self._store.path, shown, self._sampler.loads, self._sampler.size)
        return overviewscreen.draw(self._source.survey, view, facts, width, height)

    def _keys(self) -> list[str]:
        """What is pressed until it is time to draw again."""
        keys = self._terminal.keyboard.wait(self._pace.due_in(time.monotonic()), (self._wakes,))
        with suppress(BlockingIOError):
            while os.read(self._wakes, 64):
                pass
        if keys:
            self._pace.hurry()
        return keys

    def _obey(self, key: str) -> None:
        view = self._view
        if key == "redraw":
            self._terminal.clear()
        elif view.question is not None:
            self._answer(view.question, key)
        elif view.screen is Screen.HELP:
            view.screen = Screen.OVERVIEW
        elif key in ("c", "r"):
            self._ask(key)
        elif view.screen is Screen.DETAILS:
            self._obey_in_details(key)
        else:
            self._obey_in_overview(key)

    def _obey_in_details(self, key: str) -> None:
        view = self._view
        if key in ("q", "escape", "left"):
            view.screen = Screen.OVERVIEW
        elif key == "end":
            view.scroll = -1
        elif key in MOVES:
            # From the end it goes up from where the end is: the drawing corrects what is too much.
            view.scroll = max(0, (10**6 if view.scroll < 0 else view.scroll) + MOVES[key])

    def _obey_in_overview(self, key: str) -> None:
        view = self._view
        if key in ("q", "escape"):
            self._is_over = True
        elif key == "p":
            view.is_paused = not view.is_paused
        elif key == "s":
            view.next_order()
        elif key == "?":
            view.screen = Screen.HELP
        elif key == "/":
            view.question = Question("filter", view.filter.text or "")
        elif key in ("enter", "right"):
            if view.selected is None:
                view.move(0)
            if view.selected is not None:
                view.screen, view.scroll = Screen.DETAILS, -1
        elif key in MOVES:
            view.move(MOVES[key])

    def _ask(self, key: str) -> None:
        view = self._view
        if view.selected is None:
            view.say("select a job first, with the arrow keys", time.time())
        else:
            view.question = Question("cancel" if key == "c" else "retry", request_id=view.selected)

    def _answer(self, question: Question, key: str) -> None:
        view = self._view
        if question.kind == "filter":
            self._edit_filter(question, key)
            return
        view.question = None
        if key in ("y", "Y"):
            act = cancel if question.kind == "cancel" else retry
            view.say(act(self._store, question.request_id), time.time())
            self._source.hurry()

    def _edit_filter(self, question: Question, key: str) -> None:
        view = self._view
        if key == "escape":
            view.question = None
        elif key == "enter":
            view.filter = view.filter._replace(text=question.text or None)
            view.question = view.selected = None
            self._source.want(view.filter)
        elif key == "backspace":
            view.question = question._replace(text=question.text[:-1])
        elif len(key) == 1:
            view.question = question._replace(text=question.text + key)
