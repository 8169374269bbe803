"""A process is told apart from all others, dead or alive, also from a later one with its number."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from seamless_queue import owner


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield process
        process.kill()


def test_this_process_lives() -> None:
    assert owner.is_alive(owner.current()) is True


def test_a_child_lives_until_it_is_killed_and_a_zombie_is_dead(child: subprocess.Popen[bytes]) -> None:
    identity = owner.of_process(child.pid)
    assert owner.is_alive(identity) is True
    child.kill()
    # Ended, but not reaped: a zombie.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_alive(identity) is False
    child.wait()
    assert owner.is_alive(identity) is False


def test_a_stopped_process_lives(child: subprocess.Popen[bytes]) -> None:
    identity = owner.of_process(child.pid)
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert owner.is_alive(identity) is True


def test_a_later_process_with_the_same_number_is_another() -> None:
    me = owner.current()
    assert owner.is_alive(me._replace(started=me.started - 1)) is False


def test_a_host_that_has_booted_since_has_none_of_its_old_processes() -> None:
    assert owner.is_alive(owner.current()._replace(boot="an-earlier-boot")) is False


def test_another_host_or_container_cannot_be_seen_from_here() -> None:
    me = owner.current()
    assert owner.is_alive(me._replace(boot="its-boot", host="elsewhere")) is None
    assert owner.is_alive(me._replace(pid_namespace="pid:[1]")) is None


def test_start_times_do_not_change(child: subprocess.Popen[bytes]) -> None:
    assert owner.start_time(child.pid) == owner.start_time(child.pid)
    assert owner.start_time(os.getpid()) == owner.current().started
