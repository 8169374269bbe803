"""What cannot work: one clear line on standard error, the right exit status, nothing done by halves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from .shop import BIN, COUNTED, Ended, Shop

ROOT = os.geteuid() == 0


def refused(ended: Ended, status: int, *parts: str, name: str = "seamless-run") -> None:
    """One line, with these words in it."""
    assert ended.status == status, ended
    assert len(ended.lines) == 1, ended
    assert ended.lines[0].startswith(f"{name}: error: ")
    for part in parts:
        assert part in ended.err, ended
    assert "Traceback" not in ended.err
    assert ended.out == b""


USAGE = [
    ((), ("no command",)),
    (("",), ("no command",)),
    (("-c", "   "), ("no command",)),
    (("--nonsense", "true"), ("--nonsense", "--help")),
    (("cat", "missing.txt"), ("missing.txt", "-g1")),
    (("-i", "missing", "true"), ("missing",)),
    (("-I", "missing", "true"), ("missing",)),
    (("-c", "cat 'unclosed"), ("",)),
    (("-c", "if true; then"), ("",)),
    (("-c", "echo 1 > ../x.txt"), ("../x.txt",)),
    (("-cp", "../x.txt", "-c", "true"), ("../x.txt",)),
    (("-cp", "a:../x.txt", "-c", "true"), ("../x.txt",)),
    (("-cp", "a:x", "-cp", "b:x", "-c", "true"), ("x",)),
    (("-cp", "a", "-cp", "a:b", "-c", "true"), ("a",)),
    (("--timeout", "0", "true"), ("--timeout",)),
    (("--timeout", "soon", "true"), ("--timeout",)),
    (("--retries", "-1", "true"), ("--retries",)),
    (("--priority", "high", "true"), ("--priority",)),
    (("--primary", "7", "-c", "echo 1 | cat"), ("primary",)),
    (("--var", "novalue", "true"), ("novalue",)),
    (("--var", "1x=2", "true"), ("1x",)),
    (("-ms", "-mx", "true"), ("-ms", "-mx")),
]


@pytest.mark.parametrize(("words", "parts"), USAGE, ids=[" ".join(words) or "nothing" for words, _ in USAGE])
def test_usage(shop: Shop, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    refused(shop.run(*COUNTED, *words), 2, *parts)
    assert shop.executions == 0
    assert shop.names() == set()


def test_usage_of_the_server(shop: Shop) -> None:
    for words in (("--workers", "0"), ("--workers", "many"), ("--exit-when-idle", "-1"), ("--what",), ("word",)):
        refused(shop.call("seamless-queue", *words), 2, name="seamless-queue")
    ended = shop.call("seamless-queue", "--log-file", "no/such/place")
    refused(ended, 1, "no/such/place", name="seamless-queue")
    ended = shop.call("seamless-queue", "--log-file", str(shop.dir))
    refused(ended, 2, name="seamless-queue")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("- store: [unclosed\n", ("line",)),
        ("- stroe: x\n", ("line 1", "stroe", "store")),
        ("store: x\n", ("list",)),
        ("- project: a\n-\n- 17: x\n", ("line",)),
        (b"\xff\xfe\x00", ("seamless.yaml",)),
        ("- digest: md5\n", ("md5",)),
    ],
)
def test_settings(shop: Shop, content: str | bytes, parts: tuple[str, ...]) -> None:
    shop.write("seamless.yaml", content)
    refused(shop.run("true"), 2, *parts)
    refused(shop.call("seamless-queue"), 2, *parts, name="seamless-queue")
    refused(shop.call("seamless-queue-finish"), 2, *parts, name="seamless-queue-finish")


def test_settings_name_a_store(shop: Shop) -> None:
    shop.write("seamless.yaml", "- store: here/store\n- project: p\n")
    (shop.dir / "deep" / "er").mkdir(parents=True)
    shop.good("true", cwd=shop.dir / "deep" / "er")
    assert shop.rows("SELECT project FROM requests", shop.dir / "here" / "store") == [("p",)]


COMMANDS = [("seamless-run", "true"), ("seamless-queue",), ("seamless-queue-finish",)]


def everybody_refuses(shop: Shop, store: object, status: int, *parts: str) -> None:
    for words in COMMANDS:
        refused(shop.call(*words, env={"SEAMLESS_CACHE": str(store)}), status, *parts, name=words[0])


def test_not_a_store(shop: Shop) -> None:
    shop.write("full/of.txt", "other things\n")
    everybody_refuses(shop, shop.dir / "full", 1, "not a store", "--store")
    everybody_refuses(shop, shop.dir / "full" / "of.txt", 1, "not a directory")
    shop.write("text/seamless.db", "no database\n" * 1000)
    everybody_refuses(shop, shop.dir / "text", 1, str(shop.dir / "text"))
    assert shop.read("text/seamless.db") == "no database\n" * 1000
    assert shop.names() == {"full/of.txt", "text/seamless.db"}


def test_store_as_an_input(shop: Shop) -> None:
    """Its database is nothing that anybody else may open."""
    environment = {"SEAMLESS_CACHE": str(shop.dir / "sub" / "store")}
    shop.good("true", env=environment)
    for words in (("-i", ".", "ls"), ("-i", "sub", "ls"), ("-i", "sub/store/seamless.db", "true")):
        for options in ((), ("--qsubmit",)):
            refused(shop.run(*options, *words, env=environment), 2, "store", "--store")


def test_truncated_store(shop: Shop) -> None:
    shop.good("true")
    database = shop.store / "seamless.db"
    os.truncate(database, database.stat().st_size // 2)
    for words in (("seamless-run", "true"), ("seamless-queue-finish",)):
        ended = shop.call(*words)
        assert ended.status == 1
        assert len(ended.lines) == 1
        assert str(shop.store) in ended.err


def test_store_of_a_newer_version(shop: Shop) -> None:
    from seamless_queue.driver import Database

    shop.good("true")
    database = Database(str(shop.store / "seamless.db"))
    database.rows("PRAGMA user_version = 9999")
    database.close()
    everybody_refuses(shop, shop.store, 1, "newer", "upgrade")


def test_place_that_cannot_be_made(shop: Shop) -> None:
    shop.write("file", "")
    for place in (str(shop.dir / "file" / "store"), "/proc/store"):
        for words in COMMANDS[:2]:
            refused(shop.call(*words, env={"SEAMLESS_CACHE": place}), 1, place, name=words[0])


def test_working_directory_is_gone(shop: Shop) -> None:
    """The working directory is gone: said so, not a riddle."""
    for words in ("seamless-run true", "seamless-upload x", "seamless-store info"):
        (shop.dir / "gone").mkdir()
        ended = shop.bash(f"cd gone; rmdir ../gone; {words}")
        refused(ended, 1, "the current directory is not there any more", name=words.split()[0])


def test_an_empty_name_is_no_path(shop: Shop) -> None:
    """It is an unset variable: neither the current directory nor the root."""
    shop.good("true")
    commands = ["upload", "download", "checksum", "checksum-file", "checksum-index", "cancel"]
    care = ["store pin", "store unpin", "store export x.tar"]
    for name in (*commands, *care):
        words = f"seamless-{name}".split()
        refused(shop.call(*words, ""), 2, "a name is empty", name=words[0])
    assert shop.names() == set()


def test_a_place_where_nothing_can_be_written_is_named_not_a_temporary_file(shop: Shop) -> None:
    shop.good("true")
    refused(shop.call("seamless-store", "export", "none/x.tar"), 1, "cannot write in none", name="seamless-store")
    ended = shop.call("seamless-upload", "/proc/self/comm")
    refused(ended, 1, "cannot write in /proc/self", name="seamless-upload")


@pytest.mark.skipif(not ROOT, reason="needs root to become somebody else")
class TestAnotherUser:
    """Root starts the commands as nobody."""

    @staticmethod
    def as_nobody(shop: Shop, *words: str, **given: object) -> Ended:
        for path in (shop.top, shop.dir):
            path.chmod(0o755)
        home = shop.top / "nobody"
        if not home.exists():
            home.mkdir()
            shutil.chown(home, "nobody")
            shutil.chown(shop.runtime, "nobody")
            shutil.chown(shop.temporary, "nobody")
        prefix = ["setpriv", "--reuid", "nobody", "--clear-groups"]
        given = {"env": {"HOME": str(home), **given.pop("env", {})}, **given}  # type: ignore[dict-item]
        return shop.call(*prefix, *words, **given)

    @pytest.fixture(autouse=True)
    def _can(self, shop: Shop) -> None:
        ended = self.as_nobody(shop, str(BIN / "python"), "-c", "import seamless.cli.run")
        if ended.status != 0:
            pytest.skip("nobody cannot read the installed commands")

    def test_unreadable_file_and_directory(self, shop: Shop) -> None:
        shop.write("secret.txt", "1\n").chmod(0o600)
        shop.write("closed/x.txt", "1\n")
        (shop.dir / "closed").chmod(0o700)
        refused(self.as_nobody(shop, "seamless-run", "cat", "secret.txt"), 1, "secret.txt", "ermission denied")
        refused(self.as_nobody(shop, "seamless-run", "-i", "closed", "ls"), 1, "closed", "ermission denied")
        shop.write("open/x.txt", "1\n")
        shop.write("open/deep/y.txt", "1\n")
        (shop.dir / "open" / "deep").chmod(0o700)
        refused(self.as_nobody(shop, "seamless-run", "-i", "open", "ls"), 1, "open/deep", "ermission denied")

    def test_store_of_somebody_else(self, shop: Shop) -> None:
        shop.good("true")
        environment = {"SEAMLESS_CACHE": str(shop.store)}
        for path in (shop.home, shop.home / ".seamless"):
            path.chmod(0o755)
        for mode in (0o700, 0o755):
            shop.store.chmod(mode)
            for words in (*COMMANDS, ("seamless-store", "info"), ("seamless-why", "1")):
                refused(self.as_nobody(shop, *words, env=environment), 1, "belongs to", "--store", name=words[0])
            assert "FAIL  owner" in self.as_nobody(shop, "seamless-store", "doctor", env=environment).out.decode()

    def test_directory_that_cannot_be_written(self, shop: Shop) -> None:
        ended = self.as_nobody(shop, "seamless-run", "-c", "echo 1 > x.txt")
        assert ended.status == 1
        assert len(ended.lines) == 1
        assert "x.txt" in ended.err
        assert "ermission denied" in ended.err
        ended = self.as_nobody(shop, "seamless-run", "--qsubmit", "-c", "echo 1 > x.txt")
        refused(ended, 1, "output x.txt: permission denied in ")
        counts = json.loads(self.as_nobody(shop, "seamless-status", "--json").out)["counts"]
        assert set(counts.values()) == {0}

    def test_read_only_store(self, shop: Shop) -> None:
        store = shop.top / "nobody" / "store"
        environment = {"SEAMLESS_CACHE": str(store)}
        assert self.as_nobody(shop, "seamless-run", "true", env=environment).status == 0
        store.chmod(0o500)
        for words in COMMANDS:
            refused(self.as_nobody(shop, *words, env=environment), 1, "read-only", name=words[0])


#: Root without the right to pass over permissions.
POWERLESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all")


@pytest.fixture
def powerless() -> tuple[str, ...]:
    """What starts a command so that permissions hold for it."""
    if not ROOT:
        return ()
    if subprocess.run((*POWERLESS, "true"), check=False, capture_output=True).returncode:
        pytest.skip("this root cannot give up its rights")
    return POWERLESS


def test_a_directory_that_cannot_be_written_any_more_stops_nothing_else(shop: Shop, powerless: tuple[str, ...]) -> None:
    closed = shop.dir / "closed"
    closed.mkdir()
    shop.submit("-c", "echo 1 > closed/x.txt")
    shop.submit("-c", "echo 2 > y.txt")
    closed.chmod(0o555)
    try:
        for attempt in ("the first server", "the next one"):
            served = shop.call(*powerless, "seamless-queue", "--workers", "1", "--exit-when-idle", "0.2")
            assert (served.status, "Traceback" in served.err) == (0, False), (attempt, served)
    finally:
        closed.chmod(0o755)
    # Nobody could remove it.
    (closed / "x.txt.FUTURE").unlink()
    assert shop.read("y.txt") == "2\n"
    failed = json.loads(shop.call("seamless-status", "--failed", "--json").out)["failed"]
    assert ["ermission denied" in one["error"] for one in failed] == [True]


def test_no_bash(shop: Shop) -> None:
    tools = shop.top / "tools"
    tools.mkdir()
    environment = {"PATH": str(tools)}
    command = str(BIN / "seamless-run")
    refused(shop.call(command, "-c", "echo 1", env=environment), 1, "bash")
    shop.server()
    ended = shop.call(command, "--qsubmit", "-c", "echo 1 > x.txt", env=environment)
    assert ended.status == 0
    assert "bash" in shop.finish(status=1).err


def test_no_server_no_harm(shop: Shop) -> None:
    """An output that is a directory now, an input that is a fifo or a device."""
    (shop.dir / "x.txt").mkdir()
    ended = shop.run("-c", "echo 1 > x.txt")
    assert ended.status in (1, 2)
    assert "x.txt" in ended.err
    os.mkfifo(shop.dir / "pipe")
    refused(shop.run("-i", "pipe", "true"), 1, "pipe")
    shop.write("dir/a.txt", "1\n")
    os.mkfifo(shop.dir / "dir" / "pipe")
    refused(shop.run("-i", "dir", "ls"), 1, "pipe")
