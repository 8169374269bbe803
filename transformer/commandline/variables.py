"""--var and --metavar: NAME=VALUE."""

import re
from collections.abc import Iterable

from .errors import VariableError

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_META_PREFIX = "META__"


def read_variables(values: Iterable[str], option: str) -> dict[str, str]:
    """Read the values of one option; a name given twice has its last value."""
    return dict(_variable(value, option) for value in values)


def read_metavariables(values: Iterable[str], variables: dict[str, str]) -> dict[str, str]:
    """Read --metavar; a name cannot be a variable as well, for the command would see only one of them."""
    metavariables = read_variables(values, "--metavar")
    for name in metavariables:
        if name.startswith(_META_PREFIX):
            raise VariableError(f"invalid --metavar {name!r}: a name must not start with {_META_PREFIX}")
        if name in variables:
            raise VariableError(f"{name!r} is given by --var and by --metavar: keep one of them")
    return metavariables


def _variable(value: str, option: str) -> tuple[str, str]:
    name, equals, text = value.partition("=")
    if not equals:
        raise VariableError(f"invalid {option} {value!r}: write NAME=VALUE")
    if not name:
        raise VariableError(f"invalid {option} {value!r}: the name is empty, write NAME=VALUE")
    if not re.fullmatch(_NAME, name):
        raise VariableError(f"invalid {option} {value!r}: the name {name!r} must match [A-Za-z_][A-Za-z0-9_]*")
    return name, text
