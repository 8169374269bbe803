"""What kind of thing a command does: the name by which like jobs are put together."""

from __future__ import annotations

import os
import re
from functools import lru_cache

#: Words that stand before the command that is meant, with their options and numbers.
BEFORE = frozenset({"env", "time", "nice", "nohup", "exec", "command", "sudo", "timeout", "stdbuf", "xargs"})
#: Words of the shell that a command may follow.
OPENING = frozenset({"do", "then", "else", "elif", "if", "while", "until", "!", "{", "("})
#: Words of the shell, and commands, that say nothing of what is done.
IDLE = frozenset({"for", "case", "select", "done", "fi", "esac", "}", ")", "cd", "set", "export", "true", ":"})
#: Programs that are only as good as the script that they are given.
INTERPRETERS = re.compile(r"(ba|da|z|k)?sh|python[\d.]*|pypy[\d.]*|perl|ruby|Rscript|julia|node|php|lua|octave|java")
#: Between the commands of a line.
SEPARATORS = re.compile(r"\|\|?|&&|;|\n")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
PYTHON_CALL = re.compile(r"[\w.<>]+\(.*\)", re.DOTALL)
ASSIGNMENT = re.compile(r"\w+=\S*")
NUMBER_OR_OPTION = re.compile(r"-.*|[\d.]+[smhd]?")
#: So many parts of a line are looked at, of so many it is named.
LOOKED_AT, NAMED = 12, 3
LONGEST = 40


@lru_cache(maxsize=50_000)
def kind_of(command: str) -> str:
    """`sort`, `python fit.py`, `sort | uniq`; a guess, but the same one for like commands."""
    text = command.strip()
    if PYTHON_CALL.fullmatch(text) and text[0] != "(":
        return _short(text.partition("(")[0])
    parts = SEPARATORS.split(QUOTED.sub("''", text))[:LOOKED_AT]
    names = dict.fromkeys(name for part in parts if (name := _program(part.replace("(", " ( ").split())))
    return _short(" | ".join(list(names)[:NAMED]) or "(none)")


def _program(words: list[str]) -> str:
    """The program that a simple command runs; empty if it is none to speak of."""
    skipping = False
    for place, word in enumerate(words):
        if word in BEFORE:
            skipping = True
        elif ASSIGNMENT.fullmatch(word) or word in OPENING or (skipping and NUMBER_OR_OPTION.fullmatch(word)):
            continue
        elif word in IDLE or word[0] in "<>)#":
            return ""
        else:
            return _with_script(os.path.basename(word.strip("'\"()")), words[place + 1 :])
    return ""


def _with_script(program: str, words: list[str]) -> str:
    if not INTERPRETERS.fullmatch(program):
        return program
    script = next((word for word in words if not word.startswith("-")), "")
    return f"{program} {os.path.basename(script)}" if "." in script else program


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
