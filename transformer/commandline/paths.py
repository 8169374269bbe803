"""Paths as the planner compares them: absolute, without dots, by text alone."""

from posixpath import normpath

from .errors import CaptureError

_MOVING = frozenset(("", ".", ".."))


def absolute(directory: str, word: str) -> str:
    """Return the absolute, normalised path of a word; links are not followed."""
    if "/" not in word and word not in _MOVING and directory != "/":
        return f"{directory}/{word}"
    if word.startswith("/"):
        # POSIX keeps exactly two leading slashes apart; no system here does.
        return "/" + normpath(word).lstrip("/")
    return normpath(f"{directory}/{word}")


def relative(root: str, path: str) -> str | None:
    """Return a normalised path relative to a normalised root, or None if it lies outside."""
    prefix = root if root.endswith("/") else root + "/"
    if path.startswith(prefix):
        return path[len(prefix) :] or "."
    return "." if path == root else None


def base_name(path: str) -> str:
    return path[path.rfind("/") + 1 :]


def parent(path: str) -> str:
    """Return the folder of a path, "" for a bare name."""
    return path[: max(path.rfind("/"), 0)] or ("/" if path.startswith("/") else "")


def is_inside(text: str) -> bool:
    """Whether a path is relative and does not lead outside by `..`."""
    return not text.startswith("/") and not (normpath(text) + "/").startswith("../")


def inside_name(text: str, role: str) -> str:
    """Normalise a relative path that must stay inside the directory; `role` names it in the error."""
    name = normpath(text) if text else "."
    if not is_inside(text):
        raise CaptureError(f"{role} {text!r} is outside the directory: give a path below it, without '..'")
    if name == ".":
        raise CaptureError(f"{role} {text!r} names no file: give the name of a file or directory")
    return name


def extension(word: str) -> str:
    """Return the extension of the last path component without its dot, "" if there is none.

    It consists of letters, digits and underscores; names that only start with a dot have none.
    """
    head, _, tail = word.rpartition(".")
    if not head or not tail.replace("_", "a").isalnum():
        return ""
    return tail if base_name(head).strip(".") else ""
