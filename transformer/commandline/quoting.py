"""Single shell words: what one stands for, and how to write one."""

import re
from functools import cache
from shlex import quote

__all__ = ["PLAIN_TEXT", "RESERVED", "quote", "quote_command", "static_text"]

#: One line of words that mean themselves wherever they stand, the first one aside.
PLAIN_TEXT = re.compile(r"[\w./,:@%+= -]+").fullmatch
_PLAIN_WORD = re.compile(r"[\w./,:@%+=^#-]+").fullmatch

#: Words that start shell syntax when a command starts with them. `time` is left out: it takes a command as
#: words, so a literal command may well begin with it.
RESERVED = frozenset(
    [
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "for",
        "select",
        "case",
        "esac",
        "while",
        "until",
        "do",
        "done",
        "function",
        "in",
        "coproc",
        "{",
        "}",
        "[[",
        "]]",
        "!",
    ]
)

#: Patterns stay uncompiled: plain words never need them, and `re` keeps what it has compiled.
_PART = r"""(?xs)
    (?P<bare>[^\s'"\\$`*?\[{}<>()|&;]+ | \{\} | \] )
  | '(?P<single>[^']*)'
  | "(?P<double>(?:[^"\\$`]|\\.)*)"
  | \$'(?P<ansi>(?:[^'\\]|\\.)*)'
  | \\(?P<escaped>.)
    """
_DOUBLE_ESCAPE = r'\\([$`"\\\n])'
_ANSI_ESCAPE = rb"(?s)\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|[uU]([0-9a-fA-F]{1,8})|(.))"
_ANSI_LETTERS = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v",
    b"e": b"\x1b", b"E": b"\x1b", b"\\": b"\\", b"'": b"'", b'"': b'"', b"?": b"?",
}  # fmt: skip


@cache
def _part_pattern() -> re.Pattern[str]:
    return re.compile(_PART)


def static_text(raw: str) -> str | None:
    """Return what a shell word stands for without its quotes, or None if only a shell can tell.

    Expansions, substitutions, wildcards, braces and a leading tilde make a word dynamic.
    """
    if _PLAIN_WORD(raw):
        return raw
    if raw.startswith("~"):
        return None
    texts = []
    end = 0
    while end < len(raw):
        part = _part_pattern().match(raw, end)
        if part is None:
            return None
        texts.append(_part_text(part))
        end = part.end()
    return "".join(texts)


def _part_text(part: re.Match[str]) -> str:
    text: str = part[part.lastgroup or 0]
    match part.lastgroup:
        case "double":
            return re.sub(_DOUBLE_ESCAPE, lambda m: "" if m[1] == "\n" else m[1], text)
        case "ansi":
            return _ansi_text(text)
        case "escaped":
            return "" if text == "\n" else text
    return text


def _ansi_text(text: str) -> str:
    # In bytes: \377 is a byte, and several of them may make up one character.
    data = re.sub(_ANSI_ESCAPE, _ansi_character, text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")


def _ansi_character(escape: re.Match[bytes]) -> bytes:
    octal, hexadecimal, point, letter = escape.groups()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    if point:
        return chr(int(point, 16) % 0x110000).encode("utf-8", "replace")
    return _ANSI_LETTERS.get(letter, b"\\" + letter)


def quote_command(word: str) -> str:
    """Quote the first word of a literal command: neither an assignment nor a keyword."""
    quoted = quote(word)
    if quoted is word and ("=" in word or word in RESERVED):
        return f"'{word}'"
    return quoted
