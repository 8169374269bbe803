"""What Tab offers: asked by the protocol, and in real shells on a real terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .shop import Shop, until
from .terminal import Terminal


def offered(shop: Shop, *words: str, shell: str = "bash", **given: str) -> list[str]:
    """What is offered for the last word."""
    line = " ".join(word.replace(" ", "\\ ") for word in words)
    variable = f"_{words[0].upper().replace('-', '_')}_COMPLETE"
    environment = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), variable: f"{shell}_complete", **given}
    if shell == "fish":
        environment["COMP_CWORD"] = words[-1]
    ended = shop.call(words[0], env=environment)
    assert (ended.status, ended.err) == (0, ""), ended
    return ended.out.decode().splitlines()


def values(lines: list[str]) -> list[str]:
    return [line.partition(",")[2] for line in lines]


@pytest.fixture
def stocked(shop: Shop) -> Iterator[Shop]:
    """Files, and what is to be files."""
    shop.write("a file.txt", "1\n")
    shop.write("alpha.txt", "2\n")
    shop.write("sub/inner.txt", "3\n")
    shop.write("kept.txt.CHECKSUM", "0" * 64 + "\n")
    shop.write(".hidden", "")
    future = shop.write("future.txt.FUTURE", "{}")
    yield shop
    future.unlink()


def test_files_and_files_to_be(stocked: Shop) -> None:
    everything = ["path,a file.txt", "path,alpha.txt", "path,future.txt", "path,kept.txt", "path,sub/"]
    assert offered(stocked, "seamless-run", "cat", "") == everything
    assert offered(stocked, "seamless-run", "cat", "fut") == ["path,future.txt"]
    assert offered(stocked, "seamless-run", "cat", "future.txt.F") == ["path,future.txt.FUTURE"]
    assert offered(stocked, "seamless-run", "cat", "sub/") == ["path,sub/inner.txt"]
    assert offered(stocked, "seamless-run", "cat", "a ") == ["path,a file.txt"]
    assert offered(stocked, "seamless-run", "-i", "al") == ["path,alpha.txt"]
    assert offered(stocked, "seamless-run", "--store", "s") == ["path,sub/"]
    assert offered(stocked, "seamless-run", "cat", f"{stocked.dir}/k") == [f"path,{stocked.dir}/kept.txt"]
    assert offered(stocked, "seamless-run", "cat", "~/.se") == [f"path,{stocked.home}/.seamless/"]
    assert offered(stocked, "seamless-run", "cat", "nowhere/x") == [""]


def test_options_belong_to_who_has_them(stocked: Shop) -> None:
    assert values(offered(stocked, "seamless-run", "--qsubm")) == ["--qsubmit"]
    assert offered(stocked, "seamless-run", "cat", "--qs") == [""]
    assert offered(stocked, "seamless-run", "-q", "cat", "-i", "al") == ["path,alpha.txt"]
    assert values(offered(stocked, "seamless-run", "--digest", "")) == ["blake3", "sha256"]
    assert "sort" in values(offered(stocked, "seamless-run", "sor"))
    assert "path,sub/" in offered(stocked, "seamless-run", "su")
    assert values(offered(stocked, "seamless-mode", "z")) == ["zsh"]


def test_jobs_by_number_and_checksum(shop: Shop) -> None:
    shop.submit("-c", "echo 1 > future.txt")
    shop.submit("-c", "echo 2, three > other.txt")
    identity = shop.good("--dry", "-c", "echo 2, three > other.txt").out.decode().strip()
    assert values(offered(shop, "seamless-status", "")) == ["2", "1"]
    assert identity[:12] in values(offered(shop, "seamless-status", identity[:3]))
    assert values(offered(shop, "seamless-status", identity[:20])) == [identity[:20]]
    # fish shows what they are.
    assert offered(shop, "seamless-status", "2", shell="fish")[0] == "plain,2\tqueued: echo 2, three > other.txt"
    told = offered(shop, "seamless-status", "2", shell="zsh")
    assert told[:3] == ["plain", "2", "queued: echo 2, three > other.txt"]
    shop.work_off()
    assert values(offered(shop, "seamless-status", "")) == ["2", "1"]
    assert offered(shop, "seamless-cancel", "") == [""]


def test_silence_whatever_is_wrong(shop: Shop, tmp_path: Path) -> None:
    assert offered(shop, "seamless-status", "", SEAMLESS_CACHE=str(tmp_path / "none")) == [""]
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("no store\n")
    assert offered(shop, "seamless-status", "", SEAMLESS_CACHE=str(tmp_path / "file")) == [""]
    shop.write("seamless.yaml", "- wrong\n")
    assert offered(shop, "seamless-status", "") == [""]
    for words in ({}, {"COMP_WORDS": "x"}, {"COMP_WORDS": "seamless-run", "COMP_CWORD": "many"}):
        ended = shop.call("seamless-run", env={"_SEAMLESS_RUN_COMPLETE": "bash_complete", **words})
        assert (ended.status, ended.out, ended.err) == (1, b"", "")
    ended = shop.call("seamless-run", env={"_SEAMLESS_RUN_COMPLETE": "tcsh_source"})
    assert (ended.status, ended.out, ended.err) == (1, b"", "")


START = {
    "bash": (".bashrc", """PS1='ready$ '; eval "$(seamless-mode --completion bash)" """),
    "zsh": (
        ".zshrc",
        """PROMPT='ready$ '; HISTFILE=; unsetopt promptsp; autoload -Uz compinit; compinit -u -D
        eval "$(seamless-mode --completion zsh)" """,
    ),
    "fish": (
        ".config/fish/config.fish",
        """seamless-mode --completion fish | source
        function fish_prompt; echo 'ready$ '; end
        function fish_greeting; end""",
    ),
}


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(shell, marks=pytest.mark.skipif(shutil.which(shell) is None, reason=f"no {shell}"))
        for shell in START
    ],
)
def test_in_a_real_shell(stocked: Shop, shell: str) -> None:
    name, text = START[shell]
    (stocked.home / name).parent.mkdir(parents=True, exist_ok=True)
    (stocked.home / name).write_text(f"{text}\n")
    # Else fish reads all manual pages in the background, long after it has ended.
    (stocked.home / ".local/share/fish/generated_completions").mkdir(parents=True)
    with Terminal(stocked, shell, "-i", ZDOTDIR=str(stocked.home)) as terminal:
        terminal.shows("ready$ ")
        terminal.type("seamless-run --verb\t -q cat alph\t a\\ f\t su\tinn\t > result; echo end > ended\r")
        until(lambda: stocked.has("ended") and stocked.read("ended"), "the end")
    assert stocked.read("ended") == "end\n"
    assert stocked.read("result") == "2\n1\n3\n"
