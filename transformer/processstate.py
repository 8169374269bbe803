"""What of a worker process the code of a job may change and another job must not find changed.

What C libraries keep for themselves, and what code has put in the place of another's functions, is beyond this.
"""

from __future__ import annotations

import locale
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from seamless_queue import signals

#: Nobody else's files meanwhile.
PRIVATE_MASK = 0o077
#: As much as NumPy takes.
SEED_WORDS = 4
# What the standard module is a face of, and several times as quick.
_setlocale: Any = getattr(sys.modules.get("_locale"), "setlocale", locale.setlocale)
#: The dictionary behind `os.environ`.
_variables: dict[bytes, bytes] = vars(os.environ)["_data"]


class ProcessState:
    """The state as it is when this is made. As a context, any number of times, it is put back at the end."""

    __slots__ = (
        "_directory",
        "_environment",
        "_filters",
        "_handlers",
        "_limit",
        "_locale",
        "_mask",
        "_path",
        "_path_entries",
        "_stays",
    )

    def __init__(self, stays: Callable[[str], bool]) -> None:
        #: which entries of the search path libraries may have added for themselves
        self._stays = stays
        self._directory = _directory()
        self._mask = _mask()
        self._environment = dict(_variables)
        self._path, self._path_entries = sys.path, list(sys.path)
        self._limit = sys.getrecursionlimit()
        self._filters = list(warnings.filters)
        self._locale = _setlocale(locale.LC_ALL)
        self._handlers: list[Any] = []

    def __enter__(self) -> ProcessState:
        # Each time: our own come and go (seamless_queue.signals).
        self._handlers = signals.handlers()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        # First: what follows may be deeper than the code has allowed.
        if sys.getrecursionlimit() != self._limit:
            sys.setrecursionlimit(self._limit)
        self.put_back()
        if signals.handlers() != self._handlers:
            signals.put_back(self._handlers)

    def put_back(self) -> None:
        """Make the state what it was; a job inside a job begins with that of the outer one's beginning."""
        if _directory() != self._directory and self._directory is not None:
            with suppress(OSError):
                os.chdir(self._directory)
        os.umask(self._mask)
        if _variables != self._environment:
            set_environment(self._environment)
        if sys.path is not self._path or sys.path != self._path_entries:
            stay = [entry for entry in sys.path if entry not in self._path_entries and self._stays(entry)]
            sys.path = self._path
            self._path_entries += stay
            sys.path[:] = self._path_entries
        if warnings.filters != self._filters:
            self._put_back_filters()
        if _setlocale(locale.LC_ALL) != self._locale:
            _setlocale(locale.LC_ALL, self._locale)

    def _put_back_filters(self) -> None:
        added = [one for one in warnings.filters if one not in self._filters and _is_librarys(one)]
        # As a block of the standard library, which has what it remembers of the filters forgotten.
        with warnings.catch_warnings():
            pass
        self._filters = [*added, *self._filters]
        warnings.filters = list(self._filters)


class Draws:
    """The generators that `random` and `numpy.random` share: seeded anew, and inside a job only for a while."""

    __slots__ = ("_numpy", "_numpys_source", "_random")

    def __init__(self) -> None:
        ours, numpys = _generator(), _numpys()
        self._random = ours.getstate() if ours is not None else None
        if numpys is not None:
            self._numpy, self._numpys_source = numpys.get_state(legacy=False), numpys._bit_generator
        else:
            self._numpy = None
        seed()

    def put_back(self) -> None:
        """Go on where they were."""
        ours, numpys = _generator(), _numpys()
        if self._random is None or self._numpy is None:
            # It may have been loaded since, and seeded.
            seed()
        if ours is not None and self._random is not None:
            ours.setstate(self._random)
        if numpys is not None and self._numpy is not None:
            if numpys._bit_generator is not self._numpys_source:
                sys.modules["numpy.random"].set_bit_generator(self._numpys_source)
            numpys.set_state(self._numpy)


def seed() -> None:
    """Have no job draw what another has seeded; generators that are not loaded stay so."""
    ours, numpys = _generator(), _numpys()
    if ours is not None:
        # A whole number: to seed with bytes, or with nothing, takes twice or three times as long.
        ours.seed(int.from_bytes(os.urandom(4 * SEED_WORDS), "little"))
    if numpys is not None:
        try:
            numpys.seed(memoryview(os.urandom(4 * SEED_WORDS)).cast("I").tolist())
        except TypeError:
            # Code has put another generator there, which is not seeded so.
            random = sys.modules["numpy.random"]
            random.set_bit_generator(random.MT19937())


def set_environment(block: dict[bytes, bytes]) -> None:
    """Make this the environment, for C code too."""
    zone = _variables.get(b"TZ")
    os.environb.clear()
    os.environb.update(block)
    if block.get(b"TZ") != zone:
        time.tzset()


def _generator() -> Any:
    return getattr(sys.modules.get("random"), "_inst", None)


def _numpys() -> Any:
    return getattr(sys.modules.get("numpy.random.mtrand"), "_rand", None)


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        # It is gone.
        return None


def _mask() -> int:
    mask = os.umask(PRIVATE_MASK)
    os.umask(mask)
    return mask


def _is_librarys(one: Any) -> bool:
    """Whether a library has set a filter for itself, when it was imported."""
    action, message, category, module, _ = one
    return action != "error" and bool(message or module or category.__module__ != "builtins")
