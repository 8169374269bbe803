"""`seamless-mode`: code for the user's shell, that wraps typed commands in seamless-run, or completes ours."""

from __future__ import annotations

import click

from .entry import CONTEXT, debug_option, program, version_option

EPILOG = """\b
Examples:
  eval "$(seamless-mode bash)"
  eval "$(seamless-mode zsh)"
  eval "$(seamless-mode --completion bash)"
  seamless-mode --completion fish > completions.fish

\b
The lines with eval belong into ~/.bashrc or ~/.zshrc (there below compinit).
"""
#: Their effect is on the directory, the terminal or other processes, and no output: seamless-mode leaves them alone.
SKIPPED = """
    ls ll la tree pwd cd rm mv cp ln mkdir rmdir touch chmod chown chgrp install rsync
    vi vim nvim view emacs nano pico micro joe ed kak hx code edit
    less more most man info bat watch top htop btop clear reset stty tput tmux screen
    ssh mosh scp sftp sudo su doas kill pkill killall ps df du free mount umount lsof crontab at batch
    git hg svn make ninja cmake docker podman systemctl journalctl apt apt-get dnf brew pip conda npm cargo
    env nohup exec xdg-open open notify-send script date
"""
#: These talk to the user unless they are given something to do.
TALKERS = (
    "bash sh zsh fish dash ksh python python3 ipython R julia node ruby perl irb ghci gdb psql mysql sqlite3 bc cat"
)
#: What the code reads from the user's environment: another key, and further commands to be left alone.
VARIABLES = ("SEAMLESS_MODE_KEY", "SEAMLESS_MODE_SKIP")
PAGERS = "less|more|most|bat|view|vi|vim|nvim"
SHELLS = ("bash", "zsh", "fish")


@click.command("seamless-mode", context_settings=CONTEXT, epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--completion", is_flag=True, help="Print what completes the options and arguments of all commands.")
@debug_option
@version_option
def command(shell: str, completion: bool) -> int:
    """Print shell code that makes the prompt of SHELL (bash or zsh) ready for seamless-run.

    Ctrl-X Ctrl-W (or what SEAMLESS_MODE_KEY names) wraps the typed line in `seamless-run -c '…'` and shows it;
    pressed again, it takes that back. On an empty line it turns the mode on or off: then Enter wraps, and the second
    Enter runs. Editors, navigation, builtins and what begins with a blank are left as they are.
    """
    if completion:
        from .completion import source

        click.echo(source(shell), nl=False)
        return 0
    if shell == "fish":
        raise click.UsageError("there is no seamless-mode for fish; --completion fish works")
    click.echo(mode(shell), nl=False)
    return 0


def mode(shell: str) -> str:
    """The code of the mode for a shell."""
    from importlib.resources import files

    text = (files(__package__) / "shell" / f"mode.{shell}").read_text(encoding="utf-8")
    lists = {"SKIPPED": " ".join(SKIPPED.split()), "TALKERS": " ".join(TALKERS.split()), "PAGERS": PAGERS}
    for name, words in lists.items():
        text = text.replace(f"@{name}@", words)
    return text


main = program(command, "seamless-mode")

if __name__ == "__main__":
    main()
