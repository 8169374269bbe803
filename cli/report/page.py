"""One page out of template, style, script and data; it can reach nothing, and nothing in the data can become code."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files
from typing import Any

import orjson

#: Where the template takes a part.
PLACE = re.compile(r"\{\{(\w+)\}\}")
#: In this order they make one script.
SCRIPTS = (
    "model.js",
    "chosen.js",
    "axis.js",
    "timeline.js",
    "moving.js",
    "table.js",
    "layout.js",
    "graph.js",
    "details.js",
    "lists.js",
    "main.js",
)


def page(data: dict[str, Any], title: str, summary: str, meanings: str = "") -> str:
    """The page; `summary` and `meanings` are HTML that is there without scripts too."""
    style = _source("style.css")
    script = '"use strict";\n(() => {\n' + "\n".join(_source(name) for name in SCRIPTS) + "\n})();\n"
    parts = {
        "title": html.escape(title),
        "policy": html.escape(_policy(style, script)),
        "summary": summary,
        "meanings": meanings,
        "style": style,
        "data": _data(data),
        "script": script,
    }
    # In one pass: what is put in may look like a place itself.
    return PLACE.sub(lambda match: parts[match[1]], _source("template.html"))


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing is fetched or sent anywhere; only the style and the script of the page count as such."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(data: dict[str, Any]) -> str:
    """JSON in which no tag can begin or end, and no line ends unseen."""
    text = orjson.dumps(data).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
