"""Messages between a parent and a worker: whole, in order, to the last word."""

import select
import socket
import threading
from contextlib import suppress

import pytest

from seamless_queue.channel import Channel, Message


@pytest.fixture
def ends() -> tuple[Channel, Channel, socket.socket]:
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs), theirs


def test_messages_arrive_in_order(ends: tuple[Channel, Channel, socket.socket]) -> None:
    here, there, _ = ends
    here.send({"n": 1}, {"n": 2})
    here.send({"n": 3})
    assert there.receive_nowait() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert there.receive_nowait() == []
    here.close()
    there.close()


def test_a_message_that_comes_in_pieces_is_put_together(ends: tuple[Channel, Channel, socket.socket]) -> None:
    here, there, raw = ends
    raw.send(b'{"n": 1}\n{"n"')
    assert here.receive_nowait() == [{"n": 1}]
    raw.send(b": 2}\n")
    assert here.receive_nowait() == [{"n": 2}]
    here.close()
    there.close()


def test_last_words_are_heard_before_the_end(ends: tuple[Channel, Channel, socket.socket]) -> None:
    here, there, _ = ends
    there.send({"event": "bye"})
    there.close()
    assert here.receive_nowait() == [{"event": "bye"}]
    with pytest.raises(EOFError):
        here.receive_nowait()
    # Talking to the dead is no error.
    here.send({"order": "work"})
    here.close()


def test_a_slow_reader_blocks_nobody_and_gets_everything(ends: tuple[Channel, Channel, socket.socket]) -> None:
    here, there, _ = ends
    sent = [{"n": number, "text": "x" * 1000} for number in range(500)]
    for message in sent:
        here.send(message)
    received = there.receive_nowait()
    while len(received) < len(sent):
        here.send()
        received += there.receive_nowait()
    assert received == sent
    here.close()
    there.close()


def test_last_words_wait_for_a_slow_reader(ends: tuple[Channel, Channel, socket.socket]) -> None:
    here, there, _ = ends
    sent = [{"n": number, "text": "x" * 1000} for number in range(2000)]
    received: list[Message] = []

    def read_all() -> None:
        with suppress(EOFError):
            while True:
                select.select([there], [], [])
                received.extend(there.receive_nowait())

    here.send(*sent)
    reader = threading.Thread(target=read_all)
    reader.start()
    here.flush(30.0)
    here.close()
    reader.join()
    there.close()
    assert received == sent


@pytest.mark.parametrize("is_there", [True, False])
def test_last_words_wait_for_nobody_for_ever(ends: tuple[Channel, Channel, socket.socket], is_there: bool) -> None:
    here, there, _ = ends
    here.send(*({"text": "x" * 1000} for _ in range(2000)))
    if not is_there:
        there.close()
    here.flush(0.05)
    here.close()
    there.close()
