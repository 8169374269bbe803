"""The face of Seamless Queue; it forwards lazily, because every submodule import runs it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seamless.transformer.buffer import Buffer as Buffer
    from seamless.transformer.checksum import Checksum as Checksum
    from seamless.transformer.errors import CacheMissError as CacheMissError
    from seamless.transformer.session import close as close

_HOMES = {"Buffer": "buffer", "CacheMissError": "errors", "Checksum": "checksum", "close": "session"}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("config", "transformer"):
        return import_module(f"seamless.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"seamless.transformer.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "config", "transformer"])
