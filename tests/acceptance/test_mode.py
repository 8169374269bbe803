"""seamless-mode in real shells on a real terminal: what is wrapped, what is left alone, what runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from seamless.cli.mode import VARIABLES, mode

from .shop import Shop
from .terminal import ENTER, Terminal

SHELLS = [
    "bash",
    pytest.param("zsh", marks=pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")),
]
KEY = "\x18\x17"
START = {
    "bash": """PS1='ready$ '; PROMPT_COMMAND='asked=$((asked + 1))'; bind '"\\C-xq": "unbroken"'""",
    "zsh": """PROMPT='ready$ '; HISTFILE=; unsetopt promptsp
        precmd() { asked=$((asked + 1)) }; bindkey -s '^Xq' unbroken""",
}
RC = {"bash": ".bashrc", "zsh": ".zshrc"}
COMMON = """
alias numeric='sort -n'
alias grep='grep --color=never'
alias up='cd ..'
shellfunction() { sort "$@"; }
eval "$(seamless-mode SHELL)"
"""


@contextmanager
def at_the_prompt(shop: Shop, shell: str, more: str = "", **environment: str) -> Iterator[Terminal]:
    (shop.home / RC[shell]).write_text(f"{START[shell]}\n{COMMON.replace('SHELL', shell)}\n{more}\n")
    with Terminal(shop, shell, "-i", ZDOTDIR=str(shop.home), **environment) as terminal:
        terminal.shows("ready$ ")
        yield terminal


def say(terminal: Terminal, line: str, answer: str, prompt: str = "ready$ ") -> None:
    """Type a line; see an answer, and the next prompt."""
    terminal.type(line + ENTER)
    terminal.shows(answer)
    terminal.shows(prompt)


@pytest.mark.parametrize("shell", SHELLS)
def test_enter_wraps_and_enter_runs(shop: Shop, shell: str) -> None:
    shop.write("d.txt", "10\n9\n")
    on = "[seamless] ready$ "
    with at_the_prompt(shop, shell) as terminal:
        terminal.type(KEY)
        terminal.shows(on)
        for _ in range(2):
            terminal.type("numeric d.txt | cat > out.txt" + ENTER)
            terminal.shows("seamless-run -c 'sort -n d.txt | cat > out.txt'")
            # In bash the prompt is written again before the wrapped line.
            say(terminal, "", "\n", on)
        # Left as they are, and so they run at the first Enter.
        say(terminal, "mkdir sub && cd sub && echo in ${PWD##*/}", "\nin sub\n", on)
        terminal.type("for n in 1 2; do" + ENTER)
        terminal.shows("\n")
        terminal.shows("> ")
        terminal.type("sort ../d.txt" + ENTER)
        terminal.shows("\n")
        terminal.shows("> ")
        say(terminal, "done | tail -n 1", "\n9\n", on)
        say(terminal, "echo $((asked > 3))more", "\n1more\n", on)
        terminal.type(KEY)
        terminal.shows("\nready$ " if shell == "bash" else "ready$ ")
        say(terminal, "sort ../d.txt", "\n10\n9")
        say(terminal, "echo \x18q", "\nunbroken\n")
        terminal.type("exit" + ENTER)
        assert terminal.wait() == 0
    assert shop.read("out.txt") == "9\n10\n"
    # Both times the same; the second was an answer from the store.
    assert len(shop.rows("SELECT id FROM jobs")) == 1
    assert len(shop.rows("SELECT id FROM requests")) == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_the_key_wraps_one_line_and_takes_it_back(shop: Shop, shell: str) -> None:
    shop.write("d.txt", "it's\n")
    wrapped = "seamless-run -c 'grep --color=never \"it'\\''s\" d.txt'"
    with at_the_prompt(shop, shell) as terminal:
        terminal.type('grep "it\'s" d.txt' + KEY)
        terminal.shows(wrapped)
        say(terminal, KEY, "\nit's\n")
        assert shop.rows("SELECT id FROM requests") == []
        say(terminal, 'grep "it\'s" d.txt' + KEY, "\nit's\n")
        assert len(shop.rows("SELECT id FROM requests")) == 1
        # One that comes from elsewhere, the history say, is taken back too.
        say(terminal, "seamless-run -c 'sort '\\''d.txt'\\'''" + KEY, "\nit's\n")
        # What is left as it is stays as it is.
        say(terminal, "echo a" + KEY, "\na\n")
        assert len(shop.rows("SELECT id FROM requests")) == 1
        say(terminal, "fc -l | cat", wrapped)


@pytest.mark.parametrize("shell", SHELLS)
def test_another_key(shop: Shop, shell: str) -> None:
    shop.write("d.txt", "1\n")
    with at_the_prompt(shop, shell, SEAMLESS_MODE_KEY=r"\C-xw" if shell == "bash" else "^Xw") as terminal:
        terminal.type("sort d.txt\x18w")
        terminal.shows("seamless-run -c 'sort d.txt'")


#: Lines, and what becomes of them; None: they are left as they are.
LINES = {
    "sort d.txt": "sort d.txt",
    "sort 'a b' \"c\" > out": "sort 'a b' \"c\" > out",
    "numeric d.txt": "sort -n d.txt",
    "grep x d.txt | sort": "grep --color=never x d.txt | sort",
    "./tool.sh d.txt": "./tool.sh d.txt",
    "python3 script.py": "python3 script.py",
    "bash -c 'sort d.txt'": "bash -c 'sort d.txt'",
    "sort d.txt && wc d.txt": "sort d.txt && wc d.txt",
    "sort d.txt\nwc d.txt": "sort d.txt\nwc d.txt",
    "awk '!seen[$0]++' d.txt": "awk '!seen[$0]++' d.txt",
    **dict.fromkeys(
        [
            *("", " sort d.txt", "cd ..", "up", "pushd x", "ls -l", "vim d.txt", "less d.txt", "sort d.txt | less"),
            *("X=1", "X=1 sort d.txt", "A[1]=2", "echo x", "export X=1", "fg", "jobs", "%1", "sleep 9 &", "sort x & "),
            *("for i in 1 2; do sort d.txt; done", "{ sort d.txt; }", "(sort d.txt)", "[[ -e x ]]", "if sort d.txt"),
            *("sort 'd.txt", "sort d.txt |", "sort )", "!!", "sort !$", "^a^b", "# sort", "$x d.txt", "\\sort d.txt"),
            *("sudo sort d.txt", "'sort' d.txt"),
            *(
                "nothing-like-this d.txt",
                "./missing.sh",
                "shellfunction d.txt",
                "rm d.txt",
                "git status",
                "sudo sort x",
            ),
            *("seamless-run sort d.txt", "seamless-queue", "python3", "cat", "ssh host sort", "mine d.txt"),
        ]
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_wrapped(shop: Shop, shell: str) -> None:
    """Asked of the shell's function itself, all at once."""
    shop.write("tool.sh", "#!/bin/bash\n").chmod(0o755)
    for number, line in enumerate(LINES):
        (shop.top / f"line{number}").write_text(line)
    loop = f"""
    n=0; while [ $n -lt {len(LINES)} ]; do
        line=$(cat {shop.top}/line$n; printf .); line=${{line%.}}
        if __seamless_wrap "$line"; then printf %s "$__seamless_result" > {shop.top}/wrapped$n; fi
        if [ -e {shop.top}/wrapped$n ] && __seamless_unwrap "$__seamless_result"; then
            printf %s "$__seamless_result" > {shop.top}/back$n
        fi
        n=$((n + 1))
    done; echo done
    """
    shop.write("loop.sh", loop)
    with at_the_prompt(shop, shell, SEAMLESS_MODE_SKIP="mine other") as terminal:
        terminal.type(". ./loop.sh" + ENTER)
        terminal.shows("\ndone")
    found = {}
    for number, line in enumerate(LINES):
        wrapped, back = (shop.top / f"{kind}{number}" for kind in ("wrapped", "back"))
        found[line] = back.read_text() if wrapped.exists() else None
        if wrapped.exists():
            said = shop.bash(f'set -- {wrapped.read_text()}; printf %s "$3"')
            assert said.out.decode() == back.read_text()
    assert found == LINES


def test_the_variables_are_those_that_are_told() -> None:
    for shell in ("bash", "zsh"):
        assert set(re.findall(r"SEAMLESS_[A-Z_]+", mode(shell))) == set(VARIABLES)


def test_no_mode_for_other_shells(shop: Shop) -> None:
    for words in (("fish",), ("tcsh",), ()):
        ended = shop.call("seamless-mode", *words)
        assert (ended.status, len(ended.lines), ended.out) == (2, 1, b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_not_disturbed(shop: Shop, shell: str) -> None:
    ended = shop.call(shell, "-c", f'eval "$(seamless-mode {shell})"; echo fine')
    assert (ended.status, ended.out, ended.err) == (0, b"fine\n", "")
