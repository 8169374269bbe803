"""`seamless-status --graph`: who waits for whom, as an indented tree or as DOT for Graphviz."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .statustext import clean

if TYPE_CHECKING:
    from seamless_queue.broker.jobdetails import Edge, Graph
    from seamless_queue.broker.overview import Row

#: Deeper than this nothing is indented further.
DEEPEST = 20
COLORS = {
    "running": "gold",
    "done": "palegreen",
    "superseded": "palegreen",
    "failed": "salmon",
    "canceled": "lightgray",
    "delivering": "lightblue",
    "ready": "lightblue",
    "waiting": "white",
}


def tree(graph: Graph) -> Iterator[str]:
    """What nobody waits for stands at the left, below it what it needs; what stands there already is named only."""
    needs: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        needs.setdefault(edge.request_id, []).append(edge)
    needed = {edge.upstream_id for edge in graph.edges}
    shown: set[int] = set()
    if not graph.rows:
        yield "nothing is waiting, running or failed"
    for request_id in graph.rows:
        if request_id in needed:
            continue
        # By hand, not by recursion: a chain may have thousands of links.
        stack: list[tuple[int, int, str]] = [(request_id, 0, "")]
        while stack:
            one, depth, file = stack.pop()
            again = one in shown
            yield _line(graph.rows[one], depth, file, again and one in needs)
            if not again:
                shown.add(one)
                below = {edge.upstream_id: edge for edge in needs.get(one, ())}
                stack += [(edge.upstream_id, depth + 1, _name(edge)) for edge in reversed(below.values())]
    if graph.more:
        yield "… and more: see --limit"


def _line(row: Row, depth: int, file: str, again: bool) -> str:
    indent = "  " * min(depth, DEEPEST)
    needs = f"needs {file} of " if file else ""
    return f"{indent}{needs}#{row.request_id} {row.word}: {clean(row.command)}{' (see above)' if again else ''}"


def _name(edge: Edge) -> str:
    return clean(os.path.basename(edge.path))


def dot(graph: Graph) -> Iterator[str]:
    """The same for `dot -Tsvg`."""
    yield "digraph seamless {"
    yield '  rankdir=LR; node [shape=box, style=filled, fontname="sans-serif"];'
    for row in graph.rows.values():
        label = f"#{row.request_id} {row.word}\n{clean(row.command)[:60]}"
        yield f"  r{row.request_id} [label={_quoted(label)}, fillcolor={COLORS.get(row.word, 'white')}];"
    for edge in graph.edges:
        yield f"  r{edge.upstream_id} -> r{edge.request_id} [label={_quoted(_name(edge))}];"
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
