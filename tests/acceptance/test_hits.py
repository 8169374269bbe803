"""What is known is not run again, and what comes back is what the command wrote, to the byte."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import pytest

from seamless_queue import recorder

from .shop import COUNTED, Shop, until

#: All bytes there are, with the awkward ones at the ends.
BYTES = r"printf '\000\377\r\n\033[0m'; head -c 65536 /dev/zero | tr '\0' '\376'; printf '\n\0'"


@pytest.mark.parametrize(
    ("to_stdout", "to_stderr"),
    [(BYTES, "true"), ("true", BYTES), ("true", "true"), ("printf no-newline", "printf neither"), (BYTES, BYTES)],
    ids=["stdout", "stderr", "empty", "no final newline", "both"],
)
def test_replay(shop: Shop, to_stdout: str, to_stderr: str) -> None:
    expected = [shop.bash(text).out for text in (to_stdout, to_stderr)]
    words = (*COUNTED, "-c", f"{{ {to_stderr}; }} >&2; {{ {to_stdout}; }}")
    for _ in range(2):
        ended = shop.call("bash", "-c", '"$0" "$@" 2> "$HOME/err"', "seamless-run", *words)
        assert (ended.status, ended.out) == (0, expected[0])
        assert (shop.home / "err").read_bytes() == expected[1]
    assert shop.executions == 1


def test_replay_of_much(shop: Shop) -> None:
    """100 MB on standard output, which is the result; on standard error as much as is kept whole."""
    size, kept = 100_000_000, 2 * recorder.KEPT_BYTES
    much = "yes {0}{0}{0}{0} | tr -d '\\n' | head -c {1}".format
    words = (*COUNTED, "-c", f"{much('x', kept)} >&2; {much('y', size)}")
    for _ in range(2):
        script = 'exec 3>&1; { "$@" | sha256sum >&3; exit ${PIPESTATUS[0]}; } 2>&1 | sha256sum; exit ${PIPESTATUS[0]}'
        ended = shop.call("bash", "-c", script, "bash", "seamless-run", *words)
        assert ended.status == 0
        digests = {line.split()[0].decode() for line in ended.out.splitlines()}
        assert digests == {hashlib.sha256(b"x" * kept).hexdigest(), hashlib.sha256(b"y" * size).hexdigest()}
    assert shop.executions == 1


def test_replay_of_too_much(shop: Shop) -> None:
    """Of messages beyond that a hit shows both ends, and says what is missing; the run itself shows all."""
    size = 3 * recorder.KEPT_BYTES
    words = ("-c", f"yes xxxx | tr -d '\\n' | head -c {size} >&2; echo y")
    assert len(shop.good(*words).err) == size
    again = shop.good(*words)
    head, tail = again.err[: recorder.KEPT_BYTES // 2], again.err[-recorder.KEPT_BYTES // 2 :]
    assert (again.out, set(head), set(tail)) == (b"y\n", {"x"}, {"x"})
    assert len(again.err) < size
    assert "left out" in again.err


def test_streams_are_shown_while_the_command_runs(shop: Shop) -> None:
    run = shop.start("seamless-run", "-c", 'echo early >&2; until [ -e "$GATES/gate" ]; do sleep 0.02; done')
    run.says("early")
    shop.let("gate")
    assert run.wait().err == "early\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [("exit 3", 3), ("false; echo not reached", 1), ("kill -TERM $$", 143), ("kill -9 $$", 137), ("nowhere", 127)],
)
def test_failures_have_their_status_and_are_not_kept(shop: Shop, text: str, status: int) -> None:
    for _ in range(2):
        ended = shop.run(*COUNTED, "-c", f"echo out; echo err >&2; {text}")
        assert ended.status == status
        assert ended.lines[0] == "err"
        assert ended.lines[-1].startswith("seamless-run: error: ")
    assert shop.executions == 2


def test_failure_leaves_the_old_output_alone(shop: Shop) -> None:
    shop.write("x.txt", "old\n")
    assert shop.run("-c", "exit 3 > x.txt").status == 3
    assert shop.names() == {"x.txt"}
    assert shop.read("x.txt") == "old\n"


def test_retries(shop: Shop) -> None:
    text = 'n=$(cat "$HOME/n" 2> /dev/null || echo 0); echo $((n + 1)) > "$HOME/n"; test $n = 2'
    assert shop.run(*COUNTED, "--retries", "1", "-c", text).status == 1
    assert shop.executions == 2
    assert shop.run(*COUNTED, "--retries", "5", "-c", text).status == 0
    assert shop.executions == 3


def test_retries_in_the_queue(shop: Shop) -> None:
    shop.submit(*COUNTED, "--retries", "2", "-c", "exit 1; true > x.txt")
    ended = shop.work_off(status=1)
    assert ended.err.count("failed: ") == 1
    assert shop.executions == 3


def test_refresh(shop: Shop) -> None:
    words = (*COUNTED, "-c", 'wc -l < "$COUNTER"')
    first = shop.good(*words).out
    ended = shop.good("--refresh", *words)
    assert "not deterministic" in ended.err
    assert "old result is kept" in ended.err
    assert shop.executions == 2
    assert shop.good(*words).out == first
    assert shop.good("--refresh", *COUNTED, "-c", "echo same").err == ""
    assert shop.good("--refresh", *COUNTED, "-c", "echo same").err == ""
    assert shop.executions == 4


def test_refresh_that_fails_keeps_the_old_result(shop: Shop) -> None:
    words = (*COUNTED, "-c", 'test $(wc -l < "$COUNTER") = 1; echo 1')
    assert shop.good(*words).out == b"1\n"
    assert shop.run("--refresh", *words).status == 1
    assert shop.good(*words).out == b"1\n"


def test_priority(shop: Shop) -> None:
    for priority, name in ((0, "c"), (-5, "d"), (10, "a"), (0, "c2"), (5, "b")):
        shop.submit("--priority", str(priority), "-c", f'echo {name} >> "$COUNTER"; true > {name}.txt')
    shop.work_off(workers=1)
    assert shop.counter.read_text().split() == ["a", "b", "c", "c2", "d"]


def test_deleted_output_is_written_again(shop: Shop) -> None:
    words = (*COUNTED, "-c", "echo 1 > x.txt")
    for options in ((), (), ("--qsubmit",)):
        (shop.dir / "x.txt").unlink(missing_ok=True)
        shop.good(*options, *words)
        assert shop.read("x.txt") == "1\n"
    shop.write("x.txt", "changed by hand\n")
    (shop.dir / "x.txt.CHECKSUM").unlink()
    shop.good(*words)
    assert shop.read("x.txt") == "1\n"
    assert shop.executions == 1


LARGE = "seq 100000"


def damage(path: Path) -> None:
    """One bit."""
    path.chmod(0o600)
    with open(path, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("how", ["bit", "short", "empty", "gone"])
def test_damaged_result_is_computed_again(shop: Shop, how: str) -> None:
    expected = shop.bash(LARGE).out
    assert shop.good(*COUNTED, "-c", LARGE).out == expected
    (path,) = shop.buffer_files()
    if how == "bit":
        damage(path)
    elif how == "gone":
        path.unlink()
    else:
        os.truncate(path, 5000 if how == "short" else 0)
    ended = shop.good(*COUNTED, "-c", LARGE)
    assert ended.out == expected
    assert ("was damaged" in ended.err) == (how != "gone")
    assert shop.executions == 2
    assert shop.good(*COUNTED, "-c", LARGE).out == expected
    assert shop.executions == 2


def test_damaged_output_is_never_delivered(shop: Shop) -> None:
    words = (*COUNTED, "-c", f"{LARGE} > x.txt")
    shop.good(*words)
    expected = shop.read("x.txt")
    (shop.dir / "x.txt").unlink()
    damage(shop.buffer_files()[0])
    ended = shop.run("--qsubmit", *words)
    assert ended.status == 1
    assert "was damaged" in ended.err
    assert not shop.has("x.txt")
    shop.submit(*words)
    shop.submit("-c", "tail -1 x.txt > y.txt")
    shop.work_off()
    assert shop.read("x.txt") == expected
    assert shop.read("y.txt") == "100000\n"


def test_damaged_input_is_not_used(shop: Shop) -> None:
    """The bytes that were submitted are no more, and the file has changed: an error, not a wrong result."""
    shop.write("in.txt", "".join(f"{n}\n" for n in range(100000)))
    shop.submit("-c", "tail -1 in.txt > x.txt")
    damage(shop.buffer_files()[0])
    shop.write("in.txt", "changed\n")
    ended = shop.work_off(status=1)
    assert len([line for line in ended.lines if line.startswith("failed: ")]) == 1
    assert shop.names() == {"in.txt"}


def test_input_changed_between_submit_and_run(shop: Shop) -> None:
    shop.write("in.txt", "old\n")
    shop.submit("-c", "cat in.txt > x.txt")
    shop.write("in.txt", "new\n")
    shop.submit("-c", "cat in.txt > y.txt")
    os.unlink(shop.dir / "in.txt")
    shop.work_off()
    assert (shop.read("x.txt"), shop.read("y.txt")) == ("old\n", "new\n")


def test_same_size_same_second_is_seen(shop: Shop) -> None:
    """Changes too quick for a clock are no hits."""
    for n in range(5):
        shop.write("in.txt", f"{n}\n")
        assert shop.good("cat", "in.txt").out == f"{n}\n".encode()


def test_command_that_changes_its_input(shop: Shop) -> None:
    for content in ("small\n", "large\n" * 10000):
        path = shop.write("in.txt", content)
        shop.good("-i", "in.txt", "-c", "echo more >> in.txt; chmod 0 in.txt; wc -l < /dev/null")
        assert path.read_text() == content
        assert shop.good("cat", "in.txt").out == content.encode()


def test_stdin(shop: Shop) -> None:
    for content in (b"one\n", b"\0\xff", b"", b"x" * 1_000_000):
        for _ in range(2):
            assert shop.run("--stdin", *COUNTED, "cat", input=content).out == content
    assert shop.executions == 4
    assert shop.run("cat", input=b"not asked for").out == b""
    ended = shop.bash("printf '1\\n2\\n3\\n' | while read n; do seamless-run echo $n; done")
    assert ended.out == b"1\n2\n3\n"


def test_closed_streams(shop: Shop) -> None:
    """A closed descriptor is not the next file that is opened."""
    shop.good(*COUNTED, "-c", LARGE)
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        for text in (LARGE, f"echo '{closed}' >&2; {LARGE}"):
            ended = shop.call("bash", "-c", f'seamless-run -c "$0" {closed}', text)
            assert ended.status == 0, (closed, ended)
    ended = shop.bash("seamless-run --stdin cat <&-")
    assert (ended.status, ended.out) == (0, b"")
    assert shop.rows("PRAGMA integrity_check") == [("ok",)]
    assert shop.good(*COUNTED, "-c", LARGE).out == shop.bash(LARGE).out
    assert shop.executions == 1


def test_reader_that_leaves_early(shop: Shop) -> None:
    for _ in range(2):
        ended = shop.bash("set -o pipefail; seamless-run -c 'seq 1000000' | head -1")
        assert (ended.status, ended.out, ended.err) == (141, b"1\n", "")
    ended = shop.bash("seamless-run -c 'seq 1000000' | tail -1")
    assert ended.out == b"1000000\n"


def test_reader_that_leaves_takes_nothing_from_others(shop: Shop) -> None:
    """The job was wanted by the queue as well."""
    text = 'touch "$GATES/gate.runs"; until [ -e "$GATES/gate" ]; do yes | head -10000; done; echo 1 > x.txt; true'
    words = ("-cp", "x.txt", "-c", text)
    reader = shop.start(
        "bash",
        "-c",
        '"$@" | until [ -e "$GATES/left" ]; do sleep 0.02; done; exit ${PIPESTATUS[0]}',
        "bash",
        "seamless-run",
        *words,
    )
    shop.runs("gate")
    shop.submit(*words)
    shop.let("left")
    assert (reader.wait().status, reader.err) == (141, "")
    shop.let("gate")
    shop.work_off()
    assert shop.names() == {"x.txt"}


def test_dry_project_stage(shop: Shop) -> None:
    shop.write("in.txt", "1\n")
    words = ("cat", "in.txt")
    identity = shop.good("--dry", *words).out
    assert len(identity.strip()) == 64
    assert shop.good("--dry", "--project", "p:q", "--stage", "s:t", "--metavar", "A=1", *words).out == identity
    assert shop.good("--dry", "--var", "A=1", *words).out != identity
    assert shop.rows("SELECT COUNT(*) FROM requests") == [(0,)]
    shop.good("--project", "p:q", "--stage", "s:t", *words)
    assert shop.rows("SELECT project, stage FROM requests") == [("p:q", "s:t")]
    shop.write("in.txt", "2\n")
    assert shop.good("--dry", *words).out != identity


def test_digest(bare_shop: Shop) -> None:
    shop = bare_shop
    content = "1\n" * 10000
    shop.good("--digest", "sha256", "-c", f"yes 1 | head -{len(content) // 2} > x.txt")
    assert (shop.dir / "x.txt.CHECKSUM").read_text().strip() == hashlib.sha256(content.encode()).hexdigest()
    assert shop.good("cat", "x.txt").out == content.encode()
    ended = shop.run("--digest", "blake3", "cat", "x.txt")
    assert ended.status == 2
    assert len(ended.lines) == 1
    assert "sha256" in ended.err
    assert shop.call("seamless-queue", "--digest", "blake3").status == 2
    assert shop.run("--digest", "md5", "true").status == 2


def test_killed_in_the_middle_of_a_hit_or_a_run(shop: Shop) -> None:
    """Whatever was going on, the next one works."""
    for n in range(5):
        run = shop.start("seamless-run", "-c", f"seq {n} 300000 > x.txt")
        until(lambda run=run: run.process.poll() is not None or shop.has("x.txt.FUTURE"), "something to happen")
        run.signal(signal.SIGKILL)
        run.process.wait()
    shop.good("-c", "seq 5 300000 > x.txt")
    assert shop.read("x.txt").splitlines()[0] == "5"
    shop.server().stop()
    assert shop.store_leftovers() == []
