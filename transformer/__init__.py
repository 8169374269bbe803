"""Gives bytes meaning: values, identity, execution and delivery; and the public face for Python code.

Names are imported when they are first used, because the command line passes through here as well.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batches import TransformationList as TransformationList
    from .batches import parallel as parallel
    from .batches import parallel_async as parallel_async
    from .environment import Environment as Environment
    from .errors import TransformationError as TransformationError
    from .spawning import global_lock as global_lock
    from .spawning import has_spawned as has_spawned
    from .spawning import spawn as spawn
    from .transformation import Transformation as Transformation
    from .transformers import delayed as delayed
    from .transformers import direct as direct

_HOMES = {
    "Environment": "environment",
    "Transformation": "transformation",
    "TransformationError": "errors",
    "TransformationList": "batches",
    "delayed": "transformers",
    "direct": "transformers",
    "global_lock": "spawning",
    "has_spawned": "spawning",
    "parallel": "batches",
    "parallel_async": "batches",
    "spawn": "spawning",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
