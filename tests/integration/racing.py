"""Several processes that do the same on one store at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Racer = subprocess.Popen[str]


@contextmanager
def racing(script: str, count: int, *arguments: str) -> Iterator[list[Racer]]:
    """So many processes of a script of this directory that have said "ready"; `let_go` lets them go."""
    words = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    racers = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        yield racers
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


def let_go(racers: list[Racer]) -> None:
    """All at once."""
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
