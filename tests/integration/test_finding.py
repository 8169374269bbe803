"""Which job somebody means: by number, by file, by the start of a checksum."""

from __future__ import annotations

import pytest
from desk import DIRECTORY, Desk

from seamless_queue.broker import finding
from seamless_queue.broker.finding import How, NotFound

HERE = DIRECTORY.decode()


def test_a_number_a_file_and_a_checksum(desk: Desk) -> None:
    first, second = desk.submit("one", writes=("a.txt", "results")), desk.submit("two", writes=("b.txt",))
    for text, how, request in (
        (str(first.request_id), How.REQUEST, first),
        (f"#{second.request_id}", How.REQUEST, second),
        ("a.txt", How.OUTPUT, first),
        ("./b.txt.FUTURE", How.OUTPUT, second),
        ("results/deep/inside.txt", How.OUTPUT, first),
        (f"{HERE}/b.txt.CHECKSUM", How.OUTPUT, second),
        (desk.checksum("two")[:8].upper(), How.CHECKSUM, second),
        (desk.checksum("one"), How.CHECKSUM, first),
    ):
        found = finding.the_one(desk.store.database, text, HERE)
        assert (found.how, found.request_id, found.job_id) == (how, request.request_id, request.job_id), text
    assert finding.find(desk.store.database, "a.txt", "/elsewhere") == []


def test_a_file_means_the_newest_request_for_it(desk: Desk) -> None:
    desk.submit("one", writes=("a.txt",))
    newer = desk.submit("two", writes=("a.txt",))
    assert finding.the_one(desk.store.database, "a.txt", HERE).request_id == newer.request_id


def test_a_request_without_a_job_yet(desk: Desk) -> None:
    first = desk.submit("one", writes=("out",))
    waiting = desk.submit("two", writes=("b.txt",), after=(first.request_id,))
    found = finding.the_one(desk.store.database, "b.txt", HERE)
    assert (found.request_id, found.job_id, found.checksum) == (waiting.request_id, None, None)
    assert finding.live_requests(desk.store.database, found) == [waiting.request_id]
    assert found.label == f"#{waiting.request_id}"


def test_a_checksum_means_all_requests_for_its_job(desk: Desk) -> None:
    numbers = [desk.submit("one", writes=(name,)).request_id for name in ("a.txt", "b.txt")]
    found = finding.the_one(desk.store.database, desk.checksum("one"), HERE)
    assert finding.live_requests(desk.store.database, found) == numbers
    assert finding.ended_requests(desk.store.database, found) == []
    desk.cancel(numbers[0])
    assert finding.live_requests(desk.store.database, found) == numbers[1:]
    assert finding.ended_requests(desk.store.database, found) == numbers[:1]


@pytest.mark.parametrize("text", ["99", "#99", "abc", "nosuch.txt", "ffff", "g" * 64, "", "\udcff", "0" * 65, "1" * 30])
def test_what_means_nothing_is_told(desk: Desk, text: str) -> None:
    with pytest.raises(NotFound, match="is no job here"):
        finding.the_one(desk.store.database, text, HERE)


def test_several_of_one_beginning_are_told(desk: Desk) -> None:
    seen: dict[str, str] = {}
    for number in range(2000):
        checksum = desk.checksum(str(number))
        if checksum[:4] in seen:
            break
        seen[checksum[:4]] = str(number)
    else:
        pytest.skip("no two beginnings are the same")
    desk.submit(seen[checksum[:4]])
    desk.submit(str(number))
    with pytest.raises(NotFound, match="several checksums"):
        finding.the_one(desk.store.database, checksum[:4], HERE)
    assert finding.the_one(desk.store.database, checksum[:12], HERE).checksum == checksum
