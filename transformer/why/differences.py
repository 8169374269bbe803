"""What differs between two transformations, part by part, in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from .. import plain
from ..directories import MARK
from ..provenance import Input, Parts
from ..specification import STDOUT
from . import texts
from .contents import Contents
from .values import Difference

#: So many names are listed before "and N more".
SHOWN_NAMES = 5
#: Values up to this long are shown themselves.
_SHOWN_CHARACTERS = 40
_SHORT = 10


def between(contents: Contents, old: Parts, new: Parts) -> list[Difference]:
    """What is not as it was, most telling first; empty if the two are one."""
    found = [
        *_inputs(contents, old, new),
        *_code(contents, old, new),
        *_variables(contents, old.variables, new.variables),
        *_options(contents, old, new),
    ]
    return found


def abbreviated(checksum: str | None) -> str:
    """The beginning of a checksum."""
    return f"{checksum[:_SHORT]}…" if checksum else "not known yet"


def listed(names: list[str]) -> str:
    """Names in a row, the first few."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(f"`{name}`" for name in names[:SHOWN_NAMES]) + more


# -- code -------------------------------------------------------------------------------------
def _code(contents: Contents, old: Parts, new: Parts) -> Iterator[Difference]:
    if old.code == new.code:
        return
    change = f"({abbreviated(old.code)} -> {abbreviated(new.code)})"
    before, after = (contents.text(code) for code in (old.code, new.code))
    if before is None or after is None:
        yield Difference("code_changed", f"the code changed {change}; its text cannot be compared any more")
        return
    yield _text_change("code", before, after, new.language)


def _text_change(name: str, before: bytes, after: bytes, language: str) -> Difference:
    old, new = (content.decode("utf-8", "replace") for content in (before, after))
    found = texts.changes(old, new)
    if texts.is_cosmetic(old, new, language):
        text = (
            f"{name}: only comments or blank space changed, in {texts.where(found)}" if found else f"{name}: line ends"
        )
        return Difference("code_cosmetic", text, texts.shown(found))
    if not found:
        return Difference("code_changed", f"{name}: only the ends of lines changed")
    single = old.count("\n") <= 1 and new.count("\n") <= 1
    place = f"the {name}" if single else f"{name} {texts.where(found)}"
    return Difference("code_changed", f"{place} changed", texts.shown(found))


# -- inputs -----------------------------------------------------------------------------------
def _inputs(contents: Contents, old: Parts, new: Parts) -> Iterator[Difference]:
    before, after = ({one.name: one for one in parts.inputs} for parts in (old, new))
    gone = {name: one for name, one in before.items() if name not in after}
    come = {name: one for name, one in after.items() if name not in before}
    for name, one in after.items():
        if name in before:
            yield from _input(contents, before[name], one, new)
    for name, one in list(come.items()):
        former = next((other for other in gone.values() if one.checksum and other.checksum == one.checksum), None)
        if former is not None:
            del gone[former.name], come[name]
            text = f"{_what(new)} `{former.name}` is called `{name}` now (same content)"
            yield Difference("input_renamed", text)
    for name, one in gone.items():
        yield Difference("input_removed", f"{_what(new)} `{name}` ({_told(contents, one)}) is no {_what(new)} any more")
    for name, one in come.items():
        yield Difference("input_added", f"{_what(new)} `{name}` ({_told(contents, one)}) is new")


def _told(contents: Contents, one: Input) -> str:
    """An input by its checksum, and by itself if it is short."""
    content = contents.text(one.checksum or None, 4 * _SHOWN_CHARACTERS)
    text = _compact(content) if content is not None else ""
    is_short = 0 < len(text) <= _SHOWN_CHARACTERS and text.isprintable()
    return f"{abbreviated(one.checksum)}, {text}" if is_short else abbreviated(one.checksum)


def _input(contents: Contents, old: Input, new: Input, parts: Parts) -> Iterator[Difference]:
    name = f"{_what(parts)} `{new.name}`"
    if old.is_module and new.is_module and old.checksum != new.checksum:
        yield _module(contents, old, new)
    elif old.checksum != new.checksum:
        yield Difference("input_changed", f"{name} changed ({_change(contents, old, new)})")
    if old.executable != new.executable:
        now = "is executable now" if new.executable else "is not executable any more"
        yield Difference("executable_changed", f"{name} {now}")
    if old.is_directory != new.is_directory:
        now, then = ("a directory", "a file") if new.is_directory else ("a file", "a directory")
        yield Difference("input_kind_changed", f"{name} is {now} now, was {then}")
    elif old.celltype != new.celltype:
        yield Difference("celltype_changed", f"{name} has celltype {new.celltype} now, had {old.celltype}")


def _what(parts: Parts) -> str:
    return "input" if parts.is_command else "argument"


def _change(contents: Contents, old: Input, new: Input) -> str:
    arrow = f"{abbreviated(old.checksum)} -> {abbreviated(new.checksum)}"
    if not new.checksum:
        return f"{arrow}"
    if old.is_index and new.is_index:
        detail = _directory_change(contents, old.checksum, new.checksum)
    else:
        detail = content_change(contents, old.checksum, new.checksum)
    return f"{arrow}, {detail}" if detail else arrow


