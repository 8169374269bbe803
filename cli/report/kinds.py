"""What kind of thing a command does: the name by which like jobs are put together."""

from __future__ import annotations

import os
import re
from functools import lru_cache

#: Words that stand before the command that is meant.
BEFORE = frozenset({"env", "time", "nice", "nohup", "exec", "command", "sudo", "timeout", "stdbuf", "xargs"})
#: Programs that are only as good as the script that they are given.
INTERPRETERS = re.compile(r"(ba|da|z|k)?sh|python[\d.]*|pypy[\d.]*|perl|ruby|Rscript|julia|node|php|lua|octave|java")
#: Between the commands of a line.
SEPARATORS = re.compile(r"\|\|?|&&|;|\n")
PYTHON_CALL = re.compile(r"[\w.<>]+\(.*\)", re.DOTALL)
ASSIGNMENT = re.compile(r"\w+=\S*")
LONGEST = 40


@lru_cache(maxsize=50_000)
def kind_of(command: str) -> str:
    """`sort`, `python fit.py`, `sort | uniq`; a guess, but the same one for like commands."""
    text = command.strip()
    if PYTHON_CALL.fullmatch(text) and " " not in text.partition("(")[0]:
        return _short(text.partition("(")[0])
    parts = [name for part in SEPARATORS.split(text)[:8] if (name := _program(part.split()))]
    joined = " | ".join(dict.fromkeys(parts[-3:]))
    return _short(joined or "(none)")


def _program(words: list[str]) -> str:
    words = [word for word in words if not word.startswith((">", "<", "2>", "&>"))]
    while words and (words[0] in BEFORE or ASSIGNMENT.fullmatch(words[0]) or words[0].startswith(("(", "{", "!"))):
        words = words[1:] if len(words[0].strip("({!")) == 0 or words[0][0] not in "({!" else [words[0][1:], *words[1:]]
        while words and words[0].replace(".", "").isdigit():
            words = words[1:]
    if not words:
        return ""
    program = os.path.basename(words[0].strip("'\"()"))
    if not INTERPRETERS.fullmatch(program):
        return program
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    return f"{program} {os.path.basename(script)}" if "." in script else program


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
