"""Adds to the errors of user code what to do about them, where the reason is that it runs away from its module."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from .bundles import DIRECTORY


def explain(error: BaseException, namespace: dict[str, Any]) -> None:
    """Rewrite the message of an error, if the code of a transformation raised it itself."""
    if isinstance(error, OSError):
        _explain_file(error)
    elif _is_raised_in(error.__traceback__, namespace):
        if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
            _explain_name(error)
        elif isinstance(error, ImportError) and "relative import" in str(error):
            error.args = (f"{error}: modules of the transformation are declared with .modules",)
            error.msg = error.args[0]


def _explain_name(error: NameError) -> None:
    name = getattr(error, "name", None)
    if name:
        error.args = (
            f"name {name!r} is not defined in the transformation: import it inside the function, pass it as an"
            f" argument, or declare it with .globals.{name} or .modules.{name}",
        )


def _explain_file(error: OSError) -> None:
    if str(error.filename).startswith(f"{DIRECTORY}/"):
        error.add_note("The modules of a transformation are in memory: read their files with importlib.resources.")


def _is_raised_in(traceback: TracebackType | None, namespace: dict[str, Any]) -> bool:
    """Whether the innermost frame belongs to the code or to one of its modules."""
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    return frame.f_globals is namespace or frame.f_code.co_filename.startswith(f"{DIRECTORY}/")
