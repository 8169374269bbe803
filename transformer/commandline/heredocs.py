"""Here-documents, blanked out so that the parser meets only the commands around them.

The grammar rejects or misplaces much of what may follow `<<END` on its line, and the documents are neither
inputs nor outputs; blanks of the same length keep every position.
"""

import re

_TOKEN = re.compile(
    rb"""
    \\. | '[^']*' | "(?:[^"\\]|\\.)*"
  | (?:(?<=[\s;&|()])|\A) \#[^\n]*
  | \(\(.*?\)\)
  | <<<
  | (?P<operator><<(?P<tabs>-?)[ \t]*(?P<delimiter>(?:\\.|'[^']*'|"[^"]*"|[^\s'"\\;&|()<>])+))
  | (?P<newline>\n)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTES = re.compile(rb"[\\'\"]")
_NOT_NEWLINE = re.compile(rb"[^\n]")


def blank_heredocs(data: bytes) -> bytes:
    """Return text of the same length with here-documents and their operators replaced by blanks."""
    if b"<<" not in data:
        return data
    pieces: list[bytes] = []
    pending: list[tuple[bytes, bool]] = []
    copied = 0
    position = 0
    while token := _TOKEN.search(data, position):
        position = token.end()
        if token["operator"]:
            pending.append((_QUOTES.sub(b"", token["delimiter"]), bool(token["tabs"])))
            pieces += (data[copied : token.start()], b" " * (token.end() - token.start()))
            copied = position
        elif token["newline"] and pending:
            position = _end_of_documents(data, position, pending)
            pieces += (data[copied : token.end()], _NOT_NEWLINE.sub(b" ", data[token.end() : position]))
            copied = position
            pending = []
    return b"".join((*pieces, data[copied:]))


def _end_of_documents(data: bytes, position: int, pending: list[tuple[bytes, bool]]) -> int:
    for delimiter, tabs in pending:
        pattern = rb"^" + (rb"\t*" if tabs else rb"") + re.escape(delimiter) + rb"$"
        end = re.compile(pattern, re.MULTILINE).search(data, position)
        if end is None:
            return len(data)
        # One past the newline, except that the text may end right behind the delimiter.
        position = min(end.end() + 1, len(data))
    return position
