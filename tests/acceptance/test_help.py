"""Every command says how it is used, and what it gives as examples can be done: all lines are run."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click
import pytest

from .shop import Shop, opened

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
#: Examples that stand for many; what they stand for is in the help of the parts.
PLACEHOLDER = re.compile(r"\b(COMMAND|VERB)\b")
#: These end when they are told to.
SERVERS = ("seamless-queue --", "seamless-queue &")
#: Requests that these are for must not have ended.
OF_PENDING = ("seamless-cancel ", "seamless-queue cancel ", "seamless-queue priority ")
#: What one of these examples does stands in the way of the next.
ALONE = ("seamless-init", "seamless-queue", "seamless-run-transformation")


def commands() -> Iterator[tuple[str, click.Command]]:
    """All commands, and the parts of those that have parts, by what is typed."""
    for name, place in SCRIPTS.items():
        command = import_module(place.partition(":")[0]).command
        yield name, command
        if isinstance(command, click.Group):
            for part, inner in command.commands.items():
                yield f"{name} {part}", inner


COMMANDS = dict(commands())


def examples(command: click.Command) -> list[str]:
    """The lines below `Examples:`; a remark stands three blanks or more behind."""
    text = (command.epilog or "").replace("\b", "")
    _, _, below = text.partition("Examples:\n")
    lines = below.partition("\n\n")[0].splitlines()
    return [re.split(r"\s{3,}", line.strip())[0] for line in lines if line.strip()]


@dataclass(frozen=True)
class World:
    """A directory and a store in which the examples make sense, and a copy of both to begin with each time."""

    shop: Shop
    #: a buffer, and a job that is done
    buffer: str
    job: str

    def restored(self) -> Shop:
        """As it was in the beginning."""
        for place in (self.shop.dir, self.shop.home):
            shutil.rmtree(place)
            shutil.copytree(self.shop.top / f"kept-{place.name}", place, symlinks=True)
        return self.shop


@pytest.fixture(scope="module")
def world(template: Path) -> Iterator[World]:
    with opened(template) as shop:
        _fill(shop)
        for place in (shop.dir, shop.home):
            shutil.copytree(place, shop.top / f"kept-{place.name}", symlinks=True)
        job = shop.rows("SELECT checksum FROM jobs WHERE id = (SELECT job_id FROM requests WHERE id = 12)")[0][0]
        world = World(shop, shop.read("data.csv.CHECKSUM").strip(), bytes(job).hex())
        yield world
        # The last example may have promised files that nobody will make.
        world.restored()


def _fill(shop: Shop) -> None:
    for name in ("data/a.txt", "data/b.txt", "data/c.txt", "a.txt", "b.txt", "data.csv", "other.csv", "config.ini"):
        shop.write(name, "1\n")
    for name in ("images/1.png", "images/2.png", "huge.bin"):
        shop.write(name, name * 5000)
    shop.write("commands.txt", "echo 1 > one.txt\ncat one.txt > two.txt\n")
    shop.write("simulate.sh", "#!/bin/bash\nmkdir results; cat config.ini > results/out\n").chmod(0o755)
    batch = [
        *(f"echo {number}" for number in range(9)),
        "sort -n data/c.txt > sorted.txt",
        "echo result > result.txt",
        "uniq -c sorted.txt > counts.txt",
        "echo thirteen",
    ]
    shop.write("batch", "\n".join(batch))
    shop.submit("--project", "yeast", "--batch", "batch")
    assert shop.bash("seamless-queue -q --exit-when-idle 0.1").status == 0
    made = shop.bash(
        "seamless-upload -q data.csv other.csv images data"
        " && cp data.csv old.csv && cp data.csv.CHECKSUM old.csv.CHECKSUM"
        " && seamless-run --dry --upload -j job -c 'uniq -c sorted.txt > counts.txt'"
        " && seamless-store export -q yeast.tar.zst && seamless-store pin -q counts.txt"
    )
    assert made.status == 0, made
    identity = made.out.decode().split()[-1]
    shop.write("transformation.json.CHECKSUM", f"{identity}\n")


def _numbers(shop: Shop, line: str) -> tuple[str, str]:
    """Two requests that a command is for: pending ones, failed ones, or (12, 13) such as are done."""
    if line.startswith(OF_PENDING):
        shop.submit("-c", "cat sorted.txt > counts.txt")
        shop.submit("-c", "echo pending")
    elif line.startswith("seamless-queue retry"):
        shop.submit("-c", "exit 1")
        shop.submit("-c", "exit 2")
        shop.bash("seamless-queue -q --exit-when-idle 0.1")
    else:
        return "12", "13"
    newest = shop.rows("SELECT MAX(id) FROM requests")[0][0]
    return str(newest - 1), str(newest)


def fitted(line: str, name: str, world: World) -> str:
    """The line with numbers, checksums and places that there are here."""
    shop = world.shop
    first, second = _numbers(shop, line)
    of_job = shop.rows(f"SELECT checksum FROM jobs WHERE id = (SELECT job_id FROM requests WHERE id = {second})")
    job = world.job if (first, second) == ("12", "13") else bytes(of_job[0][0]).hex()
    if name == "seamless-cancel":
        shop.write("transformation.json.CHECKSUM", f"{job}\n")
    whole = world.job if name == "seamless-run-transformation" else world.buffer
    line = re.sub(r"\b[0-9a-f]{64}\b", whole, line)
    line = re.sub(r"(?<= )(?=\w*[a-f])(?=\w*\d)[0-9a-f]{6,10}(?= |$)", job[:16], line)
    line = re.sub(r"(?<= )12(?= |$)", first, line)
    line = re.sub(r"(?<= )13(?= |$)", second, line)
    line = line.replace("-j job ", "-j another-job ")
    for place in ("/mnt/buffers", "/data/results", "/data/shared-by-my-projects", "/backup/store"):
        if place in line:
            inside = shop.home / place.strip("/").replace("/", "-")
            if place in ("/data/results", "/backup/store"):
                shutil.copytree(shop.store, inside, dirs_exist_ok=True)
            else:
                inside.mkdir(exist_ok=True)
            line = line.replace(place, shlex.quote(str(inside)))
    return line


def test_the_examples_are_found() -> None:
    assert len(examples(COMMANDS["seamless-run"])) >= 5
    assert "seamless-run paste data/a.txt data/b.txt" in examples(COMMANDS["seamless-run"])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_run(world: World, name: str) -> None:
    shop = world.restored()
    lines = examples(COMMANDS[name])
    assert lines, f"{name} --help has no examples"
    for line in lines:
        shell = "zsh" if "zsh)" in line else "bash"
        if PLACEHOLDER.search(line) or shutil.which(shell) is None:
            continue
        if name in ALONE:
            world.restored()
        text = fitted(line, name, world)
        if text.startswith(SERVERS):
            text = f"{text.rstrip('& ')} & seamless-queue-finish -q; wait $!"
        elif name == "seamless-queue-finish":
            text = f"seamless-queue -q & {text} && wait $!"
        ended = shop.call(shell, "-c", text)
        assert ended.status == 0, (line, text, ended)
        assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_help_is_complete(world: World, name: str) -> None:
    """All options are described; there is a short form of it, and a version beside it."""
    ended = world.shop.call(name, "-h")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: {name} ".encode())
    assert b"Examples:" in ended.out
    options = [option for option in COMMANDS[name].params if isinstance(option, click.Option)]
    assert [option.opts[-1] for option in options if not option.help] == []
    assert {"--version", "--debug"} <= {option.opts[-1] for option in options}