def content_change(contents: Contents, old: str, new: str) -> str:
    """How two buffers differ, in a few words; empty if one of them is not there."""
    before, after = contents.text(old), contents.text(new)
    if before is not None and after is not None:
        shown = [_compact(content) for content in (before, after)]
        if all(0 < len(text) <= _SHOWN_CHARACTERS and text.isprintable() for text in shown):
            return f"{shown[0]} -> {shown[1]}"
        return texts.how_many(before, after)
    sizes = contents.size(old), contents.size(new)
    return texts.bytes_differ(sizes[0], sizes[1]) if sizes[0] is not None and sizes[1] is not None else ""


def _compact(content: bytes) -> str:
    """A short value on one line, as JSON where it is that."""
    if len(content) <= 4 * _SHOWN_CHARACTERS:
        try:
            return json.dumps(plain.load(content), ensure_ascii=False)
        except ValueError:
            pass
    return content.decode("utf-8", "replace").strip()


def _directory_change(contents: Contents, old: str, new: str) -> str:
    before, after = contents.value(old), contents.value(new)
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    added = [name for name in after if name not in before and not name.startswith(MARK)]
    removed = [name for name in before if name not in after and not name.startswith(MARK)]
    changed = [name for name in after if name in before and before[name] != after[name]]
    marks = {name for name in {*before, *after} if name.startswith(MARK) and before.get(name) != after.get(name)}
    said = [f"{word} {listed(names)}" for word, names in (("added", added), ("removed", removed)) if names]
    if len(changed) == 1 and isinstance(before[changed[0]], str):
        detail = content_change(contents, before[changed[0]], after[changed[0]])
        said.append(f"changed `{changed[0]}`" + (f": {detail}" if detail else ""))
    elif changed:
        said.append(f"changed {listed(changed)}")
    if marks and not said:
        said.append(f"executable bits or empty directories: {listed(sorted(name[len(MARK) :] for name in marks))}")
    return "; ".join(said)


def _module(contents: Contents, old: Input, new: Input) -> Difference:
    before, after = (_sources(contents, one.checksum) for one in (old, new))
    change = f"{abbreviated(old.checksum)} -> {abbreviated(new.checksum)}"
    changed = [name for name in after if before.get(name) != after[name]]
    if len(changed) == 1 and changed[0] in before:
        name = f"{new.name} {changed[0]}".strip()
        return _text_change(name, before[changed[0]].encode(), after[changed[0]].encode(), "python")._replace(
            kind="module_changed"
        )
    files = sorted({*before, *after} - {name for name in after if before.get(name) == after[name]})
    detail = f": {listed(files)}" if files else ""
    return Difference("module_changed", f"{new.name} changed ({change}){detail}")


def _sources(contents: Contents, checksum: str) -> dict[str, str]:
    definition = contents.value(checksum)
    code = definition.get("code") if isinstance(definition, dict) else None
    if isinstance(code, str):
        return {"": code}
    return {name: str(entry.get("code")) for name, entry in code.items()} if isinstance(code, dict) else {}


# -- options ----------------------------------------------------------------------------------
def _variables(contents: Contents, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield Difference("variable_added", f"variable {name} is new: {_value(contents, new[name])}")
        elif name not in new:
            yield Difference(
                "variable_removed", f"variable {name} ({_value(contents, old[name])}) is not given any more"
            )
        elif old[name] != new[name]:
            change = f"{_value(contents, old[name])} -> {_value(contents, new[name])}"
            yield Difference("variable_changed", f"variable {name} changed: {change}")


def _value(contents: Contents, checksum: str) -> str:
    content = contents.text(checksum)
    try:
        text = repr(plain.load(content)) if content is not None else abbreviated(checksum)
    except ValueError:
        text = abbreviated(checksum)
    return text if len(text) <= 2 * _SHOWN_CHARACTERS else text[: 2 * _SHOWN_CHARACTERS] + "…"


def _options(contents: Contents, old: Parts, new: Parts) -> Iterator[Difference]:
    if old.language != new.language:
        yield Difference("language_changed", f"the language is {new.language} now, was {old.language}")
    if old.captures != new.captures:
        yield Difference("captures_changed", f"the outputs are {_captured(new)} now, were {_captured(old)}")
    elif old.celltype != new.celltype and not new.is_command:
        yield Difference("celltype_changed", f"the result has celltype {new.celltype} now, had {old.celltype}")
    if old.stdin != new.stdin:
        yield _stdin(contents, old.stdin, new.stdin)


def _captured(parts: Parts) -> str:
    names = ["standard output" if name == STDOUT else f"`{name}`" for name in parts.captures]
    return ", ".join(names) or "nothing but standard output"


def _stdin(contents: Contents, old: str | None, new: str | None) -> Difference:
    if old is None or new is None:
        text = (
            "standard input is no input any more (--stdin)"
            if new is None
            else "standard input is an input now (--stdin)"
        )
    else:
        detail = content_change(contents, old, new)
        text = f"standard input changed ({abbreviated(old)} -> {abbreviated(new)}{', ' + detail if detail else ''})"
    return Difference("stdin_changed", text)
