"""What the person before the screen has chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from seamless_queue.broker.overview import Filter, Row
from seamless_queue.survey import Survey

from .sampling import Load

#: How long a message stays.
MESSAGE_SECONDS = 6.0


class Screen(Enum):
    """What is on the screen."""

    #: counts and lists
    OVERVIEW = "overview"
    #: all about one job, and its log
    DETAILS = "details"
    #: the keys
    HELP = "help"


class Order(Enum):
    """By what rows are sorted."""

    #: as they run, are claimed, came or failed
    NATURAL = "age"
    #: the newest request first
    NEWEST = "newest"
    COMMAND = "command"
    CPU = "cpu"
    MEMORY = "memory"


class Question(NamedTuple):
    """What is asked in the last line: a text for the filter, or a yes to an action on a request."""

    kind: str
    text: str = ""
    request_id: int = 0


@dataclass(slots=True)
class View:
    """Selection, filter, order, and which screen is shown."""

    filter: Filter
    screen: Screen = Screen.OVERVIEW
    order: Order = Order.NATURAL
    selected: int | None = None
    is_paused: bool = False
    question: Question | None = None
    message: str = ""
    message_until: float = 0.0
    #: the first line that is shown of the details; -1: the facts, and the end of the output
    scroll: int = 0
    #: the requests in the order in which they are listed
    listed: Sequence[int] = ()
    #: where the selection is among them, or was
    place: int = 0

    def show_list(self, request_ids: Iterable[int]) -> None:
        """These are listed now. What has left the lists stays selected: no key is to hit what came in its place."""
        self.listed = [*request_ids]
        if self.selected in self.listed:
            self.place = self.listed.index(self.selected)

    def say(self, text: str, now: float) -> None:
        """Show a message for a while."""
        self.message, self.message_until = text, now + MESSAGE_SECONDS

    def move(self, steps: int) -> None:
        """Select a row further down or up."""
        if not self.listed:
            return
        if self.selected not in self.listed:
            # Where the selection was, something else has come.
            self.selected = self.listed[min(self.place, len(self.listed) - 1)]
            return
        place = self.listed.index(self.selected) + steps
        self.place = max(0, min(len(self.listed) - 1, place))
        self.selected = self.listed[self.place]

    def next_order(self) -> None:
        """Sort by the next criterion."""
        orders = list(Order)
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]


class Section(NamedTuple):
    """A list of the overview."""

    name: str
    rows: list[Row]
    #: how many there are, listed or not
    total: int


def sections(survey: Survey, order: Order, loads: dict[int, Load]) -> list[Section]:
    """The lists that are not empty, sorted."""
    lists, counts = survey.lists, survey.counts()
    found = (
        Section("running", [*lists.running, *lists.delivering], counts["running"] + counts["delivering"]),
        Section("waiting", list(lists.waiting), counts["waiting"]),
        Section("ready", list(lists.ready), counts["ready"]),
        Section("failed", list(lists.failed), counts["failed"]),
    )
    return [one._replace(rows=ordered(one.rows, order, loads)) for one in found if one.rows]


def ordered(rows: Iterable[Row], order: Order, loads: dict[int, Load]) -> list[Row]:
    """Rows sorted as the person wishes."""
    if order is Order.NEWEST:
        return sorted(rows, key=lambda row: -row.request_id)
    if order is Order.COMMAND:
        return sorted(rows, key=lambda row: row.command)
    if order in (Order.CPU, Order.MEMORY):
        nothing = Load(0.0, 0)
        field_of = 0 if order is Order.CPU else 1
        return sorted(rows, key=lambda row: -loads.get(row.worker_id or 0, nothing)[field_of])
    return list(rows)
