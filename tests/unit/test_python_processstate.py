"""What is put back of a process's state, and what libraries may keep."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from seamless.transformer.processstate import Draws, ProcessState, seed


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    path, filters, directory = list(sys.path), list(warnings.filters), os.getcwd()
    handler = signal.getsignal(signal.SIGALRM)
    yield
    sys.path[:] = path
    os.chdir(directory)
    signal.signal(signal.SIGALRM, handler)
    with warnings.catch_warnings():
        pass
    warnings.filters = filters


def kept() -> ProcessState:
    return ProcessState(lambda entry: entry.startswith("/library"))


def test_the_search_path() -> None:
    """As it was, in the same list; but what libraries have added for themselves."""
    path, before = sys.path, list(sys.path)
    with kept():
        sys.path = ["/mine", *before[1:], "/library/vendored"]
    assert sys.path is path
    assert sys.path == [*before, "/library/vendored"]


def test_filters_of_warnings() -> None:
    """But what libraries have set for themselves, unless it makes errors."""

    class OfTheLibrary(UserWarning):
        pass

    with kept():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("ignore", message="numpy.dtype size changed")
        warnings.filterwarnings("error", message="mine")
        warnings.simplefilter("ignore", OfTheLibrary)
    with pytest.raises(UserWarning, match="seen"):
        warnings.warn("seen", UserWarning, stacklevel=1)
    warnings.warn("seen", OfTheLibrary, stacklevel=1)
    warnings.warn("numpy.dtype size changed", stacklevel=1)
    assert ("error", "mine") not in [(one[0], getattr(one[1], "pattern", one[1])) for one in warnings.filters]


def test_a_timer_that_still_runs() -> None:
    with kept():
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 1000)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    os.chdir(place)
    with kept():
        os.chdir(tmp_path)
        place.rmdir()
    assert os.getcwd() == str(tmp_path)


def test_an_error_comes_through() -> None:
    def leave() -> None:
        with kept():
            os.environ["SQ_LEFT"] = "behind"
            raise KeyError

    with pytest.raises(KeyError):
        leave()
    assert "SQ_LEFT" not in os.environ


def test_the_environment_of_c_code() -> None:
    with kept():
        os.environ["SQ_LEFT"] = "behind"
    assert subprocess.check_output("echo [$SQ_LEFT]", shell=True) == b"[]\n"


def draws() -> tuple[Any, ...]:
    return random.random(), random.gauss(0, 1), numpy.random.random(), numpy.random.normal()


def test_draws() -> None:
    """Seeded anew they repeat nothing, and those of the outer job go on."""
    random.seed(1)
    numpy.random.seed(1)
    first, second = draws(), draws()
    random.seed(1)
    numpy.random.seed(1)
    assert draws() == first
    states = Draws()
    inside = draws()
    states.put_back()
    assert draws() == second
    seed()
    assert len({first, second, inside, draws()}) == 4


def test_another_generator_in_the_place_of_numpys() -> None:
    before, drawn = numpy.random.get_bit_generator(), set()
    try:
        for _ in range(2):
            numpy.random.set_bit_generator(numpy.random.PCG64(1))
            states = Draws()
            drawn.add(numpy.random.random())
            states.put_back()
            drawn.add(numpy.random.random())
            seed()
            drawn.add(numpy.random.random())
    finally:
        numpy.random.set_bit_generator(before)
    assert len(drawn) == 5
