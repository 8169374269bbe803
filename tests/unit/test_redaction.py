"""No value that looks like a secret is recorded."""

import pytest

from seamless.transformer.redaction import NOT_RECORDED, keepable, looks_secret, recorded


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("GITHUB_TOKEN", "x", True),
        ("aws_secret_access_key", "x", True),
        ("DB_PWD", "x", True),
        ("PGPASSWORD", "x", True),
        ("SSH_AUTH_SOCK", "/tmp/x", True),
        ("HTTPS_PROXY", "http://me:word@proxy:1", True),
        ("X", "eyJhbGciOi", True),
        ("X", "-----BEGIN PRIVATE", True),
        ("HTTPS_PROXY", "http://proxy:1/a@b", False),
        ("PATH", "/usr/bin:/bin", False),
        ("LANG", "C.UTF-8", False),
    ],
)
def test_looks_secret(name: str, value: str, is_secret: bool) -> None:
    assert looks_secret(name, value) is is_secret
    assert recorded({name: value}) == {name: NOT_RECORDED if is_secret else value}
    assert keepable({name: value}) == ({} if is_secret else {name: value})


def test_what_just_passes_is_left_out_and_long_values_are_shortened() -> None:
    found = recorded({"PWD": "/x", "SHLVL": "3", "LONG": "x" * 5000})
    assert set(found) == {"LONG"}
    assert len(found["LONG"]) < 300
    assert "(5000 characters, crc32 " in found["LONG"]
