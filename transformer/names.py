"""A few values by name, as attributes or as items: `f.celltypes.x = "binary"`, `f.modules["helper"] = helper`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any


class Names(MutableMapping[str, Any]):
    """A mapping whose keys are attributes too. AttributeError for names that do not exist or cannot."""

    def __init__(
        self,
        what: str,
        changed: Callable[[], None],
        convert: Callable[[Any], Any] | None,
        accepts: Callable[[str], bool] | None,
        values: dict[str, Any] | None = None,
    ) -> None:
        self.__dict__.update(
            _what=what, _changed=changed, _convert=convert, _accepts=accepts, _values=dict(values or {})
        )

    def copy(self, changed: Callable[[], None]) -> Names:
        """Another one with the same values."""
        mine = self.__dict__
        return Names(mine["_what"], changed, mine["_convert"], mine["_accepts"], mine["_values"])

    def __getitem__(self, name: str) -> Any:
        return self.__dict__["_values"][name]

    def __setitem__(self, name: str, value: Any) -> None:
        mine = self.__dict__
        if mine["_accepts"] is not None and name != "result" and not mine["_accepts"](name):
            raise AttributeError(f"{mine['_what']}: the function has no parameter {name!r}")
        mine["_values"][name] = value if mine["_convert"] is None else mine["_convert"](value)
        mine["_changed"]()

    def __delitem__(self, name: str) -> None:
        del self.__dict__["_values"][name]
        self.__dict__["_changed"]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__["_values"])

    def __len__(self) -> int:
        return len(self.__dict__["_values"])

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('_what')}: {name!r} is not set") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"{self.__dict__['_what']}: {name!r} is not set") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"<{self.__dict__['_what']} {self.__dict__['_values']!r}>"


class Modules(Names):
    """Modules by name. What each is on disk when it is set stays so, whatever becomes of its files."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__("modules", changed, None, None)
        self.__dict__["_definitions"] = {}

    @property
    def definitions(self) -> dict[str, Any]:
        """The definitions of the modules, as of their assignments."""
        definitions: dict[str, Any] = self.__dict__["_definitions"]
        return definitions

    def copy(self, changed: Callable[[], None]) -> Modules:
        """Another one with the same values."""
        other = Modules(changed)
        other.__dict__.update(_values=dict(self), _definitions=dict(self.definitions))
        return other

    def __setitem__(self, name: str, value: Any) -> None:
        from .python.definitions import definition_of

        self.definitions[name] = definition_of(value, name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        del self.definitions[name]
