"""What is told of an environment in records that stay: no values that look like secrets, nothing that just passes."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

#: In the place of a value that may be a secret.
NOT_RECORDED = "(not recorded)"
#: Parts of names whose values may be secrets.
_SECRET_NAMES = (
    *("TOKEN", "SECRET", "PASS", "PWD", "KEY", "CREDENTIAL", "AUTH", "PRIVATE", "COOKIE", "SIGNATURE", "DSN"),
    *("LICENSE", "WEBHOOK", "CONNECTION_STRING", "SALT"),
)
#: How well-known kinds of secrets begin, whatever the variable is called.
_SECRET_STARTS = (
    *("ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "sk-", "sk_", "pk_", "hf_", "xox", "AKIA", "ASIA", "eyJ"),
    *("-----BEGIN", "Bearer ", "Basic "),
)
#: Of a terminal or a login, not of the computation: they would only make records differ.
_PASSING = frozenset(
    [
        *("_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "LS_COLORS", "WINDOWID", "TERM_SESSION_ID", "STY"),
        *("TMUX", "TMUX_PANE", "GPG_TTY", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "XDG_SESSION_ID"),
        *("DBUS_SESSION_BUS_ADDRESS", "INVOCATION_ID", "JOURNAL_STREAM", "WT_SESSION", "PYTEST_CURRENT_TEST"),
        *("SEAMLESS_WORKER", "SEAMLESS_CRASH_AT"),
    ]
)
#: Of longer values only the beginning is kept.
VALUE_CHARACTERS = 1000
_BEGINNING_CHARACTERS = 200


def looks_secret(name: str, value: str) -> bool:
    """Whether a value may be a secret, by its name or its own look."""
    upper = name.upper()
    if any(part in upper for part in _SECRET_NAMES) or value.startswith(_SECRET_STARTS):
        return True
    # https://user:password@host
    return "://" in value and "@" in value.partition("://")[2].partition("/")[0]


def recorded(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables as they are told in a record that stays."""
    return {name: _value(name, value) for name, value in variables.items() if name not in _PASSING}


def keepable(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables that may be kept to be used again: those without secrets."""
    return {name: value for name, value in variables.items() if not looks_secret(name, value)}


def _value(name: str, value: str) -> str:
    if looks_secret(name, value):
        return NOT_RECORDED
    if len(value) <= VALUE_CHARACTERS:
        return value
    mark = crc32(value.encode("utf-8", "surrogateescape"))
    return f"{value[:_BEGINNING_CHARACTERS]}… ({len(value)} characters, crc32 {mark:08x})"
