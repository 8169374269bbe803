"""What is told of an environment in records that stay: no values that look like secrets, nothing that just passes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from zlib import crc32

#: In the place of a value that may be a secret.
NOT_RECORDED = "(not recorded)"
#: Parts of names whose values may be secrets.
_SECRET_PARTS = (
    *("TOKEN", "SECRET", "PASS", "PWD", "PSWD", "PASWD", "KEY", "CRED", "AUTH", "PRIVATE", "COOKIE", "SESSION"),
    *("SIGNATURE", "SIGNING", "DSN", "LICENSE", "LICENCE", "WEBHOOK", "SALT", "BEARER", "JWT", "NETRC"),
    *("CONNECTION_STRING", "CONNECTIONSTRING", "CONN_STR", "CONNSTR"),
)
#: The same, too short to be looked for inside of words.
_SECRET_WORDS = frozenset(
    [
        *("PW", "PSW", "PSK", "PIN", "PINS", "PUK", "PAT", "OTP", "TOTP", "MFA", "SAS", "SIG", "SID", "TOK"),
        *("CVV", "CVC", "SSN"),
    ]
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: The working directory, whatever its name contains.
_NO_SECRETS = frozenset({"PWD", "OLDPWD"})
#: How well-known kinds of secrets begin.
_STARTS = (
    r"gh[a-z]_|github_pat_|gl[a-z]{1,5}-|npm_|pypi-|dckr_pat_|hf_|sk[-_]|[pr]k_|xox[a-z]|xapp-|SG\.|AIza|ya29\.|hvs\."
    r"|AKIA|ASIA|eyJ|dop_v1_|shp[a-z]{2}_|glsa_|rubygems_"
)
#: What secrets are called in a value, with other letters before it or not.
_SAID = (
    *("pass", "pwd", "secret", "token", "key", "cred", "auth", "private", "cookie", "session", "signature", "bearer"),
    "license",
)
_SAID_ALONE = ("pw", "sig", "pin", "dsn")
#: How a header goes on that sends one.
_SENT = ("basic", "digest")
_ANY = "|".join([*_SAID, *(rf"(?<![a-z]){word}" for word in _SAID_ALONE)])
#: Well-known tokens and private keys, anywhere in a value.
_TOKEN = re.compile(rf"\A['\"\s]*(?:{_STARTS})|(?<![A-Za-z0-9])(?:{_STARTS})[\w.-]{{8}}|-----BEGIN")
#: What is called a secret in a value, in small letters.
_CALLED = re.compile(
    "|".join(
        [
            # --password=…, password: …, "token": …; but no list of directories
            rf"(?:{_ANY})[\w-]{{0,40}}['\"]?\s{{0,9}}(?:=|:(?!/))\s{{0,9}}\S",
            # --password …
            rf"(?<!\S)--?[\w-]{{0,40}}(?:{_ANY})[\w-]{{0,40}}\s{{1,9}}[^\s-]",
            r"\b(?:bearer|basic|digest|password|passwd|passphrase|authorization)['\"]?\s{1,9}\S",
        ]
    )
)
#: -u user:password
_USER = re.compile(r"(?<!\S)(?:-u|--user|--proxy-user)[\s=]{0,9}[^\s:]{1,200}:\S")
#: https://user:password@host, also with a slash in the password, but not https://host:80/a@b
_ADDRESS = re.compile(r"://[^\s/]{0,500}@|://[^\s/:@]{0,200}:(?!\d*/)[^\s@]{0,500}@")
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
    """Whether a value may be a secret, by its name or its own look; rather one too many."""
    return _is_secret_name(name) or _is_secret_value(value)


def _is_secret_name(name: str) -> bool:
    upper = name.upper()
    if upper in _NO_SECRETS:
        return False
    if any(part in upper for part in _SECRET_PARTS) or upper.rstrip("0123456789_").endswith("PW"):
        return True
    return any(word.upper() in _SECRET_WORDS for word in _WORD.findall(name))


def _is_secret_value(value: str) -> bool:
    # Plain looks first: patterns cost a hundred times as much, and hardly any value needs them.
    if _TOKEN.search(value) or ("://" in value and _ADDRESS.search(value)) or ("-u" in value and _USER.search(value)):
        return True
    lower = value.lower()
    return any(word in lower for word in (*_SAID, *_SAID_ALONE, *_SENT)) and _CALLED.search(lower) is not None


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
